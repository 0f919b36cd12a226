"""What may import what, by folder: the packages of keras_dc and the C++ sources."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_dc"
SOURCES = ROOT / "tflite_ops" / "src"

# A folder may import those it names here, and what these may import. `errors` is for all.
MAY_IMPORT = {
    "numerics": [],
    "support": [],
    "tflite": [],
    "codec": [],
    "wrapping": ["numerics"],
    "training": ["wrapping", "support"],
    "compression": ["tflite", "codec", "numerics", "support"],
    "packing": ["compression"],
    "runtime": ["tflite", "codec", "support"],
    "post_training": ["compression", "runtime"],
    "reporting": ["compression"],
    "conversion": ["training", "post_training"],
    "recipe": ["conversion", "packing", "reporting"],
    "cli": ["conversion", "packing", "reporting"],
}
WITH_KERAS = ["wrapping", "training", "conversion", "recipe"]
FRAMEWORKS = {"keras", "tensorflow", "tf_keras", "tensorflow_model_optimization", "jax", "torch"}

MAY_INCLUDE = {
    "common": ["common"],
    "bytes": ["common", "bytes"],
    "encode": ["common", "encode"],
    "decode": ["common", "decode"],
    "kernels": ["common", "decode/streaming", "kernels"],
    "tflite": ["common", "decode", "kernels", "tflite"],
    "pack": ["common", "bytes", "decode", "pack"],
    "unpack": ["common", "bytes", "decode", "encode", "unpack"],
    "api": ["common", "encode", "decode", "pack", "unpack", "api"],
}


def imports_of(path):
    """Full names of the modules that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def all_below(folder):
    below = MAY_IMPORT[folder]
    return {folder, *below, *(name for each in below for name in all_below(each))}


def test_every_folder_has_its_rule():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(MAY_IMPORT)
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__", "errors"}
    assert {path.name for path in SOURCES.iterdir()} == set(MAY_INCLUDE)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_run_one_way(folder):
    for path in (PACKAGE / folder).rglob("*.py"):
        parts = [name.split(".") for name in imports_of(path)]
        ours = {part[1] for part in parts if part[0] == "keras_dc" and len(part) > 1}
        # `from keras_dc import x` may name a package, a module or a public function.
        assert ours <= all_below(folder) | {"errors"}, path
        if folder not in WITH_KERAS:
            assert not {part[0] for part in parts} & FRAMEWORKS, path


@pytest.mark.parametrize("folder", MAY_INCLUDE)
def test_includes_run_one_way(folder):
    for path in (SOURCES / folder).rglob("*.*"):
        for name in re.findall(r'#include "([^"]+)"', path.read_text()):
            allowed = [f"{place}/" for place in [*MAY_INCLUDE[folder], "keras_dc"]]
            assert name.startswith(tuple(allowed)), path
            if folder in ("encode", "decode", "kernels"):
                assert "tflite" not in name, path


def test_no_test_imports_another():
    """What tests share stands in tests/support/."""
    for path in (ROOT / "tests").rglob("*.py"):
        names = {part for name in imports_of(path) for part in name.split(".")}
        assert not [name for name in names if name.startswith("test_")], path


def test_tutorials_use_public_names_alone():
    import keras_dc

    for path in (ROOT / "tutorials").rglob("*.py"):
        text = path.read_text()
        assert {name for name in imports_of(path) if "keras_dc" in name} <= {"keras_dc"}, path
        assert set(re.findall(r"\bdc\.(\w+)", text)) <= set(keras_dc.__all__), path
        assert "sys.path" not in text, path


def test_nothing_says_tf_keras():
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"\btf\.keras\b", path.read_text()), path


def run(code):
    """What `code` prints, run in a folder where the sources do not hide the package."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "tests",
    ).stdout


def test_importing_the_package_imports_no_framework():
    heavy = FRAMEWORKS | {"ai_edge_litert", "numpy"}
    assert run(f"import sys, keras_dc; print({heavy} & set(sys.modules))") == "set()\n"


def test_the_first_name_that_is_used_may_bring_keras():
    """Keras then imports the modules that register classes, while this one is half there."""
    code = "import keras_dc as dc; print(dc.training.sensitivity.__name__)"
    assert run(code) == "sensitivity\n"


def test_a_device_compresses_expands_and_inspects_without_a_framework():
    code = f"""
import sys
import keras_dc as dc
from support.tiny_models import mlp
small = dc.compress(mlp().serialize())
assert len(dc.expand(small)) > 10 * len(small)
dc.Interpreter(model_content=small, runtime="litert").allocate_tensors()
print(len(dc.inspect(small)), {FRAMEWORKS} & set(sys.modules))
"""
    assert run(code) == "5 set()\n"


def test_the_public_names_are_the_way():
    import keras_dc

    assert dir(keras_dc) == [
        "CompiledModel",
        "ConstantSparsity",
        "Interpreter",
        "PolynomialDecay",
        "PruningCallback",
        "WeightSharingCallback",
        "__version__",
        "benchmark",
        "compare_outputs",
        "compress",
        "compress_without_training",
        "convert",
        "deep_compress",
        "errors",
        "evaluate",
        "expand",
        "inspect",
        "op_library_path",
        "pack",
        "prune",
        "remove_dead_units",
        "report",
        "share_weights",
        "strip",
        "training",
        "unpack",
    ]
    for space in (keras_dc, keras_dc.training):
        assert all(getattr(space, name) is not None for name in space.__all__)
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            space.nothing  # noqa: B018


def test_names_that_moved_work_with_a_warning():
    import keras_dc

    with pytest.warns(DeprecationWarning, match=r"is now keras_dc\.training\.sensitivity"):
        assert keras_dc.sensitivity is keras_dc.training.sensitivity


def test_all_errors_have_one_base_class():
    from keras_dc import errors

    found = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(found) == 6
    assert all(issubclass(error, errors.KerasDcError) for error in found)

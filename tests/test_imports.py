"""What may import what: the layers of the package and of the C++ sources."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_dc"
SOURCES = ROOT / "tflite_ops" / "src"

# DESIGN: a module may import those of the layers before its own, and its own layer's
# where it comes later in this list. Training and TFLite meet in CONVERTING and in
# `conversion` alone.
# Both sides stand on `NUMERICS`, which knows NumPy alone.
NUMERICS = [
    "name_patterns",
    "masks",
    "initialization",
    "intervals",
    "clustering",
]
TRAINING = [
    *NUMERICS,
    "schedules",
    "lookup",
    "masking",
    "rounding",
    "wrapping",
    "cloning",
    "selection",
    "graphs",
    "folding",
    "sensitivity_scan",
    "independence",
    "driving",
    "mask_updates",
    "pruning",
    "dropout",
    "weight_sharing",
    "monitoring",
    "registration",
    "stripping",
]
TFLITE = [
    "files",
    *NUMERICS,
    "tflite_model",
    "tflite_diff",
    "associated_files",
    "ops",
    "native",
    "codec",
    "product_bounds",
    "channel_scales",
    "known_factors",
    "sparse_tensors",
    "notes",
    "negative_zeros",
    "constants",
    "kernels",
    "post_training",
    "encoding",
    "choosing",
    "lifting",
    "rewriting",
    "tidying",
    "shannon",
    "tables",
    "report",
    "compression",
    "runtime",
    "sample_inputs",
    "verification",
]
CONVERTING = ["loading", "input_signatures", "model_factors", "tensorflow_converter"]


def imports_of(path):
    """Modules of the package that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def package_imports(path):
    parts = [name.split(".") for name in imports_of(path)]
    return {
        part[1]
        for part in parts
        if part[0] == "keras_dc" and len(part) > 1 and (PACKAGE / f"{part[1]}.py").exists()
    }


@pytest.mark.parametrize("layers", [TRAINING, TFLITE], ids=["training", "tflite"])
def test_imports_run_one_way(layers):
    for place, module in enumerate(layers):
        allowed = set(layers[:place])
        assert package_imports(PACKAGE / f"{module}.py") <= allowed, module


def test_converting_stands_on_both():
    for place, module in enumerate(CONVERTING):
        allowed = {*TRAINING, *TFLITE, *CONVERTING[:place]}
        assert package_imports(PACKAGE / f"{module}.py") <= allowed, module
    for module in [*TRAINING, *TFLITE]:
        assert not package_imports(PACKAGE / f"{module}.py") & {"conversion", *CONVERTING}, module


def test_every_module_has_its_layer():
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert modules == {"__init__", "conversion", *TRAINING, *TFLITE, *CONVERTING}


def test_the_tflite_side_needs_no_keras_and_no_tensorflow():
    for module in TFLITE:
        packages = {name.split(".")[0] for name in imports_of(PACKAGE / f"{module}.py")}
        assert not packages & {"keras", "tensorflow", "tf_keras", "tensorflow_model_optimization"}


def test_nothing_says_tf_keras():
    for path in PACKAGE.glob("*.py"):
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
    heavy = "{'tensorflow', 'keras', 'jax', 'torch', 'ai_edge_litert'}"
    assert run(f"import sys, keras_dc; print(sorted({heavy} & set(sys.modules)))") == "[]\n"


def test_a_device_compresses_expands_and_inspects_without_a_framework():
    code = """
import sys
import keras_dc as dc
from support.tiny_models import mlp
small = dc.compress(mlp().serialize())
assert len(dc.expand(small)) > 10 * len(small)
dc.Interpreter(model_content=small, runtime="litert").allocate_tensors()
print(len(dc.inspect(small)), {"tensorflow", "keras", "jax", "torch"} & set(sys.modules))
"""
    assert run(code) == "5 set()\n"


def test_all_public_names_exist():
    import keras_dc

    assert all(getattr(keras_dc, name) is not None for name in keras_dc.__all__)
    assert set(keras_dc.__all__) <= set(dir(keras_dc))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        keras_dc.nothing  # noqa: B018


def includes_of(path):
    return re.findall(r'#include "([^"]+)"', path.read_text())


def test_encoder_and_decoder_never_include_each_other():
    decoding = {
        "decoder",
        "blob_reader",
        "position_decoder",
        "stored_values",
        "symbol_decoder",
        "symbol_lanes",
        "symbol_table",
    }
    encoding = {"encoder", "palette", "gap_plan"}
    for path in SOURCES.glob("*.*"):
        included = {pathlib.Path(name).stem for name in includes_of(path)}
        if path.stem in decoding:
            assert not included & encoding, path
        if path.stem in encoding:
            assert not included & decoding, path


def test_kernels_know_nothing_of_tflite():
    kernels = list((SOURCES / "kernels").glob("*.*"))
    assert kernels
    for path in kernels:
        assert not any("tflite" in name for name in includes_of(path)), path

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc

ROOT = pathlib.Path(dc.__file__).parents[1]


def run(code, *arguments):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of a pruned, a shared and a stripped model, and what the last computes."""
    folder = tmp_path_factory.mktemp("files")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    pruned = dc.prune(model, dc.PolynomialDecay(0.1, 0.5, 0, 10))
    shared = dc.share_weights(dc.prune(model, 0.5), 4)
    for name, saved in {"pruned": pruned, "shared": shared, "strip": dc.strip(shared)}.items():
        saved.save(folder / f"{name}.keras")
    np.save(folder / "outputs.npy", keras.ops.convert_to_numpy(shared(np.ones((1, 4)))))
    return folder


LOAD = """
import sys, numpy as np
folder = sys.argv[1]
for name in sys.argv[2:]:
    model = keras.models.load_model(f"{folder}/{name}.keras")
    outputs = keras.ops.convert_to_numpy(model(np.ones((1, 4))))
    if name != "pruned":
        np.testing.assert_array_equal(outputs, np.load(f"{folder}/outputs.npy"))
"""


@pytest.mark.parametrize(
    "imports",
    ["import keras_dc, keras", "import keras, keras_dc", "import keras_dc.runtime, keras"],
)
def test_files_load_whichever_is_imported_first(files, imports):
    result = run(imports + LOAD, files, "pruned", "shared", "strip")
    assert result.returncode == 0, result.stderr


def test_stripped_files_load_without_keras_dc(files):
    result = run("import sys, keras; sys.modules['keras_dc'] = None" + LOAD, files, "strip")
    assert result.returncode == 0, result.stderr


def test_importing_keras_dc_imports_no_framework():
    code = (
        "import sys, keras_dc; keras_dc.PolynomialDecay(0.1, 0.5, 0, 9);"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    result = run(code)
    assert result.stdout == "[]\n", result.stderr


def test_the_import_hook_survives_a_failed_import_of_keras(tmp_path):
    (tmp_path / "keras.py").write_text("raise OSError('no backend')")
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import keras_dc
try:
    import keras
except OSError:
    sys.path.remove(sys.argv[1])
import keras
assert "keras_dc.training.pruning" in sys.modules
assert not any("registration" in type(finder).__module__ for finder in sys.meta_path)
"""
    result = run(code, tmp_path)
    assert result.returncode == 0, result.stderr

"""tutorials/cpp: built against the libraries inside the wheels, and run."""

import ctypes
import pathlib
import platform
import subprocess
import sys

import numpy as np
import pytest
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc import codec

ROOT = pathlib.Path(__file__).parents[2]
TUTORIAL = ROOT / "tutorials/cpp"
X = np.random.default_rng(0).normal(size=(1, 784)).astype(np.float32)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the README's lines are for Linux",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Compiles a program, and gives what it prints: (exit status, stdout, stderr)."""
    import ai_edge_litert

    folder = tmp_path_factory.mktemp("cpp")
    library = pathlib.Path(dc.op_library_path())
    runtime = pathlib.Path(ai_edge_litert.__path__[0])
    # A library that CMake built outside a wheel asks to be found by this name.
    (folder / "libkeras_dc.so.0").symlink_to(library)

    def run(name, path, inputs):
        program = folder / name
        if not program.exists():
            command = ["c++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror",
                       f"-I{ROOT / 'tflite_ops/include'}", TUTORIAL / f"{name}.cc", "-o", program,
                       library, runtime / "libLiteRt.so",
                       f"-Wl,-rpath,{library.parent}:{folder}:{runtime}"]  # fmt: skip
            subprocess.run(command, check=True)
        done = subprocess.run([program, path], input=inputs.tobytes(), capture_output=True)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run


@pytest.fixture(scope="module")
def content():
    return mlp().with_fixed_shapes().serialize()


def outputs(content):
    interpreter = dc.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]


def check_outputs(answer, content):
    status, printed, said = answer
    assert status == 0, said
    np.testing.assert_allclose(
        np.array(printed.split(), np.float32), outputs(content), rtol=1e-5, atol=1e-5
    )


def test_a_compressed_file_is_mapped_and_run(run, content, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(dc.compress(content))
    check_outputs(run("run_model", path, X), content)


def test_a_packed_file_is_unpacked_and_run(run, content, tmp_path):
    path = tmp_path / "model.kdc"
    path.write_bytes(dc.pack(content))
    check_outputs(run("unpack_and_run", path, X), content)


@pytest.mark.parametrize(
    ("program", "damage", "sentence"),
    [
        ("run_model", lambda file: None, "run_model: there are too few inputs\n"),
        ("run_model", lambda file: file.write_bytes(dc.compress(mlp().serialize())),
         "run_model: buffer (are all shapes of the model fixed?): LiteRT's status 3\n"),
        ("run_model", lambda file: file.unlink(), "run_model: no file\n"),
        ("unpack_and_run", lambda file: file.write_bytes(b"KDC"),
         "unpack_and_run: this is not a keras_dc blob"),
        ("unpack_and_run", lambda file: file.write_bytes(file.read_bytes()[:-9]),
         "unpack_and_run: the blob "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(run, content, tmp_path, program, damage, sentence):
    path = tmp_path / "file"
    path.write_bytes(dc.compress(content) if program == "run_model" else dc.pack(content))
    damage(path)
    status, printed, said = run(program, path, X[:, :9])
    assert (status, printed) == (1, "")
    assert sentence in said


def test_the_readme_has_the_command_of_the_tests():
    text = (TUTORIAL / "README.md").read_text()
    for part in ("-std=c++17", "libLiteRt.so", "-Wl,-rpath", "tflite_ops/include"):
        assert part in text


@pytest.mark.parametrize(("dead_columns", "by_columns"), [(0.0, False), (0.8, True)])
def test_a_layer_is_computed_while_its_lines_are_decoded(tmp_path, dead_columns, by_columns):
    rng = np.random.default_rng(2)
    weights = rng.choice([-0.5, 0.25, 1], (30, 50))
    weights[:, rng.random(50) < dead_columns] = 0
    blob = codec.encode(weights.astype(np.float32))
    units, inputs = weights.shape
    (tmp_path / "weights.h").write_text(
        f"enum {{ UNITS = {units}, INPUTS = {inputs} }};\n"
        f"static const unsigned char weights[] = {{{','.join(map(str, blob))}}};\n"
    )
    path = pathlib.Path(dc.op_library_path())
    (tmp_path / "libkeras_dc.so.0").symlink_to(path)
    command = ["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
               f"-I{ROOT / 'tflite_ops/include'}", f"-I{tmp_path}", TUTORIAL / "decode_rows.c",
               "-o", tmp_path / "layer.so", path,
               f"-Wl,-rpath,{path.parent}:{tmp_path}"]  # fmt: skip
    subprocess.run(command, check=True)
    x, y = rng.normal(size=inputs).astype(np.float32), np.empty(units, np.float32)
    layer = ctypes.CDLL(str(tmp_path / "layer.so")).layer
    pointer = ctypes.c_void_p
    assert layer(pointer(x.ctypes.data), pointer(y.ctypes.data)) == 0
    np.testing.assert_allclose(y, weights @ x, rtol=1e-5, atol=1e-5)
    assert codec.inspect(blob).column_major == by_columns

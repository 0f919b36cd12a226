import importlib.util
import pathlib
import subprocess
import sys

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import int4, mlp

import keras_dc as dc
from keras_dc import runtime
from keras_dc.errors import ModelFormatError

X = np.random.default_rng(0).normal(size=(1, 784)).astype(np.float32)


@pytest.fixture(params=["litert", "tflite_runtime", "tensorflow"])
def any_runtime(request):
    if request.param not in runtime.available_runtimes():
        pytest.skip(f"{request.param} is not installed")
    return request.param


def outputs(interpreter, x):
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_it_is_the_runtimes_own_interpreter():
    from ai_edge_litert.interpreter import Interpreter

    interpreter = dc.Interpreter(model_content=mlp().serialize(), runtime="litert")
    assert type(interpreter) is Interpreter


def test_a_path_and_the_bytes_mean_the_same(tmp_path):
    content = dc.compress(mlp().serialize())
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    results = [
        outputs(dc.Interpreter(path), X),
        outputs(dc.Interpreter(model_path=str(path), num_threads=2), X),
        outputs(dc.Interpreter(model_content=bytearray(content)), X),
    ]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_compressed_and_expanded_agree():
    content = dc.compress(mlp().serialize())
    small = outputs(dc.Interpreter(model_content=content), X)
    plain = outputs(dc.Interpreter(model_content=dc.expand(content)), X)
    np.testing.assert_allclose(small, plain, rtol=1e-5, atol=1e-5)


def test_signatures_work():
    runner = dc.Interpreter(model_content=dc.compress(mlp().serialize())).get_signature_runner(
        "serving_default"
    )
    batch = np.repeat(X, 5, axis=0)
    logits = runner(images=batch)["logits"]
    assert logits.shape == (5, 10)
    np.testing.assert_allclose(logits, np.repeat(logits[:1], 5, axis=0), rtol=1e-5, atol=1e-6)


def test_low_memory_gives_the_same_outputs():
    content = dc.compress(mlp().serialize())
    lean = outputs(dc.Interpreter(model_content=content, low_memory=True), X)
    fast = outputs(dc.Interpreter(model_content=content), X)
    np.testing.assert_allclose(lean, fast, rtol=1e-5, atol=1e-5)


def test_int4_weights_give_the_same_bits():
    content = int4().serialize()
    x = np.random.default_rng(1).normal(size=(1, 33)).astype(np.float32)
    compressed = dc.compress(content)
    assert [row.op for row in dc.inspect(compressed)] == ["KerasDcDecode"]
    results = [outputs(dc.Interpreter(model_content=model), x) for model in (content, compressed)]
    np.testing.assert_array_equal(*results)


def test_further_options_reach_the_runtime():
    with pytest.raises(TypeError, match="no_such_option"):
        dc.Interpreter(model_content=mlp().serialize(), no_such_option=1)


@pytest.mark.parametrize("arguments", [{}, {"model_path": "a", "model_content": b"b"}], ids=len)
def test_one_model_must_be_given(arguments):
    with pytest.raises(ValueError, match="give one of `model_path` and `model_content`"):
        dc.Interpreter(**arguments)


def test_an_unknown_runtime_is_refused():
    with pytest.raises(ValueError, match=r"'litert' .*'tensorflow'.*Received: runtime='onnx'"):
        dc.Interpreter(model_content=b"", runtime="onnx")


def test_a_missing_runtime_is_named(monkeypatch):
    present = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "tflite_runtime" else present(name),
    )
    with pytest.raises(ImportError, match=r"'tflite_runtime' is not installed.*pip install"):
        dc.Interpreter(model_content=b"", runtime="tflite_runtime")


def test_no_runtime_at_all_names_the_choices(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"no TFLite runtime .*'litert'.*'tflite_runtime'"):
        dc.Interpreter(model_content=b"")


def test_installed_runtimes_are_listed_in_order(monkeypatch):
    missing = "tflite_runtime"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else name)
    assert runtime.available_runtimes() == ["litert", "tensorflow"]


WHOLE = dc.compress(mlp().serialize())


def test_what_is_no_model_is_refused_in_a_sentence(tmp_path, any_runtime):
    path = tmp_path / "model.tflite"

    def refuse(content, sentence, error=ModelFormatError):
        path.write_bytes(content)
        with pytest.raises(error, match=sentence) as caught:
            dc.Interpreter(path, runtime=any_runtime)
        assert str(path) in str(caught.value)
        with pytest.raises(error, match=sentence):
            dc.Interpreter(model_content=content, runtime=any_runtime)

    identifier = r"identifier 'TFL3' at byte 4\. Received: .*, {} bytes"
    refuse(b"", identifier.format(0))
    refuse(b"TFL3", identifier.format(4))
    refuse(b"Once upon a time there was a model.\n", identifier.format(36))
    refuse(WHOLE[: len(WHOLE) // 2], "damaged or cut short")
    refuse(WHOLE[:-5], "damaged or cut short")
    model = schema.ModelT.InitFromPackedBuf(WHOLE, 0)
    model.subgraphs = []
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    refuse(bytes(builder.Output()), "no subgraph")


def test_what_is_no_file_is_refused_in_a_sentence(tmp_path, any_runtime):
    with pytest.raises(IsADirectoryError, match="Received: the folder"):
        dc.Interpreter(tmp_path, runtime=any_runtime)
    with pytest.raises(FileNotFoundError, match="no file at the path. Received: model_path="):
        dc.Interpreter(tmp_path / "absent", runtime=any_runtime)
    with pytest.raises(ModelFormatError, match="regular file"):
        dc.Interpreter("/dev/null", runtime=any_runtime)
    with pytest.raises(TypeError, match="`model_path` must be the path .* Received: bytes"):
        dc.Interpreter(WHOLE, runtime=any_runtime)
    with pytest.raises(TypeError, match="`model_content` must be the bytes .* Received: str"):
        dc.Interpreter(model_content="model.tflite", runtime=any_runtime)


@pytest.mark.parametrize("size", [0, 30, 64, 100_000])
def test_a_library_that_is_cut_short_is_refused(tmp_path, monkeypatch, size):
    whole = pathlib.Path(dc.op_library_path())
    (tmp_path / whole.name).write_bytes(whole.read_bytes()[:size])
    monkeypatch.setattr(dc, "__path__", [str(tmp_path)])
    with pytest.raises(OSError, match=f"cut short; install the package anew.* of {size} bytes"):
        dc.op_library_path()


DEVICE = """
import sys
for name in ("ai_edge_litert", "flatbuffers", "tensorflow"):
    sys.modules[name] = None
import numpy as np
import keras_dc as dc
from keras_dc import codec, errors
path, x, y = sys.argv[1:]
assert dc.op_library_path()
assert codec.decode(codec.encode(np.eye(3, dtype=np.float32))).sum() == 3
interpreter = dc.Interpreter(path)
assert type(interpreter).__module__.startswith("tflite_runtime")
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.load(x))
interpreter.invoke()
np.save(y, interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
content = open(path, "rb").read()
for size in range(0, len(content), 97):
    try:
        dc.Interpreter(model_content=content[:size])
    except errors.ModelFormatError:
        continue
    raise AssertionError(size)
try:
    dc.compress(content)
except ImportError as error:
    assert "pip install ai-edge-litert flatbuffers" in str(error), error
else:
    raise AssertionError
"""


def test_a_device_needs_the_runtime_and_numpy_alone(tmp_path):
    pytest.importorskip("tflite_runtime")
    (tmp_path / "model.tflite").write_bytes(WHOLE)
    np.save(tmp_path / "x.npy", X)
    names = [str(tmp_path / name) for name in ("model.tflite", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", DEVICE, *names], check=True, cwd=tmp_path)
    expected = outputs(dc.Interpreter(model_content=WHOLE), X)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=1e-5, atol=1e-5)


def test_op_library_path_is_what_load_delegate_takes():
    from ai_edge_litert.interpreter import Interpreter, load_delegate

    content = dc.compress(mlp().serialize())
    own = Interpreter(
        model_content=content, experimental_delegates=[load_delegate(dc.op_library_path())]
    )
    np.testing.assert_array_equal(
        outputs(own, X), outputs(dc.Interpreter(model_content=content), X)
    )

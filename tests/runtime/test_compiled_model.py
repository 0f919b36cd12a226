"""LiteRT's CompiledModel with keras_dc's ops."""

import importlib.metadata
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc.errors import ModelFormatError
from keras_dc.runtime import compiled_model

litert = pytest.importorskip("ai_edge_litert.compiled_model")
X = np.random.default_rng(0).normal(size=(1, 784)).astype(np.float32)
KNOWN = tuple(map(int, importlib.metadata.version("ai-edge-litert").split(".")[:2])) >= (2, 2)

needs_a_known_release = pytest.mark.skipif(
    not KNOWN or sys.platform != "linux", reason="needs ai-edge-litert 2.2 on Linux"
)


@pytest.fixture(scope="module")
def content():
    return mlp().with_fixed_shapes().serialize()


def outputs_of(model, x=X):
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    inputs[0].write(x)
    model.run_by_index(0, inputs, outputs)
    return outputs[0].read(10 * len(x), np.float32).reshape(len(x), 10)


def interpreted(content):
    interpreter = dc.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@needs_a_known_release
def test_it_is_litert_s_own_model_and_computes_the_same(content, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(dc.compress(content))
    models = [
        dc.CompiledModel(path),
        dc.CompiledModel(str(path), num_threads=2),
        dc.CompiledModel(model_content=bytearray(path.read_bytes())),
        dc.CompiledModel(
            path,
            options=litert.Options(cpu_options=litert.CpuOptions(num_threads=1)),
        ),
    ]
    expected = interpreted(content)
    for model in models:
        assert type(model) is litert.CompiledModel
        np.testing.assert_allclose(outputs_of(model), expected, rtol=1e-5, atol=1e-5)


@needs_a_known_release
def test_a_plain_one_says_what_the_docs_say(content, capfd):
    with pytest.raises(RuntimeError) as caught:
        outputs_of(litert.CompiledModel.from_buffer(dc.compress(content)))
    assert "Failed to allocate tensors" in str(caught.value) + capfd.readouterr().err


@needs_a_known_release
def test_files_that_are_not_compressed_run_as_well(content):
    model = dc.CompiledModel(model_content=content)
    np.testing.assert_allclose(outputs_of(model), interpreted(content), rtol=1e-5, atol=1e-5)


@needs_a_known_release
def test_open_shapes_are_set(content):
    model = dc.CompiledModel(model_content=dc.compress(mlp().serialize()))
    model.resize_input_tensor(0, [3, 784])
    outputs = outputs_of(model, np.repeat(X, 3, axis=0))
    np.testing.assert_allclose(
        outputs, np.repeat(interpreted(content), 3, axis=0), rtol=1e-5, atol=1e-5
    )


@needs_a_known_release
def test_bad_files_are_refused_before_litert_reads_them(content, tmp_path):
    def written(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    with pytest.raises(IsADirectoryError, match="the folder"):
        dc.CompiledModel(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        dc.CompiledModel(tmp_path / "none.tflite")
    for name, data in [("empty", b""), ("model.kdc", dc.pack(content)), ("cut", content[:-400])]:
        with pytest.raises(ModelFormatError, match=r"Received: model_path="):
            dc.CompiledModel(written(name, data))
        with pytest.raises(ModelFormatError, match=r"Received: `model_content`"):
            dc.CompiledModel(model_content=data)
    with pytest.raises(TypeError, match="bytes of a model are given as `model_content`"):
        dc.CompiledModel(content)
    with pytest.raises(TypeError, match="a path is given as `model_path`"):
        dc.CompiledModel(model_content="model.tflite")


@needs_a_known_release
def test_a_damaged_blob_is_refused_by_the_name_of_its_op(content, capfd):
    blob_at = (model := dc.compress(content)).rindex(b"KDC")
    damaged = bytearray(model)
    damaged[blob_at + 40] ^= 1
    with pytest.raises(RuntimeError, match="Failed to allocate tensors"):
        outputs_of(dc.CompiledModel(model_content=damaged))
    assert "KerasDcFullyConnected (output tensor" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "give one of `model_path` and `model_content`. Received: neither"),
        ({"model_path": "a", "model_content": b"b"}, "Received: both"),
        ({"model_content": b"", "num_threads": 0}, "Received: num_threads=0"),
        ({"model_content": b"", "num_threads": True}, "Received: num_threads=True"),
        ({"model_content": b"", "num_threads": 1, "options": 1}, "give one of them"),
    ],
)
def test_arguments_are_checked(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        dc.CompiledModel(**arguments)


@needs_a_known_release
def test_other_hardware_is_refused(content):
    hardware = litert.HardwareAccelerator
    for chosen in (hardware.GPU, hardware.CPU | hardware.GPU, hardware.NPU):
        with pytest.raises(ValueError, match=r"with HardwareAccelerator\.CPU alone"):
            dc.CompiledModel(model_content=content, options=litert.Options(chosen))
    with pytest.raises(ValueError, match="Received: 'dict'"):
        dc.CompiledModel(model_content=content, options={"num_threads": 2})


def test_other_releases_are_refused_in_a_sentence(content, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.1.6")
    with pytest.raises(ImportError, match=r"needs ai-edge-litert 2\.2 or newer.*Received: 2\.1\.6"):
        dc.CompiledModel(model_content=content)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install ai-edge-litert"):
        dc.CompiledModel(model_content=content)
    monkeypatch.undo()
    monkeypatch.setattr(compiled_model, "_OLDEST", (0, 0))
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ImportError, match=r"keras_dc\.Interpreter runs elsewhere.*win32"):
        dc.CompiledModel(model_content=content)


@needs_a_known_release
def test_a_release_that_does_not_take_the_plug_in_is_named(content, monkeypatch):
    monkeypatch.setitem(compiled_model._PLUGINS, "linux", "libSomethingElse.so")
    with pytest.raises(RuntimeError, match=r"2\.2 to 2\.3; take one of these.*Received: ai-edge"):
        dc.CompiledModel(model_content=content)


@needs_a_known_release
def test_a_process_ends_well_while_models_live(content, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(dc.compress(content))
    program = (
        "import sys, numpy, keras_dc as dc\n"
        "models = [dc.CompiledModel(sys.argv[1]) for _ in range(3)]\n"
        "buffers = models[1].create_input_buffers(0), models[1].create_output_buffers(0)\n"
        "buffers[0][0].write(numpy.ones((1, 784), 'f'))\n"
        "models[1].run_by_index(0, *buffers)\n"
        "del models[0]\n"
        "print(buffers[1][0].read(10, numpy.float32).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "(10,)\n"), done.stderr

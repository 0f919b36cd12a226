import keras
import numpy as np
import pytest
from tiny_models import mlp

import keras_dc as dc
from keras_dc import conversion, tflite_diff, tflite_model


@pytest.fixture(scope="module")
def shared():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((40,)),
            keras.layers.Dense(60, activation="relu"),
            keras.layers.Dense(30),
        ]
    )
    return dc.share_weights(model, num_clusters=7)


@pytest.fixture(scope="module")
def original(shared):
    return conversion.to_tflite(dc.strip(shared))


def test_convert_compresses_what_the_converter_makes(shared, original):
    compressed = dc.convert(shared)
    assert len(compressed) < len(original) / 4
    expanded = tflite_model.parse(dc.expand(compressed))
    assert tflite_diff.differences(tflite_model.parse(original), expanded) == []


def test_kernels_come_through_bit_exact(shared):
    kernels = {
        layer.kernel.numpy().T.tobytes()
        for layer in dc.strip(shared).layers
        if hasattr(layer, "kernel")
    }
    model = tflite_model.parse(dc.expand(dc.convert(shared)))
    constants = {buffer.data.tobytes() for buffer in model.buffers if buffer.data is not None}
    assert kernels <= constants


def test_convert_writes_the_file(shared, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"what stood here before")
    compressed = dc.convert(shared, path)
    assert path.read_bytes() == compressed
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tflite"]
    tmp_path.joinpath("other").touch()
    assert path.stat().st_mode == tmp_path.joinpath("other").stat().st_mode


def test_convert_prints_nothing(shared, capfd):
    dc.convert(shared)
    assert capfd.readouterr().out == ""


def test_a_missing_folder_is_refused_before_the_work(shared, tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of `filepath`.*no_such_folder"):
        dc.convert(None, tmp_path / "no_such_folder" / "model.tflite")


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"before")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(conversion.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        conversion.write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_another_graph_is_found_out(original):
    compressed = dc.compress(mlp(sizes=(40, 60, 30)).serialize())
    with pytest.raises(conversion.VerificationError, match="must equal the original"):
        conversion.verify(original, compressed)


def test_other_outputs_are_found_out(original, monkeypatch):
    """The last line of defence: the graph is right and what is computed is not."""
    monkeypatch.setattr(conversion.tflite_diff, "differences", lambda *_: [])
    model = tflite_model.parse(original)
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) == 4 * 40 * 60:
            buffer.data = (buffer.data.view(np.float32) * np.float32(1.01)).view(np.uint8)
    compressed = dc.compress(tflite_model.serialize(model))
    with pytest.raises(conversion.VerificationError, match="output 0 must agree"):
        conversion.verify(original, compressed)


def test_a_failed_verification_leaves_no_file(shared, tmp_path, monkeypatch):
    def fail(*_):
        raise conversion.VerificationError("no")

    monkeypatch.setattr(conversion, "verify", fail)
    with pytest.raises(conversion.VerificationError):
        dc.convert(shared, tmp_path / "model.tflite")
    assert list(tmp_path.iterdir()) == []


def test_integer_inputs_are_verified_too():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,), dtype="int32"), keras.layers.Embedding(50, 16), keras.layers.Dense(30)]
    )
    model = dc.share_weights(model, num_clusters=7)
    # All weights are kept, so the built-in ops are faster with decoded ones.
    assert [row.op for row in dc.inspect(dc.convert(model))] == ["KerasDcDecode"] * 2

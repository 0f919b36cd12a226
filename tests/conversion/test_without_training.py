import keras
import numpy as np
import pytest
from keras import layers
from support.dense_nets import pictures

import keras_dc as dc

SAMPLES = pictures(48)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3), name="pictures"),
            layers.Conv2D(48, 3, activation="relu", name="stem"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.BatchNormalization(name="normed"),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(120, activation="relu", name="wide"),
            layers.Dense(10, name="classes"),
        ]
    )


def test_a_keras_model_becomes_a_small_file(model, tmp_path):
    path = tmp_path / "small.tflite"
    small, report = dc.compress_without_training(
        model, SAMPLES, path, max_error=0.03, coder="arithmetic", return_report=True
    )
    assert path.read_bytes() == small
    assert len(small) < 0.6 * len(dc.expand(dc.convert(model)))
    assert report.outputs[0].relative_error <= 0.03
    methods = {row.layer: row.method for row in report if row.method}
    assert set(methods) == {"stem", "normed", "wide", "classes"}
    assert set(methods.values()) == {"second order"}
    assert {row.layer for row in dc.inspect(small, original=report)} >= set(methods)
    x = pictures(20, seed=2)
    want = model.predict(x, verbose=0)
    interpreter = dc.Interpreter(model_content=small)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.sqrt(np.sum((got - want) ** 2) / np.sum(want**2)) < 0.06


def test_what_is_wrong_is_told_before_a_file_is_written(model, tmp_path):
    path = tmp_path / "small.tflite"
    for arguments, message in [({}, "need `max_error`"), ({"max_bytes": 10}, "the smallest has")]:
        with pytest.raises(ValueError, match=message):
            dc.compress_without_training(model, SAMPLES, path, **arguments)
    assert not path.exists()


@pytest.mark.parametrize("activations", ["float", "int8"])
def test_int8_weights_stay_on_their_grid(model, activations):
    settings = {"optimizations": ["DEFAULT"]}
    if activations == "int8":
        settings["representative_dataset"] = lambda: ([each[None]] for each in SAMPLES)
    plain = dc.expand(dc.convert(model, strip_names=False, verify=False, **settings))
    small, report = dc.compress_without_training(
        model, SAMPLES, ratio=2.2, coder="arithmetic", return_report=True, verify=False, **settings
    )
    assert len(small) <= len(plain) / 2.2 < len(dc.compress(plain, coder="arithmetic")) / 1.5
    rows = [row for row in report if row.method == "second order"]
    assert len(rows) >= 2
    assert "int8" in {row.blob.dtype for row in rows}
    [change] = dc.compare_outputs(plain, small, pictures(40, seed=2))
    assert change.relative_error < 0.3


def test_clusters_of_int8_weights(model):
    settings = {"optimizations": ["DEFAULT"], "verify": False}
    small = dc.compress_without_training(model, SAMPLES, num_clusters=7, sparsity=0.3, **settings)
    weights = [row for row in dc.inspect(small) if row.blob.dtype == "int8" and len(row.shape) > 1]
    assert weights
    assert all(row.blob.num_centroids <= 8 and row.kept_fraction <= 0.71 for row in weights)

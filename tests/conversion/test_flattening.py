"""What flattens for FULLY_CONNECTED goes, and nothing else."""

import keras
import numpy as np
import pytest
from keras import layers
from support import runtime_process
from support.inspection import operators

import keras_dc as dc

X = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype(np.float32)


def conv_net(*, batch_size=None):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(X.shape[1:], batch_size=batch_size),
            layers.Conv2D(3, 2, activation="relu"),
            layers.Flatten(),
            layers.Dense(40, activation="relu"),
            layers.Dense(5),
        ]
    )


def outputs_of(tflite, x, runtime=None):
    interpreter = dc.Interpreter(model_content=tflite, runtime=runtime)
    [given], [asked] = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(asked["index"])


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_a_flatten_layer_takes_no_op(batch_size):
    model = conv_net(batch_size=batch_size)
    tflite = dc.convert(model)
    names = operators(dc.expand(tflite))
    assert names == ["CONV_2D", "FULLY_CONNECTED", "FULLY_CONNECTED"]
    x = X[: batch_size or 3]
    for one in (tflite, dc.expand(tflite)):
        found = outputs_of(one, x)
        np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_every_runtime_flattens(process, batch):
    model = conv_net()
    x = X[:batch]
    for tflite in (dc.convert(model), dc.expand(dc.convert(model))):
        [[found]] = process(runtime_process.run, tflite, [x])
        np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)


def test_int8_flattens_too():
    model = conv_net()
    tflite = dc.convert(
        model, optimizations=["DEFAULT"], representative_dataset=lambda: ([x[None]] for x in X)
    )
    assert not {"RESHAPE", "SHAPE", "PACK"} & set(operators(dc.expand(tflite)))
    difference = np.abs(outputs_of(tflite, X) - model.predict(X, verbose=0)).max()
    assert difference < 0.1 * np.abs(model.predict(X, verbose=0)).max()


def test_two_layers_may_read_it():
    image = keras.Input(X.shape[1:])
    flat = layers.Flatten()(image)
    outputs = [layers.Dense(3)(flat), layers.Dense(4)(flat)]
    tflite = dc.convert(keras.Model(image, layers.Concatenate()(outputs)))
    assert "RESHAPE" not in operators(dc.expand(tflite))


def test_others_keep_it():
    image = keras.Input(X.shape[1:])
    flat = layers.Flatten()(image)
    # An output, and a sum, have rows themselves.
    for made in ([layers.Dense(3)(flat), flat], [layers.Dense(32)(flat) + flat]):
        assert "RESHAPE" in operators(dc.expand(dc.convert(keras.Model(image, made))))


def test_rows_of_another_length_keep_it():
    """A reshape that makes more rows of each example, and Dense of each row."""
    image = keras.Input((4, 6), batch_size=2)
    rows = layers.Reshape((8, 3))(image)
    model = keras.Model(image, layers.Dense(2)(rows))
    tflite = dc.convert(model)
    x = np.random.default_rng(1).normal(size=(2, 4, 6)).astype(np.float32)
    found = outputs_of(tflite, x)
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)
    assert found.shape == (2, 8, 2)

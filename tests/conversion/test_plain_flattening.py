"""What flattens for Dense layers is one RESHAPE, and none if the op is fused."""

import keras
import numpy as np
import pytest
from keras import layers
from lib.baselines import float_tflite
from support import runtime_process
from support.inspection import operators

import keras_dc as dc
from keras_dc.compression import flattening
from keras_dc.tflite import model_file

X = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype(np.float32)


def sparse(model):
    """The model, of whose Dense kernels every tenth weight is kept."""
    for layer in model.layers:
        if isinstance(layer, layers.Dense):
            kernel = layer.kernel.numpy()
            kernel.ravel()[np.arange(kernel.size) % 10 != 0] = 0
            layer.kernel.assign(kernel)
    return model


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


def outputs_of(tflite, x):
    interpreter = dc.Interpreter(model_content=tflite)
    [given], [asked] = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(asked["index"])


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_a_flatten_layer_takes_no_op(batch_size):
    model = sparse(conv_net(batch_size=batch_size))
    tflite = dc.convert(model)
    assert "RESHAPE" not in operators(tflite)
    names = operators(dc.expand(tflite))
    assert names == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED"]
    x = X[: batch_size or 3]
    for one in (tflite, dc.expand(tflite)):
        found = outputs_of(one, x)
        np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_every_runtime_flattens(process, batch):
    model = sparse(conv_net())
    x = X[:batch]
    for tflite in (dc.convert(model), dc.expand(dc.convert(model))):
        [[found]] = process(runtime_process.run, tflite, [x])
        np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_dense_op_keeps_one(batch_size):
    """Without it, some runtimes would not compute the op by XNNPACK."""
    model = conv_net(batch_size=batch_size)
    names = operators(dc.convert(model))
    assert "RESHAPE" in names
    assert not {"SHAPE", "PACK", "STRIDED_SLICE"} & set(names)


def test_several_layers_flatten():
    """Of two RESHAPEs each is taken out and comes back in its place."""
    image = keras.Input(X.shape[1:])
    first = layers.Dense(60)(layers.Flatten()(image))
    second = layers.Dense(40)(layers.Flatten()(layers.Conv2D(4, 2)(image)))
    model = sparse(keras.Model(image, layers.Concatenate()([first, second])))
    tflite = dc.convert(model)
    assert "RESHAPE" not in operators(tflite)
    assert operators(dc.expand(tflite)).count("RESHAPE") == 2
    for one in (tflite, dc.expand(tflite)):
        np.testing.assert_allclose(outputs_of(one, X), model.predict(X, verbose=0), atol=1e-5)


def test_two_layers_that_read_it_keep_it():
    image = keras.Input(X.shape[1:])
    flat = layers.Flatten()(image)
    outputs = [layers.Dense(30)(flat), layers.Dense(40)(flat)]
    model = sparse(keras.Model(image, layers.Concatenate()(outputs)))
    assert "RESHAPE" in operators(dc.convert(model))


def test_others_keep_it():
    image = keras.Input(X.shape[1:])
    flat = layers.Flatten()(image)
    # An output, and a sum, have rows themselves.
    for made in ([layers.Dense(30)(flat), flat], [layers.Dense(32)(flat) + flat]):
        assert "RESHAPE" in operators(dc.convert(sparse(keras.Model(image, made))))


def test_rows_of_another_length_keep_it():
    """A reshape that makes more rows of each example, and Dense of each row."""
    image = keras.Input((4, 6), batch_size=2)
    rows = layers.Reshape((8, 3))(image)
    model = sparse(keras.Model(image, layers.Dense(200)(rows)))
    tflite = dc.convert(model)
    assert {"RESHAPE", "KerasDcFullyConnected"} <= set(operators(tflite))
    x = np.random.default_rng(1).normal(size=(2, 4, 6)).astype(np.float32)
    found = outputs_of(tflite, x)
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)
    assert found.shape == (2, 8, 200)


@pytest.mark.parametrize("batch_size", [None, 1])
def test_the_expanded_file_computes_the_same_bits_as_the_converters(batch_size):
    model = sparse(conv_net(batch_size=batch_size))
    expanded = dc.expand(dc.convert(model))
    first, second = (outputs_of(one, X[:1]) for one in (float_tflite(model), expanded))
    np.testing.assert_array_equal(first, second)


def test_the_file_compressed_again_is_the_same():
    """A file of ours that was expanded has the RESHAPE where `compress` takes it out again."""
    tflite = dc.convert(sparse(conv_net()))
    assert dc.compress(dc.expand(tflite)) == tflite


@pytest.mark.parametrize("batch_size", [None, 1])
@pytest.mark.parametrize("activations", ["float32", "int8"])
def test_int8_ops_flatten_too(batch_size, activations):
    x = np.random.default_rng(0).normal(size=(4, 10, 10, 8)).astype(np.float32)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:], batch_size=batch_size),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(10),
        ]
    )
    settings = {"optimizations": ["DEFAULT"]}
    if activations == "int8":
        settings["representative_dataset"] = lambda: ([one[None]] for one in x)
    tflite = dc.convert(sparse(model), **settings)
    assert "KerasDcFullyConnected" in operators(tflite)
    assert "RESHAPE" not in operators(tflite)
    expanded = dc.expand(tflite)
    assert "RESHAPE" in operators(expanded)
    assert operators(dc.compress(expanded)) == operators(tflite)
    first, second = (outputs_of(one, x[:1]) for one in (tflite, expanded))
    np.testing.assert_allclose(first, second, atol=0.02 * np.abs(second).max())


def test_names_are_kept_where_they_are_asked_for():
    tflite = dc.convert(sparse(conv_net()), strip_names=False)
    assert "RESHAPE" not in operators(tflite)
    names = [tensor.name for tensor in model_file.parse(dc.expand(tflite)).subgraphs[0].tensors]
    assert names[0]
    # Those of the RESHAPE are new.
    assert names[-2:] == [None, None]


def test_a_flag_on_an_op_that_does_not_fit_is_refused():
    model = model_file.parse(dc.convert(sparse(conv_net())))
    [operator, *_] = [op for op in model.subgraphs[0].operators if op.customOptions is not None]
    assert flattening.has_flag(operator.customOptions)
    output = model.subgraphs[0].tensors[operator.outputs[0]]
    for shape in ((5,), (1, 5, 8), ()):
        output.shape = np.array(shape, np.int32)
        with pytest.raises(dc.errors.CompressionError, match="two axes. Received: shapes"):
            dc.expand(model_file.serialize(model))
    operator.inputs = np.append(np.int32(-1), operator.inputs[1:])
    with pytest.raises(dc.errors.CompressionError, match="an input and weights. Received"):
        dc.expand(model_file.serialize(model))

"""`remove_dead_units`: smaller models that compute the same."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_dc as dc


def outputs(model, *shape):
    x = np.random.default_rng(0).normal(size=(3, *(shape or model.input_shape[1:])))
    return ops.convert_to_numpy(model(ops.convert_to_tensor(x.astype("float32"))))


def with_zeros(model, seed=0, fraction=0.3):
    """`model` with random weights, of which whole inputs and outputs of kernels are zero."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            value = rng.normal(size=weight.shape)
            if weight.name == "moving_variance":
                value = rng.uniform(0.5, 2, size=weight.shape)
            if "kernel" in weight.name:
                for axis in (-1, -2):
                    if weight.shape[axis] > 2:
                        dead = rng.random(weight.shape[axis]) < fraction
                        np.moveaxis(value, axis, 0)[dead] = 0
            if weight.name == "gamma":
                value[rng.random(weight.shape[0]) < fraction] = 0
            values.append(value)
        layer.set_weights(values)
    return model


def sequential(shape, *parts):
    return keras.Sequential([keras.Input(shape, name="x"), *parts])


def units(model):
    return {layer.name: int(layer.bias.shape[0]) for layer in model.layers if layer.weights}


def test_a_dense_net_by_hand():
    model = sequential(
        (2,), layers.Dense(4, activation="relu", name="a"), layers.Dense(1, name="b")
    )
    # Of the units the first is alive, the second has no input, the third no effect, and the
    # fourth neither.
    kernel, bias = [[1, 0, 5, 0], [2, 0, 6, 0]], [0.5, 3, 7, -1]
    weights = [np.array(w, "float32") for w in (kernel, bias, [[10], [100], [0], [1000]], [0.25])]
    model.set_weights(weights)
    small = dc.remove_dead_units(model)
    expected = [[[1], [2]], [0.5], [[10]], [0.25 + 3 * 100]]
    assert [weight.tolist() for weight in small.get_weights()] == expected
    assert [weight.tolist() for weight in model.get_weights()] == [w.tolist() for w in weights]
    assert [layer.name for layer in small.layers] == ["a", "b"]
    assert small.name == model.name
    assert small.input_shape == model.input_shape


DEAD_ENDS = [
    pytest.param((9,), [layers.Dense(8, "tanh"), layers.Dense(9, "gelu"), layers.Dense(3)],
                 id="dense"),
    pytest.param((12, 12, 3), [
        layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(),
        layers.MaxPooling2D(), layers.Conv2D(9, 3, activation="relu"), layers.Dropout(0.5),
        layers.Flatten(), layers.Dense(7, "sigmoid"), layers.Dense(3, "softmax"),
    ], id="conv 2d"),
    pytest.param((12, 12, 3), [
        layers.Conv2D(8, 3, padding="same", strides=2), layers.BatchNormalization(scale=False),
        layers.ZeroPadding2D(1), layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.AveragePooling2D(2, padding="same"), layers.LeakyReLU(),
        layers.Conv2D(9, 1, padding="same"), layers.UpSampling2D(), layers.ReLU(6),
        layers.GlobalAveragePooling2D(), layers.Dense(3),
    ], id="depthwise"),
    pytest.param((8, 8, 3), [
        layers.SeparableConv2D(9, 3, depth_multiplier=2, activation="relu"),
        layers.SeparableConv2D(8, 3, use_bias=False), layers.SeparableConv2D(3, 3, padding="same"),
    ], id="separable"),
    pytest.param((12, 3), [
        layers.Conv1D(8, 3, padding="causal"), layers.SpatialDropout1D(0.5),
        layers.SeparableConv1D(9, 3), layers.DepthwiseConv1D(2), layers.GlobalMaxPooling1D(),
        layers.Dense(2),
    ], id="conv 1d"),
    pytest.param((5, 5, 5, 2), [
        layers.Conv3D(8, 2, activation="elu"), layers.AveragePooling3D(2), layers.Flatten(),
        layers.BatchNormalization(center=False), layers.Dense(3),
    ], id="conv 3d"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "parts"), DEAD_ENDS)
def test_outputs_are_the_same_and_nothing_is_left(shape, parts):
    fresh = [type(part).from_config(part.get_config()) for part in parts]
    model = with_zeros(sequential(shape, *fresh))
    small = dc.remove_dead_units(model)
    assert small.count_params() < 0.9 * model.count_params()
    assert small.output_shape == model.output_shape
    want = outputs(model)
    assert np.ptp(want, axis=0).max() > 1e-3
    np.testing.assert_allclose(outputs(small), want, rtol=1e-4, atol=1e-5)
    assert dc.remove_dead_units(small).count_params() == small.count_params()


@pytest.mark.parametrize(("bias", "filters"), [(0.0, 1), (2.0, 2)])
def test_a_constant_that_meets_a_padded_border_stays(bias, filters):
    model = sequential((6, 6, 1), layers.Conv2D(2, 3), layers.Conv2D(1, 3, padding="same"))
    first, second = (layer.get_weights() for layer in model.layers)
    first[0][..., 1], first[1][1] = 0, bias
    model.layers[0].set_weights(first)
    model.layers[1].set_weights(second)
    small = dc.remove_dead_units(model)
    assert small.layers[0].filters == filters
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-5, atol=1e-6)


def test_a_bias_is_added_where_a_constant_needs_one():
    model = sequential((3,), layers.Dense(2), layers.Dense(2, use_bias=False, name="last"))
    kernel = np.ones((3, 2), "float32")
    kernel[:, 1] = 0
    model.set_weights([kernel, np.array([0, 3.0]), np.array([[1, 2], [10, 20.0]])])
    small = dc.remove_dead_units(model)
    assert small.get_layer("last").bias.shape == (2,)
    assert [w.tolist() for w in small.get_weights()[2:]] == [[[1, 2]], [30, 60]]


def branches(merge):
    """Two branches of eight channels: 0 is dead in both, 1 in the first alone."""
    x = keras.Input((5,))
    ends = [layers.Dense(8, name=name)(x) for name in "ab"]
    merged = layers.ReLU()(merge(ends))
    model = keras.Model(x, layers.Dense(2, name="last")(merged))
    with_zeros(model, fraction=0)
    for layer, dead in [(model.get_layer("a"), [0, 1]), (model.get_layer("b"), [0])]:
        kernel, bias = layer.get_weights()
        kernel[:, dead] = 0
        layer.set_weights([kernel, bias])
    return model


@pytest.mark.parametrize(("merge", "expected"), [
    (layers.Add(), {"a": 7, "b": 7}),
    (layers.Subtract(), {"a": 7, "b": 7}),
    (layers.Multiply(), {"a": 7, "b": 7}),
    (layers.Maximum(), {"a": 7, "b": 7}),
    (layers.Concatenate(), {"a": 6, "b": 7}),
    (layers.Dot(axes=1), {"a": 8, "b": 8}),
    (lambda ends: ends[0] + ends[1], {"a": 8, "b": 8}),
])  # fmt: skip
def test_branches(merge, expected):
    model = branches(merge)
    small = dc.remove_dead_units(model)
    assert units(small) == {**expected, "last": 2}
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-4, atol=1e-5)


def test_what_an_output_shows_stays():
    x = keras.Input((5,), name="x")
    hidden = layers.Dense(4, name="hidden")(x)
    model = keras.Model(x, {"hidden": hidden, "y": layers.Dense(4, name="y")(hidden)})
    for layer in model.layers[1:]:
        layer.set_weights([np.zeros_like(layer.kernel), np.arange(4.0)])
    small = dc.remove_dead_units(model)
    assert units(small) == {"hidden": 4, "y": 4}
    assert list(small.output) == ["hidden", "y"]
    assert small.inputs[0].name == "x"


class Mixing(layers.Layer):
    """Not known to keras_dc."""

    def call(self, x):
        return ops.flip(x, axis=-1)


@pytest.mark.parametrize("barrier", [
    Mixing(), layers.Softmax(), layers.Activation("softmax"), layers.LayerNormalization(),
    layers.Reshape((2, 4)), lambda x: layers.Dropout(0.5)(x, training=True),
])  # fmt: skip
def test_layers_of_other_kinds_keep_their_channels(barrier):
    x = keras.Input((5,))
    y = layers.Dense(8, name="before")(layers.Dense(8, name="first")(x))
    y = layers.Flatten()(barrier(y))
    model = with_zeros(keras.Model(x, layers.Dense(8, name="after")(y)))
    small = dc.remove_dead_units(model)
    assert small.get_layer("before").units == 8
    assert small.get_layer("first").units < 8
    if not callable(barrier) or isinstance(barrier, layers.Layer):
        np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-4, atol=1e-5)


def test_softmax_of_a_hidden_layer_sees_all_units():
    parts = layers.Dense(8), layers.Dense(8, "softmax"), layers.Dense(2)
    model = with_zeros(sequential((5,), *parts))
    small = dc.remove_dead_units(model)
    assert small.layers[0].units < 8
    assert small.layers[1].units == 8
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-4, atol=1e-5)


def test_layers_that_are_called_twice_are_left_alone():
    x = keras.Input((8,))
    twice = layers.Dense(8, name="twice")
    y = layers.Dense(8, name="between")(twice(x))
    model = with_zeros(keras.Model(x, layers.Dense(2)(layers.Dense(8, name="last")(twice(y)))))
    small = dc.remove_dead_units(model)
    assert small.get_layer("twice").units == 8
    assert small.get_layer("between").units == 8
    assert small.get_layer("last").units < 8
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-4, atol=1e-5)


class Transposed(layers.Layer):
    """Computes with the kernel of another layer."""

    def __init__(self, other, **kwargs):
        super().__init__(**kwargs)
        self.other = other

    def call(self, x):
        return ops.matmul(x, ops.transpose(self.other.kernel))

    def get_config(self):
        return {**super().get_config(), "other": keras.saving.serialize_keras_object(self.other)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("other")), **config)


def test_layers_that_share_a_variable_are_left_alone():
    first, parts = layers.Dense(8, name="first"), [layers.Dense(9, name="a"), layers.Dense(8)]
    model = sequential((8,), first, *parts, Transposed(first, name="tied"))
    with_zeros(model)
    small = dc.remove_dead_units(model)
    assert small.get_layer("first").units == 8
    assert small.get_layer("a").units < 9
    assert small.get_layer("tied").other is small.get_layer("first")
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-4, atol=1e-5)


def test_models_inside_are_made_smaller_on_their_own():
    inner = sequential((8,), layers.Dense(9, "relu", name="inner_dense"), layers.Dense(8))
    model = sequential((5,), layers.Dense(8, name="first"), inner, layers.Dense(2))
    with_zeros(inner)
    with_zeros(model)
    small = dc.remove_dead_units(model)
    assert small.layers[1].layers[0].units < 9
    assert small.get_layer("first").units == 8
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-4, atol=1e-5)


def test_a_layer_keeps_one_unit():
    model = sequential((5,), layers.Dense(8), layers.Dense(8), layers.Dense(2))
    weights = model.get_weights()
    weights[2][:] = 0
    model.set_weights(weights)
    small = dc.remove_dead_units(model)
    assert list(units(small).values()) == [1, 1, 2]
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-5, atol=1e-6)


def test_other_states_are_copied():
    normalization = layers.Normalization(mean=[1.0] * 5, variance=[4.0] * 5)
    model = with_zeros(sequential((5,), layers.Dense(8), layers.Dense(2)))
    model = sequential((5,), normalization, *model.layers)
    small = dc.remove_dead_units(model)
    np.testing.assert_allclose(outputs(small), outputs(model), rtol=1e-4, atol=1e-5)


def test_a_wrapped_model_is_refused():
    model = dc.prune(sequential((5,), layers.Dense(8), layers.Dense(2)), 0.5)
    with pytest.raises(ValueError, match=r"call `keras_dc\.strip` first.*Received: model="):
        dc.remove_dead_units(model)
    assert dc.remove_dead_units(dc.strip(model)).count_params() <= model.count_params()


def test_models_without_a_graph_are_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    model = Own()
    model(np.zeros((1, 2), "float32"))
    with pytest.raises(ValueError, match="remove_dead_units needs a Sequential or Functional"):
        dc.remove_dead_units(model)
    with pytest.raises(ValueError, match=r"must be a keras\.Model"):
        dc.remove_dead_units("model.keras")

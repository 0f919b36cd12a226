"""Wrapped models where plain ones are expected: folding, stateful layers, methods of layers."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_dc as dc
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import layers_of_class

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 6)).astype(np.float32)
Y = RNG.normal(size=(32, 2)).astype(np.float32)


def array(value):
    return keras.ops.convert_to_numpy(value)


def normalized():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8), layers.BatchNormalization()])
    return keras.Sequential(
        [keras.Input((6,)), layers.Dense(8), layers.BatchNormalization(), inner, layers.Dense(2)]
    )


WRAPPED = {
    "pruned": lambda: (dc.prune(normalized(), dc.ConstantSparsity(0.5, 0)), [dc.PruningCallback()]),
    "shared": lambda: (dc.share_weights(normalized(), 4), []),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_folding_takes_what_strip_gives(kind):
    model, callbacks = WRAPPED[kind]()
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=3, verbose=0, callbacks=callbacks)
    values = [array(variable) for variable in model.variables]
    folded = dc.training.fold_batch_norm(model)
    assert not layers_of_class(folded, (KernelWrapper, layers.BatchNormalization))
    want = dc.training.fold_batch_norm(dc.strip(model))
    np.testing.assert_array_equal(array(folded(X)), array(want(X)))
    np.testing.assert_allclose(array(folded(X)), array(model(X)), rtol=1e-4, atol=1e-5)
    for variable, value in zip(model.variables, values, strict=True):
        np.testing.assert_array_equal(array(variable), value)


def recurrent(make):
    return keras.Sequential([keras.Input(batch_shape=(1, 4, 2)), make(), layers.Dense(1)])


STATEFUL = {
    "lstm": lambda: layers.LSTM(4, stateful=True),
    "gru": lambda: layers.GRU(4, stateful=True),
    "bidirectional": lambda: layers.Bidirectional(layers.LSTM(4, stateful=True)),
    "cell": lambda: layers.RNN(layers.SimpleRNNCell(4), stateful=True),
}
WRAPS = {
    "pruned": lambda model: dc.prune(model, 0.0),
    "shared": lambda model: dc.share_weights(model, 255),
}


@pytest.mark.parametrize("kind", STATEFUL)
@pytest.mark.parametrize("wrap", WRAPS)
def test_states_are_reset(kind, wrap):
    x = np.ones((1, 4, 2), np.float32)
    model = WRAPS[wrap](recurrent(STATEFUL[kind]))
    first, second = array(model(x)), array(model(x))
    assert np.abs(second - first).max() > 0
    for layer in model.layers:
        for name in ("reset_state", "reset_states"):
            if hasattr(layer, name):
                getattr(layer, name)()
    np.testing.assert_array_equal(array(model(x)), first)


class Scores(layers.Layer):
    """Has a method and a setting that users ask for."""

    factor = 3.0

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(6, 2), name="kernel")

    def call(self, inputs):
        return self.scores(inputs)

    def scores(self, inputs):
        """What the call computes."""
        return ops.matmul(inputs, self.kernel) * self.factor


def test_methods_and_settings_of_the_layer_are_those_of_its_call():
    shared = dc.share_weights(keras.Sequential([keras.Input((6,)), Scores()]), 2)
    layer = shared.layers[0]
    assert layer.factor == 3.0
    assert layer.scores.__doc__ == "What the call computes."
    np.testing.assert_array_equal(array(layer.scores(ops.convert_to_tensor(X))), array(shared(X)))
    np.testing.assert_array_equal(array(layer.kernel), array(dc.strip(shared).layers[0].kernel))
    assert len(np.unique(array(layer.kernel))) == 2
    assert not hasattr(layer, "nothing")
    with pytest.raises(AttributeError, match="nothing"):
        layer.nothing  # noqa: B018


def test_asking_for_the_kernel_adds_no_loss():
    dense = layers.Dense(2, kernel_regularizer="l2")
    shared = dc.share_weights(keras.Sequential([keras.Input((6,)), dense]), 4)
    shared(X)
    num_losses = len(shared.losses)
    assert shared.layers[0].units == 2
    assert shared.layers[0].kernel.shape == (6, 2)
    assert len(shared.losses) == num_losses == 1


def test_a_masked_embedding_tells_its_mask():
    tokens = keras.Input((5,))
    model = keras.Model(tokens, layers.LSTM(2)(layers.Embedding(9, 3, mask_zero=True)(tokens)))
    shared = dc.share_weights(model, 4)
    assert shared.layers[1].mask_zero
    ids = np.array([[1, 2, 0, 0, 0]])
    assert array(shared.layers[1].compute_mask(ops.convert_to_tensor(ids), None)).sum() == 2

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.wrapping.kernel_wrapper import KernelWrapper, swapped
from keras_dc.wrapping.weights import find_biases, find_kernels

RNG = np.random.default_rng(0)


def array(value):
    return keras.ops.convert_to_numpy(value)


def test_find_kernels_names_them_by_their_path():
    layer = layers.Bidirectional(layers.LSTM(3, name="lstm"), name="both")
    layer.build((None, 4, 2))
    assert [kernel.name for kernel in find_kernels(layer)] == [
        "both/forward_lstm/lstm_cell/kernel",
        "both/forward_lstm/lstm_cell/recurrent_kernel",
        "both/backward_lstm/lstm_cell/kernel",
        "both/backward_lstm/lstm_cell/recurrent_kernel",
    ]
    assert len(find_biases(layer)) == 2


def test_layers_without_kernel_have_none():
    layer = layers.BatchNormalization()
    layer.build((None, 4))
    assert find_kernels(layer) == []


def test_a_kernel_kept_under_two_names_is_one_kernel():
    class Twice(layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], 2), name="kernel")
            self.alias = self.kernel

        def call(self, inputs):
            return keras.ops.matmul(inputs, self.alias + self.kernel)

    layer = Twice()
    layer.build((None, 3))
    kernels = find_kernels(layer)
    assert len(kernels) == 1
    with swapped(kernels, [np.ones((3, 2), np.float32)]):
        np.testing.assert_array_equal(layer(np.ones((1, 3), np.float32)), [[6.0, 6.0]])
    assert layer.alias is layer.kernel is kernels[0].variable


def test_swapped_puts_the_kernel_back_after_an_error():
    layer = layers.Dense(2)
    layer.build((None, 3))
    kernel = layer.kernel

    def fail():
        with swapped(find_kernels(layer), [np.ones((3, 2))]):
            assert layer.kernel is not kernel
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert layer.kernel is kernel


def test_a_wrapped_layer_without_kernel_is_refused():
    with pytest.raises(ValueError, match="without kernel.*PrunedLayer.*Received: layer"):
        dc.training.PrunedLayer(layers.ReLU(), dc.ConstantSparsity(0.5, 0)).build((None, 3))


def test_an_author_may_wrap_a_layer_before_it_is_built():
    wrapper = dc.training.PrunedLayer(layers.Dense(2), dc.ConstantSparsity(0.5, 0))
    assert wrapper(np.ones((1, 3), np.float32)).shape == (1, 2)
    assert wrapper.masks[0].shape == (3, 2)


def test_what_the_wrapper_derives_is_the_subclass_choice():
    layer = layers.Dense(2)
    layer.build((None, 3))
    with pytest.raises(NotImplementedError):
        KernelWrapper(layer)


def test_attention_gets_its_masks_through_the_wrapper():
    tokens = keras.Input((5,))
    embedded = layers.Embedding(10, 4, mask_zero=True)(tokens)
    attended = layers.MultiHeadAttention(2, 2, name="attention")(embedded, embedded)
    model = keras.Model(tokens, layers.GlobalAveragePooling1D()(attended))
    ids = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0]])
    pruned = dc.prune(model, dc.ConstantSparsity(0.5, 0))
    assert len(pruned.get_layer("attention").kernels) == 4
    np.testing.assert_array_equal(array(pruned(ids)), array(model(ids)))
    pruned.compile("sgd", "mse")
    pruned.fit(ids, np.zeros((2, 4)), verbose=0, callbacks=[dc.PruningCallback()])
    shared = dc.share_weights(pruned, 4)
    np.testing.assert_allclose(array(dc.strip(shared)(ids)), array(shared(ids)), rtol=1e-6)


def test_mixed_precision_is_that_of_the_layer():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, dtype="mixed_bfloat16"), layers.Dense(2)]
    )
    x = RNG.normal(size=(8, 4)).astype(np.float32)
    pruned = dc.prune(model, dc.ConstantSparsity(0.5, 0))
    assert keras.backend.standardize_dtype(pruned.layers[0](x).dtype) == "bfloat16"
    np.testing.assert_array_equal(array(pruned(x)), array(model(x)))
    shared = dc.share_weights(model, 4)
    assert keras.backend.standardize_dtype(shared.layers[0](x).dtype) == "bfloat16"
    np.testing.assert_array_equal(array(dc.strip(shared)(x)), array(shared(x)))

"""Every kind of layer with a kernel: forward, gradient, training, file, strip."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.gradients import gradients

import keras_dc as dc
from keras_dc.training.pruning import PrunedLayer
from keras_dc.training.weight_sharing import SharedLayer
from keras_dc.wrapping.layer_tree import layers_of_class
from keras_dc.wrapping.weights import find_kernels

RNG = np.random.default_rng(0)


def one(make, shape):
    """A model of one layer."""
    return lambda: keras.Sequential([keras.Input(shape), make()])


def attention():
    inputs = keras.Input((5, 4))
    return keras.Model(inputs, layers.MultiHeadAttention(2, 3)(inputs, inputs))


def embedding():
    return keras.Sequential([keras.Input((3,)), layers.Embedding(10, 4)])


def nested():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(5, activation="tanh")])
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(3)(inner(layers.Dense(6)(inputs))))


def called_twice():
    inputs = keras.Input((4,))
    layer = layers.Dense(4, activation="tanh")
    return keras.Model(inputs, layer(layer(inputs)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.stem = layers.Dense(6, activation="tanh")
        self.heads = [layers.Dense(3)]

    def call(self, inputs):
        return self.heads[0](self.stem(inputs))


def subclassed():
    model = Subclassed()
    model(np.ones((1, 4), np.float32))
    return model


IMAGE, SEQUENCE = (6, 6, 4), (5, 4)
KINDS = {
    "dense": one(lambda: layers.Dense(3), (4,)),
    "einsum_dense": one(lambda: layers.EinsumDense("abc,cd->abd", (5, 3), bias_axes="d"), SEQUENCE),
    "conv1d": one(lambda: layers.Conv1D(3, 2), SEQUENCE),
    "conv2d": one(lambda: layers.Conv2D(4, 2, groups=2), IMAGE),
    "conv3d": one(lambda: layers.Conv3D(3, 2), (4, 4, 4, 2)),
    "conv1d_transpose": one(lambda: layers.Conv1DTranspose(3, 2, strides=2), SEQUENCE),
    "conv2d_transpose": one(lambda: layers.Conv2DTranspose(3, 2, strides=2), IMAGE),
    "conv3d_transpose": one(lambda: layers.Conv3DTranspose(3, 2), (3, 3, 3, 2)),
    "depthwise_conv1d": one(lambda: layers.DepthwiseConv1D(2, depth_multiplier=2), SEQUENCE),
    "depthwise_conv2d": one(lambda: layers.DepthwiseConv2D(2, depth_multiplier=2), IMAGE),
    "separable_conv1d": one(lambda: layers.SeparableConv1D(3, 2), SEQUENCE),
    "separable_conv2d": one(lambda: layers.SeparableConv2D(3, 2), IMAGE),
    "embedding": embedding,
    "lstm": one(lambda: layers.LSTM(3, dropout=0.2, recurrent_dropout=0.1), SEQUENCE),
    "gru": one(lambda: layers.GRU(3, return_sequences=True), SEQUENCE),
    "simple_rnn": one(lambda: layers.SimpleRNN(3), SEQUENCE),
    "cells": one(
        lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2), layers.SimpleRNNCell(2)]),
        SEQUENCE,
    ),
    "bidirectional": one(lambda: layers.Bidirectional(layers.GRU(3)), SEQUENCE),
    "conv_lstm1d": one(lambda: layers.ConvLSTM1D(2, 2), (3, 5, 2)),
    "conv_lstm2d": one(lambda: layers.ConvLSTM2D(2, 2), (3, 5, 5, 2)),
    "attention": attention,
    "time_distributed": one(lambda: layers.TimeDistributed(layers.Dense(3)), SEQUENCE),
    "nested": nested,
    "called_twice": called_twice,
    "subclassed": subclassed,
}


def made(kind):
    """The model of a kind, every variable random, and an input for it."""
    keras.utils.set_random_seed(1)
    model = KINDS[kind]()
    for variable in model.trainable_variables:
        variable.assign(RNG.normal(size=variable.shape))
    if kind == "embedding":
        return model, RNG.integers(0, 10, size=(8, 3))
    shape = (4,) if kind == "subclassed" else model.input_shape[1:]
    return model, RNG.normal(size=(8, *shape)).astype(np.float32)


def pruned_to_half(kind):
    """The model of a kind with half of each kernel masked, before any training."""
    model, x = made(kind)
    pruned = dc.prune(model, 0.5)
    pruned.compile("sgd", "mse")
    callback = dc.PruningCallback()
    callback.set_model(pruned)
    callback.update_due_layers()
    return pruned, x


def array(value):
    return ops.convert_to_numpy(value)


def codebooks_of(model):
    found = layers_of_class(model, SharedLayer)
    return [array(book) for layer in found for book in layer.codebooks]


def loss_gradients(model, x, variables):
    return gradients(lambda: ops.sum(ops.square(model(x, training=False))), variables)


@pytest.mark.parametrize("kind", KINDS)
def test_pruned_forward_gradient_and_strip(kind):
    pruned, x = pruned_to_half(kind)
    outputs = array(pruned(x, training=False))
    found = layers_of_class(pruned, PrunedLayer)
    masks = [mask for layer in found for mask in layer.current_masks()]
    kernels = [kernel.variable for layer in found for kernel in layer.kernels]
    of_masked = loss_gradients(pruned, x, kernels)

    plain = dc.strip(pruned)
    assert not layers_of_class(plain, PrunedLayer)
    np.testing.assert_allclose(array(plain(x, training=False)), outputs, rtol=1e-6, atol=1e-6)
    plain_kernels = [kernel.variable for kernel in find_kernels(plain)]
    assert len(plain_kernels) == len(masks)
    of_plain = loss_gradients(plain, x, plain_kernels)
    for kernel, mask, masked, expected in zip(plain_kernels, masks, of_masked, of_plain):
        assert np.count_nonzero(array(kernel)) == mask.sum() == round(mask.size / 2)
        np.testing.assert_array_equal(array(kernel) != 0, mask > 0)
        np.testing.assert_allclose(masked, expected * mask, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_shared_forward_gradient_and_strip(kind):
    pruned, x = pruned_to_half(kind)
    shared = dc.share_weights(pruned, 3, num_bias_clusters=2)
    outputs = array(shared(x, training=False))
    found = layers_of_class(shared, SharedLayer)
    names = [weight.name for layer in found for weight in layer.shared]
    indices = [array(index) for layer in found for index in layer.indices]
    of_codebooks = loss_gradients(shared, x, [book for layer in found for book in layer.codebooks])
    weights = [weight.variable for layer in found for weight in layer.shared]

    plain = dc.strip(shared)
    assert not layers_of_class(plain, SharedLayer)
    np.testing.assert_allclose(array(plain(x, training=False)), outputs, rtol=1e-6, atol=1e-6)
    by_path = {variable.path: variable for variable in plain.trainable_variables}
    assert any("bias" in name for name in names) == (kind != "embedding")
    if kind != "subclassed":
        weights = [by_path[weight.path] for weight in weights]
    of_weights = loss_gradients(plain, x, weights)
    for stripped, index, of_codebook, of_weight in zip(weights, indices, of_codebooks, of_weights):
        values = np.unique(array(stripped))
        assert np.count_nonzero(values) <= len(of_codebook)
        np.testing.assert_array_equal(array(stripped) == 0, index == 0)
        sums = [of_weight[index == i + 1].sum() for i in range(len(of_codebook))]
        np.testing.assert_allclose(of_codebook, sums, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_training_saving_and_loading(kind, tmp_path):
    model, x = made(kind)
    y = np.zeros(model(x).shape, np.float32)
    pruned = dc.prune(model, 0.5)
    pruned.compile("sgd", "mse")
    pruned.fit(x, y, epochs=1, verbose=0, callbacks=[dc.PruningCallback()])
    if kind == "subclassed":
        pruned.save_weights(tmp_path / "pruned.weights.h5")
        loaded, _ = made(kind)
        loaded = dc.prune(loaded, 0.5)
        loaded.load_weights(tmp_path / "pruned.weights.h5")
    else:
        pruned.save(tmp_path / "pruned.keras")
        loaded = keras.models.load_model(tmp_path / "pruned.keras")
    np.testing.assert_allclose(array(loaded(x)), array(pruned(x)), rtol=1e-6, atol=1e-6)

    shared = dc.share_weights(loaded, 4)
    shared.compile("sgd", "mse")
    before = codebooks_of(shared)
    shared.fit(x, y, epochs=1, verbose=0)
    for old, new in zip(before, codebooks_of(shared), strict=True):
        assert not np.array_equal(old, new)
    if kind != "subclassed":
        shared.save(tmp_path / "shared.keras")
        loaded = keras.models.load_model(tmp_path / "shared.keras")
        np.testing.assert_allclose(array(loaded(x)), array(shared(x)), rtol=1e-6, atol=1e-6)

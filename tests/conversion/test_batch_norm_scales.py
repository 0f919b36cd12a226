"""What BatchNorm costs in a compressed file: a scale per channel at the most.

The 23 bits of a scale's mantissa are as good as random, and no other scale gives the folded
kernel bit for bit; its exponent takes some 2 bits. So 3.1 bytes a channel are the least.
"""

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.conversion import convert
from keras_dc.tflite import diff, model_file

# What a scale of 4 bytes takes at the most, tables of small layers and all.
SCALE_BYTES = 3.8


def normalized(x, with_batch_norm):
    if with_batch_norm:
        x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)


def conv_net(with_batch_norm):
    """Conv-BN-ReLU, 64 to 256 channels."""
    x = first = keras.Input((8, 8, 3))
    for filters in (64, 128, 256):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=not with_batch_norm)(x)
        x = normalized(x, with_batch_norm)
    return keras.Model(first, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def separable_net(with_batch_norm):
    """Depthwise-separable, as MobileNet, 64 to 256 channels."""
    x = first = keras.Input((8, 8, 3))
    x = layers.Conv2D(64, 3, padding="same", use_bias=not with_batch_norm)(x)
    x = normalized(x, with_batch_norm)
    for filters in (128, 256, 256):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=not with_batch_norm)(x)
        x = normalized(x, with_batch_norm)
        x = layers.Conv2D(filters, 1, use_bias=not with_batch_norm)(x)
        x = normalized(x, with_batch_norm)
    return keras.Model(first, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def prune(model, sparsity):
    """The model pruned as at the end of a training; its first kernel and depthwise ones half.

    Kernels are the same with BatchNorm and without.
    """
    rng = np.random.default_rng(0)
    kernels = [
        layer.weights[0] for layer in model.layers if layer.weights and "batch" not in layer.name
    ]
    for kernel in kernels:
        kernel.assign(rng.normal(size=kernel.shape) / np.sqrt(np.prod(kernel.shape[:-1])))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.gamma.shape[0]
            # Some factors are negative, as in trained models: zeros become -0.0.
            signs = rng.choice([-1, 1], size, p=[0.1, 0.9])
            layer.gamma.assign(rng.uniform(0.3, 1.5, size) * signs)
            layer.moving_mean.assign(rng.normal(size=size) * 0.2)
            layer.moving_variance.assign(rng.uniform(0.1, 2, size))
            layer.beta.assign(rng.normal(size=size) * 0.1)
        elif len(layer.weights) > 1:
            layer.bias.assign(rng.normal(size=layer.bias.shape) * 0.1)
    first = next(layer for layer in model.layers if layer.weights)
    targets = {f"^{first.name}$": 0.5, "depthwise": 0.5, ".": sparsity}
    if not any("depthwise" in layer.name for layer in model.layers):
        del targets["depthwise"]
    model = dc.prune(model, targets)
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 0.0
    x, y = np.zeros((2, 8, 8, 3), np.float32), np.zeros((2, 10), np.float32)
    model.fit(x, y, verbose=0, callbacks=[dc.PruningCallback()])
    return dc.strip(model)


def sizes(model):
    """Bytes before and after compressing, which must be bit-exact."""
    plain = dc.strip(model)
    original = convert.to_tflite(plain)
    compressed = dc.convert(plain, verify=False)
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    return len(original), len(compressed)


@pytest.fixture(scope="module", params=[conv_net, separable_net], ids=lambda net: net.__name__)
def ratios(request):
    """Ratio without BatchNorm, with it, and with it folded first; and the scales' bytes."""
    keras.utils.set_random_seed(0)
    plain = sizes(dc.share_weights(prune(request.param(False), 0.85), num_clusters=32))
    pruned = prune(request.param(True), 0.85)
    kept = sizes(dc.share_weights(pruned, num_clusters=32))
    folded = sizes(dc.share_weights(dc.training.fold_batch_norm(pruned), num_clusters=32))
    channels = sum(
        layer.gamma.shape[0]
        for layer in pruned.layers
        if isinstance(layer, layers.BatchNormalization)
    )
    found = [before / after for before, after in (plain, kept, folded)]
    return request.param, *found, kept[1] - plain[1], SCALE_BYTES * channels


def test_folding_before_sharing_costs_nothing(ratios):
    _, plain, _, folded, *_ = ratios
    assert folded >= 0.97 * plain


def test_folding_afterwards_costs_a_scale_per_channel(ratios):
    net, plain, kept, _, difference, scale_bytes = ratios
    assert difference <= scale_bytes
    assert kept >= (0.97 if net is conv_net else 0.865) * plain

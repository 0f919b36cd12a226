"""Layers whose weights are bfloat16 or float16."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype(np.float32)
Y = RNG.normal(size=(64, 2)).astype(np.float32)


def array(value):
    return keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))


def half_model(dtype):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((6,)), layers.Dense(16, dtype=dtype), layers.Dense(2, dtype=dtype)]
    )


def fit(model, **options):
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, epochs=2, verbose=0, **options)
    return model


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "mixed_bfloat16", "mixed_float16"])
def test_they_are_pruned_shared_and_stripped(dtype):
    pruned = dc.prune(half_model(dtype), dc.ConstantSparsity(0.5, 0))
    fit(pruned, callbacks=[dc.PruningCallback()])
    shared = dc.share_weights(pruned, 4)
    before = array(shared.layers[0].codebooks[0])
    fit(shared)
    assert np.abs(array(shared.layers[0].codebooks[0]) - before).max() > 0
    plain = dc.strip(shared)
    np.testing.assert_array_equal(array(plain(X)), array(shared(X)))
    kernel = array(plain.layers[0].kernel)
    assert np.mean(kernel == 0) == 0.5
    assert len(np.unique(kernel)) <= 5
    assert plain.layers[0].kernel.dtype == half_model(dtype).layers[0].kernel.dtype


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    "options",
    [
        {"straight_through": True, "freeze_step": 3},
        {"regrow_fraction": 0.3, "freeze_step": 3},
        {"global_threshold": True},
        {"block_size": (2, 2)},
        {"group_size": 2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_each_rule_takes_them(dtype, options):
    pruned = dc.prune(half_model(dtype), dc.ConstantSparsity(0.5, 0, frequency=1), **options)
    fit(pruned, callbacks=[dc.PruningCallback()])
    zeros = [np.mean(array(layer.kernel) == 0) for layer in dc.strip(pruned).layers]
    assert max(zeros) >= 0.4


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    "options",
    [
        {"reassign_frequency": 2},
        {"rate_weight": 0.1},
        {"float16_exact": True},
        {"num_bias_clusters": 2},
        *({"initialization": name} for name in ("density", "kmeans++", "forgy")),
    ],
    ids=lambda options: str(next(iter(options.items()))),
)
def test_each_option_of_sharing_takes_them(dtype, options):
    shared = dc.share_weights(half_model(dtype), 4, **options)
    callbacks = [dc.training.WeightSharingCallback()] if "reassign_frequency" in options else []
    fit(shared, callbacks=callbacks)
    plain = dc.strip(shared)
    np.testing.assert_array_equal(array(plain(X)), array(shared(X)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_sum_of_many_gradients_is_exact(dtype):
    """10,000 gradients of 1: in half floats the sum would stop at 256 or 2048."""
    inputs = keras.Input((100,), dtype=dtype)
    dense = layers.Dense(100, use_bias=False, dtype=dtype, kernel_initializer="ones")
    shared = dc.share_weights(keras.Model(inputs, dense(inputs)), 1)
    shared.compile(keras.optimizers.SGD(2.0**-13), lambda y, p: keras.ops.sum(p))
    shared.fit(np.ones((1, 100)), np.ones((1, 100)), verbose=0)
    moved = 1.0 - array(shared.layers[-1].codebooks[0])[0]
    assert moved == pytest.approx(10_000 * 2.0**-13, rel=2**-6)

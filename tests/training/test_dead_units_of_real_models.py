"""`remove_dead_units` of architectures that nobody made for it."""

import keras
import numpy as np
import pytest

import keras_dc as dc


def prune_channels(model, rng):
    """Zero a fifth of the filters, of the rows of kernels and of the scales."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            gamma = rng.uniform(1, 2, size) * (rng.random(size) >= 0.2)
            beta, mean = 0.1 * rng.normal(size=(2, size))
            layer.set_weights([gamma, beta, mean, np.full(size, 0.1)])
        elif layer.weights:
            kernel = np.array(layer.weights[0])
            for axis in (-1, -2):
                if kernel.shape[axis] > 3:
                    np.moveaxis(kernel, axis, 0)[rng.random(kernel.shape[axis]) < 0.2] = 0
            layer.weights[0].assign(kernel)


@pytest.mark.parametrize(("make", "options", "fraction"), [
    (keras.applications.MobileNetV2, {"alpha": 0.35}, 0.8),
    (keras.applications.ResNet50, {}, 0.8),
])  # fmt: skip
def test_channels_pruned(make, options, fraction):
    keras.utils.set_random_seed(0)
    model = make(weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None,
                 **options)  # fmt: skip
    rng = np.random.default_rng(0)
    prune_channels(model, rng)
    small = dc.remove_dead_units(model)
    assert small.count_params() < fraction * model.count_params()
    x = rng.normal(size=(2, 32, 32, 3)).astype("float32")
    want, got = (each.predict(x, verbose=0) for each in (model, small))
    assert np.ptp(want, axis=0).max() > 1e-2 * np.abs(want).max()
    np.testing.assert_allclose(got, want, atol=1e-5 * np.abs(want).max())

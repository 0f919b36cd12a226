import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc import codec
from keras_dc.compression.factoring import channel_scales
from keras_dc.compression.factoring.candidates import CandidateFactors
from keras_dc.conversion.batch_norm_scales import factors_of

RNG = np.random.default_rng(0)


def depthwise(num_channels=12):
    """A kernel `(1, 3, 3, channels)` of two or three values a channel, and its factors."""
    rng = np.random.default_rng(1)
    codebook = rng.normal(size=8).astype(np.float32)
    kernel = rng.choice(codebook, (3, 3, num_channels))
    kernel *= rng.random(kernel.shape) < 0.3
    scales = rng.uniform(0.5, 2, num_channels).astype(np.float32)
    scales[::4] *= -1
    return kernel, scales, (kernel * scales + np.float32(0))[None]


def test_candidates_give_the_kernel_bit_for_bit():
    kernel, scales, folded = depthwise()
    other = RNG.normal(size=folded.size).astype(np.float32)
    known = CandidateFactors.of([other, kernel], [other[:12], scales, scales[:5]])
    ((axis, factors),) = known.factorings(folded)
    assert axis == -1
    np.testing.assert_array_equal(factors.scales, scales)
    blob = codec.encode_scaled(folded, codebook=factors.codebook, scales=factors.scales, axis=axis)
    np.testing.assert_array_equal(codec.decode(blob), folded)
    assert not codec.inspect(blob).wide
    # Too few values in each channel for the search by values alone.
    assert channel_scales.factor_floats(folded, -1) is None


def test_negative_zeros_are_kept():
    kernel, scales, _ = depthwise()
    folded = (kernel * scales)[None]
    assert np.signbit(folded[folded == 0]).any()
    ((axis, factors),) = CandidateFactors.of([kernel], [scales]).factorings(folded)
    blob = codec.encode_scaled(folded, codebook=factors.codebook, scales=factors.scales, axis=axis)
    assert codec.decode(blob).tobytes() == folded.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda kernel, scales, folded: (kernel, np.nextafter(scales, 9), folded),
        lambda kernel, scales, folded: (kernel[:2], scales, folded),
        lambda kernel, scales, folded: (kernel, scales[1:], folded),
        lambda kernel, scales, folded: (kernel, scales, folded.ravel()),
        lambda kernel, scales, folded: (kernel.astype(np.float64), scales, folded),
        lambda kernel, scales, folded: (RNG.normal(size=kernel.shape), scales, folded),
        lambda kernel, scales, folded: (kernel, scales, folded + np.float32(1e-6)),
    ],
    ids=["scale", "size", "channels", "rank", "dtype", "codebook", "value"],
)
def test_what_does_not_give_the_kernel_is_no_factoring(change):
    kernel, scales, folded = change(*depthwise())
    assert list(CandidateFactors.of([kernel], [scales]).factorings(folded)) == []


def normalized_net():
    """Depthwise and others with a BatchNormalization each, of shared weights."""
    keras.utils.set_random_seed(0)
    x = first = keras.Input((6, 6, 3))
    kinds = [layers.Conv2D(40, 3), layers.DepthwiseConv2D(3), layers.Conv2DTranspose(30, 2)]
    for layer in kinds:
        x = layers.ReLU()(layers.BatchNormalization()(layer(x)))
    model = keras.Model(first, layers.Dense(40)(layers.Flatten()(x)))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            for variable in layer.weights:
                variable.assign(RNG.uniform(0.5, 1.5, variable.shape))
        elif layer.weights:
            codebook = RNG.normal(size=16)
            kernel = RNG.choice(codebook, layer.kernel.shape)
            layer.kernel.assign(np.where(RNG.random(kernel.shape) < 0.4, kernel, 0))
    return model


def test_convert_takes_the_scales_from_the_model():
    model = normalized_net()
    rows = [row for row in dc.inspect(dc.convert(model)) if len(row.shape) == 4]
    assert len(rows) == 3
    for row in rows:
        assert 14 <= row.blob.num_centroids <= 16
        assert row.blob.scale_axis is not None
        assert not row.blob.wide


def test_nested_models_and_factors_without_gamma_are_known():
    inner = normalized_net()
    norm = layers.BatchNormalization(scale=False, epsilon=0.0)
    outer = keras.Sequential([keras.Input((6, 6, 3)), inner, norm])
    norm.moving_variance.assign(np.full(40, 4.0))
    known = factors_of(outer)
    np.testing.assert_allclose(known.scales[40][-1], 0.5, rtol=1e-6)
    assert len(known.scales[40]) == 3
    assert known.codebooks[3 * 3 * 40][0].size == 16


def test_nothing_is_known_without_normalization():
    known = factors_of(keras.Sequential([keras.Input((3,)), layers.Dense(2)]))
    assert (known.codebooks, known.scales) == ({}, {})

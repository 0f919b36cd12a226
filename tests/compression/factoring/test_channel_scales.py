import numpy as np
import pytest

from keras_dc import codec
from keras_dc.compression.factoring import channel_scales


def folded(shape, axis, *, num_clusters=31, density=0.3, seed=0):
    """A clustered kernel and the same with BatchNorm folded into it, as a converter does."""
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=num_clusters).astype(np.float32)
    indices = rng.integers(0, num_clusters, shape)
    kernel = np.where(rng.random(shape) < density, codebook[indices], np.float32(0))
    channels = shape[axis]
    gamma = rng.normal(size=channels).astype(np.float32)
    variance = rng.uniform(0.1, 3, channels).astype(np.float32)
    multiplier = (gamma * (1 / np.sqrt(variance + np.float32(1e-3)))).astype(np.float32)
    along = [1] * len(shape)
    along[axis] = -1
    product = kernel * multiplier.reshape(along)
    return kernel, np.where(kernel == 0, np.float32(0), product)


def products(factors, values, axis):
    """`(blob, decoded)` of the factors; the codec refuses weights that are no product."""
    blob = codec.encode_scaled(values, codebook=factors.codebook, scales=factors.scales, axis=axis)
    return blob, codec.decode(blob)


@pytest.mark.parametrize(
    ("shape", "axis", "num_clusters"),
    [
        ((64, 3, 3, 32), 0, 31),
        ((32, 3, 3, 64), 0, 255),
        ((40, 300), -1, 15),
        ((300, 40), 0, 7),
        ((128, 3, 3, 16), 0, 200),
    ],
)
def test_a_folded_kernel_is_factored_exactly(shape, axis, num_clusters):
    kernel, values = folded(shape, axis, num_clusters=num_clusters)
    factors = channel_scales.factor_floats(values, axis)
    blob, decoded = products(factors, values, axis)
    np.testing.assert_array_equal(decoded, values, strict=True)
    assert len(factors.codebook) <= num_clusters
    # Float32 numbers were multiplied, and float32 numbers are found again.
    assert not codec.inspect(blob).wide
    unfolded = len(codec.encode(kernel))
    assert len(blob) <= unfolded + 4 * shape[axis] + 16


def test_channels_that_lack_centroids_are_laid_over_each_other():
    _, values = folded((128, 3, 3, 16), 0, num_clusters=60, density=0.15)
    factors = channel_scales.factor_floats(values, 0)
    assert len(factors.codebook) <= 60
    np.testing.assert_array_equal(products(factors, values, 0)[1], values)


def test_a_dead_channel_does_no_harm():
    _, values = folded((16, 3, 3, 32), 0)
    values[5] = 0
    factors = channel_scales.factor_floats(values, 0)
    np.testing.assert_array_equal(products(factors, values, 0)[1], values)


def test_float64_serves_where_float32_numbers_are_not_to_be_found():
    """Products of numbers that float32 does not hold."""
    rng = np.random.default_rng(0)
    codebook, scales = rng.normal(size=5), rng.uniform(1, 2, size=12)
    values = (scales[:, None] * codebook[rng.integers(0, 5, (12, 70))]).astype(np.float32)
    factors = channel_scales.factor_floats(values, 0)
    blob, decoded = products(factors, values, 0)
    assert codec.inspect(blob).wide
    np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=(64, 300)).astype(np.float32),
        np.random.default_rng(0).normal(size=(64, 9)).astype(np.float32),
        np.full((4, 4), np.nan, np.float32),
        np.full((4, 4), np.inf, np.float32),
    ],
    ids=["noise", "little_noise", "nan", "inf"],
)
def test_what_has_no_common_codebook_is_none(values):
    assert channel_scales.factor_floats(values, 0) is None


def test_all_zero_is_none():
    assert channel_scales.factor_floats(np.zeros((4, 9), np.float32), 0) is None
    assert channel_scales.factor_integers(np.zeros((4, 9), np.int8), 0, np.ones(4)) is None


def test_quantized_channels_share_a_codebook():
    kernel, _ = folded((64, 3, 3, 32), 0, num_clusters=31)
    scales = np.abs(kernel).max(axis=(1, 2, 3)) / 127
    values = np.rint(kernel / scales.reshape(-1, 1, 1, 1)).astype(np.int8)
    factors = channel_scales.factor_integers(values, 0, scales)
    assert len(factors.codebook) <= 31
    blob, decoded = products(factors, values, 0)
    np.testing.assert_array_equal(decoded, values, strict=True)
    assert not codec.inspect(blob).wide


def test_integer_factors_worked_out_by_hand():
    # Scales 1 and 2: the weights were near 3 and, in the other channel, between 3 and 5.
    values = np.array([[3, 0], [2, 0]], np.int8)
    factors = channel_scales.factor_integers(values, 0, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(factors.scales, [1.0, 0.5])
    assert len(factors.codebook) == 1
    assert 3 < factors.codebook[0] < 3.5


def test_saturated_integers_have_room_above():
    values = np.array([[127, -128, 5]], np.int8)
    factors = channel_scales.factor_integers(values, 0, np.array([0.1]))
    np.testing.assert_array_equal(products(factors, values, 0)[1], values)


@pytest.mark.parametrize("signs", [(1,), (-1, 1)])
def test_negative_zeros_come_back(signs):
    kernel, _ = folded((48, 64), 0)
    scales = np.random.default_rng(3).uniform(0.5, 2, size=(48, 1)).astype(np.float32)
    values = kernel * scales * np.resize(np.float32(signs), (48, 1))
    values[:, 1::7] = np.where(values[:, 1::7] == 0, np.float32(-0.0), values[:, 1::7])
    values[5] = -0.0
    factors = channel_scales.factor_floats(values, 0)
    decoded = products(factors, values, 0)[1]
    np.testing.assert_array_equal(decoded.view(np.uint32), values.view(np.uint32))


@pytest.mark.parametrize("seed", range(6))
def test_a_codebook_of_float16_numbers_is_found_again(seed):
    """Their products often lie right between two float32 numbers."""
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=32).astype(np.float16).astype(np.float32)
    scales = rng.uniform(0.01, 0.05, size=(128, 1)).astype(np.float32)
    values = np.where(rng.random((128, 128)) < 0.4, codebook[rng.integers(0, 32, (128, 128))], 0)
    values = (values * scales).astype(np.float32)
    factors = channel_scales.factor_floats(values, 0)
    blob, decoded = products(factors, values, 0)
    np.testing.assert_array_equal(decoded, values)
    info = codec.inspect(blob)
    assert info.codebook_bytes == 2 * info.num_centroids
    assert (info.wide, info.scale_planes) == (False, True)


@pytest.mark.parametrize("seed", range(8))
def test_integers_of_any_kind_come_back(seed):
    """Also those that were never clustered, whose intervals barely meet."""
    rng = np.random.default_rng(seed)
    values = rng.integers(-128, 128, size=(16, 60)).astype(np.int8)
    values = np.where(rng.random(values.shape) < 0.3, values, np.int8(0))
    factors = channel_scales.factor_integers(values, 0, np.linspace(0.01, 0.03, 16))
    np.testing.assert_array_equal(products(factors, values, 0)[1], values)

"""Any tensor is coded and comes back bit for bit, however little a blob saves."""

import math

import numpy as np
import pytest

from keras_dc import codec, errors
from keras_dc.codec import dtypes

DTYPES = ["float32", "float16", "bfloat16", "int8", "int4"]


def random_bits(size, dtype, rng):
    """All bit patterns, NaNs and infinities included."""
    storage = dtypes.BY_NAME[dtype].storage
    values = np.frombuffer(rng.bytes(size * storage.itemsize), storage).copy()
    return (values & 0xF) - 8 if dtype == "int4" else values


def all_distinct(size, dtype, rng):
    storage = dtypes.BY_NAME[dtype].storage
    counted = np.arange(size, dtype=np.uint32)
    if dtype == "int4":
        return (counted % 16).astype(np.int8) - np.int8(8)
    return rng.permutation(counted.astype(f"u{storage.itemsize}")).view(storage)


def full_range(size, dtype, rng):
    """What quantizers make: all integers but the lowest, none of them much rarer."""
    if dtype in ("int8", "int4"):
        most = 127 if dtype == "int8" else 7
        return rng.integers(-most, most + 1, size).astype(np.int8)
    normal = rng.normal(size=size).astype(np.float32)
    if dtype == "bfloat16":
        return (normal.view(np.uint32) >> 16).astype(np.uint16)
    return normal.astype(dtypes.BY_NAME[dtype].storage)


def few_kept(size, dtype, rng):
    return np.where(rng.random(size) < 0.03, random_bits(size, dtype, rng), 0)


def half_kept(size, dtype, rng):
    """Gaps and values without a codebook, or with one."""
    return np.where(rng.random(size) < 0.5, random_bits(size, dtype, rng), 0)


def two_classes(size, dtype, rng):
    """Lines of 64 weights, of which every other one holds 0 and 1 alone."""
    calm = rng.integers(0, 2, size)
    return np.where(np.arange(size) // 64 % 2 == 0, random_bits(size, dtype, rng), calm)


KINDS = [random_bits, all_distinct, full_range, few_kept, half_kept, two_classes]
SIZES = [0, 1, 2, 255, 256, 257, 4095, 4097, 16384, 65535, 65536, 65537, 65601, 80000, 131073]


def shapes(size, rng):
    """Shapes of `size` weights: one of rank 0 or 1, one of rank 2 and one of rank 3 to 8."""
    yield () if size == 1 else (size,)
    rest = size
    dims = []
    for prime in (2, 2, 2, 3, 5, 7, 13):
        if rest and rest % prime == 0:
            dims.append(prime)
            rest //= prime
    rng.shuffle(dims)
    if dims:
        yield (math.prod(dims), rest)
        yield (*dims, rest)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_of_random_tensors(dtype, kind):
    rng = np.random.default_rng(DTYPES.index(dtype))
    storage = dtypes.BY_NAME[dtype].storage
    for size in SIZES:
        flat = kind(size, dtype, rng).astype(storage)
        for shape in shapes(size, rng):
            tensor = flat.reshape(shape)
            blob = codec.encode(tensor, dtype=dtype)
            decoded = codec.decode(blob)
            assert decoded.dtype == storage
            assert decoded.shape == shape
            assert decoded.tobytes() == tensor.tobytes(), (shape, kind)
            # Nothing grows by more than a header, tables, and the sizes of streams.
            assert len(blob) <= tensor.nbytes + tensor.nbytes // 64 + 800, (shape, kind)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_arithmetic_coder_codes_random_tensors(dtype):
    rng = np.random.default_rng(9)
    for kind in (random_bits, few_kept, half_kept, full_range):
        for size in (1, 257, 3000):
            tensor = kind(size, dtype, rng).astype(dtypes.BY_NAME[dtype].storage)
            blob = codec.encode(tensor, dtype=dtype)
            recoded = codec.recode(bytearray(blob))
            assert len(recoded) <= len(blob)
            assert codec.decode(recoded).tobytes() == tensor.tobytes()


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
@pytest.mark.parametrize("shape", [(2, 3), (64, 256), (256, 64), (65537, 2), (3, 5, 7, 1030)])
def test_round_trip_of_scaled_tensors(shape, dtype, axis, precision):
    """Full codebooks, and as many scales as channels, random in all their bits."""
    rng = np.random.default_rng(1)
    centroids = 1 + rng.random(256)
    centroids *= rng.choice([-1, 1], 256) * (60 if dtype == np.int8 else 1)
    codebook = centroids.astype(precision)
    scales = (0.5 + 0.5 * rng.random(shape[axis])).astype(precision)
    along = [1] * len(shape)
    along[axis] = -1
    products = codebook[rng.integers(0, 256, shape)].astype(np.float64)
    products *= scales.astype(np.float64).reshape(along)
    tensor = (np.rint(products) if dtype == np.int8 else products).astype(dtype)
    tensor = np.where(rng.random(shape) < 0.9, tensor, dtype(0))
    blob = codec.encode_scaled(tensor, codebook=codebook, scales=scales, axis=axis)
    assert codec.decode(blob).tobytes() == tensor.tobytes()


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", ">f2"])
def test_the_byte_order_of_an_array_does_not_count(dtype):
    values = np.array([[0, 1.5, -2.25], [0, 0, 7]], dtype)
    plain = values.astype(values.dtype.newbyteorder("="))
    blob = codec.encode(values)
    assert blob == codec.encode(plain)
    np.testing.assert_array_equal(codec.decode(blob), plain)


def test_the_byte_order_of_scaled_arrays_and_patterns_does_not_count():
    parts = {"codebook": np.array([1.0, 2.0], ">f8"), "scales": np.array([0.5, 3], ">f4")}
    values = np.array([[0.5, 0, 1], [6, 3, 0]], ">f4")
    np.testing.assert_array_equal(
        codec.decode(codec.encode_scaled(values, **parts, axis=0)), values.astype(np.float32)
    )
    patterns = np.array([0x3F80, 0, 0xBF80], ">u2")
    blob = codec.encode(patterns, dtype="bfloat16")
    np.testing.assert_array_equal(codec.decode(blob), patterns.astype(np.uint16))


@pytest.mark.parametrize("values", [np.zeros(3, np.float64), np.zeros(3, bool), np.array(["a"])])
def test_other_dtypes_are_refused(values):
    with pytest.raises(errors.CodecError, match="expected an array of float32"):
        codec.encode(values)

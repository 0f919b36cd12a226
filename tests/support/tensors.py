"""Tensors to encode: pruned and shared, odd in every way, or noise that byte planes code."""

import hashlib

import numpy as np


def sparse(shape, *, density, num_centroids, dtype=np.float32, seed=0):
    """A random mask over a codebook of normal values."""
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=num_centroids) * 40
    values = codebook[rng.integers(0, num_centroids, size=shape)]
    return np.where(rng.random(shape) < density, values, 0).astype(dtype)


def trained_mask(rows=120, side=14, seed=0):
    """A float32 matrix as a trained first layer has it: dead rows, kept weights in the middle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    center = rng.normal(size=(rows, 2)) * 2
    near = np.exp(-((y - center[:, :1, None]) ** 2 + (x - center[:, 1:, None]) ** 2) / 6)
    alive = (rng.random(rows) < 0.6)[:, None, None]
    mask = rng.random(near.shape) < 0.5 * near * alive
    values = rng.choice([-0.5, -0.25, 0.25, 0.5], size=near.shape)
    return np.where(mask, values, 0).astype(np.float32).reshape(rows, -1)


def over_trained_mask(values):
    """The values, `(120, 196)`, where a trained mask keeps them; elsewhere zeros."""
    return np.where(trained_mask() != 0, values, values.dtype.type(0))


def scaled(shape, *, axis, dtype=np.float32, precision=np.float32, density=0.2, seed=4):
    """Codebook values times a scale per channel, and the other arguments of `encode_scaled`."""
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=15).astype(precision)
    scales = rng.uniform(0.5, 2, size=shape[axis]).astype(precision)
    scales *= 1 if dtype == np.float32 else 30
    along = [1] * len(shape)
    along[axis] = -1
    products = codebook[rng.integers(0, 15, shape)].astype(float) * scales.reshape(along)
    if dtype == np.int8:
        products = np.rint(products)
    values = np.where(rng.random(shape) < density, products, 0).astype(dtype)
    return values, {"codebook": codebook, "scales": scales, "axis": axis}


def noise(shape, *, dtype=np.float32, seed=0):
    """Normal values: hardly two are equal, and a codebook is of no use."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def half_dead(shape, *, seed=0):
    """float16 noise; about half of the rows are as good as zero."""
    rng = np.random.default_rng(seed)
    alive = rng.random(shape[0]) < 0.5
    tiny = rng.choice(np.array([0.0, 6e-8, -6e-8]), size=shape)
    return np.where(alive[:, None], rng.normal(size=shape), tiny).astype(np.float16)


def half_dead_int8(shape, *, seed=0):
    """int8 noise; about half of the rows hold only 0 and 1."""
    rng = np.random.default_rng(seed)
    alive = rng.random(shape[0]) < 0.5
    values = np.where(alive[:, None], rng.integers(-40, 40, shape), rng.integers(0, 2, shape))
    return values.astype(np.int8)


def scaled_rows(channels):
    """Arguments of `encode_scaled`: nine weights a row, so that scales take most of the blob."""
    rng = np.random.default_rng(2)
    codebook = np.array([-1.5, -0.5, 0.5, 1.5])
    scales = rng.uniform(1, 2, channels).astype(np.float32)
    products = rng.choice(codebook, (channels, 9)) * scales[:, None]
    return {
        "values": np.where(rng.random((channels, 9)) < 0.4, products, 0).astype(np.float32),
        "codebook": codebook,
        "scales": scales,
        "axis": 0,
    }


def bits_of(array):
    """The array as unsigned integers, so that -0.0 and each NaN are told apart."""
    return array.reshape(-1).view(f"u{array.itemsize}").reshape(array.shape)


def digest(array):
    """Shape and SHA-256 of the bits of a tensor."""
    return f"{list(array.shape)} {hashlib.sha256(array.tobytes()).hexdigest()}"


ODD_TENSORS = {
    "all_zero": np.zeros((5, 7), np.float32),
    "one_value_everywhere": np.full((5, 7), 2.5, np.float32),
    "one_kept": np.eye(1, 900, 700, dtype=np.float32),
    "only_the_last_kept": np.eye(1, 900, 899, dtype=np.float32),
    "one_weight": np.array([[3.0]], np.float32),
    "one_zero_weight": np.array([[0.0]], np.float32),
    "scalar": np.array(1.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "no_columns": np.zeros((3, 0), np.float32),
    "one_row": sparse((1, 3000), density=0.1, num_centroids=9),
    "one_column": sparse((3000, 1), density=0.1, num_centroids=9),
    "vector": sparse((3000,), density=0.1, num_centroids=9),
    "two_centroids": sparse((40, 50), density=0.3, num_centroids=2),
    "256_centroids": sparse((300, 300), density=0.5, num_centroids=256),
    "257_values": np.arange(1, 258, dtype=np.float32).repeat(9).reshape(9, 257),
    "256_values_with_zero": np.arange(256, dtype=np.float32).repeat(90).reshape(90, 256),
    "dense_noise": np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32),
    "negative_zero_and_nans": np.array([-0.0, 0.0, np.nan, -np.nan, np.inf, 0, 0, 0], np.float32),
    "float32_subnormals": np.array([[0, 1e-45, 0, -1e-40, 6e-8, 6e-5]] * 9, np.float32),
    "empty_columns": np.pad(sparse((60, 20), density=0.4, num_centroids=7), ((0, 0), (40, 20))),
    "very_sparse": sparse((300, 784), density=0.002, num_centroids=15),
    "many_streams": sparse((200, 450), density=0.3, num_centroids=31),
    "8_dimensions": sparse((2, 1, 3, 2, 1, 2, 3, 2), density=0.5, num_centroids=5),
    "conv_kernel": sparse((16, 3, 3, 8), density=0.3, num_centroids=200),
    "float16": sparse((50, 60), density=0.1, num_centroids=31, dtype=np.float16),
    "int8": sparse((50, 60), density=0.2, num_centroids=99, dtype=np.int8),
    "int8_all_values": np.arange(256, dtype=np.uint8).view(np.int8).reshape(16, 16),
}

# As many kept weights as are coded in eight streams of a kind.
EIGHT_STREAMS = sparse((330, 400), density=0.52, num_centroids=2)

# Tensors of which at least one byte plane is coded.
PLANE_TENSORS = {
    "float32": noise((50, 60)),
    "float16": noise((50, 60), dtype=np.float16),
    "float16_in_float32": noise((50, 60), dtype=np.float16).astype(np.float32),
    "with_gaps": np.where(noise((60, 70), seed=1) > 0.8, noise((60, 70)), np.float32(0)),
    "vector": noise((700,)),
    "codebook": sparse((90, 90), density=0.4, num_centroids=250),
    "four_streams": np.where(
        noise((128, 130), seed=1) > 2, noise((128, 130), dtype=np.float16), np.float16(1)
    ),
    "dead_rows": half_dead((37, 64)),
    "dead_columns": np.ascontiguousarray(half_dead((37, 64)).T),
    "dead_rows_of_int8": half_dead_int8((20, 60)),
    "dead_rows_of_float32": half_dead((37, 64)).astype(np.float32).reshape(37, 4, 4, 4),
}
SCALED_ROWS = scaled_rows(300)


def smooth(shape, *, num_values, dtype=np.float32, period=0, seed=0):
    """A tensor without zeros, of values like those before them, in the row or by a period."""
    rng = np.random.default_rng(seed)
    rows, columns = shape[0], int(np.prod(shape[1:]))
    wave = np.cumsum(rng.normal(size=(rows, period or columns)), axis=1) * 2
    wave = np.tile(wave, columns // wave.shape[1] + 1)[:, :columns] + rng.normal(
        size=(rows, columns)
    )
    low, high = wave.min(), wave.max()
    indices = np.minimum((wave - low) / (high - low) * num_values, num_values - 1).astype(int)
    if dtype == np.float32:
        return (0.25 + 0.5 * indices).astype(np.float32).reshape(shape)
    return (indices - num_values // 2).astype(dtype).reshape(shape)


# Tensors that the arithmetic coder codes, as `recode` does with positions by a mask and by gaps.
ARITHMETIC_TENSORS = {
    "trained": trained_mask(),
    "trained_columns": np.ascontiguousarray(trained_mask(60).T),
    "one_centroid": np.abs(np.sign(trained_mask())),
    "empty_columns": ODD_TENSORS["empty_columns"],
    "one_kept": ODD_TENSORS["one_kept"],
    "vector": sparse((3000,), density=0.1, num_centroids=9),
    "negative_zero_and_nans": over_trained_mask(
        np.array([0x80000000, 0x7FC00000, 0x7F800001, 0xFFC00003, 0x7F800000, 1], np.uint32).view(
            np.float32
        )[np.arange(120 * 196).reshape(120, 196) % 13 % 6]
    ),
}
# Of int8, most of which is -3.
ZERO_POINT_TENSOR = over_trained_mask(smooth((120, 196), num_values=40, dtype=np.int8)) - np.int8(3)
# Without zeros, or without a codebook.
VALUE_TENSORS = {
    "dense_32_values": smooth((30, 8, 8), num_values=32),
    "dense_int8_with_a_period": smooth((40, 96), num_values=250, dtype=np.int8, period=24),
    "dense_int4": smooth((40, 60), num_values=15, dtype=np.int8),
    "float32": noise((40, 100)) * np.float32(0.01) + 1,
    "sparse_float32": over_trained_mask(noise((120, 196))),
    "float16": over_trained_mask((1 + noise((120, 196)) / 64).astype(np.float16)),
    "bfloat16": over_trained_mask((noise((120, 196)).view(np.uint32) >> 16).astype(np.uint16)),
    "float16_in_float32": over_trained_mask(
        (1 + noise((120, 196)) / 64).astype(np.float16).astype(np.float32)
    ),
    "random_bits": over_trained_mask(
        np.random.default_rng(4).integers(0, 2**32, (120, 196), np.uint32).view(np.float32)
    ),
}
VALUE_DTYPES = {"dense_int4": "int4", "bfloat16": "bfloat16"}


def scaled_trained(**options):
    """As `scaled`, over a trained mask."""
    values, parts = scaled((120, 196), density=1, **options)
    return over_trained_mask(values), parts

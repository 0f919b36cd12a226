"""The size of an ideal code for a sparse tensor of few distinct values."""

import numpy as np

from keras_dc.numerics.float16 import is_float16_exact

_FLOAT16_BYTES = 2
_MOST_CENTROIDS = 256


def shannon_bytes(values):
    """The Shannon bound for zeros at independent positions (a Bernoulli mask).

    It is the size of an ideal code for positions and cluster indices, the symbols of Han et
    al. 2016. A trained mask has a pattern, so a coder that learns it can go below.

    Args:
        values: array, any shape; a weight is kept unless all its bits are zero.

    Returns:
        float, bytes: the smaller of `n H(density) + kept H(indices)` and the codebook of
        distinct kept values, or `n H(density)` and the kept values themselves. A value
        takes 2 bytes if float16 holds all values of a float32 tensor. With more than 256
        distinct values, the values take the entropy of each of their byte planes, over
        the kept values or over all, whichever is less.
    """
    patterns = np.ascontiguousarray(values).reshape(-1).view(f"u{values.itemsize}")
    distinct, counts = np.unique(patterns[patterns != 0], return_counts=True)
    distinct = distinct.view(values.dtype)
    if distinct.size <= _MOST_CENTROIDS:
        return codebook_bytes(patterns.size, distinct, counts)
    value_bytes = _value_bytes(distinct)
    with_codebook = ideal_bytes(patterns.size, counts) + distinct.size * value_bytes
    if value_bytes != values.itemsize:
        patterns = patterns.view(values.dtype).astype(np.float16).view(np.uint16)
    kept = patterns[patterns != 0]
    positions = ideal_bytes(patterns.size, np.array([kept.size]))
    return min(with_codebook, positions + _plane_bytes(kept), _plane_bytes(patterns))


def codebook_bytes(num_weights, centroids, counts):
    """`shannon_bytes` of a tensor of at most 256 distinct values, from their counts.

    Args:
        num_weights: int, the size of the tensor.
        centroids: array `(num_centroids,)`, the distinct values but zero.
        counts: int array `(num_centroids,)`, how often each occurs.

    Returns:
        float, bytes.
    """
    value_bytes, num_kept = _value_bytes(centroids), int(np.sum(counts))
    positions = ideal_bytes(num_weights, np.array([num_kept]))
    with_codebook = ideal_bytes(num_weights, counts) + centroids.size * value_bytes
    return min(with_codebook, positions + num_kept * value_bytes)


def ideal_bytes(num_weights, counts):
    """The entropy of the positions and cluster indices of a Bernoulli mask.

    Args:
        num_weights: int n, the size of the tensor.
        counts: int array `(num_centroids,)`, how often each centroid occurs.

    Returns:
        float, bytes: `n H(density) + kept H(indices)`.
    """
    kept = int(np.sum(counts))
    is_kept = np.array([kept, num_weights - kept]) / max(num_weights, 1)
    bits = num_weights * _entropy(is_kept) + kept * _entropy(counts / max(kept, 1))
    return bits / 8


def _plane_bytes(patterns):
    """Entropy in bytes of numbers whose first, second, ... bytes are coded separately."""
    planes = patterns[:, None].view(np.uint8).T
    return sum(ideal_bytes(0, np.bincount(plane)) for plane in planes)


def _value_bytes(codebook):
    is_float32 = codebook.dtype == np.float32
    return _FLOAT16_BYTES if is_float32 and is_float16_exact(codebook) else codebook.itemsize


def _entropy(probabilities):
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log2(positive)).sum())

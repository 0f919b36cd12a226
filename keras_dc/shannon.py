"""What an ideal code would need for a sparse tensor of few distinct values."""

import numpy as np

_FLOAT16_BYTES = 2


def shannon_bytes(values):
    """The Shannon bound for zeros that fall independently (a Bernoulli mask).

    An ideal code for positions and cluster indices; Han et al. 2016 code the same
    symbols. A trained mask is no Bernoulli mask, so a coder that learns its pattern may
    go below.

    Args:
        values: array; a weight is kept unless all its bits are zero.

    Returns:
        float: `n H(density) + kept H(indices)` in bytes, plus the codebook of distinct
        kept values; or `n H(density)` and the values themselves, if that is less. Values
        take 2 bytes where float16 holds all of a float32 tensor.
    """
    patterns = np.ascontiguousarray(values).reshape(-1).view(f"u{values.itemsize}")
    distinct, counts = np.unique(patterns[patterns != 0], return_counts=True)
    value_bytes = _value_bytes(distinct.view(values.dtype))
    with_codebook = ideal_bytes(patterns.size, counts) + distinct.size * value_bytes
    num_kept = int(np.sum(counts))
    without = ideal_bytes(patterns.size, np.array([num_kept])) + num_kept * value_bytes
    return min(with_codebook, without)


def ideal_bytes(num_weights, counts):
    """What the positions and the indices of a Bernoulli mask's weights take at the least.

    Args:
        num_weights: int, of the tensor.
        counts: int array, how often each centroid occurs.

    Returns:
        float: `n H(density) + kept H(indices)` in bytes.
    """
    kept = int(np.sum(counts))
    is_kept = np.array([kept, num_weights - kept]) / max(num_weights, 1)
    bits = num_weights * _entropy(is_kept) + kept * _entropy(counts / max(kept, 1))
    return bits / 8


def _value_bytes(codebook):
    if codebook.dtype != np.float32:
        return codebook.itemsize
    with np.errstate(over="ignore", invalid="ignore"):
        is_exact = codebook.astype(np.float16).astype(np.float32).tobytes() == codebook.tobytes()
    return _FLOAT16_BYTES if is_exact else codebook.itemsize


def _entropy(probabilities):
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log2(positive)).sum())

"""1-D k-means of weights, and assignment by error and code length. NumPy only.

In one dimension clusters are intervals: over sorted values with prefix sums, an
iteration costs a binary search per boundary, however many values there are.
"""

from typing import NamedTuple

import numpy as np

from keras_dc.numerics.chunks import chunks
from keras_dc.numerics.initial_centroids import initial_centroids
from keras_dc.numerics.place_bits import place_bits
from keras_dc.numerics.value_counts import summarize


def midpoints(centroids):
    """Boundaries `(k - 1,)` of the intervals nearest to each of the ascending centroids `(k,)`."""
    return (centroids[1:] + centroids[:-1]) / 2.0


def lloyd(summary, num_clusters, *, initialization="linear", seed=0, max_iterations=300):
    """Centroids of Lloyd's algorithm; empty clusters are dropped.

    Args:
        summary: `SortedValues` or `ValueHistogram` of the values.
        num_clusters: int >= 1.
        initialization: see `keras_dc.numerics.initial_centroids.initial_centroids`.
        seed: see `keras_dc.numerics.initial_centroids.initial_centroids`.
        max_iterations: int; it stops earlier once no cluster changes.

    Returns:
        float64 array `(<= num_clusters,)`, strictly ascending.
    """
    centroids = initial_centroids(
        summary.values,
        num_clusters,
        counts=summary.counts,
        initialization=initialization,
        seed=seed,
    )
    previous = None
    for _ in range(max_iterations):
        counts, sums = summary.counts_and_sums(midpoints(centroids))
        used = counts > 0
        centroids = sums[used] / counts[used]
        if previous is not None and np.array_equal(counts, previous):
            break
        previous = counts[used]
    return np.unique(centroids)


def code_lengths_bits(counts):
    """Ideal code length `-log2(count / total)` of each symbol; infinite if count is 0.

    Args:
        counts: int array `(k,)`, not all zero.

    Returns:
        float64 array `(k,)`, bits.
    """
    with np.errstate(divide="ignore"):
        return -np.log2(counts / np.sum(counts))


def cheapest_intervals(centroids, costs):
    """The intervals of w in which each centroid minimises `(w - centroid)^2 + cost`.

    This is the lower envelope of parabolas of equal width. A centroid whose cost is too
    high for its place has no interval.

    Args:
        centroids: float array `(k,)`, strictly ascending.
        costs: float array `(k,)`, at least one of them finite.

    Returns:
        (int array `(m,)` of the centroids that have an interval, ascending;
        float64 array `(m - 1,)` of the boundaries between them).
    """
    chosen, starts = [], []
    for i in np.flatnonzero(np.isfinite(costs)):
        start = -np.inf
        while chosen:
            j = chosen[-1]
            rise = centroids[i] ** 2 + costs[i] - centroids[j] ** 2 - costs[j]
            start = rise / (2.0 * (centroids[i] - centroids[j]))
            if start > starts[-1]:
                break
            chosen.pop()
            starts.pop()
            start = -np.inf
        chosen.append(int(i))
        starts.append(start)
    return np.array(chosen), np.array(starts[1:], dtype=np.float64)


def share(
    weights,
    num_clusters,
    *,
    initialization="linear",
    rate_weight=0.0,
    seed=0,
    max_iterations=300,
    method=None,
):
    """Codebook of the non-zero `weights`, and the index of each weight; zeros stay zero.

    If there are at most `num_clusters` distinct values, as in weights that were shared before,
    they are the centroids.

    With `rate_weight` > 0 two steps alternate (entropy-constrained quantization, Chou et
    al. 1989): each weight goes to the centroid with the least
    `(w - c_k)^2 + rate_weight * mean square of the non-zero weights * length_bits_k`,
    and each centroid moves to the mean of its weights. The code lengths are those of the
    current histogram. Zero is one of its symbols, so a weight becomes zero where that
    costs less. Clusters that cost too much lose all their members.

    Args:
        weights: float array, any shape.
        num_clusters: int >= 1, clusters besides the zero.
        initialization: see `keras_dc.numerics.initial_centroids.initial_centroids`.
        seed: see `keras_dc.numerics.initial_centroids.initial_centroids`.
        rate_weight: float >= 0, the squared error that one bit of code length is worth, in
            units of the mean square.
        max_iterations: int; each algorithm stops earlier once no cluster changes.
        method: "exact", "histogram" or None, see `keras_dc.numerics.value_counts.summarize`.

    Returns:
        (float32 codebook `(num_clusters,)`, ascending, padded with zeros at its end;
        int32 array shaped like `weights`, 0 for zero, i for `codebook[i - 1]`).

    Raises:
        ValueError: if `rate_weight` is negative.
    """
    if rate_weight < 0.0:
        raise ValueError(f"`rate_weight` must not be negative. Received: rate_weight={rate_weight}")
    weights = np.asarray(weights)
    codebook = np.zeros(num_clusters, dtype=np.float32)
    nonzero = weights[weights != 0.0]
    if nonzero.size == 0:
        return codebook, np.zeros(weights.shape, dtype=np.int32)
    summary = summarize(nonzero, method=method)
    centroids = lloyd(
        summary,
        num_clusters,
        initialization=initialization,
        seed=seed,
        max_iterations=max_iterations,
    )
    few = _few_values(nonzero, num_clusters)
    if few is not None:
        # Lloyd's algorithm may join two of them and leave a cluster empty.
        centroids = few
    symbols, boundaries = np.arange(1, centroids.size + 1), midpoints(centroids)
    if rate_weight > 0.0:
        centroids, symbols, boundaries = _rate_aware(
            summary,
            centroids,
            num_zeros=weights.size - nonzero.size,
            square_per_bit=rate_weight * mean_square(nonzero),
            max_iterations=max_iterations,
        )
    codebook[: centroids.size] = centroids
    return codebook, _symbols_of(weights, symbols, boundaries)


def reassign(weights, codebook, index, *, rate_weight=0.0, coder="huffman"):
    """New indices of `weights` that have moved, in the same `codebook`; zeros stay zero.

    Each weight goes to the nearest centroid that has members. With `rate_weight` > 0 it goes
    to the one with the least
    `(w - c_k)^2 + rate_weight * mean square of the non-zero weights * length_bits_k`, and zero
    is one of the candidates. Code lengths are those of the histogram of `index`. With
    `coder="arithmetic"` they are those among the non-zero weights, and to them come the
    `place_bits` of the weight.

    Args:
        weights: float array, any shape.
        codebook: float array `(k,)`, in any order.
        index: int array shaped like `weights`: 0 for zero, i for `codebook[i - 1]`.
        rate_weight: float >= 0, see `share`.
        coder: "huffman" or "arithmetic".

    Returns:
        int32 array shaped like `weights`.
    """
    weights, index = np.asarray(weights), np.asarray(index)
    counts = np.bincount(index.ravel(), minlength=codebook.size + 1)
    choice = choice_of(
        codebook,
        counts,
        rate_weight=rate_weight,
        coder=coder,
        mean_square=lambda: mean_square(weights[index != 0]),
    )
    if choice is None:
        return index.astype(np.int32)
    symbols = _symbols_of(weights, choice.symbols, choice.boundaries)
    new = np.where(index == 0, 0, symbols).astype(np.int32)
    if choice.bits is not None:
        costs = choice.square_per_bit * (choice.bits[new] + place_bits(index != 0))
        errors = np.square(weights - np.append(0.0, codebook).astype(weights.dtype)[new])
        new[errors + costs >= np.square(weights)] = 0
    return new


class Choice(NamedTuple):
    """How weights choose their centroids in a re-assignment.

    Attributes:
        symbols: int array `(m,)`, that of each interval of the weights.
        boundaries: float64 array `(m - 1,)`, ascending; a weight on one is below it.
        bits: None, or float32 array `(k + 1,)`: the code length of the value of each symbol,
            where a weight becomes zero if value and place cost more than that.
        square_per_bit: float32, the squared error that a bit is worth, for `bits`.
    """

    symbols: np.ndarray
    boundaries: np.ndarray
    bits: np.ndarray | None = None
    square_per_bit: np.float32 = np.float32(0.0)


def choice_of(codebook, counts, *, rate_weight, coder, mean_square):
    """What `reassign` does with each weight: `Choice`, or None: all are zeros.

    Args:
        codebook: float array `(k,)`, in any order.
        counts: int array `(k + 1,)`, how many weights have each symbol now.
        rate_weight: see `reassign`.
        coder: see `reassign`.
        mean_square: callable without arguments -> float, that of the weights that are not 0,
            asked with a `rate_weight` only.
    """
    used = np.flatnonzero(counts[1:]) + 1
    if used.size == 0:
        return None
    by_place = coder == "arithmetic"
    may_be_zero = rate_weight > 0.0 and counts[0] > 0
    symbols = np.append(0, used) if may_be_zero and not by_place else used
    values = np.append(0.0, codebook)[symbols]
    # Of equal centroids the first is taken: intervals need distinct ones.
    values, first = np.unique(values, return_index=True)
    symbols = symbols[first]
    if rate_weight == 0.0:
        return Choice(symbols, midpoints(values))
    square_per_bit = rate_weight * mean_square()
    chosen, boundaries = cheapest_intervals(
        values, square_per_bit * code_lengths_bits(counts[symbols])
    )
    bits = None
    if by_place and may_be_zero:
        bits = np.append(0.0, code_lengths_bits(counts[1:])).astype(np.float32)
    return Choice(symbols[chosen], boundaries, bits, np.float32(square_per_bit))


def _few_values(nonzero, num_clusters):
    """The distinct values if there are at most `num_clusters`, ascending; else None."""
    # A look at a few values spares the sorting of many.
    if np.unique(nonzero[: 16 * num_clusters]).size > num_clusters:
        return None
    values = np.unique(nonzero)
    return values.astype(np.float64) if values.size <= num_clusters else None


def mean_square(values):
    """Mean of the squares of a float array, in float64."""
    squares = sum(float(np.sum(np.square(chunk, dtype=np.float64))) for chunk in chunks(values))
    return squares / values.size


def _symbols_of(weights, symbols, boundaries):
    """The symbol of the interval that each weight lies in, 0 for a zero: int32 array."""
    flat = np.empty(weights.size, dtype=np.int32)
    start = 0
    for chunk in chunks(weights):
        part = symbols[np.searchsorted(boundaries, chunk, side="left")]
        flat[start : start + chunk.size] = np.where(chunk == 0.0, 0, part)
        start += chunk.size
    return flat.reshape(weights.shape)


def _rate_aware(summary, centroids, *, num_zeros, square_per_bit, max_iterations):
    """See `share`: (non-zero centroids, symbol of each interval, boundaries between them)."""
    candidates = np.union1d(centroids, [0.0])
    counts, _ = summary.counts_and_sums(midpoints(candidates))
    counts[candidates == 0.0] += num_zeros
    previous = None
    for _ in range(max_iterations):
        costs = square_per_bit * code_lengths_bits(counts)
        chosen, boundaries = cheapest_intervals(candidates, costs)
        counts, sums = summary.counts_and_sums(boundaries)
        is_zero = candidates[chosen] == 0.0
        means = np.where(is_zero, 0.0, sums / np.maximum(counts, 1))
        if previous is not None and np.array_equal(boundaries, previous):
            break
        previous = boundaries
        used = (counts > 0) & ~is_zero
        candidates = np.append(means[used], 0.0)
        counts = np.append(counts[used], num_zeros + counts[is_zero].sum())
        order = np.argsort(candidates)
        candidates, counts = candidates[order], counts[order]
    return means[~is_zero], np.where(is_zero, 0, np.cumsum(~is_zero)), boundaries

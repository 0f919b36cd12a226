"""1-D k-means of weights, and assignment that counts the bits. NumPy only.

In one dimension clusters are intervals: over sorted values with prefix sums, an
iteration costs a binary search per boundary, however many values there are.
"""

import numpy as np

INITIALIZATIONS = ("linear", "density", "cube_root_density", "forgy")


def kmeans(values, num_clusters, *, initialization="linear", seed=0, max_iterations=300):
    """Centroids of Lloyd's algorithm, exact, ascending; empty clusters are dropped.

    Args:
        values: float array, any shape, at least one value.
        num_clusters: int >= 1; fewer come back if there are fewer distinct values.
        initialization: see `initial_centroids`.
        seed: see `initial_centroids`.
        max_iterations: int, stops earlier once the clusters stand still.

    Returns:
        float64 array `(<= num_clusters,)`, strictly ascending.
    """
    ordered = _Sorted(values)
    start = initial_centroids(
        ordered.values, num_clusters, initialization=initialization, seed=seed
    )
    return _lloyd(ordered, start, max_iterations)


def initial_centroids(sorted_values, num_clusters, *, initialization="linear", seed=0):
    """Where k-means starts (Han et al. 2016, section 3.2).

    Args:
        sorted_values: float array `(n,)`, ascending, n >= 1.
        num_clusters: int >= 1.
        initialization: "linear", equal steps from the least to the largest value,
            which keeps the rare large weights; "density", equal steps of the
            cumulative distribution; "cube_root_density", equal steps of the integral
            of density^(1/3), the optimum for many clusters (Panter & Dite 1951);
            "forgy", values drawn at random.
        seed: int, for "forgy".

    Returns:
        float64 array `(<= num_clusters,)`, strictly ascending.

    Raises:
        ValueError: if `initialization` is none of these, or `num_clusters` < 1.
    """
    if num_clusters < 1:
        raise ValueError(
            f"`num_clusters` must be at least 1. Received: num_clusters={num_clusters}"
        )
    least, largest = float(sorted_values[0]), float(sorted_values[-1])
    steps = (np.arange(num_clusters) + 0.5) / num_clusters
    if initialization == "linear":
        centroids = np.linspace(least, largest, num_clusters)
    elif initialization == "density":
        centroids = sorted_values[(steps * sorted_values.size).astype(np.int64)]
    elif initialization == "cube_root_density":
        edges = np.linspace(least, largest, 1025)
        counts = np.diff(np.searchsorted(sorted_values, edges, side="right"))
        cumulative = np.concatenate([[0.0], np.cumsum(np.cbrt(counts))])
        centroids = np.interp(steps, cumulative / max(cumulative[-1], 1.0), edges)
    elif initialization == "forgy":
        size = min(num_clusters, sorted_values.size)
        generator = np.random.default_rng(seed)
        centroids = generator.choice(sorted_values, size=size, replace=False)
    else:
        raise ValueError(
            f"`initialization` must be one of {INITIALIZATIONS}. "
            f"Received: initialization={initialization!r}"
        )
    return np.unique(np.asarray(centroids, dtype=np.float64))


def midpoints(centroids):
    """Boundaries `(k - 1,)` between the ascending `centroids` `(k,)`, the nearest wins."""
    return (centroids[1:] + centroids[:-1]) / 2.0


def assign(weights, boundaries):
    """Index of the interval of each weight; a weight on a boundary goes below.

    Args:
        weights: float array, any shape.
        boundaries: float array `(k - 1,)`, ascending.

    Returns:
        int32 array shaped like `weights`, values in `[0, k)`.
    """
    return np.searchsorted(boundaries, weights, side="left").astype(np.int32)


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
    """Who minimises `(w - centroid)^2 + cost`, for every w: an interval each, or none.

    The lower envelope of parabolas of one width; a centroid that is dear for its
    place has no interval.

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
):
    """Codebook of the non-zero `weights`, and each weight's index; zeros stay zero.

    With `rate_weight` > 0, alternates assignment by
    `(w - c_k)^2 + rate_weight * mean square of the non-zero weights * length_bits_k`
    and centroids by means (entropy-constrained quantization, Chou et al. 1989). The
    lengths are those of the current histogram, the zero among its symbols, so a
    weight may become zero where that is cheaper; clusters die out as they get dear.

    Args:
        weights: float array, any shape.
        num_clusters: int >= 1, clusters besides the zero.
        initialization: see `initial_centroids`.
        rate_weight: float >= 0, squared error that a bit is worth.
        seed: see `initial_centroids`.
        max_iterations: int, stops earlier once the clusters stand still.

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
    ordered = _Sorted(nonzero)
    start = initial_centroids(
        ordered.values, num_clusters, initialization=initialization, seed=seed
    )
    centroids = _lloyd(ordered, start, max_iterations)
    if rate_weight == 0.0:
        symbols = np.arange(1, centroids.size + 1)
        boundaries = midpoints(centroids)
    else:
        mean_square = float(np.mean(np.square(nonzero, dtype=np.float64)))
        centroids, symbols, boundaries = _rate_aware(
            ordered,
            centroids,
            num_zeros=weights.size - nonzero.size,
            square_per_bit=rate_weight * mean_square,
            max_iterations=max_iterations,
        )
    codebook[: centroids.size] = centroids
    index = symbols[assign(weights, boundaries)]
    return codebook, np.where(weights == 0.0, 0, index).astype(np.int32)


class _Sorted:
    """Sorted values with prefix sums: count and sum of any interval at once."""

    def __init__(self, values):
        self.values = np.sort(np.asarray(values), axis=None)
        self._prefix = np.zeros(self.values.size + 1)
        np.cumsum(self.values, dtype=np.float64, out=self._prefix[1:])

    def counts_and_sums(self, boundaries):
        """int64 and float64 arrays `(m + 1,)` for `m` ascending boundaries."""
        inner = np.searchsorted(self.values, boundaries, side="right")
        ends = np.concatenate([[0], inner, [self.values.size]])
        return np.diff(ends), np.diff(self._prefix[ends])


def _lloyd(ordered, centroids, max_iterations):
    previous = None
    for _ in range(max_iterations):
        counts, sums = ordered.counts_and_sums(midpoints(centroids))
        used = counts > 0
        centroids = sums[used] / counts[used]
        if previous is not None and np.array_equal(counts, previous):
            break
        previous = counts[used]
    return np.unique(centroids)


def _rate_aware(ordered, centroids, *, num_zeros, square_per_bit, max_iterations):
    """See `share`: (centroids but the zero, symbol of each interval, boundaries)."""
    candidates = np.union1d(centroids, [0.0])
    counts, _ = ordered.counts_and_sums(midpoints(candidates))
    counts[candidates == 0.0] += num_zeros
    previous = None
    for _ in range(max_iterations):
        costs = square_per_bit * code_lengths_bits(counts)
        chosen, boundaries = cheapest_intervals(candidates, costs)
        counts, sums = ordered.counts_and_sums(boundaries)
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

"""The first centroids of 1-D k-means, from sorted values. NumPy only."""

import numpy as np

INITIALIZATIONS = ("linear", "density", "kmeans++", "forgy")


def initial_centroids(sorted_values, num_clusters, *, counts=None, initialization="linear", seed=0):
    """The first centroids of k-means (Han et al. 2016, section 3.2).

    Args:
        sorted_values: float array `(n,)`, ascending, n >= 1.
        num_clusters: int >= 1.
        counts: int array `(n,)`, how often each value occurs; None: once.
        initialization: "linear": equal steps from the least to the largest value, which
            keeps the rare large weights; "density": equal steps of the cumulative
            distribution; "kmeans++": values drawn one by one, with a probability
            proportional to the squared distance from the nearest one drawn before (Arthur &
            Vassilvitskii 2007); "forgy": values drawn at random.
        seed: int, for "kmeans++" and "forgy".

    Returns:
        float64 array `(<= num_clusters,)`, strictly ascending.

    Raises:
        ValueError: if `initialization` is none of these, or `num_clusters` < 1.
    """
    if num_clusters < 1:
        raise ValueError(
            f"`num_clusters` must be at least 1. Received: num_clusters={num_clusters}"
        )
    ranked = _Ranked(sorted_values, counts)
    least, largest = float(sorted_values[0]), float(sorted_values[-1])
    if initialization == "linear":
        centroids = np.linspace(least, largest, num_clusters)
    elif initialization == "density":
        steps = (np.arange(num_clusters) + 0.5) / num_clusters
        centroids = ranked.at(steps * ranked.size)
    elif initialization == "kmeans++":
        centroids = _kmeans_plus_plus(ranked, num_clusters, seed)
    elif initialization == "forgy":
        generator = np.random.default_rng(seed)
        size = min(num_clusters, ranked.size)
        centroids = ranked.at(generator.choice(ranked.size, size=size, replace=False))
    else:
        raise ValueError(
            f"`initialization` must be one of {INITIALIZATIONS}. "
            f"Received: initialization={initialization!r}"
        )
    return np.unique(np.asarray(centroids, dtype=np.float64))


class _Ranked:
    """Ascending values by rank, each repeated as often as its count says."""

    def __init__(self, values, counts):
        self.values = values
        self._ends = None if counts is None else np.cumsum(counts)
        self.size = int(values.size if self._ends is None else self._ends[-1])

    def at(self, ranks):
        ranks = np.asarray(ranks).astype(np.int64)
        if self._ends is not None:
            ranks = np.searchsorted(self._ends, ranks, side="right")
        return self.values[ranks]


def _kmeans_plus_plus(ranked, num_clusters, seed):
    generator = np.random.default_rng(seed)
    # Each centroid takes a pass over the values. 65,536 of them, evenly spaced by rank,
    # have about the same distribution as all.
    ranks = np.linspace(0, ranked.size - 1, min(ranked.size, 1 << 16))
    values = ranked.at(ranks).astype(np.float64)
    centroids = [values[generator.integers(values.size)]]
    distances = np.square(values - centroids[0])
    while len(centroids) < num_clusters and distances.any():
        cumulative = np.cumsum(distances)
        drawn = np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right")
        centroids.append(values[drawn])
        np.minimum(distances, np.square(values - values[drawn]), out=distances)
    return centroids

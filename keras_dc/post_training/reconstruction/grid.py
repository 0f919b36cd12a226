"""The values that weights may take, and what the code of each costs."""

import dataclasses

import numpy as np

from keras_dc.numerics import kmeans

_MOST_STEPS = 127
_FLOAT16 = np.finfo(np.float16)
_SAMPLE = 65536


@dataclasses.dataclass(frozen=True)
class Grid:
    """Centroids, ascending and with a zero, and what the code of each costs."""

    centroids: np.ndarray
    costs: np.ndarray
    square_per_bit: float
    is_coarse: bool
    is_integer: bool

    @classmethod
    def of(cls, rows, precision, setting, kept, *, is_integer=False):
        """The first one, from the weights as they are."""
        sample = _sample(rows if kept is None else rows[kept])
        mean = float(np.mean(precision))
        rate = setting.square_per_bit
        is_coarse = False
        largest = float(np.max(np.abs(rows), initial=0.0)) or 1.0
        if setting.num_clusters is None:
            # At this step a bit more halves the step and saves what it costs.
            wanted, least = np.sqrt(6 * rate / (np.log(2) * mean)), largest / _MOST_STEPS
            step, is_coarse = max(wanted, least), bool(wanted < least)
            step = max(np.round(step), 1.0) if is_integer else step
            steps = int(np.ceil(largest / step - 0.5))
            centroids = np.arange(-steps, steps + 1) * step
        else:
            book, _ = kmeans.share(
                sample.astype(np.float32), setting.num_clusters, initialization="kmeans++"
            )
            centroids = np.union1d(book, [0.0])
        centroids = np.unique(_rounded(centroids)) if is_integer else _as_float16(centroids)
        bits = np.zeros(len(centroids))
        for _ in range(3 if rate else 0):
            chosen, boundaries = kmeans.cheapest_intervals(centroids, rate / mean * bits)
            index = chosen[np.searchsorted(boundaries, sample)]
            bits = bits_of(np.bincount(index, minlength=len(centroids)))
        return cls(centroids, rate * bits, rate, is_coarse, is_integer)

    def fitted(self, done, precision):
        """The next one: each centroid at the mean of the weights that were moved to it."""
        size, index, rate = len(self.centroids), done.indices.ravel(), self.square_per_bit
        weight = np.bincount(index, precision.ravel(), size)
        moments = np.bincount(index, (precision * done.moved).ravel(), size)
        means = np.where(weight > 0, moments / np.maximum(weight, 1e-300), self.centroids)
        means[self.centroids == 0] = 0.0
        counts = np.bincount(index, minlength=size)
        used = (counts > 0) | (self.centroids == 0)
        means = _rounded(means[used]) if self.is_integer else _as_float16(means[used])
        centroids, place = np.unique(means, return_inverse=True)
        bits = bits_of(np.bincount(place, counts[used]))
        return Grid(centroids, rate * bits, rate, self.is_coarse, self.is_integer)


def _rounded(centroids):
    """Centroids as the integers of int8 weights: float32 array."""
    return np.clip(np.round(centroids), -_MOST_STEPS, _MOST_STEPS).astype(np.float32)


def bits_of(counts):
    """Code lengths of symbols that were counted, or may yet come once."""
    counts = counts + 0.5
    return np.log2(counts.sum() / counts)


def _sample(values):
    values = np.ravel(values)
    return values[:: -(-max(values.size, 1) // _SAMPLE)]


def _as_float16(centroids):
    """Centroids in half precision, if its normal range holds them: float32 array."""
    centroids = np.asarray(centroids)
    magnitudes = np.abs(centroids[centroids != 0])
    if magnitudes.size and _FLOAT16.tiny <= magnitudes.min() <= magnitudes.max() <= _FLOAT16.max:
        return centroids.astype(np.float16).astype(np.float32)
    return centroids.astype(np.float32)

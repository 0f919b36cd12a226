"""The number and the sum of the values in an interval: exactly, or from a histogram.

1-D k-means needs no more of its values, whether there are a hundred or a hundred million.
NumPy only; beside the sorted copy, working memory is a constant.
"""

import numpy as np

from keras_dc.numerics.chunks import chunks
from keras_dc.numerics.finite import all_finite

# Sorting is faster than the histogram up to this many values, and takes seconds above.
EXACT_LIMIT = 1 << 24
_NUM_BINS = 1 << 16
_BLOCK = 256


def summarize(values, *, method=None):
    """The summary of `values` that `keras_dc.numerics.kmeans` works on.

    Args:
        values: float array, any shape, at least one element that is not zero.
        method: "exact", a sorted copy; "histogram", 65,536 bins; or None: exact up to
            `EXACT_LIMIT` values.

    Returns:
        `SortedValues` or `ValueHistogram`.

    Raises:
        ValueError: if `method` is none of these, or a value is not finite.
    """
    if method is None:
        method = "exact" if np.size(values) <= EXACT_LIMIT else "histogram"
    if method == "exact":
        return SortedValues(values)
    if method == "histogram":
        return ValueHistogram(values)
    raise ValueError(f'`method` must be "exact", "histogram" or None. Received: method={method!r}')


class SortedValues:
    """Counts and sums of any interval, from a sorted copy and sums of blocks of 256.

    Attributes:
        values: float array `(size,)`, ascending.
        counts: None: each value counts once.
    """

    counts = None

    def __init__(self, values):
        self.values = np.array(values).ravel()
        self.values.sort()
        _check_finite(self.values[[0, -1]])
        # A prefix sum of every value would take twice the memory of the values.
        size = self.values.size
        whole = self.values[: size - size % _BLOCK].reshape(-1, _BLOCK)
        self._block_prefix = np.zeros(whole.shape[0] + 1)
        np.cumsum(whole.sum(axis=1, dtype=np.float64), out=self._block_prefix[1:])

    def counts_and_sums(self, boundaries):
        """int64 and float64 arrays `(m + 1,)` for `m` ascending boundaries.

        A value on a boundary belongs to the interval below it.
        """
        # Comparisons stay exact, and no float64 copy of the values is made.
        rounded = rounded_down(boundaries, self.values.dtype)
        inner = np.searchsorted(self.values, rounded, side="right")
        ends = np.concatenate([[0], inner, [self.values.size]])
        return np.diff(ends), np.diff(self._prefix_sums(ends))

    def _prefix_sums(self, ends):
        blocks, rest = np.divmod(ends, _BLOCK)
        sums = self._block_prefix[blocks]
        for i in np.flatnonzero(rest):
            start = blocks[i] * _BLOCK
            sums[i] += self.values[start : start + rest[i]].sum(dtype=np.float64)
        return sums


class ValueHistogram:
    """Counts and sums of 65,536 bins, of equal width in `sign(w) * sqrt(|w|)`.

    The square root makes bins narrow near zero, where most weights are, so that a few large
    weights do not make the bins of the others wide.

    Attributes:
        values: float64 array `(<= 65,536,)`, ascending, the means of the bins; the
            first and the last are the least and the largest value.
        counts: int64 array shaped like `values`, the number of values in each bin.
    """

    def __init__(self, values):
        least = min(float(chunk.min()) for chunk in chunks(values))
        largest = max(float(chunk.max()) for chunk in chunks(values))
        _check_finite(np.array([least, largest]))
        low, high = _signed_sqrt(np.array([least, largest]))
        bins_per_unit = (_NUM_BINS - 1) / (high - low) if high > low else 0.0
        counts = np.zeros(_NUM_BINS, dtype=np.int64)
        sums = np.zeros(_NUM_BINS)
        for chunk in chunks(values):
            places = _signed_sqrt(chunk)
            places -= places.dtype.type(low)
            places *= places.dtype.type(bins_per_unit)
            bins = np.clip(places, 0, _NUM_BINS - 1).astype(np.int64)
            counts += np.bincount(bins, minlength=_NUM_BINS)
            sums += np.bincount(bins, weights=chunk, minlength=_NUM_BINS)
        used = counts > 0
        self.counts = counts[used]
        self._means = sums[used] / self.counts
        self._counts = np.concatenate([[0], np.cumsum(self.counts)])
        self._sums = np.concatenate([[0.0], np.cumsum(sums[used])])
        self.values = self._means.copy()
        self.values[-1], self.values[0] = largest, least

    def counts_and_sums(self, boundaries):
        """int64 and float64 arrays `(m + 1,)` for `m` ascending boundaries.

        A bin belongs as a whole to the interval of its mean.
        """
        inner = np.searchsorted(self._means, boundaries, side="right")
        ends = np.concatenate([[0], inner, [self._means.size]])
        return np.diff(self._counts[ends]), np.diff(self._sums[ends])


def rounded_down(boundaries, dtype):
    """The largest value of a float `dtype` up to each boundary: array like `boundaries`.

    A value of that dtype is above a boundary if and only if it is above the rounded one.
    """
    boundaries = np.asarray(boundaries)
    rounded = boundaries.astype(dtype)
    too_high = rounded > boundaries
    rounded[too_high] = np.nextafter(rounded[too_high], rounded.dtype.type(-np.inf))
    return rounded


def _signed_sqrt(values):
    return np.copysign(np.sqrt(np.abs(values)), values)


def _check_finite(extremes):
    # NaN sorts last, and is its own minimum and maximum.
    if not all_finite(extremes):
        raise ValueError(f"Weights must be finite. Received: extremes={extremes.tolist()}")

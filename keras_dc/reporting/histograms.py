"""How often values occur: in bins, or, of few values, each by itself."""

from typing import NamedTuple

import numpy as np

from keras_dc.numerics.chunks import chunks

_NUM_BINS = 60


class Histogram(NamedTuple):
    """A histogram of finite values.

    Attributes:
        edges: float array `(bins + 1,)`; None where each value counts by itself.
        values: float array, ascending, the values that occur; None where there are bins.
        counts: int array, of bins or of values.
    """

    edges: np.ndarray | None
    values: np.ndarray | None
    counts: np.ndarray

    @classmethod
    def of_values(cls, values):
        """That of a float array in 60 bins; None if none of it is finite."""
        finite = values[np.isfinite(values)]
        if not finite.size:
            return None
        # The width of float32's whole range is no float32.
        limits = float(finite.min()), float(finite.max())
        counts, edges = np.zeros(_NUM_BINS, np.int64), None
        for chunk in chunks(finite):
            found, edges = np.histogram(chunk.astype(np.float64), _NUM_BINS, range=limits)
            counts += found
        return cls(edges, None, counts)

    @classmethod
    def of_points(cls, values, counts):
        """That of distinct values, each so many times; None if none of them is finite."""
        is_used = np.isfinite(values) & (counts > 0)
        if not is_used.any():
            return None
        order = np.argsort(values[is_used])
        return cls(None, values[is_used][order], counts[is_used][order])

    def to_dict(self):
        """As lists, for JSON."""
        named = {"edges": self.edges, "values": self.values, "counts": self.counts}
        return {name: array.tolist() for name, array in named.items() if array is not None}

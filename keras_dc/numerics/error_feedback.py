"""Weights to centroids one column after the other, each error passed on to the columns to come.

Optimal Brain Surgeon for quantization (Hassibi et al. 1993, Frantar et al. 2023): what a layer
computes is off by `(w - q) H (w - q)^T`, summed over its rows, with H the second moment of its
inputs. Once column j is decided, the others move by what compensates it best. NumPy only.
"""

from typing import NamedTuple

import numpy as np

_BLOCK = 64
_LEAST_MOMENT = 1e-12


class Assigned(NamedTuple):
    """What became of the rows of a matrix of weights.

    Attributes:
        indices: int array like the rows, the centroid of each weight.
        moved: float array like the rows, what each weight was when it was decided: itself,
            moved by the errors before it.
    """

    indices: np.ndarray
    moved: np.ndarray


def feedback_factor(moment):
    """How errors are passed on: the upper triangular U with `U^T U = H^-1`.

    Args:
        moment: float array `(..., n, n)`, H, symmetric and positive definite.

    Returns:
        float64 array of that shape. The squared error of column j counts `1 / U_jj^2`.
    """
    # The Cholesky factor of H with its columns in reverse order, turned round and inverted.
    reverse = np.asarray(moment, np.float64)[..., ::-1, ::-1]
    lower = np.linalg.cholesky(reverse)
    inverse = np.linalg.inv(lower)
    return np.ascontiguousarray(inverse[..., ::-1, ::-1])


def safe_factor(moment, damping):
    """A damped second moment and its `feedback_factor`, with as much damping as it takes.

    Args:
        moment: float array `(..., n, n)`, positive semidefinite but for rounding errors.
        damping: float > 0, the least one.

    Returns:
        tuple of two float64 arrays of that shape.
    """
    while True:
        hessian = damped(moment, damping)
        try:
            return hessian, feedback_factor(hessian)
        except np.linalg.LinAlgError:
            damping *= 10


def damped(moment, damping):
    """A second moment that can be inverted: `damping` times the mean of its diagonal is added.

    Args:
        moment: float array `(..., n, n)`.
        damping: float > 0.

    Returns:
        float64 array of that shape. An input that is always zero gets the mean, too.
    """
    moment = np.array(moment, np.float64)
    diagonal = np.einsum("...ii->...i", moment)  # a view
    mean = np.maximum(diagonal.mean(axis=-1, keepdims=True), _LEAST_MOMENT)
    diagonal += np.where(diagonal <= _LEAST_MOMENT * mean, mean, damping * mean)
    return moment


def assign(rows, factor, centroids, costs, *, kept=None, row_weights=None):
    """Choose a centroid for each weight of a matrix whose rows share one second moment.

    A weight takes the centroid with the least `(w - c)^2 / U_jj^2 + cost` among the two
    nearest, the next one towards zero, and zero.

    Args:
        rows: float array `(m, n)`.
        factor: `feedback_factor` of the second moment, `(n, n)`.
        centroids: float array `(k,)`, ascending, zero among them; None: all that are kept stay
            what they are, moved by the errors of others.
        costs: float array `(k,)`, what each centroid costs, in units of the weighted error; None
            without centroids.
        kept: bool array `(m, n)`, False where a weight must become zero; None: all are free.
        row_weights: float array `(m,)`, what the errors of each row count; None: 1.

    Returns:
        Assigned.
    """
    factor = np.asarray(factor, np.float32)
    choose = _keep if centroids is None else _Chooser(centroids, costs, row_weights)
    # A column of weights is a row here, contiguous in memory.
    moved = np.array(rows, np.float32).T.copy()
    index = np.empty(moved.shape, np.int32)
    for begin in range(0, len(moved), _BLOCK):
        end = min(begin + _BLOCK, len(moved))
        errors = np.empty((end - begin, moved.shape[1]), np.float32)
        for j in range(begin, end):
            weights = moved[j]
            free = None if kept is None else kept[:, j]
            index[j], values = choose(weights, factor[j, j], free)
            error = (weights - values) / factor[j, j]
            errors[j - begin] = error
            if j + 1 < end:
                moved[j + 1 : end] -= factor[j, j + 1 : end, None] * error
        if end < len(moved):
            moved[end:] -= factor[begin:end, end:].T @ errors
    return Assigned(index.T, moved.T)


def assign_each(rows, factors, centroids, costs, *, kept=None, row_weights=None):
    """As `assign`, of rows that have a second moment each, as of a depthwise convolution.

    Args:
        rows: float array `(m, n)`.
        factors: `(m, n, n)`, a `feedback_factor` for each row.
        centroids: see `assign`.
        costs: see `assign`.
        kept: see `assign`.
        row_weights: see `assign`.

    Returns:
        Assigned.
    """
    choose = _keep if centroids is None else _Chooser(centroids, costs, row_weights)
    moved, index = np.array(rows, np.float32), np.empty(np.shape(rows), np.int32)
    factors = np.asarray(factors, np.float32)
    for j in range(moved.shape[1]):
        diagonal = factors[:, j, j]
        free = None if kept is None else kept[:, j]
        index[:, j], values = choose(moved[:, j], diagonal, free)
        errors = (moved[:, j] - values) / diagonal
        moved[:, j + 1 :] -= factors[:, j, j + 1 :] * errors[:, None]
    return Assigned(index, moved)


def _keep(weights, divisor, free):
    """As a _Chooser, of weights that stay what they are or become zero."""
    return 0, np.where(free, weights, np.float32(0))


class _Chooser:
    """Chooses centroids for the weights of a column."""

    def __init__(self, centroids, costs, row_weights):
        self._row_weights = None if row_weights is None else np.asarray(row_weights, np.float32)
        self._centroids = np.asarray(centroids, np.float32)
        self._costs = np.asarray(costs, np.float32)
        self._zero = int(np.flatnonzero(self._centroids == 0)[0])
        self._last = len(self._centroids) - 1

    def __call__(self, weights, divisor, free):
        """(index, value) of the centroid of each weight, whose errors count `1 / divisor^2`."""
        above = np.searchsorted(self._centroids, weights)
        below = np.maximum(above - 1, 0)
        np.minimum(above, self._last, out=above)
        inner = np.where(weights > 0, np.maximum(below - 1, self._zero),
                         np.minimum(above + 1, self._zero))  # fmt: skip
        choices = np.stack([below, above, inner, np.full_like(below, self._zero)])
        values = self._centroids[choices]
        errors = values - weights
        errors *= errors
        errors /= np.square(divisor)
        if self._row_weights is not None:
            errors *= self._row_weights
        errors += self._costs[choices]
        best = np.argmin(errors, axis=0)
        if free is not None:
            best = np.where(free, best, 3)
        columns = np.arange(len(weights))
        return choices[best, columns], values[best, columns]

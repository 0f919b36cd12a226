"""How much of what was measured on samples is chance."""

import numpy as np


def square_beside_diagonal_of(rows):
    """`_square_off_diagonal` of the second moment of rows, of which there may be few: float."""
    if len(rows) >= rows.shape[1]:
        return _square_off_diagonal(rows.T @ rows)
    products = (rows @ rows.T).ravel()
    diagonal = np.einsum("ni,ni->i", rows, rows)
    return float(np.dot(products, products) - np.dot(diagonal, diagonal))


def square_of_product(first, second):
    """The sum of squares of `first^T second`, of which there may be few rows: float."""
    return float(np.sum((first @ first.T) * (second @ second.T)))


def _off_diagonal(moment):
    return moment * (1 - np.eye(moment.shape[-1], dtype=np.float32))


def square(moment):
    """The sum of squares: float."""
    flat = np.ravel(moment)
    return float(np.dot(flat, flat))


def _square_off_diagonal(moment):
    """The sum of squares beside the diagonal: float."""
    flat, diagonal = np.ravel(moment), np.einsum("...ii->...i", moment).ravel()
    return float(np.dot(flat, flat) - np.dot(diagonal, diagonal))


def shrinkage(moment, mean_square, runs):
    """How much of what lies beside the diagonal is chance (Ledoit and Wolf 2004).

    Args:
        moment: the mean of the moments of all runs.
        mean_square: float, the mean over runs of the sum of squares beside the diagonal.
        runs: int.

    Returns:
        float in [0, 1].
    """
    return 0.0 if moment.ndim == 3 else of_mean(_square_off_diagonal(moment), mean_square, runs)


def of_mean(square, mean_square, runs):
    """How much of a mean is chance.

    Args:
        square: float, the sum of the squares of the mean.
        mean_square: float, the mean of the sums of the squares of what it is the mean of.
        runs: int, how many these are.

    Returns:
        float in [0, 1].
    """
    if runs < 2 or square <= 0:
        return 1.0
    variance = max(mean_square - square, 0.0) / (runs - 1)
    return float(np.clip(variance / square, 0.0, 1.0))


def shrunk(moment, share):
    """A moment with a share of what lies beside the diagonal taken away."""
    return moment - share * _off_diagonal(moment)


def drawn_together(means, mean_squares, runs):
    """Means over runs of numbers that may be alike, without the share of their spread by chance.

    Args:
        means: float64 array.
        mean_squares: the same of the squares.
        runs: int.

    Returns:
        float64 array like `means`.
    """
    mean = np.mean(means)
    spread = float(np.sum(np.square(means - mean)))
    chance = float(np.sum(np.maximum(mean_squares - np.square(means), 0))) / max(runs - 1, 1)
    share = min(chance / spread, 1.0) if spread > 0 else 0.0
    return means + share * (mean - means)

"""What it costs to say where a kept weight lies, by how full its row and its column are."""

import numpy as np

CHANCE_RANGE = 1e-6, 0.9999


def place_bits(kept):
    """Bits that a kept place costs more than a zero there, for a coder that knows the lines.

    That is `log2((1 - p) / p)`, with p the density of the row times that of the column over that
    of the whole. So a weight is cheap in a full row or column, and dear in one that is empty
    otherwise. Half a weight more is counted in each, so that empty ones have a finite cost.

    Args:
        kept: array of 0 and 1 or of bools, any shape: rows are all axes but the last one,
            columns the last one. A vector has its density alone.

    Returns:
        float32 array shaped like `kept`.
    """
    kept = np.asarray(kept)
    if kept.ndim < 2:
        chance = np.full(kept.shape, _density(np.count_nonzero(kept), kept.size))
    else:
        flat = kept.reshape(-1, kept.shape[-1])
        lines = line_chances(np.count_nonzero(flat, axis=1), np.count_nonzero(flat, axis=0))
        chance = np.outer(*lines).reshape(kept.shape)
    chance = np.clip(np.asarray(chance, np.float32), *CHANCE_RANGE)
    return np.log2(1.0 / chance - 1.0, dtype=np.float32)


def line_chances(in_rows, in_columns):
    """Two float32 arrays, whose outer product is p of `place_bits`, by the kept ones in each line.

    Args:
        in_rows: int array `(rows,)`.
        in_columns: int array `(columns,)`.
    """
    num_rows, num_columns = in_rows.size, in_columns.size
    density = _density(in_rows.sum(), num_rows * num_columns)
    rows, columns = _density(in_rows, num_columns), _density(in_columns, num_rows)
    # In float32: kernels of a hundred million weights are not rare.
    return np.float32(rows / density), np.float32(columns)


def _density(count, size):
    """The share of kept ones, between 0 and 1 without either."""
    return (count + 0.5) / (size + 1.0)

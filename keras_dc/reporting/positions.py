"""Where the kept weights of a tensor are: gaps between them, and a picture of the mask."""

import math
from typing import NamedTuple

import numpy as np

# The picture of a larger mask is averaged over blocks.
_MOST_ROWS, _MOST_COLUMNS = 320, 512


class MaskPicture(NamedTuple):
    """A mask, or its density in blocks.

    Attributes:
        density: float array `(height, width)`, the kept fraction of each block.
        block: (rows, columns) of the mask that make a pixel.
    """

    density: np.ndarray
    block: tuple[int, int]


def kept_positions(values, zero_point=0):
    """Positions in C order of the weights that are not zero; -0.0 is not (FORMAT.md, 2).

    Args:
        values: array, as `codec.decode` gives it.
        zero_point: int, the value that counts as zero.

    Returns:
        int64 array, ascending.
    """
    flat = values.reshape(-1)
    if zero_point:
        return np.flatnonzero(flat != zero_point)
    return np.flatnonzero(flat.view(f"u{flat.itemsize}"))


def in_scan_order(flat, shape, column_major):
    """Positions in the order of the scan of a blob (FORMAT.md, 2), ascending.

    Args:
        flat: int64 array of positions in C order.
        shape: of the tensor.
        column_major: whether the scan is by columns.
    """
    if not column_major or len(shape) < 2:
        return flat
    columns = math.prod(shape[1:])
    return np.sort(flat % columns * shape[0] + flat // columns)


def gap_symbol_counts(ascending, gap_bits):
    """How often each gap symbol occurs (FORMAT.md, 4).

    Args:
        ascending: int64 array, positions in the order of the scan.
        gap_bits: int, bits of a symbol.

    Returns:
        int64 array `(2**gap_bits,)`; the last symbol is the filler.
    """
    filler = 2**gap_bits - 1
    zeros = np.diff(ascending, prepend=-1) - 1
    counts = np.bincount(zeros % filler, minlength=filler + 1)
    counts[filler] = np.sum(zeros // filler)
    return counts


def fixed_gap_bytes(ascending, gap_bits):
    """Bytes of all gaps and fillers at a fixed length, rounded to bits: float."""
    return int(np.sum(gap_symbol_counts(ascending, gap_bits))) * gap_bits / 8


def first_values(values, flat, indices, num_centroids):
    """The value of each centroid, from any place that has its index.

    Args:
        values: array.
        flat: int64 array `(num_entries,)`, positions in `values`.
        indices: uint8 array `(num_entries,)`.
        num_centroids: int.

    Returns:
        array `(num_centroids,)` of the dtype of `values`; zero for an index that is unused.
    """
    place = np.full(num_centroids, -1, np.int64)
    place[indices] = flat
    found = np.zeros(num_centroids, values.dtype)
    is_used = place >= 0
    found[is_used] = values.reshape(-1)[place[is_used]]
    return found


def mask_picture(kept, shape):
    """A picture of a mask as a matrix, with the first dimension as its rows.

    Args:
        kept: int64 array, positions in C order.
        shape: of the tensor.

    Returns:
        MaskPicture; None for less than two dimensions, or no weights.
    """
    size = math.prod(shape)
    if len(shape) < 2 or not size:
        return None
    rows, columns = shape[0], size // shape[0]
    block = -(-rows // _MOST_ROWS), -(-columns // _MOST_COLUMNS)
    height, width = -(-rows // block[0]), -(-columns // block[1])
    pixels = kept // columns // block[0] * width + kept % columns // block[1]
    counts = np.bincount(pixels, minlength=height * width).reshape(height, width)
    heights = np.minimum(block[0], rows - block[0] * np.arange(height))
    widths = np.minimum(block[1], columns - block[1] * np.arange(width))
    return MaskPicture(counts / np.outer(heights, widths), block)

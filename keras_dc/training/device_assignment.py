"""`keras_dc.numerics.kmeans.reassign` over tensors, where they lie.

The nearest centroids are those that NumPy finds. With `rate_weight` the mean square and the bits
of places are rounded in another way, so that a weight just between two may go to the other one.
"""

import numpy as np
from keras import ops

from keras_dc.numerics import kmeans
from keras_dc.numerics.place_bits import CHANCE_RANGE, line_chances, place_bits
from keras_dc.numerics.value_counts import rounded_down
from keras_dc.wrapping.sums_by_index import counts_by_index

_TERMS = 256


def reassign(weights, codebook, index, *, rate_weight, coder):
    """As the function of the same name; `weights` and `index` are tensors, as the result is."""
    counts = ops.convert_to_numpy(counts_by_index(index, codebook.size + 1))
    num_kept = int(counts[1:].sum())
    is_zero = index == 0
    choice = kmeans.choice_of(
        codebook,
        counts,
        rate_weight=rate_weight,
        coder=coder,
        mean_square=lambda: _sum_of_squares(weights, is_zero) / num_kept,
    )
    if choice is None:
        return index
    new = ops.where(is_zero, 0, _symbols_of(weights, choice))
    if choice.bits is not None:
        bits = ops.take(ops.convert_to_tensor(choice.bits), new, axis=0) + _place_bits(~is_zero)
        values = np.append(0.0, codebook).astype(codebook.dtype)
        errors = ops.square(weights - ops.take(ops.convert_to_tensor(values), new, axis=0))
        costs = bits * float(choice.square_per_bit)
        new = ops.where(errors + costs >= ops.square(weights), 0, new)
    return ops.cast(new, "int32")


def _sum_of_squares(weights, left_out):
    """In float64, but for a few terms at a time."""
    squares = ops.square(ops.cast(ops.where(left_out, 0, weights), "float32"))
    flat = ops.reshape(squares, (-1,))
    flat = ops.pad(flat, [(0, -flat.shape[0] % _TERMS)])
    sums = ops.sum(ops.reshape(flat, (-1, _TERMS)), axis=1)
    return float(ops.convert_to_numpy(sums).sum(dtype=np.float64))


def _symbols_of(weights, choice):
    flat = ops.reshape(ops.cast(weights, "float32"), (-1,))
    boundaries = ops.convert_to_tensor(rounded_down(choice.boundaries, np.float32))
    # Those that lie below the weight.
    place = ops.searchsorted(boundaries, flat, side="left")
    symbols = ops.take(ops.convert_to_tensor(choice.symbols.astype(np.int32)), place, axis=0)
    return ops.reshape(ops.where(flat == 0, 0, symbols), weights.shape)


def _place_bits(kept):
    """`keras_dc.numerics.place_bits.place_bits` of a bool tensor."""
    if len(kept.shape) < 2:  # Biases are short.
        return ops.convert_to_tensor(place_bits(ops.convert_to_numpy(kept)))
    flat = ops.reshape(ops.cast(kept, "int32"), (-1, kept.shape[-1]))
    rows, columns = (ops.convert_to_numpy(ops.sum(flat, axis=axis)) for axis in (1, 0))
    rows, columns = (ops.convert_to_tensor(chance) for chance in line_chances(rows, columns))
    chance = ops.clip(ops.expand_dims(rows, 1) * columns, *CHANCE_RANGE)
    return ops.reshape(ops.log2(1.0 / chance - 1.0), kept.shape)

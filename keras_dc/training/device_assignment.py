"""`keras_dc.numerics.kmeans.reassign` over tensors, where they lie.

The nearest centroids are those that NumPy finds. With `rate_weight` the mean square and the bits
of places are rounded in another way, so that a weight just between two may go to the other one.
"""

import numpy as np
from keras import ops

from keras_dc.numerics import kmeans
from keras_dc.numerics.place_bits import CHANCE_RANGE, line_chances, place_bits
from keras_dc.numerics.value_counts import rounded_down
from keras_dc.wrapping.compiled_functions import compiled_on_jax
from keras_dc.wrapping.sums_by_index import counts_by_index

_TERMS = 256


@compiled_on_jax()
def moved_weights(weights, moves, index):
    """`weights` after each has moved with its centroid.

    Args:
        weights: float tensor, any shape.
        moves: float array or tensor `(k + 1,)`: how far each centroid moved, first 0 for zero.
        index: int32 tensor shaped like `weights`, values in `[0, k]`.
    """
    return weights + ops.take(ops.convert_to_tensor(moves), index, axis=0)


@compiled_on_jax()
def without_zeros(weights, index):
    """`weights`, 0 where the index is 0."""
    return ops.where(index == 0, ops.zeros_like(weights), weights)


def reassign(weights, codebook, index, *, rate_weight, coder):
    """As the function of the same name; `weights` and `index` are tensors, as the result is."""
    counts = ops.convert_to_numpy(_counts(index, size=codebook.size + 1))
    num_kept = int(counts[1:].sum())
    choice = kmeans.choice_of(
        codebook,
        counts,
        rate_weight=rate_weight,
        coder=coder,
        mean_square=lambda: _sum_of_squares(weights, index) / num_kept,
    )
    if choice is None:
        return index
    # Of one length for each codebook, however many centroids are used: JAX compiles once.
    num_left = codebook.size - choice.boundaries.size
    boundaries = np.append(choice.boundaries, np.full(num_left, np.inf))
    symbols = np.pad(choice.symbols.astype(np.int32), (0, num_left), mode="edge")
    new = _nearest(weights, index, rounded_down(boundaries, np.float32), symbols)
    if choice.bits is None:
        return new
    values = np.append(0.0, codebook).astype(codebook.dtype)
    place = _place_bits(index)
    return _zero_where_cheaper(weights, new, values, choice.bits, choice.square_per_bit, place)


@compiled_on_jax("size")
def _counts(index, *, size):
    return counts_by_index(index, size)


def _sum_of_squares(weights, index):
    """Of those whose index is not 0, in float64 but for a few terms at a time."""
    return float(ops.convert_to_numpy(_partial_sums(weights, index)).sum(dtype=np.float64))


@compiled_on_jax()
def _partial_sums(weights, index):
    squares = ops.square(ops.cast(ops.where(index == 0, 0, weights), "float32"))
    flat = ops.reshape(squares, (-1,))
    flat = ops.pad(flat, [(0, -flat.shape[0] % _TERMS)])
    return ops.sum(ops.reshape(flat, (-1, _TERMS)), axis=1)


@compiled_on_jax()
def _nearest(weights, index, boundaries, symbols):
    flat = ops.reshape(ops.cast(weights, "float32"), (-1,))
    # Those that lie below the weight.
    place = ops.searchsorted(ops.convert_to_tensor(boundaries), flat, side="left")
    new = ops.take(ops.convert_to_tensor(symbols), place, axis=0)
    new = ops.reshape(ops.where(flat == 0, 0, new), weights.shape)
    return ops.cast(ops.where(index == 0, 0, new), "int32")


@compiled_on_jax()
def _zero_where_cheaper(weights, index, values, bits, square_per_bit, place):
    values, bits = ops.convert_to_tensor(values), ops.convert_to_tensor(bits)
    errors = ops.square(weights - ops.take(values, index, axis=0))
    costs = (ops.take(bits, index, axis=0) + place) * ops.convert_to_tensor(square_per_bit)
    return ops.cast(ops.where(errors + costs >= ops.square(weights), 0, index), "int32")


def _place_bits(index):
    """`keras_dc.numerics.place_bits.place_bits` of what is not 0 in a tensor."""
    if len(index.shape) < 2:  # Biases are short.
        return ops.convert_to_tensor(place_bits(ops.convert_to_numpy(index) != 0))
    rows, columns = (ops.convert_to_numpy(counts) for counts in _kept_in_lines(index))
    return _bits_by_line(*line_chances(rows, columns), shape=tuple(index.shape))


@compiled_on_jax()
def _kept_in_lines(index):
    flat = ops.reshape(ops.cast(index != 0, "int32"), (-1, index.shape[-1]))
    return ops.sum(flat, axis=1), ops.sum(flat, axis=0)


@compiled_on_jax("shape")
def _bits_by_line(rows, columns, *, shape):
    rows, columns = ops.convert_to_tensor(rows), ops.convert_to_tensor(columns)
    chance = ops.clip(ops.expand_dims(rows, 1) * columns, *CHANCE_RANGE)
    return ops.reshape(ops.log2(1.0 / chance - 1.0), shape)

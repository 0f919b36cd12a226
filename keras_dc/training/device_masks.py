"""`keras_dc.numerics.masks` over tensors, where they lie: a GPU makes a mask in a millisecond.

To copy the weights to the host and a mask back takes hundreds. Functions of the same names have
the same arguments and, as tensors, the same results, bit by bit; see there. Only means of blocks
are rounded in another order. No value may be NaN.
"""

import keras
import numpy as np
from keras import ops

from keras_dc.numerics.masks import SMALLEST, kept_count, masks_of_a_budget
from keras_dc.wrapping.compiled_functions import compiled_on_jax

# The bits of +infinity: those of all other floats from 0 on are smaller, and in their order.
_LARGEST_KEY = 0x7F800000


@compiled_on_jax()
def kept_magnitudes(weights, mask):
    least = ops.convert_to_tensor(SMALLEST, dtype=weights.dtype)
    return ops.maximum(ops.abs(weights), least) * mask


@compiled_on_jax()
def least_kept(weights, mask):
    magnitudes = ops.abs(weights)
    return ops.min(ops.where(mask > 0, magnitudes, ops.full_like(magnitudes, np.inf)))


def magnitude_mask(weights, sparsity):
    return _largest_magnitudes(weights, _tensor(kept_count(_size(weights), sparsity)))


@compiled_on_jax()
def _largest_magnitudes(weights, count):
    return ops.reshape(_keep_largest(_keys(ops.abs(weights)), count), weights.shape)


@compiled_on_jax()
def never_open(masks, before):
    pairs = list(zip(masks, before, strict=True))
    opened = sum(ops.sum(ops.cast(mask > old, "int32")) for mask, old in pairs)
    return [mask * old for mask, old in pairs], opened


def global_magnitude_masks(weights, sparsity, *, min_density):
    keys = [_keys(ops.abs(w)) for w in weights]
    sizes = [_size(w) for w in weights]

    def joint(indices, count):
        mask = _keep_largest(ops.concatenate([keys[i] for i in indices]), _tensor(count))
        ends = [int(end) for end in np.cumsum([sizes[i] for i in indices])[:-1]]
        parts = ops.split(mask, ends) if ends else [mask]
        counts = ops.stack([ops.sum(ops.cast(part, "int32")) for part in parts])
        return parts, ops.convert_to_numpy(counts)

    def single(i, count):
        return _keep_largest(keys[i], _tensor(count))

    masks = masks_of_a_budget(sizes, sparsity, min_density=min_density, joint=joint, single=single)
    return [ops.reshape(mask, w.shape) for mask, w in zip(masks, weights, strict=True)]


@compiled_on_jax("block_size")
def block_magnitudes(weights, block_size):
    magnitudes = ops.cast(ops.abs(weights), "float32")
    *outer, rows, columns = magnitudes.shape
    (m, n), lengths = block_size, (rows, columns)
    padding = [-length % step for length, step in zip(lengths, block_size, strict=True)]
    magnitudes = ops.pad(magnitudes, [(0, 0)] * len(outer) + [(0, p) for p in padding])
    num_rows, num_columns = (rows + padding[0]) // m, (columns + padding[1]) // n
    sums = ops.sum(ops.reshape(magnitudes, (*outer, num_rows, m, num_columns, n)), axis=(-3, -1))
    counts = [
        np.minimum(np.arange(0, length, step) + step, length) - np.arange(0, length, step)
        for length, step in zip(lengths, block_size, strict=True)
    ]
    return sums / ops.convert_to_tensor(np.outer(*counts).astype(np.float32))


@compiled_on_jax("block_size", "shape")
def expand_blocks(blocks, block_size, shape):
    rows = ops.repeat(blocks, block_size[0], axis=-2)[..., : shape[-2], :]
    return ops.repeat(rows, block_size[1], axis=-1)[..., : shape[-1]]


def group_mask(weights, sparsity, *, group_size, axis):
    count = kept_count(group_size, sparsity)
    return _largest_of_groups(weights, count=count, group_size=group_size, axis=axis)


@compiled_on_jax("count", "group_size", "axis")
def _largest_of_groups(weights, *, count, group_size, axis):
    magnitudes = ops.moveaxis(ops.abs(weights), axis, -1)
    *outer, length = magnitudes.shape
    padding = [(0, 0)] * len(outer) + [(0, -length % group_size)]
    # Below all magnitudes.
    padded = ops.pad(magnitudes, padding, constant_values=-1.0)
    groups = ops.reshape(padded, (*outer, -1, group_size))
    places = ops.arange(group_size, dtype="int32")
    rank = ops.zeros(groups.shape, dtype="int32")
    for j in range(group_size):
        other = groups[..., j : j + 1]
        # Of equal magnitudes the first are kept.
        is_before = ops.logical_or(
            other > groups, ops.logical_and(other == groups, ops.less(j, places))
        )
        rank = rank + ops.cast(is_before, "int32")
    mask = ops.cast(rank < count, "float32")
    mask = ops.reshape(mask, padded.shape)[..., :length]
    return ops.moveaxis(mask, -1, axis)


def regrown_mask(weights, mask, sparsity, *, fraction):
    size, num_kept = _size(weights), int(ops.sum(ops.cast(mask > 0, "int32")))
    count = kept_count(size, sparsity)
    num_held = min(count - min(int(fraction * count), size - num_kept), num_kept)
    return _held_and_grown(weights, mask, _tensor(num_held), _tensor(count - num_held))


@compiled_on_jax()
def _held_and_grown(weights, mask, num_held, num_grown):
    keys, kept = _keys(ops.abs(weights)), ops.reshape(mask, (-1,)) > 0
    none = ops.full_like(keys, -1)
    held = _keep_largest(ops.where(kept, keys, none), num_held)
    grown = _keep_largest(ops.where(kept, none, keys), num_grown)
    return ops.reshape(held + grown, weights.shape)


def _size(tensor):
    return int(np.prod(tensor.shape))


def _keys(magnitudes):
    """int32 tensor `(size,)` in the order of float `magnitudes` from 0 on, exactly."""
    magnitudes = ops.reshape(ops.cast(magnitudes, "float32"), (-1,))
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.lax.bitcast_convert_type(magnitudes, "int32")
    if backend == "torch":
        import torch

        return magnitudes.view(torch.int32)
    import tensorflow as tf

    return tf.bitcast(magnitudes, tf.int32)


def _tensor(count):
    # So that another count is not compiled anew.
    return ops.convert_to_tensor(count, dtype="int32")


@compiled_on_jax()
def _keep_largest(keys, count):
    """float32 mask of the `count` largest of int32 `keys` from -1 on; of equal ones the first.

    `count` is an int32 tensor `()`.
    """
    if keras.backend.backend() == "torch":
        return _keep_largest_by_sorting(keys, int(count))
    return _keep_largest_by_search(keys, count)


def _keep_largest_by_sorting(keys, count):
    import torch

    if count == 0:
        return torch.zeros(keys.shape, device=keys.device)
    threshold = torch.topk(keys, count, sorted=False).values.min()
    is_above, is_equal = keys > threshold, keys == threshold
    rank = torch.cumsum(is_equal, 0, dtype=torch.int32)
    return (is_above | (is_equal & (rank <= count - is_above.sum()))).float()


def _keep_largest_by_search(keys, count):
    """By bisection of the threshold, then of the place of the last one.

    Each step is one pass over the keys; a sort takes more, and memory besides.
    """

    def number(condition):
        return ops.sum(ops.cast(condition, "int32"))

    def threshold_step(_, interval):
        low, high = interval
        middle = low + (high - low + 1) // 2
        is_enough = number(keys >= middle) >= count
        return ops.where(is_enough, middle, low), ops.where(is_enough, high, middle - 1)

    start = (_tensor(-1), _tensor(_LARGEST_KEY))
    threshold, _ = ops.fori_loop(0, 32, threshold_step, start)
    is_above, is_equal = keys > threshold, keys == threshold
    num_equal = count - number(is_above)
    size = keys.shape[0]
    places = ops.arange(size, dtype="int32")

    def place_step(_, interval):
        low, high = interval
        middle = low + (high - low) // 2
        is_enough = number(ops.logical_and(is_equal, places <= middle)) >= num_equal
        return ops.where(is_enough, low, middle + 1), ops.where(is_enough, middle, high)

    last, _ = ops.fori_loop(0, size.bit_length(), place_step, (_tensor(0), _tensor(size - 1)))
    mask = ops.logical_or(is_above, ops.logical_and(is_equal, places <= last))
    # None of them is infinite, which a count of 0 would look for.
    return ops.cast(mask, "float32")

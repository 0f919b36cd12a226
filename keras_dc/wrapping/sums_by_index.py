"""Sums and counts of what has the same index, also where a GPU adds them up.

A few bins for millions of values are a queue there: threads that add to one place wait for one
another. So the values are split into blocks with bins of their own, which are summed at the end.
"""

import functools

import keras
from keras import ops

# More blocks than threads run at a time help no more.
_MAX_BLOCKS = 1 << 16
_MIN_VALUES_PER_BLOCK = 64


def sums_by_index(values, index, size, *, leave_out_zero=False, num_blocks=None):
    """The sum of the values of each index.

    Args:
        values: tensor, float or int32, any shape, fewer than 2^31 elements. Half floats are
            summed in float32.
        index: int32 tensor shaped like `values`, values in `[0, size)`.
        size: int, the number of sums.
        leave_out_zero: bool, whether nobody asks for the sum of index 0, which then may be
            anything. Where most weights are zeros, it would be that of most values.
        num_blocks: int or None: as many as are good for the device.

    Returns:
        Tensor `(size,)`, of the dtype of the sums.
    """
    if keras.backend.backend() == "torch":
        return _torch_sums(values, index, size, num_blocks)
    if keras.backend.standardize_dtype(values.dtype) in ("bfloat16", "float16"):
        values = ops.cast(values, "float32")
    values, index = ops.reshape(values, (-1,)), ops.reshape(index, (-1,))
    length = values.shape[0]
    if num_blocks is None:
        num_blocks = _good_number_of_blocks(length, size)
    if num_blocks == 1:
        return _added(values, index, size)
    block = ops.arange(length, dtype="int32") // -(-length // num_blocks)
    place = block * size + index
    num_bins = num_blocks * size
    if leave_out_zero and keras.backend.backend() == "jax":
        # Beyond the last place: nothing is added there.
        place = ops.where(index == 0, num_bins, place)
    return ops.sum(ops.reshape(_added(values, place, num_bins), (num_blocks, size)), axis=0)


def _torch_sums(values, index, size, num_blocks):
    # Torch starts op by op, which takes longer than they do: few ops, and none by Keras.
    import torch

    values, index = values.reshape(-1), index.reshape(-1)
    if values.dtype in (torch.bfloat16, torch.float16):
        values = values.float()
    if num_blocks is None:
        is_on_cpu = index.device.type == "cpu"
        num_blocks = 1 if is_on_cpu else _good_number_of_blocks(index.shape[0], size)
    if num_blocks == 1:
        return values.new_zeros(size).index_add_(0, index, values)
    padding = -index.shape[0] % num_blocks
    if padding:
        values = torch.nn.functional.pad(values, (0, padding))
        index = torch.nn.functional.pad(index, (0, padding))
    first = _first_places(num_blocks, size, index.device)
    place = (index.reshape(num_blocks, -1) + first).reshape(-1)
    sums = values.new_zeros(num_blocks * size).index_add_(0, place, values)
    return sums.reshape(num_blocks, size).sum(0, dtype=sums.dtype)


@functools.lru_cache(maxsize=64)
def _first_places(num_blocks, size, device):
    """The place of index 0 of each block: int32 Torch tensor `(num_blocks, 1)`."""
    import torch

    end = num_blocks * size
    return torch.arange(0, end, size, dtype=torch.int32, device=device)[:, None]


def counts_by_index(index, size):
    """How often each of `[0, size)` is in `index`, an int32 tensor: integer tensor `(size,)`."""
    return sums_by_index(ops.ones_like(index), index, size)


def _good_number_of_blocks(length, size):
    # No more bins than values.
    largest = min(length // _MIN_VALUES_PER_BLOCK, length // size)
    return max(1, min(_MAX_BLOCKS, largest))


def _added(values, place, num_places):
    """Zeros `(num_places,)`, and each value added in its place."""
    if keras.backend.backend() == "jax":
        import jax.numpy as jnp

        return jnp.zeros(num_places, values.dtype).at[place].add(values, mode="drop")
    import tensorflow as tf

    return tf.math.unsorted_segment_sum(values, place, num_places)

"""Functions whose gradients are ours: masked product, codebook lookup, rounding."""

import functools

import keras
from keras import ops

from keras_dc.wrapping.sums_by_index import sums_by_index


def masked(weights, mask, *, threshold=None, all_learn=False):
    """`weights * mask`, with magnitudes below `threshold` set to zero.

    The gradient by `weights` is `upstream * mask`, or `upstream` with `all_learn`. It
    ignores the threshold (straight-through estimator).

    Args:
        weights: float tensor, any shape.
        mask: float tensor shaped like `weights`, 1 = kept, 0 = pruned.
        threshold: float tensor `()`, or None.
        all_learn: bool, whether pruned weights get a gradient too.

    Returns:
        Tensor of the shape and dtype of `weights`.
    """
    if threshold is None and not all_learn:
        return weights * mask
    if keras.backend.backend() == "tensorflow":
        if threshold is None:
            return _tensorflow_product()(weights, mask)
        return _tensorflow_masked(all_learn)(weights, mask, threshold)
    if threshold is not None:
        mask_now = mask * ops.cast(ops.abs(weights) >= threshold, mask.dtype)
    else:
        mask_now = mask
    learning = weights if all_learn else weights * mask
    # The value is exactly `weights * mask_now`, the gradient that of `learning`.
    return learning + ops.stop_gradient(weights * mask_now - learning)


@functools.cache
def _tensorflow_product():
    import tensorflow as tf

    @tf.custom_gradient
    def apply(weights, mask):
        return weights * mask, lambda upstream: (upstream, None)

    return apply


@functools.cache
def _tensorflow_masked(all_learn):
    # Op by op this takes seven passes over the weights; XLA fuses them into one. The
    # gradient stays outside: a compiled function copies what it keeps for the gradient.
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def forward(weights, mask, threshold):
        return tf.where(tf.abs(weights) >= threshold, weights, 0.0) * mask

    @tf.custom_gradient
    def apply(weights, mask, threshold):
        def gradient(upstream):
            return upstream if all_learn else upstream * mask, None, None

        return forward(weights, mask, threshold), gradient

    return apply


def lookup(table, index):
    """`table[index]`; the gradient of an entry is the sum of the gradients of its members.

    The gradient of entry 0 may be anything: that entry must not learn.

    Args:
        table: float tensor `(size,)`.
        index: int32 tensor, any shape, values in `[0, size)`.

    Returns:
        Tensor shaped like `index`, of the dtype of `table`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _tensorflow_lookup(table.shape[0])(table, index)
    return (_jax_lookup() if backend == "jax" else _torch_lookup())(table, index)


def _gradient_of_table(upstream, index, size):
    sums = sums_by_index(upstream, index, size, leave_out_zero=True)
    return ops.cast(sums, upstream.dtype)


@functools.cache
def _jax_lookup():
    import jax

    @jax.custom_vjp
    def gather(table, index):
        return ops.take(table, index, axis=0)

    def forward(table, index):
        return gather(table, index), (index, table.shape[0])

    def backward(kept, upstream):
        index, size = kept
        return _gradient_of_table(upstream, index, size), None

    gather.defvjp(forward, backward)
    return gather


@functools.cache
def _torch_lookup():
    import torch

    class Lookup(torch.autograd.Function):
        @staticmethod
        def forward(context, table, index):
            context.save_for_backward(index)
            context.size = table.shape[0]
            return torch.index_select(table, 0, index.reshape(-1)).reshape(index.shape)

        @staticmethod
        def backward(context, upstream):
            (index,) = context.saved_tensors
            return _gradient_of_table(upstream, index, context.size), None

    return Lookup.apply


@functools.cache
def _tensorflow_lookup(size):
    # The gradient of tf.gather makes a training step up to six times slower. A histogram
    # weighted by the gradients gives the same sums, and XLA makes it cheap.
    import tensorflow as tf

    @tf.custom_gradient
    def gather(table, index):
        def gradient(upstream):
            # There is no histogram of half floats, and their sums would not be exact.
            weights = tf.cast(upstream, tf.float32) if upstream.dtype.size < 4 else upstream
            sums = tf.raw_ops.DenseBincount(
                input=tf.reshape(index, [-1]),
                size=size,
                weights=tf.reshape(weights, [-1]),
                binary_output=False,
            )
            return tf.cast(sums, upstream.dtype), None

        return tf.gather(table, index), gradient

    return tf.function(gather, jit_compile=True)


def rounded_to_float16(tensor):
    """`tensor` rounded to float16 and back; the gradient passes unchanged."""
    rounded = ops.cast(ops.cast(tensor, "float16"), tensor.dtype)
    return tensor + ops.stop_gradient(rounded - tensor)

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
    backend = keras.backend.backend()
    if backend == "tensorflow":
        if threshold is None:
            return _tensorflow_product()(weights, mask)
        return _tensorflow_masked(all_learn)(weights, mask, threshold)
    if backend == "torch":
        return _torch_masked()(weights, mask, threshold, all_learn)
    if threshold is not None:
        mask_now = mask * ops.cast(ops.abs(weights) >= threshold, mask.dtype)
    else:
        mask_now = mask
    learning = weights if all_learn else weights * mask
    # The value is exactly `weights * mask_now`, the gradient that of `learning`.
    return learning + ops.stop_gradient(weights * mask_now - learning)


@functools.cache
def _torch_masked():
    import torch

    class Masked(torch.autograd.Function):
        @staticmethod
        def forward(context, weights, mask, threshold, all_learn):
            if not all_learn:
                context.save_for_backward(mask)
            context.all_learn = all_learn
            if threshold is not None:
                mask = mask * (weights.abs() >= threshold)
            return weights * mask

        @staticmethod
        def backward(context, upstream):
            if not context.all_learn:
                (mask,) = context.saved_tensors
                upstream = upstream * mask
            return upstream, None, None, None

    return Masked.apply


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


def lookup(codebook, index):
    """0 where the index is 0, and `codebook[index - 1]` elsewhere.

    The gradient of a centroid is the sum of the gradients of its members.

    Args:
        codebook: float tensor `(k,)`.
        index: int32 tensor, any shape, values in `[0, k]`.

    Returns:
        Tensor shaped like `index`, of the dtype of `codebook`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _tensorflow_lookup(codebook.shape[0] + 1)(codebook, index)
    return (_jax_lookup() if backend == "jax" else _torch_lookup())(codebook, index)


def _gradient_of_codebook(upstream, index, size):
    return sums_by_index(upstream, index, size + 1, leave_out_zero=True)[1:]


@functools.cache
def _jax_lookup():
    import jax
    import jax.numpy as jnp

    @jax.custom_vjp
    def gather(codebook, index):
        return jnp.take(jnp.pad(codebook, (1, 0)), index)

    def forward(codebook, index):
        return gather(codebook, index), (index, codebook.shape[0])

    def backward(kept, upstream):
        index, size = kept
        return _gradient_of_codebook(upstream, index, size).astype(upstream.dtype), None

    gather.defvjp(forward, backward)
    return gather


@functools.cache
def _torch_lookup():
    import torch

    class Lookup(torch.autograd.Function):
        @staticmethod
        def forward(context, codebook, index):
            context.save_for_backward(index)
            context.size = codebook.shape[0]
            table = torch.nn.functional.pad(codebook, (1, 0))
            return table.index_select(0, index.reshape(-1)).reshape(index.shape)

        @staticmethod
        def backward(context, upstream):
            (index,) = context.saved_tensors
            return _gradient_of_codebook(upstream, index, context.size).to(upstream.dtype), None

    return Lookup.apply


@functools.cache
def _tensorflow_lookup(size):
    # The gradient of tf.gather makes a training step up to six times slower. A histogram
    # weighted by the gradients gives the same sums, and XLA makes it cheap.
    import tensorflow as tf

    @tf.custom_gradient
    def gather(codebook, index):
        def gradient(upstream):
            # There is no histogram of half floats, and their sums would not be exact.
            weights = tf.cast(upstream, tf.float32) if upstream.dtype.size < 4 else upstream
            sums = tf.raw_ops.DenseBincount(
                input=tf.reshape(index, [-1]),
                size=size,
                weights=tf.reshape(weights, [-1]),
                binary_output=False,
            )
            return tf.cast(sums[1:], upstream.dtype), None

        return tf.gather(tf.pad(codebook, [[1, 0]]), index), gradient

    return tf.function(gather, jit_compile=True)


def rounded_to_float16(tensor):
    """`tensor` rounded to float16 and back; the gradient passes unchanged."""
    rounded = ops.cast(ops.cast(tensor, "float16"), tensor.dtype)
    return tensor + ops.stop_gradient(rounded - tensor)

"""The mask in the forward pass: which weights count, and which of them learn."""

import functools

import keras
from keras import ops


def masked(weights, mask, *, threshold=None, all_learn=False):
    """`weights * mask`, without the weights below `threshold`.

    The gradient by `weights` is `upstream * mask`: it passes a threshold as if it were
    not there (straight-through), and with `all_learn` the mask as well.

    Args:
        weights: float tensor, any shape.
        mask: float tensor shaped like `weights`, 1 = kept, 0 = pruned.
        threshold: float tensor `()` or None; smaller magnitudes count as zero.
        all_learn: bool.

    Returns:
        Tensor like `weights`.
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
    # Forward exactly `weights * mask_now`, backward that of `learning`.
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
    # Op by op these are seven passes over the weights; XLA makes them one. The gradient
    # stays outside: what a compiled function keeps for it, it copies.
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

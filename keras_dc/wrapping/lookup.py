"""`table[index]` whose gradient is the sum over members, fast on every backend."""

import functools

import keras
from keras import ops


def lookup(table, index):
    """`table[index]`; the gradient of an entry is the sum of its members' gradients.

    Args:
        table: float tensor `(size,)`.
        index: int32 tensor, any shape, values in `[0, size)`.

    Returns:
        Tensor shaped like `index`, dtype of `table`.
    """
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_lookup(table.shape[0])(table, index)
    return ops.take(table, index, axis=0)


@functools.cache
def _tensorflow_lookup(size):
    # The gradient of tf.gather makes a training step up to six times slower. A
    # histogram weighted by the gradients is the same sum, and XLA makes it cheap.
    import tensorflow as tf

    @tf.custom_gradient
    def gather(table, index):
        def gradient(upstream):
            sums = tf.raw_ops.DenseBincount(
                input=tf.reshape(index, [-1]),
                size=size,
                weights=tf.reshape(upstream, [-1]),
                binary_output=False,
            )
            return sums, None

        return tf.gather(table, index), gradient

    return tf.function(gather, jit_compile=True)

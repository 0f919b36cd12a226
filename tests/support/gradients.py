"""The gradient of a loss by a variable, on the backend that Keras runs on."""

import keras


def gradient(loss, variable):
    """The derivative of `loss()`.

    Args:
        loss: callable without arguments that gives a float scalar tensor.
        variable: `keras.Variable`.

    Returns:
        float array shaped like `variable`.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        # Of an embedding it is sparse.
        return tf.convert_to_tensor(tape.gradient(value, variable.value)).numpy()
    if backend == "jax":
        import jax

        def of_value(value):
            with keras.StatelessScope(state_mapping=[(variable, value)]):
                return loss()

        return keras.ops.convert_to_numpy(jax.grad(of_value)(variable.value))
    variable.value.grad = None
    loss().backward()
    return keras.ops.convert_to_numpy(variable.value.grad)

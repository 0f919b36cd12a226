"""Gradients of a loss by variables, on the backend that Keras runs on."""

import keras


def gradient(loss, variable):
    """The derivative of `loss()` by one variable, as `gradients` gives it."""
    return gradients(loss, [variable])[0]


def gradients(loss, variables):
    """The derivatives of `loss()`, from one run of it.

    Args:
        loss: callable without arguments that gives a float scalar tensor.
        variables: list of `keras.Variable`.

    Returns:
        A list with a float array per variable, shaped like it.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, [variable.value for variable in variables])
        # Of an embedding it is sparse.
        return [tf.convert_to_tensor(of_variable).numpy() for of_variable in found]
    if backend == "jax":
        import jax

        def of_values(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return loss()

        found = jax.grad(of_values)([variable.value for variable in variables])
        return [keras.ops.convert_to_numpy(of_variable) for of_variable in found]
    for variable in variables:
        variable.value.grad = None
    loss().backward()
    return [keras.ops.convert_to_numpy(variable.value.grad) for variable in variables]

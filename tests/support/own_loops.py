"""A step of training without `fit`, on the backend that Keras runs on."""

import keras
from keras import ops


def train_step(model, optimizer, x, y):
    """Move the trainable variables of `model` by the mean squared error; returns nothing."""
    backend = keras.backend.backend()
    variables = model.trainable_variables
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = ops.mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, variables)
    elif backend == "jax":
        import jax

        values = [variable.value for variable in variables]
        others = [variable.value for variable in model.non_trainable_variables]

        def loss_of(values):
            outputs, _ = model.stateless_call(values, others, x, training=True)
            return ops.mean((outputs - y) ** 2)

        gradients = jax.grad(loss_of)(values)
    else:
        model.zero_grad()
        loss = ops.mean((model(x, training=True) - y) ** 2)
        loss.backward()
        gradients = [variable.value.grad for variable in variables]
    optimizer.apply(gradients, variables)

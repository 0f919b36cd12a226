"""Layers of a user's own, in a module that another process can import."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    """Twice its input."""

    def call(self, x):
        return 2 * ops.convert_to_tensor(x)


class Unregistered(Doubled):
    """The same, not registered with Keras."""

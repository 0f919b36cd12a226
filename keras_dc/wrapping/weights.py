"""Finding the kernels and biases of a layer, and reading them."""

import re
from typing import NamedTuple

import keras
import numpy as np

from keras_dc.wrapping.layer_tree import children_of

# What Keras' own layers call them: kernel, recurrent_kernel, depthwise_kernel, ...
_KERNEL_NAME = re.compile(r"(kernel|embeddings)$")


class Weight(NamedTuple):
    """A variable of a layer, and where the layer keeps it.

    Attributes:
        name: str, the path from the wrapped layer, such as
            "bidirectional/forward_lstm/lstm_cell/kernel".
        variable: `keras.Variable`.
        places: tuple of (owner layer, attribute), each place that refers to the variable.
    """

    name: str
    variable: keras.Variable
    places: tuple

    @property
    def compute_dtype(self):
        return self.places[0][0].compute_dtype

    @property
    def is_fixed(self):
        """Whether its layer made it as a weight that is never trained."""
        owner = self.places[0][0]
        return not any(self.variable is other for other in owner._trainable_variables)

    @property
    def input_axis(self):
        """The axis of a kernel that the layer sums over, the last if it sums over several.

        Negative, counted from the end; -1 for embeddings, which sum over none.
        """
        owner = self.places[0][0]
        if isinstance(owner, keras.layers.EinsumDense):
            axes, result = owner.equation.split(",")[1].split("->")
            return max(i for i, axis in enumerate(axes) if axis not in result) - len(axes)
        transposed = any("ConvTranspose" in cls.__name__ for cls in type(owner).__mro__)
        is_last = transposed or self.variable.name.endswith("embeddings")
        return -1 if is_last or len(self.variable.shape) == 1 else -2


def find_kernels(layer):
    """The kernels of a built `layer` and its sublayers: list of `Weight`, each once."""
    return [w for w in _find_weights(layer) if _KERNEL_NAME.search(w.variable.name)]


def find_biases(layer):
    """The biases of a built `layer` and its sublayers: list of `Weight`, each once."""
    return [w for w in _find_weights(layer) if w.variable.name.endswith("bias")]


def _find_weights(layer):
    # By `id`, here alone: variables of Keras compare element by element and have no hash,
    # and in Keras 3.6 they are no instances of `keras.Variable`. `layer` keeps them alive.
    variables = {id(variable) for variable in layer.variables}
    found = {}
    for prefix, owner in _walk(layer, layer.name):
        for attribute, value in vars(owner).items():
            if id(value) in variables:
                weight = found.get(id(value), Weight(f"{prefix}/{value.name}", value, ()))
                places = (*weight.places, (owner, attribute))
                found[id(value)] = weight._replace(places=places)
    return list(found.values())


def _walk(layer, prefix):
    yield prefix, layer
    for child in children_of(layer):
        yield from _walk(child, f"{prefix}/{child.name}")


def host_array(variable):
    """The value of a `keras.Variable` as a NumPy array, for reading only."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        try:
            # `convert_to_numpy` copies twice, which in training takes the time of a step.
            return np.asarray(memoryview(tf.convert_to_tensor(variable.value)))
        except (TypeError, ValueError):  # bfloat16
            pass
    return keras.ops.convert_to_numpy(variable)

"""Finding the kernels and biases of a layer, and reading them."""

import math
import re
from typing import NamedTuple

import keras
import numpy as np

from keras_dc.wrapping.layer_tree import children_of, layers_within

# What Keras' own layers call them: kernel, recurrent_kernel, depthwise_kernel, ...
_KERNEL_NAME = re.compile(r"(kernel|embeddings)$")
# What there is one of for each output, though it may have several axes.
_SMALL_NAME = re.compile(r"(bias|gamma|beta|alpha|scale)$")


class Weight(NamedTuple):
    """A variable of a layer, and where the layer keeps it.

    Attributes:
        name: str, the path from the wrapped layer, such as
            "bidirectional/forward_lstm/lstm_cell/kernel".
        variable: `keras.Variable`.
        places: tuple of (owner layer, attribute), each place that refers to the variable. The
            attribute is the variable, or a list, tuple or dict that holds it.
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
    """The kernels of a built `layer` and its sublayers: list of `Weight`, each once.

    A kernel is called so, and was made to be trained. A layer with a method
    `get_prunable_weights()` tells its kernels itself, as for TensorFlow Model Optimization:
    a list of variables, with those of its sublayers.

    Raises:
        ValueError: if that method gives what no attribute of the layer holds.
    """
    weights = _find_weights(layer)
    found = {id(weight.variable) for weight in weights}
    named, told = set(), set()
    for part in layers_within(layer):
        # Of its class: a wrapper forwards what its layer has.
        if not hasattr(type(part), "get_prunable_weights"):
            continue
        told.update(id(variable) for variable in part.variables)
        for variable in part.get_prunable_weights():
            if id(variable) not in found:
                raise ValueError(
                    "`get_prunable_weights()` must give variables that attributes of the layer "
                    f"hold. Received: {variable} of layer={part}"
                )
            named.add(id(variable))
    return [
        weight
        for weight in weights
        if id(weight.variable) in named or (id(weight.variable) not in told and _is_kernel(weight))
    ]


def _is_kernel(weight):
    # A transform, as that of STFTSpectrogram, is a weight that its layer does not train.
    return _KERNEL_NAME.search(weight.variable.name) is not None and not weight.is_fixed


def uncovered_weights(layer):
    """Variables of two axes or more that are trained, but are no kernels: list.

    Biases are none of them, nor are scales.
    """
    kernels = {id(weight.variable) for weight in find_kernels(layer)}
    return [
        variable
        for variable in layer.trainable_variables
        if len(variable.shape) >= 2
        and id(variable) not in kernels
        and not _SMALL_NAME.search(variable.name)
    ]


def find_biases(layer):
    """The biases of a built `layer` and its sublayers: list of `Weight`, each once."""
    return [w for w in _find_weights(layer) if w.variable.name.endswith("bias")]


def _find_weights(layer):
    # By `id`, here alone: variables of Keras compare element by element and have no hash,
    # and in Keras 3.6 they are no instances of `keras.Variable`. `layer` keeps them alive.
    variables = {id(variable) for variable in layer.variables}
    found = {}
    for prefix, owner in _walk(layer, layer.name):
        for attribute, holder in vars(owner).items():
            # What Keras itself keeps of a layer are `_trainable_variables` and the like.
            if attribute.startswith("_") and isinstance(holder, (list, tuple, dict)):
                continue
            for path, value in _leaves(holder, attribute):
                if id(value) not in variables:
                    continue
                # In a list the name alone would not tell which it is.
                name = value.name if holder is value else f"{path}/{value.name}"
                weight = found.get(id(value), Weight(f"{prefix}/{name}", value, ()))
                if (owner, attribute) not in weight.places:
                    weight = weight._replace(places=(*weight.places, (owner, attribute)))
                found[id(value)] = weight
    return list(found.values())


def _leaves(value, path):
    """Yield (path, object) for what is not a list, tuple or dict, in `value` or any depth.

    A named tuple is a leaf: the wrappers keep a `Weight` so, which is not the layer's own.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}/{key}")
    elif isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        for i, item in enumerate(value):
            yield from _leaves(item, f"{path}/{i}")
    else:
        yield path, value


def replaced_leaves(value, tensors):
    """`value` with `tensors[id(variable)]` in place of variables: plain lists, tuples, dicts."""
    if isinstance(value, dict):
        return {key: replaced_leaves(item, tensors) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        items = [replaced_leaves(item, tensors) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return tensors.get(id(value), value)


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


def near_array(variable):
    """The value of a `keras.Variable` where it lies, for reading only.

    A tensor if that is a GPU, to which and from which copies take more time than the work; a
    NumPy array if it is the host, where NumPy is faster. TensorFlow has no fast kernels for the
    integers that we need on a GPU: always a NumPy array.
    """
    value = variable.value
    is_float64 = keras.backend.standardize_dtype(value.dtype) == "float64"
    if _is_on_accelerator(value) and not is_float64 and math.prod(value.shape) < 2**31:
        return keras.ops.stop_gradient(value)
    return host_array(variable)


def _is_on_accelerator(value):
    backend = keras.backend.backend()
    if backend == "jax":
        return any(device.platform != "cpu" for device in value.devices())
    return backend == "torch" and value.device.type != "cpu"

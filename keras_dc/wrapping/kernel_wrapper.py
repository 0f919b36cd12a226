"""Finding kernels, and making a layer compute with other tensors in their place.

A wrapper puts the tensor it derived (masked, looked up in a codebook) where the
layer keeps its kernel, calls the layer, and puts the kernel back. So any layer can
be wrapped without a line of code about that layer.
"""

import contextlib
import inspect
import re
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

# What Keras' own layers call them: kernel, recurrent_kernel, depthwise_kernel, ...
_KERNEL_NAME = re.compile(r"(kernel|embeddings)$")


class Weight(NamedTuple):
    """A variable of a layer and where it is kept.

    `name` is the path from the wrapped layer, e.g. "bidirectional/forward_lstm/
    lstm_cell/kernel"; `places` holds each `(owner layer, attribute)` that refers
    to the variable.
    """

    name: str
    variable: keras.Variable
    places: tuple

    @property
    def compute_dtype(self):
        return self.places[0][0].compute_dtype

    @property
    def input_axis(self):
        """The axis of a kernel that is summed over, the last of them if there are more.

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
    found = {}
    # By identity: in Keras 3.6 they are no instances of `keras.Variable`.
    variables = {id(variable) for variable in layer.variables}
    for prefix, owner in _walk(layer, layer.name):
        for attribute, value in vars(owner).items():
            if id(value) in variables:
                name = f"{prefix}/{value.name}"
                weight = found.get(id(value), Weight(name, value, ()))
                places = (*weight.places, (owner, attribute))
                found[id(value)] = weight._replace(places=places)
    return list(found.values())


def _walk(layer, prefix):
    yield prefix, layer
    for child in layer._layers:
        yield from _walk(child, f"{prefix}/{child.name}")


def host_array(variable):
    """The value of a `keras.Variable` as a NumPy array, for reading only."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        try:
            # `convert_to_numpy` copies twice, which in a training takes a step's time.
            return np.asarray(memoryview(tf.convert_to_tensor(variable.value)))
        except (TypeError, ValueError):  # bfloat16
            pass
    return ops.convert_to_numpy(variable)


@contextlib.contextmanager
def swapped(weights, tensors):
    """Within the block each weight's places hold its tensor, in the compute dtype."""
    for weight, tensor in zip(weights, tensors, strict=True):
        tensor = ops.cast(tensor, weight.compute_dtype)
        for owner, attribute in weight.places:
            # Past `__setattr__`, which would track the tensor as new state.
            vars(owner)[attribute] = tensor
    try:
        yield
    finally:
        for weight in weights:
            for owner, attribute in weight.places:
                vars(owner)[attribute] = weight.variable


class KernelWrapper(keras.layers.Wrapper):
    """Calls the wrapped layer with derived tensors in place of its kernels.

    It keeps the layer's name, call signature and masking, so that a
    model built round it does not notice. Subclasses implement `create_state` and
    `derived`. After `build`, `kernels` is the list of `Weight` of the layer.

    Args:
        layer: a `keras.Layer` that has at least one kernel once it is built.

    Raises:
        ValueError: when built, if the layer has no kernel.
    """

    def __init__(self, layer, **kwargs):
        # Keras reads the call signature in `__init__`: arguments that it fills in by
        # name (mask, training, query_mask, ...) must be those of the wrapped layer.
        self.__dict__["call"] = _with_signature_of(layer, self._call_layer)
        _set_signature(self.build, inspect.signature(layer.build))
        kwargs.setdefault("name", layer.name)
        # The derived tensors are computed in the variables' own dtype, whatever the
        # layer computes in: thresholds and sums of gradients need it.
        kwargs.setdefault("dtype", layer.variable_dtype)
        super().__init__(layer, autocast=False, **kwargs)
        self.supports_masking = layer.supports_masking
        if layer.built:
            self.build()

    def create_state(self):
        """Make the variables that the derived tensors need; `kernels` is known."""
        raise NotImplementedError

    def derived(self):
        """The weights to replace in the call, and as many tensors to put there."""
        raise NotImplementedError

    def options(self):
        """The arguments that its constructor got besides the layer: dict."""
        return {}

    def check_call(self, training):
        """Raise if the layer must not be called now."""

    def build(self, *args, **kwargs):
        if not self.layer.built:
            self.layer.build(*args, **kwargs)
        # Past `__setattr__`, which would track the kernels as the wrapper's own.
        self.__dict__["kernels"] = find_kernels(self.layer)
        if not self.kernels:
            raise ValueError(
                f"A layer without kernel cannot be wrapped in {type(self).__name__}. "
                f"Received: layer={self.layer}"
            )
        self.create_state()

    def get_build_config(self):
        return self.layer.get_build_config()

    def build_from_config(self, config):
        self.layer.build_from_config(config)
        self.build()

    def _call_layer(self, *args, training=None, **kwargs):
        self.check_call(training)
        if "training" in inspect.signature(self.layer.call).parameters:
            kwargs["training"] = training
        with swapped(*self.derived()):
            return self.layer(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs)

    def compute_output_shape(self, *args, **kwargs):
        return self.layer.compute_output_shape(*args, **kwargs)

    def compute_mask(self, inputs, previous_mask):
        return self.layer.compute_mask(inputs, previous_mask)


def _with_signature_of(layer, function):
    """`function` with the signature of `layer.call` and a `training` argument."""

    def call(*args, **kwargs):
        return function(*args, **kwargs)

    signature = inspect.signature(layer.call)
    parameters = list(signature.parameters.values())
    if "training" not in signature.parameters:
        ends_in_kwargs = parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
        training = inspect.Parameter("training", inspect.Parameter.KEYWORD_ONLY, default=None)
        parameters.insert(len(parameters) - bool(ends_in_kwargs), training)
    _set_signature(call, signature.replace(parameters=parameters))
    return call


def _set_signature(function, signature):
    # By its name: for a type checker a function has no such attribute.
    setattr(function, "__signature__", signature)  # noqa: B010

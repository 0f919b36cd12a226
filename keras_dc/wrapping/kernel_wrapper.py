"""Calling a layer with other tensors in place of its kernels.

A wrapper puts the tensor it derived (masked, looked up in a codebook) where the layer
keeps its kernel, calls the layer, and puts the kernel back. So any layer can be wrapped,
without code for that kind of layer.
"""

import contextlib
import functools
import inspect
import types
import weakref

import keras

from keras_dc.wrapping.constraints import (
    check_kernel_is_used,
    check_writes_no_kernel,
    holds_when_masked,
)
from keras_dc.wrapping.weights import find_kernels, replaced_leaves


@contextlib.contextmanager
def swapped(weights, tensors):
    """In the block, the places of each weight hold its tensor, cast to the compute dtype.

    Args:
        weights: list of `Weight`.
        tensors: list of tensors, each shaped like its weight.
    """
    by_id = {
        id(weight.variable): _cast(tensor, weight.compute_dtype)
        for weight, tensor in zip(weights, tensors, strict=True)
    }
    places = dict.fromkeys(place for weight in weights for place in weight.places)
    before = []
    try:
        for owner, attribute in places:
            original = vars(owner)[attribute]
            before.append((owner, attribute, original))
            # Past `__setattr__`, which would track the tensor as state of the layer.
            vars(owner)[attribute] = replaced_leaves(original, by_id)
        yield
    finally:
        for owner, attribute, value in reversed(before):
            vars(owner)[attribute] = value


def _cast(tensor, dtype):
    # Where nothing is cast, Keras takes longer to find that out.
    is_other = keras.backend.standardize_dtype(tensor.dtype) != dtype
    return keras.ops.cast(tensor, dtype) if is_other else tensor


_METHODS = (types.FunctionType, classmethod, staticmethod)

# Of the innermost `one_owner_each`, the wrapper that stands in for each variable, by `id`.
_owners: list[dict] = []
# The wrapper that stands in for a variable, by `id`, for models that come from files. A wrapper
# keeps its variables alive, so none of the numbers is used again.
_stands_in: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


@contextlib.contextmanager
def one_owner_each():
    """Of the wrappers made in the block, the first that finds a kernel stands in for it.

    The others borrow its tensor: a kernel that several layers use has one mask, one codebook.
    """
    _owners.append({})
    try:
        yield
    finally:
        _owners.pop()


class KernelWrapper(keras.layers.Wrapper):
    """Calls the wrapped layer with derived tensors in place of its kernels.

    The wrapper has the layer's name, call signature and Keras masking, so it fits wherever
    the layer did. Subclasses implement `create_state` and `derived`.

    Args:
        layer: a `keras.Layer` that has at least one kernel once it is built.
        borrows: names of weights that another wrapper stands in for; for files only.

    Attributes:
        kernels: list of `Weight`, the kernels of the layer that this wrapper stands in for,
            after `build`.
        borrowed: list of (`Weight`, wrapper): the weights of the layer that another wrapper
            stands in for, see `one_owner_each`.

    Raises:
        ValueError: in `build`, if the layer has no kernel, has LoRA, is quantized, writes its
            kernel itself or has a constraint that derived tensors would not satisfy.
    """

    def __init__(self, layer, **kwargs):
        # Keras reads the call signature in `__init__`: the arguments that it fills in by
        # name (mask, training, query_mask, ...) must be those of the wrapped layer.
        self.__dict__["call"] = _with_signature_of(layer, self._call_layer)
        self.__dict__["_takes_training"] = "training" in inspect.signature(layer.call).parameters
        _set_signature(self.build, inspect.signature(layer.build))
        self.__dict__["_borrows"] = tuple(kwargs.pop("borrows", ()))
        kwargs.setdefault("name", layer.name)
        kwargs.setdefault("trainable", layer.trainable)
        # Derived tensors are computed in the dtype of the variables, whatever dtype the
        # layer computes in: thresholds and sums of gradients need its precision.
        kwargs.setdefault("dtype", layer.variable_dtype)
        super().__init__(layer, autocast=False, **kwargs)
        self.supports_masking = layer.supports_masking
        if layer.built:
            self.build()

    def __getattr__(self, name):
        """What the wrapped layer has, as it has it in its call: methods, settings, tensors.

        Kernels are the tensors that the layer computes with.
        """
        # Torch keeps sublayers there.
        sublayers = vars(self).get("_modules", {})
        if name in sublayers:
            return sublayers[name]
        layer = vars(self).get("layer", sublayers.get("layer"))
        if name.startswith("_") or layer is None or not self.built or not hasattr(layer, name):
            # Torch keeps sublayers apart, and has such a method as well.
            inherited = getattr(super(), "__getattr__", None)
            return super().__getattribute__(name) if inherited is None else inherited(name)
        if name == "enable_lora":
            raise ValueError(
                "LoRA must be enabled before a layer is pruned or shared, and merged. "
                f"Received: layer={self}"
            )
        kind = inspect.getattr_static(layer, name, None)
        if isinstance(kind, _METHODS):
            return functools.wraps(getattr(layer, name))(functools.partial(self._call_method, name))
        if isinstance(kind, property):
            with self._swapped():
                return getattr(layer, name)
        value = getattr(layer, name)
        for weight, wrapper in self._stood_in_for():
            if weight.variable is value:
                return keras.ops.cast(wrapper.tensor_for(value), weight.compute_dtype)
        return value

    def _call_method(self, name, *args, **kwargs):
        with self._swapped():
            return getattr(self.layer, name)(*args, **kwargs)

    def _stood_in_for(self):
        """Pairs of a weight of the layer and the wrapper that stands in for it: list."""
        return [*((weight, self) for weight in self.replaced()), *self.borrowed]

    def _swapped(self):
        """`swapped` outside of a call: without losses, which `derived` may add."""
        pairs = self._stood_in_for()
        tensors = [wrapper.tensor_for(weight.variable) for weight, wrapper in pairs]
        return swapped([weight for weight, _ in pairs], tensors)

    def create_state(self):
        """Make the variables that the derived tensors need; `kernels` is set."""
        raise NotImplementedError

    def derived(self):
        """(list of `Weight` to replace in the call, list of the tensors to replace them)."""
        raise NotImplementedError

    def owned(self, weights):
        """Those of `weights` that no other wrapper stands in for; the others are borrowed."""
        own = []
        for weight in weights:
            owners = _owners[-1] if _owners else {}
            owner = owners.get(id(weight.variable), self)
            if weight.name in self._borrows and not _owners:
                owner = _stands_in.get(id(weight.variable))
                if owner is None:
                    raise ValueError(
                        "A file must keep what layers share: a layer that holds another one must "
                        "serialize it in `get_config` by `keras.saving.serialize_keras_object`. "
                        f"Received: {weight.name} without the layer that owns it"
                    )
            # Another wrapper of the same layer is about to be replaced by this one.
            if owner is self or owner.layer is self.layer:
                owners[id(weight.variable)] = _stands_in[id(weight.variable)] = self
                own.append(weight)
            else:
                self.borrowed.append((weight, owner))
                owner.__dict__["lends"] = True
        return own

    def replaced(self):
        """The weights that the wrapper stands in for: list of `Weight`."""
        return self.kernels

    def own_weights(self):
        """The weights of the wrapper without those of the layer: list of variables."""
        inner = {id(weight) for weight in self.layer.weights}
        return [weight for weight in self.weights if id(weight) not in inner]

    def tensor_for(self, variable):
        """The tensor that stands in for a variable."""
        pairs = zip(*self.derived(), strict=True)
        return next(tensor for weight, tensor in pairs if weight.variable is variable)

    def _replacements(self):
        weights, tensors = self.derived()
        lent = [lender.tensor_for(weight.variable) for weight, lender in self.borrowed]
        return [*weights, *(weight for weight, _ in self.borrowed)], [*tensors, *lent]

    def replaced_for_good(self):
        """Variables that do not learn while the wrapper stands in for them: list."""
        return []

    @property
    def trainable(self):
        return super().trainable

    @trainable.setter
    def trainable(self, value):
        keras.layers.Wrapper.trainable.fset(self, value)
        # That freed all weights of the layer.
        for variable in self.replaced_for_good():
            variable.trainable = False

    def options(self):
        """The constructor's arguments, except the layer and Keras' own: dict."""
        return {}

    def check_call(self, training):
        """Raise if the layer must not be called with this `training` argument."""

    def build(self, *args, **kwargs):
        if not self.layer.built:
            self.layer.build(*args, **kwargs)
        check_kernel_is_used(self.layer)
        check_writes_no_kernel(self.layer)
        # Past `__setattr__`, which would track the kernels as weights of the wrapper.
        self.__dict__["borrowed"] = []
        self.__dict__["kernels"] = self.owned(find_kernels(self.layer))
        if not self.kernels and not self.borrowed:
            raise ValueError(
                f"A layer without kernel cannot be wrapped in {type(self).__name__}. "
                f"Received: layer={self.layer}"
            )
        for weight in self.kernels:
            self.check_constraint(weight)
        self.create_state()
        # From now on the wrapped layer alone converts and checks what it is called with: on
        # Torch to do so twice takes a tenth of the step of a small model.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True

    def check_constraint(self, weight):
        """Raise ValueError if a derived tensor would not satisfy the weight's constraint.

        This one is for tensors that are the weight itself, with zeros.
        """
        constraint = weight.variable.constraint
        if constraint is not None and not holds_when_masked(constraint, weight.variable.shape):
            raise ValueError(
                "A kernel with zeros cannot satisfy this constraint: take it off "
                "(`layer.kernel_constraint = None; layer.kernel.constraint = None`), or leave the "
                f"layer out by `filters`. Received: {weight.name} with constraint={constraint}"
            )

    def get_config(self):
        config = super().get_config()
        if vars(self).get("borrowed"):
            config["borrows"] = [weight.name for weight, _ in self.borrowed]
        if vars(self).get("lends"):
            # Keras marks what it serializes for the second time as one and the same object.
            config["layer"] = keras.saving.serialize_keras_object(self.layer)
        return config

    def get_build_config(self):
        return self.layer.get_build_config()

    def build_from_config(self, config):
        self.layer.build_from_config(config)
        self.build()

    def _call_layer(self, *args, training=None, **kwargs):
        self.check_call(training)
        if self._takes_training:
            kwargs["training"] = training
        try:
            with swapped(*self._replacements()):
                return self.layer(*args, **kwargs)
        except AttributeError as error:
            if "assign" not in str(error):
                raise
            raise ValueError(
                "A layer that writes its own kernel in its call cannot be pruned or shared: leave "
                f"it out by `filters`. Received: layer={self.layer}, which says: {error}"
            ) from error

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

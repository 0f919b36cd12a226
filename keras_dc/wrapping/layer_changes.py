"""Changing layers and models in place, and taking it back."""

import keras

from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import attributes_of, children_of, layers_within

_COMPILED = ("train_function", "test_function", "predict_function")


class Changes:
    """Changes of layers, which can be taken back. Its length is their number so far."""

    def __init__(self):
        self._undo = []
        self._undo_of_variables = []

    def __len__(self):
        return len(self._undo)

    def take_back(self):
        """Undo all changes, the last first."""
        for undo in (self._undo, self._undo_of_variables):
            while undo:
                undo.pop()()

    def substitute(self, owner, new_layers):
        """Put other layers in the places of layers directly inside `owner`.

        Args:
            owner: a `keras.Layer`.
            new_layers: dict from layers to those that take their places.
        """
        if not any(child in new_layers for child in children_of(owner)):
            return
        self._undo.append(_tracked_layers(owner))
        for layer in children_of(owner):
            if layer in new_layers:
                owner._tracker.replace_tracked_value("layers", layer, new_layers[layer])
        for attribute, value in attributes_of(owner).items():
            if attribute != "_layers":
                new_value = _substituted(value, new_layers)
                if new_value is not value:
                    self._undo.append(_attribute(owner, attribute, value))
                    setattr(owner, attribute, new_value)

    def forget_compiled_functions(self, model):
        """Make `fit` and `evaluate` ask for `compile`, and `predict` trace anew.

        What Keras compiled goes on calling the layers that the model had then.
        """
        old = {name: getattr(model, name) for name in (*_COMPILED, "compiled")}

        def undo():
            for name, value in old.items():
                setattr(model, name, value)

        self._undo.append(undo)
        for name in _COMPILED:
            setattr(model, name, None)
        model.compiled = False

    def remember_variables(self, layer, *, values):
        """Take back what happens to the variables of `layer` from now on.

        Args:
            layer: a `keras.Layer`.
            values: bool, whether the values of a wrapped layer change as well.
        """
        wrappers = [part for part in layers_within(layer) if isinstance(part, KernelWrapper)]
        arrays = [
            (variable, keras.ops.convert_to_numpy(variable).copy())
            for wrapper in wrappers
            if values
            for variable in wrapper.layer.weights
        ]
        flags = [(variable, variable.trainable) for variable in layer.variables]

        def undo():
            for variable, array in arrays:
                variable.assign(array)
            for variable, trainable in flags:
                variable.trainable = trainable

        self._undo_of_variables.append(undo)


def _tracked_layers(owner):
    store, ids = owner._layers, owner._tracker.stored_ids["layers"]
    layers, old_ids = list(store), set(ids)

    def undo():
        store[:] = layers
        ids.clear()
        ids.update(old_ids)

    return undo


def _attribute(owner, attribute, value):
    modules = vars(owner).get("_modules", {})
    places = modules if attribute in modules else vars(owner)

    def undo():
        # Past `__setattr__`, which would put a copy in the place of a list, and on Torch past
        # a dict that tracks what it gets.
        dict.__setitem__(places, attribute, value)

    return undo


def _substituted(value, new_layers):
    """`value` with each layer in it replaced; the same object if no layer is in it."""
    if isinstance(value, dict):
        mapping = {key: _substituted(item, new_layers) for key, item in value.items()}
        changed = any(mapping[key] is not item for key, item in value.items())
        return mapping if changed else value
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        items = [_substituted(item, new_layers) for item in value]
        changed = any(new is not old for new, old in zip(items, value, strict=True))
        return type(value)(items) if changed else value
    return new_layers.get(value, value) if isinstance(value, keras.Layer) else value

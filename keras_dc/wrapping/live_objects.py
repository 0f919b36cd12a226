"""A layer made anew from the config of another, with the objects that no name can tell.

A configuration refers to functions, regularizers, initializers and the like by their names.
Keras does not know the names of a user's, and closures and lambdas have none. So the new
layer shares these objects with the first.
"""

import contextlib
import types
import weakref

import keras

from keras_dc.wrapping.layer_state import is_of_keras, is_variable, names_of_keras
from keras_dc.wrapping.layer_tree import attributes_of, layers_within


def copy_by_config(layer, **changes):
    """A layer with the config of `layer` and `changes`, sharing its live objects; not built."""
    with keras.saving.custom_object_scope(_names_in(layer)):
        try:
            with _named(layer) as config:
                copy = type(layer).from_config({**config, **changes})
        except Exception:
            if not _live_objects(layer):
                raise
            # A class may look into its objects in `get_config`.
            copy = type(layer).from_config({**layer.get_config(), **changes})
    parts, copies = layers_within(layer), layers_within(copy)
    for i, name, value in _live_objects(layer):
        if i < len(copies) and type(copies[i]) is type(parts[i]):
            vars(copies[i])[name] = list(value) if isinstance(value, list) else value
    return copy


def _live_objects(layer):
    """What a layer and its sublayers hold that no name can tell: functions of the user's,
    regularizers, initializers and the like.

    Returns:
        list of (index of the owner in `layers_within(layer)`, attribute, object).
    """
    return [
        (i, name, value)
        for i, part in enumerate(layers_within(layer))
        for name, value in vars(part).items()
        if name not in names_of_keras() and _is_live(value)
    ]


def _is_live(value):
    if isinstance(value, (list, tuple)):
        return any(map(_is_live, value))
    ours = (keras.Layer, keras.metrics.Metric, keras.losses.Loss, keras.optimizers.Optimizer)
    if not callable(value) or isinstance(value, (*ours, type, weakref.ref)):
        return False
    if is_variable(value):
        return False
    if isinstance(value, types.MethodType) and isinstance(value.__self__, keras.Layer):
        return False
    if isinstance(value, types.FunctionType):
        return getattr(keras.activations, value.__name__, None) is not value
    return not is_of_keras(type(value))


@contextlib.contextmanager
def _named(layer):
    """In the block, functions with unique names stand in the place of live objects.

    So a configuration refers to the objects themselves, also to those that cannot be
    serialized, and to two of the same name.
    """
    parts = layers_within(layer)
    found = _live_objects(layer)
    scope = {}

    def named(value):
        if isinstance(value, (list, tuple)):
            return [named(item) for item in value]
        if not _is_live(value):
            return value

        def placeholder(*args, **kwargs):
            raise NotImplementedError

        placeholder.__name__ = placeholder.__qualname__ = f"keras_dc_live_object_{len(scope)}"
        scope[placeholder.__name__] = value
        return placeholder

    for i, name, value in found:
        vars(parts[i])[name] = named(value)
    try:
        config = layer.get_config()
    finally:
        for i, name, value in found:
            vars(parts[i])[name] = value
    with keras.saving.custom_object_scope(scope):
        yield config


def _names_in(layer):
    """What a configuration may refer to by name: classes that nobody registered, functions."""
    names: dict[str, object] = {}
    for part in layers_within(layer):
        names[type(part).__name__] = type(part)
        for value in attributes_of(part).values():
            for item in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(item, types.FunctionType):
                    names[item.__name__] = item
                elif hasattr(item, "get_config") and not is_of_keras(type(item)):
                    names[type(item).__name__] = type(item)
    return names

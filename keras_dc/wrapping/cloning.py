"""Copying a model with some of its layers replaced.

Sequential and Functional models are cloned with their weights, and the original stays as
it is. How a subclassed model calls its layers is known to its author's code only, so such
a model is changed in place.
"""

import keras

from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_state import copy_state, copy_weights, same_structure
from keras_dc.wrapping.layer_tree import check_model, children_of
from keras_dc.wrapping.live_objects import copy_by_config
from keras_dc.wrapping.weights import find_kernels


def replace_layers(model, replacement):
    """`model` with `replacement(layer)` in place of each of its layers.

    Args:
        model: a built `keras.Model`.
        replacement: callable `layer -> layer`. It gets a copy with the same weights, or
            the layer itself if the model is subclassed, and returns that or another layer.

    Returns:
        A new model, not compiled; `model` itself, changed, if it is subclassed.

    Raises:
        ValueError: if `model` is not a built Keras model, or cannot be cloned.
    """
    check_model(model)
    if isinstance(model, (keras.Sequential, keras.Function)):
        return _clone(model, replacement)
    _replace_in_place(model, replacement)
    return model


def copy_layer(layer):
    """A new layer with the config, the shapes and all state of a built `layer`.

    A layer that makes its weights or its sublayers in its first call has no state yet.
    """
    if isinstance(layer, KernelWrapper):
        # Not by its config: a schedule in it may be a function that Keras cannot find by
        # its name.
        inner = copy_layer(layer.layer)
        copy = type(layer)(inner, name=layer.name, trainable=layer.trainable, **layer.options())
        copy_weights(layer, copy)
        return copy
    copy = copy_by_config(layer)
    build_config = layer.get_build_config()
    has_build = type(layer).build is not keras.Layer.build
    if has_build and build_config is not None and not copy.built:
        copy.build_from_config(build_config)
    if same_structure(layer, copy):
        copy_state(layer, copy)
    return copy


def clone_graph(model, **options):
    """`keras.models.clone_model(model, **options)`, not compiled, or a ValueError."""
    # Keras would compile the clone from a serialised configuration, which fails for a loss
    # that is a plain function. So `model` looks as if it were not compiled.
    compiled, model.compiled = model.compiled, False
    try:
        clone = keras.models.clone_model(model, **options)
    finally:
        model.compiled = compiled
    if type(clone) is not type(model):
        raise ValueError(
            "A Functional model whose class has a constructor of its own cannot be "
            f"cloned. Received: model={model}"
        )
    return clone


def copy_operation(operation):
    """A copy of what a graph calls: a layer, or an operation such as `x != 0`."""
    if isinstance(operation, keras.Layer):
        return copy_layer(operation)
    return type(operation).from_config(operation.get_config())


def _clone(model, replacement):
    late = []

    def clone_layer(layer):
        copy = copy_operation(layer)
        if not isinstance(layer, keras.Layer):
            return copy
        if not same_structure(layer, copy):
            if find_kernels(layer):
                raise ValueError(
                    "A layer must make its weights in `build()` to be wrapped. "
                    f"Received: layer={layer}"
                )
            late.append((layer, copy))
        if not isinstance(layer, keras.Model):
            return replacement(copy)
        _replace_in_place(copy, replacement)
        return copy

    clone = clone_graph(model, clone_function=clone_layer, recursive=True)
    # The clone has called its layers, so they have made all their weights.
    for layer, copy in late:
        copy_state(layer, copy)
    return clone


def _replace_in_place(model, replacement):
    new_layers = {}
    for layer in children_of(model):
        if isinstance(layer, keras.Model):
            new_layer = replace_layers(layer, replacement)
        else:
            new_layer = replacement(layer)
        if new_layer is not layer:
            new_layers[layer] = new_layer
            model._tracker.replace_tracked_value("layers", layer, new_layer)
    for attribute, value in list(vars(model).items()):
        if attribute != "_layers":
            new_value = _substituted(value, new_layers)
            if new_value is not value:
                setattr(model, attribute, new_value)


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

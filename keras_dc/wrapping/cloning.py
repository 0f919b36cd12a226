"""A model like another one, with some of its layers replaced.

Sequential and Functional models are cloned, weights included, and the original is
not touched. The layers of a subclassed model are known only to its author's code,
so such a model is changed in place.
"""

import keras

from keras_dc.wrapping.kernel_wrapper import KernelWrapper, find_kernels


def replace_layers(model, replacement):
    """`model` with `replacement(layer)` in place of each of its layers.

    Args:
        model: a built `keras.Model`.
        replacement: callable. Gets a layer that it may keep (a copy with the same
            weights, or the layer itself if the model is subclassed) and returns the
            layer to use, which may be the one it got.

    Returns:
        A new model, not compiled; or `model` itself, changed, if it is subclassed.

    Raises:
        ValueError: if `model` is not a built Keras model, or cannot be cloned.
    """
    check_model(model)
    if _is_graph(model):
        return _clone(model, replacement)
    _replace_in_place(model, replacement)
    return model


def check_model(model):
    """Raise ValueError if `model` is not a built Keras model."""
    if not isinstance(model, keras.Model):
        raise ValueError(f"`model` must be a keras.Model. Received: model={model!r}")
    if not model.built:
        raise ValueError(
            f"`model` must be built: give it an Input, or call it once. Received: model={model}"
        )


def layers_of(model):
    """The layers of `model` that are replaced as a whole: no models, but what is in them."""
    for layer in model._layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def wrappers_of(model, wrapper_class):
    """The layers of class `wrapper_class` in `model`, nested models included."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, wrapper_class)]


def copy_layer(layer):
    """A new layer with the config, the shapes and the weights of a built `layer`.

    A layer that makes its weights only in its first call gets none.
    """
    if isinstance(layer, KernelWrapper):
        # Not by its config, in which a schedule may be a function that Keras could not
        # find again.
        inner = copy_layer(layer.layer)
        copy = type(layer)(inner, name=layer.name, trainable=layer.trainable, **layer.options())
        copy.set_weights(layer.get_weights())
        return copy
    classes = {type(part) for part in layer._flatten_layers()}
    # Classes that their author did not register can be copied all the same.
    with keras.saving.custom_object_scope({cls.__name__: cls for cls in classes}):
        copy = type(layer).from_config(layer.get_config())
        build_config = layer.get_build_config()
        has_build = type(layer).build is not keras.Layer.build
        if has_build and build_config is not None and not copy.built:
            copy.build_from_config(build_config)
    if len(copy.weights) == len(layer.weights):
        copy.set_weights(layer.get_weights())
    return copy


def clone_graph(model, **options):
    """`keras.models.clone_model(model, **options)`, not compiled, or a ValueError."""
    # It would compile the clone from a serialised configuration, which fails for losses
    # that are plain functions. So it sees a model not compiled.
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


def _is_graph(model):
    return isinstance(model, (keras.Sequential, keras.Function))


def _clone(model, replacement):
    copies = []

    def clone_layer(layer):
        if not isinstance(layer, keras.Layer):
            # An operation such as `x != 0`, which has no weights.
            return type(layer).from_config(layer.get_config())
        copy = copy_layer(layer)
        copies.append((layer, copy))
        if isinstance(layer, keras.Model):
            _replace_in_place(copy, replacement)
            return copy
        if len(copy.weights) != len(layer.weights) and find_kernels(layer):
            raise ValueError(
                f"A layer must make its weights in `build()` to be wrapped. Received: layer={layer}"
            )
        return replacement(copy)

    clone = clone_graph(model, clone_function=clone_layer, recursive=True)
    for layer, copy in copies:
        if layer.weights and not find_kernels(layer):
            copy.set_weights(layer.get_weights())
    return clone


def _replace_in_place(model, replacement):
    new_layers = {}
    for layer in list(model._layers):
        if isinstance(layer, keras.Model):
            new_layer = replace_layers(layer, replacement)
        else:
            new_layer = replacement(layer)
        if new_layer is not layer:
            new_layers[id(layer)] = new_layer
            model._tracker.replace_tracked_value("layers", layer, new_layer)
    for attribute, value in list(vars(model).items()):
        if attribute != "_layers":
            new_value = _substituted(value, new_layers)
            if new_value is not value:
                setattr(model, attribute, new_value)


def _substituted(value, new_layers):
    """`value` with each layer in it replaced; the same object if there is none."""
    if isinstance(value, dict):
        mapping = {key: _substituted(item, new_layers) for key, item in value.items()}
        changed = any(mapping[key] is not item for key, item in value.items())
        return mapping if changed else value
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        items = [_substituted(item, new_layers) for item in value]
        changed = any(new is not old for new, old in zip(items, value, strict=True))
        return type(value)(items) if changed else value
    return new_layers.get(id(value), value)

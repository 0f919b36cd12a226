"""The layers of a model: which there are, and which lie inside which."""

import keras


def check_model(model):
    """Raise ValueError if `model` is not a built Keras model."""
    if is_of_keras_2(model):
        raise ValueError(
            "`model` must be a model of Keras 3 (`import keras`), not of tf_keras, which is "
            "Keras 2; `keras_dc.convert` takes models of tf_keras as they are. "
            f"Received: model={model!r}"
        )
    if not isinstance(model, keras.Model):
        raise ValueError(f"`model` must be a keras.Model. Received: model={model!r}")
    if not model.built:
        raise ValueError(
            f"`model` must be built: give it an Input, or call it once. Received: model={model}"
        )


def is_of_keras_2(model):
    """Whether `model` is a model of Keras 2; tf_keras is not imported for it."""
    return any(
        cls.__name__ == "Model" and cls.__module__.split(".")[0] == "tf_keras"
        for cls in type(model).__mro__
    )


def attributes_of(layer):
    """The attributes of a layer, its sublayers among them: dict."""
    attributes = dict(vars(layer))
    # On Torch a layer is a module, which keeps its submodules apart.
    return {**attributes, **attributes.pop("_modules", {})}


def children_of(layer):
    """The layers directly inside a layer or a model: list."""
    return list(layer._layers)


def layers_within(layer):
    """A layer or a model and all layers inside it, each once: list.

    It may also be a model of Keras 2.
    """
    return list(layer._flatten_layers())


def replaceable_layers(model):
    """Yield the layers of `model`, with those of nested models in place of these models.

    A layer that has layers inside, such as `Bidirectional`, is one layer.
    """
    for layer in children_of(model):
        if isinstance(layer, keras.Model):
            yield from replaceable_layers(layer)
        else:
            yield layer


def layers_of_class(model, layer_class):
    """The layers of a class anywhere inside `model`: list."""
    return [layer for layer in layers_within(model) if isinstance(layer, layer_class)]

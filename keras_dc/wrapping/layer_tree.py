"""The layers of a model: which there are, and which lie inside which."""

import gc
import itertools
import weakref

import keras

_SOURCES = weakref.WeakKeyDictionary()


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


def models_around(model):
    """The models that are alive and hold `model`, at any depth: list."""
    around = []
    for found in gc.get_objects():
        # Not `isinstance`, which asks proxies for their class.
        if not issubclass(type(found), keras.Model) or found is model:
            continue
        # Without layers it is being made.
        if getattr(found, "_layers", None) and any(part is model for part in layers_within(found)):
            around.append(found)
    return around


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


def named_layers(model):
    """The layers that `replaceable_layers` gives, each once: dict from unique name to layer.

    The name is that of the layer, if no other has it; else the path through nested models, such
    as "sequential_1/dense", and a number where these are alike.
    """
    paths = {}
    for path, layer in _paths(model, ""):
        paths.setdefault(layer, path)
    names, all_paths = [layer.name for layer in paths], list(paths.values())
    found = {}
    for layer, path in paths.items():
        name = layer.name if names.count(layer.name) == 1 else path
        if all_paths.count(name) > 1:
            taken = {*names, *all_paths, *found}
            name = next(f"{path}_{i}" for i in itertools.count(1) if f"{path}_{i}" not in taken)
        found[name] = layer
    return found


def _paths(model, prefix):
    for layer in children_of(model):
        if isinstance(layer, keras.Model):
            yield from _paths(layer, f"{prefix}{layer.name}/")
        else:
            yield f"{prefix}{layer.name}", layer


def remember_source(copy, layer):
    """Remember of which layers `copy` and the layers inside it are copies."""
    parts, originals = layers_within(copy), layers_within(layer)
    if len(parts) == len(originals):
        for part, original in zip(parts, originals, strict=True):
            _SOURCES[part] = weakref.ref(original)


def source_of(layer):
    """The layer of which `layer` is a copy, None if it is none."""
    source = _SOURCES.get(layer)
    return None if source is None else source()

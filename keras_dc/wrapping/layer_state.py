"""All state of a layer, from the layer to its copy.

Configuration and weights are not all: lookup tables, the mean of a Normalization, the states
of a recurrent layer and what a class saves by methods of its own are neither.
"""

import functools
import tempfile

import keras
import numpy as np

from keras_dc.wrapping.layer_tree import layers_within

_NUMBERS = (bool, int, float, complex, str, bytes, np.ndarray, np.generic)


def same_structure(layer, copy):
    """Whether a copy has the sublayers of `layer`, and as many weights."""
    classes = [[type(part) for part in layers_within(each)] for each in (layer, copy)]
    return classes[0] == classes[1] and len(layer.weights) == len(copy.weights)


def copy_state(layer, copy):
    """Give a copy all the state of `layer`.

    Args:
        layer: a `keras.Layer`.
        copy: a layer of the same structure, made from its config.

    Raises:
        ValueError: if the state cannot be carried over.
    """
    if not same_structure(layer, copy):
        raise ValueError(
            "A layer cannot be copied whose copy, made by `from_config` and `build`, has other "
            f"sublayers or another number of weights. Received: layer={layer}, with "
            f"{len(layer.weights)} weights, and {len(copy.weights)} in the copy"
        )
    known = {id(weight) for weight in layer.weights}
    for part, other in zip(layers_within(layer), layers_within(copy), strict=True):
        _copy_saved_state(part, other)
        _copy_attributes(part, other, known)
    # Keras saves the product of LoRA inside the kernel; a copy shall have each weight.
    copy_weights(layer.weights, weights_like(layer, copy))


def weights_like(layer, copy):
    """The weights of a copy, each at the place of its original in `layer.weights`: list.

    Their own order may differ: a layer that Keras quantized made some weights later.
    """
    found = {
        id(old): vars(other).get(name)
        for part, other in zip(layers_within(layer), layers_within(copy), strict=True)
        for name, old in vars(part).items()
        if is_variable(old)
    }
    pairs = zip(layer.weights, copy.weights, strict=True)
    return [found[id(old)] if is_variable(found.get(id(old))) else new for old, new in pairs]


def copy_weights(weights, copies):
    """Give copies of weights the values of these, and what else belongs to them."""
    for old, new in zip(weights, copies, strict=True):
        # Copied: on JAX, `predict` deletes the arrays of its model, shared or not.
        new.assign(keras.ops.convert_to_numpy(old))
        new.trainable = old.trainable
        new.regularizer, new.constraint = old.regularizer, old.constraint


class _Store(dict):
    """What `save_own_variables` writes to, in place of a file."""

    def __setitem__(self, key, value):
        super().__setitem__(key, keras.ops.convert_to_numpy(value))


def _copy_saved_state(part, other):
    """Carry over what Keras would write to a file for one layer without its sublayers."""
    store = _saved(part)
    try:
        other.load_own_variables(store)
        if hasattr(part, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                part.save_assets(folder)
                other.load_assets(folder)
    except Exception as error:
        # Methods of a user's class raise what they like.
        raise ValueError(
            "The state of a layer cannot be copied by its methods `save_own_variables`, "
            f"`load_own_variables`, `save_assets` and `load_assets`. Received: layer={part}, "
            f"whose methods say: {error}"
        ) from error
    if not is_of_keras(type(part)) and not _same_data(dict(store), dict(_saved(other))):
        raise ValueError(
            "`load_own_variables` of a layer must restore what its `save_own_variables` wrote. "
            f"Received: layer={part}, which wrote {sorted(store)}"
        )


def _saved(part):
    store = _Store()
    part.save_own_variables(store)
    return store


def _copy_attributes(part, other, known):
    """Carry over variables that are no weights, and data that a user's class has gained."""
    own = vars(other)
    for name, value in list(vars(part).items()):
        if name in names_of_keras():
            continue
        if isinstance(value, keras.metrics.Metric):
            pairs = zip(value.variables, getattr(own.get(name), "variables", ()))
        else:
            pairs = zip(_variables_in(value), _variables_in(own.get(name)))
        for old, new in pairs:
            if id(old) not in known and old.shape == new.shape:
                new.assign(keras.ops.convert_to_numpy(old))
        if is_of_keras(type(part)) or not _is_data(value, private=name.startswith("_")):
            continue
        if name not in own or not _same_data(value, own[name]):
            setattr(other, name, _data_copy(value))


@functools.cache
def names_of_keras():
    """The attributes that any layer and any model has."""
    layer, model = keras.layers.Layer(name="layer"), keras.Model(name="model")
    return vars(layer).keys() | vars(model).keys() | {"build", "call"}


def is_of_keras(cls):
    return cls.__module__.split(".")[0] == "keras"


def _variables_in(value):
    if isinstance(value, (list, tuple)):
        return [variable for item in value for variable in _variables_in(item)]
    if isinstance(value, dict):
        return _variables_in(list(value.values()))
    return [value] if is_variable(value) else []


def is_variable(value):
    """Whether `value` is a variable of Keras: in Keras 3.6 not all are `keras.Variable`."""
    return isinstance(value, keras.Variable) or (
        hasattr(value, "assign") and hasattr(value, "trainable") and hasattr(value, "regularizer")
    )


def _is_data(value, *, private=False):
    if isinstance(value, (list, tuple, set)):
        return len(value) > 0 and all(_is_data(item, private=private) for item in value)
    if isinstance(value, dict):
        return len(value) > 0 and _is_data(list(value.values()), private=private)
    if private:
        return isinstance(value, np.ndarray) or keras.ops.is_tensor(value)
    return isinstance(value, _NUMBERS) or keras.ops.is_tensor(value)


def _same_data(value, other):
    if isinstance(value, dict):
        return (
            isinstance(other, dict)
            and value.keys() == other.keys()
            and all(_same_data(value[key], other[key]) for key in value)
        )
    if isinstance(value, (list, tuple)):
        return (
            isinstance(other, (list, tuple))
            and len(value) == len(other)
            and all(map(_same_data, value, other))
        )
    if isinstance(value, set):
        return value == other
    if other is None or isinstance(other, (dict, list, tuple, set)):
        return False
    one, two = (keras.ops.convert_to_numpy(each) for each in (value, other))
    return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()


def _data_copy(value):
    if isinstance(value, dict):
        return {key: _data_copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)) and not hasattr(value, "_fields"):
        kind = next(kind for kind in (list, tuple, set) if isinstance(value, kind))
        return kind(map(_data_copy, value))
    return value.copy() if isinstance(value, np.ndarray) else value

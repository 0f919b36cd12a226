"""The inputs that a model is converted with: its own, or those that the user gives."""

import inspect
import re

import keras

from keras_dc.conversion.loading import is_tf_keras


def build(model, input_signature=None):
    """Build a Keras model that is not built, with the inputs that the user gives.

    Args:
        model: Keras or tf_keras model; built in place.
        input_signature: see `keras_dc.convert`.

    Raises:
        ValueError: if the model is not built and there is nothing to build it with.
    """
    if model.built and (_symbolic_inputs(model) is not None or _recorded_inputs(model)):
        return
    if input_signature is None or is_tf_keras(model):
        raise ValueError(
            "a model must be built: give it an Input, call it once, or convert it with an "
            f"`input_signature`. Received: {model}"
        )
    tensors = keras.tree.map_structure(
        lambda spec: keras.KerasTensor(tuple(spec.shape), spec.dtype.name),
        _as_specs(_arguments(input_signature)),
    )
    model(*tensors)


def input_signature_of(model, given=None):
    """The arguments of a model's call, as TensorFlow traces it.

    Args:
        model: built Keras or tf_keras model.
        given: see `input_signature` of `keras_dc.convert`.

    Returns:
        list of nested structures of `tf.TensorSpec`, one for each positional argument.

    Raises:
        ValueError: if `given` does not fit the model's inputs.
    """
    inputs = _symbolic_inputs(model)
    if inputs is None:
        _check_arguments(model, given)
        return _as_specs(_recorded_inputs(model) if given is None else _arguments(given))
    own = keras.tree.map_structure(_spec, inputs)
    if given is None:
        return [own]
    if isinstance(own, dict) and isinstance(given, dict) and own.keys() == given.keys():
        given = {own[key].name: given[key] for key in own}
    flat = keras.tree.flatten(own)
    return [keras.tree.pack_sequence_as(own, _fitting(_flat_leaves(given, flat), flat))]


def input_names(model):
    """The names of a Functional or Sequential model's inputs, in its order.

    Args:
        model: built Keras or tf_keras model, or path of a SavedModel.

    Returns:
        list of str, None for a subclassed model or a SavedModel.
    """
    inputs = _symbolic_inputs(model)
    return None if inputs is None else [_spec(x).name for x in keras.tree.flatten(inputs)]


def _symbolic_inputs(model):
    """The nested inputs of a Functional or Sequential model, None for other models."""
    names = {cls.__name__ for cls in type(model).__mro__}  # the same in both generations
    if "Sequential" in names:
        # On Torch a model that is not built has no such attribute.
        inputs = getattr(model, "inputs", None)
        return inputs[0] if inputs else None
    return model.input if "Functional" in names else None


def _recorded_inputs(model):
    """The inputs that a subclassed model was called with, for any batch size; None if never."""
    if is_tf_keras(model):
        spec = model.save_spec()
        return None if spec is None else list(spec[0])
    shape = (model.get_build_config() or {}).get("input_shape")
    return None if shape is None else [_any_batch(shape, model.input_dtype)]


def _check_arguments(model, given):
    """Refuse a signature that lacks arguments: Keras records the shapes of the first one only."""
    needed = [
        name
        for name, parameter in inspect.signature(model.call).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    num_given = 1 if given is None else len(_arguments(given))
    if num_given < len(needed):
        raise ValueError(
            f"`input_signature` must give each argument of the model's call: {', '.join(needed)}. "
            f"Received: {given}"
        )


def _any_batch(shapes, dtype):
    import tensorflow as tf

    if _is_shape(shapes):
        return tf.TensorSpec((None, *shapes[1:]), dtype)
    if isinstance(shapes, dict):
        return {name: _any_batch(shape, dtype) for name, shape in shapes.items()}
    return [_any_batch(shape, dtype) for shape in shapes]


def _arguments(given):
    """A signature as the list of a call's arguments."""
    is_one = isinstance(given, dict) or _is_shape(given) or hasattr(given, "shape")
    return [given] if is_one else list(given)


def _is_shape(value):
    is_row = isinstance(value, (list, tuple)) and len(value) > 0
    return is_row and all(size is None or isinstance(size, int) for size in value)


def _as_specs(structure):
    if isinstance(structure, dict):
        return {name: _as_specs(item) for name, item in structure.items()}
    if isinstance(structure, (list, tuple)) and not _is_shape(structure):
        return [_as_specs(item) for item in structure]
    return _spec(structure)


def _spec(leaf):
    """`tf.TensorSpec` of a symbolic tensor, a spec of Keras or TensorFlow, or a shape."""
    import tensorflow as tf

    if _is_shape(leaf):
        return tf.TensorSpec(tuple(leaf), "float32")
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if shape is None or dtype is None:
        raise ValueError(
            "each input of `input_signature` must be a shape, a keras.InputSpec or a tf.TensorSpec "
            f"with shape and dtype. Received: {leaf!r}"
        )
    name = getattr(leaf, "name", None)
    # TensorFlow takes an argument for two if its name is not an identifier.
    name = name and re.sub(r"\W", "_", name, flags=re.ASCII)
    return tf.TensorSpec(tuple(shape), dtype, name)


def _flat_leaves(given, own):
    """The leaves of a signature in the order of the inputs `own`."""
    if isinstance(given, dict):
        names = [spec.name for spec in own]
        if set(given) != set(names):
            raise ValueError(
                f"`input_signature` must name the model's inputs {names}. Received: {list(given)}"
            )
        return [given[name] for name in names]
    leaves, left = [], _arguments(given)
    while left:
        item = left.pop(0)
        if isinstance(item, (list, tuple)) and not _is_shape(item):
            left = [*item, *left]
        else:
            leaves.append(item)
    if len(leaves) != len(own):
        raise ValueError(
            f"`input_signature` must have the model's {len(own)} inputs. Received: {given}"
        )
    return leaves


def _fitting(leaves, own):
    """The specs of `leaves`, checked to be special cases of the inputs `own`."""
    import tensorflow as tf

    fitting = []
    for leaf, spec in zip(leaves, own, strict=True):
        wanted = tf.TensorSpec(tuple(leaf), spec.dtype) if _is_shape(leaf) else _spec(leaf)
        if not spec.shape.is_compatible_with(wanted.shape):
            raise ValueError(
                f"`input_signature` must fit the input {spec.name!r} shaped {tuple(spec.shape)}. "
                f"Received: {tuple(wanted.shape)}"
            )
        fitting.append(tf.TensorSpec(wanted.shape, wanted.dtype, spec.name))
    return fitting

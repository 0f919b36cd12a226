"""Compare two TFLite models as graphs: op by op, tensor by tensor."""

import numpy as np

from keras_dc.tflite.graph import operator_name
from keras_dc.tflite.model_file import schema

_FLOATS: dict[int, np.dtype] = {
    schema.TensorType.FLOAT32: np.dtype(np.float32),
    schema.TensorType.FLOAT16: np.dtype(np.float16),
}


def differences(first, second, *, names=False, signed_zeros=True):
    """The differences of two models in their graphs and constants.

    Indices of buffers and operator codes are resolved, and an empty field equals an absent
    one, so that only content counts.

    Args:
        first: `schema.ModelT`.
        second: the `schema.ModelT` to compare it with.
        names: whether to compare tensor names, too.
        signed_zeros: whether -0.0 and 0.0 differ in float constants.

    Returns:
        list of str, one for each difference: path, value in `first`, value in `second`.
    """
    options = {"names": names, "signed_zeros": signed_zeros}
    return differences_of(description(first, **options), description(second, **options))


def differences_of(first, second):
    """As `differences`, of two descriptions that `description` gave."""
    return list(_walk("model", first, second))


def description(model, **options):
    """A model as nested dictionaries and lists, in which only its content counts.

    Args:
        model: `schema.ModelT`.
        **options: `names` and `signed_zeros`, see `differences`; `constants` is whether the
            bytes of constants count, else their number does.

    Returns:
        dict.
    """
    return {
        "subgraphs": [
            _describe_subgraph(model, subgraph, **options) for subgraph in model.subgraphs
        ],
        "signatures": [_plain(signature) for signature in model.signatureDefs or ()],
    }


def _describe_subgraph(model, subgraph, **options):
    return {
        "inputs": _plain(subgraph.inputs),
        "outputs": _plain(subgraph.outputs),
        "tensors": [_describe_tensor(model, tensor, **options) for tensor in subgraph.tensors],
        "operators": [_describe_operator(model, operator) for operator in subgraph.operators],
    }


def _describe_tensor(model, tensor, *, names, signed_zeros=True, constants=True):
    fields = {name: _plain(value) for name, value in vars(tensor).items()}
    data = model.buffers[tensor.buffer].data
    dtype = _FLOATS.get(tensor.type)
    if data is None or not len(data):
        fields["buffer"] = None
    elif not constants:
        fields["buffer"] = len(data)
    elif not signed_zeros and dtype and not len(data) % dtype.itemsize:
        values = np.frombuffer(data, dtype)
        fields["buffer"] = np.where(values == 0, dtype.type(0), values).tobytes()
    else:
        fields["buffer"] = data.tobytes()
    if not names:
        del fields["name"]
    return fields


def _describe_operator(model, operator):
    fields = {name: _plain(value) for name, value in vars(operator).items()}
    code = model.operatorCodes[operator.opcodeIndex]
    fields["opcodeIndex"] = (operator_name(code), code.version)
    return fields


def _plain(value):
    """Objects as dictionaries and arrays as lists; None for anything empty."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value] or None
    if hasattr(value, "__dict__"):
        fields = {name: _plain(field) for name, field in vars(value).items()}
        return fields if any(field not in (None, 0) for field in fields.values()) else None
    return value or None if isinstance(value, (bytes, str)) else value


def _walk(path, first, second):
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        for name in first:
            yield from _walk(f"{path}.{name}", first[name], second[name])
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, pair in enumerate(zip(first, second)):
            yield from _walk(f"{path}[{index}]", *pair)
    elif first != second:
        yield f"{path}: {_short(first)} and {_short(second)}{_count(first, second)}"


def _count(first, second):
    """How many bytes of two constants of one size differ, for whom the first ones do not tell."""
    if not (isinstance(first, bytes) and isinstance(second, bytes) and len(first) == len(second)):
        return ""
    differing = np.count_nonzero(np.frombuffer(first, "u1") != np.frombuffer(second, "u1"))
    return f"; {differing} of {len(first)} bytes differ"


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""The custom ops: which built-in ops have a fused form, and both directions.

A fused op computes from blobs; `KerasDcDecode` turns a blob into a tensor for any
other op. A fused op keeps in its custom options what the built-in op had in its own,
so that the pass can be undone. `tflite_ops/src/tflite/ops.h` reads them.
"""

import dataclasses

import numpy as np

from keras_dc.tflite_model import builtin_code, schema

DECODE = "KerasDcDecode"
FULLY_CONNECTED = "KerasDcFullyConnected"
FUSED = (FULLY_CONNECTED,)

WEIGHTS_INPUT = 1
BIAS_INPUT = 2

_FLOAT32 = schema.TensorType.FLOAT32
_FUSABLE_ACTIVATIONS = (
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU_N1_TO_1,
    schema.ActivationFunctionType.RELU6,
    schema.ActivationFunctionType.TANH,
)
_KEEP_NUM_DIMS = 1
_ASYMMETRIC_QUANTIZE_INPUTS = 2


@dataclasses.dataclass(frozen=True)
class FusedForm:
    """A custom op that takes the place of a built-in one: its name and its options."""

    name: str
    custom_options: bytes


def fused_form(model, subgraph, operator):
    """The fused op that computes what `operator` does, or None if there is none.

    Args:
        model: `schema.ModelT`.
        subgraph: the `schema.SubGraphT` that holds the operator.
        operator: `schema.OperatorT`.

    Returns:
        FusedForm or None.
    """
    code = model.operatorCodes[operator.opcodeIndex]
    options = operator.builtinOptions
    if builtin_code(code) != schema.BuiltinOperator.FULLY_CONNECTED or options is None:
        return None
    plain = schema.FullyConnectedOptionsT(
        options.fusedActivationFunction,
        keepNumDims=options.keepNumDims,
        asymmetricQuantizeInputs=options.asymmetricQuantizeInputs,
    )
    if options.quantSpec is not None or vars(plain) != vars(options):
        return None
    if len(operator.outputs) != 1:
        return None
    used = [index for index in [*operator.inputs, *operator.outputs] if index >= 0]
    tensors = [subgraph.tensors[index] for index in used]
    if len(operator.inputs) < 2 or any(tensor.type != _FLOAT32 for tensor in tensors):
        return None
    if np.size(subgraph.tensors[operator.inputs[WEIGHTS_INPUT]].shape) != 2:
        return None
    if options.fusedActivationFunction not in _FUSABLE_ACTIVATIONS:
        return None
    flags = _KEEP_NUM_DIMS * options.keepNumDims
    flags += _ASYMMETRIC_QUANTIZE_INPUTS * options.asymmetricQuantizeInputs
    # The op takes missing bytes for zeros.
    custom_options = bytes([options.fusedActivationFunction, flags, code.version - 1])
    return FusedForm(FULLY_CONNECTED, custom_options.rstrip(b"\0"))


def builtin_form(custom_options):
    """The built-in op that `KerasDcFullyConnected` stands for; inverse of `fused_form`.

    Args:
        custom_options: bytes-like or None.

    Returns:
        tuple `(schema.OperatorCodeT, schema.FullyConnectedOptionsT)`.
    """
    given = bytes([] if custom_options is None else custom_options)
    activation, flags, version = given.ljust(3, b"\0")
    number = schema.BuiltinOperator.FULLY_CONNECTED
    code = schema.OperatorCodeT(number, version=version + 1, builtinCode=number)
    options = schema.FullyConnectedOptionsT(
        activation,
        keepNumDims=bool(flags & _KEEP_NUM_DIMS),
        asymmetricQuantizeInputs=bool(flags & _ASYMMETRIC_QUANTIZE_INPUTS),
    )
    return code, options


def blob_inputs(name, operator):
    """Positions among an op's inputs that may hold a blob.

    Args:
        name: the op's name.
        operator: `schema.OperatorT`.

    Returns:
        range, empty for ops that are not ours.
    """
    if name == DECODE:
        return range(1)
    if name in FUSED:
        return range(WEIGHTS_INPUT, min(len(operator.inputs), BIAS_INPUT + 1))
    return range(0)

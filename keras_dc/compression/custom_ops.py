"""The custom ops: which built-in ops have a fused form, and both directions.

A fused op computes from blobs; `KerasDcDecode` turns a blob into a tensor for any
other op. A fused op keeps in its custom options what the built-in op had in its own,
so that the pass can be undone; `tflite_ops/src/tflite/` reads them.
"""

import collections.abc
import dataclasses

import numpy as np

from keras_dc.errors import ModelFormatError
from keras_dc.tflite.model_file import builtin_code, operator_name, schema

DECODE = "KerasDcDecode"
FULLY_CONNECTED = "KerasDcFullyConnected"
CONV_2D = "KerasDcConv2D"

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
_LARGEST_CONV_OPTION = 256
_LARGEST_VERSION = 256

# Above this the built-in op may be faster with decoded weights: tests/benchmarks/ against
# XNNPACK, both with AVX-512 and both with AVX2. At 0.55 pointwise convolutions, which lead
# the least, are still 1.1 times as fast.
_BREAK_EVEN_DENSITY = 0.55

# How far the kernel of a fused convolution may reach: along an axis, and both multiplied.
_LONGEST_REACH = 4096
_LARGEST_REACH = 65536


@dataclasses.dataclass(frozen=True)
class FusedForm:
    """A custom op that takes the place of a built-in one: its name and its options."""

    name: str
    custom_options: bytes


@dataclasses.dataclass(frozen=True)
class _Fusable:
    """How a built-in op becomes a fused one and is made of it again.

    Attributes:
        name: of the fused op.
        builtin: number of the built-in op.
        options_type: number of its options in the schema's union.
        weights_rank: dimensions of its weights.
        pack: function from the built-in op's options to bytes, None if the fused op does
            not have them; byte 2 is left for the op's version.
        unpack: its inverse, from 7 bytes.
    """

    name: str
    builtin: int
    options_type: int
    weights_rank: int
    pack: collections.abc.Callable
    unpack: collections.abc.Callable


def _pack_fully_connected(options):
    plain = schema.FullyConnectedOptionsT(
        options.fusedActivationFunction,
        keepNumDims=options.keepNumDims,
        asymmetricQuantizeInputs=options.asymmetricQuantizeInputs,
    )
    if options.quantSpec is not None or vars(plain) != vars(options):
        return None
    flags = _KEEP_NUM_DIMS * options.keepNumDims
    flags += _ASYMMETRIC_QUANTIZE_INPUTS * options.asymmetricQuantizeInputs
    return bytes([options.fusedActivationFunction, flags, 0])


def _unpack_fully_connected(given):
    return schema.FullyConnectedOptionsT(
        given[0],
        keepNumDims=bool(given[1] & _KEEP_NUM_DIMS),
        asymmetricQuantizeInputs=bool(given[1] & _ASYMMETRIC_QUANTIZE_INPUTS),
    )


def _pack_conv_2d(options):
    sizes = (
        options.strideH,
        options.strideW,
        options.dilationHFactor,
        options.dilationWFactor,
    )
    if options.quantizedBiasType or not all(0 < size <= _LARGEST_CONV_OPTION for size in sizes):
        return None
    return bytes(
        [options.fusedActivationFunction, options.padding, 0, *(size - 1 for size in sizes)]
    )


def _unpack_conv_2d(given):
    stride_h, stride_w, dilation_h, dilation_w = (byte + 1 for byte in given[3:7])
    return schema.Conv2DOptionsT(given[1], stride_w, stride_h, given[0], dilation_w, dilation_h)


_FUSABLES = (
    _Fusable(
        FULLY_CONNECTED,
        schema.BuiltinOperator.FULLY_CONNECTED,
        schema.BuiltinOptions.FullyConnectedOptions,
        2,
        _pack_fully_connected,
        _unpack_fully_connected,
    ),
    _Fusable(
        CONV_2D,
        schema.BuiltinOperator.CONV_2D,
        schema.BuiltinOptions.Conv2DOptions,
        4,
        _pack_conv_2d,
        _unpack_conv_2d,
    ),
)
_BY_NAME = {fusable.name: fusable for fusable in _FUSABLES}
_BY_BUILTIN = {fusable.builtin: fusable for fusable in _FUSABLES}


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
    fusable = _BY_BUILTIN.get(builtin_code(code))
    options = operator.builtinOptions
    if fusable is None or options is None or not 2 <= len(operator.inputs) <= 3:
        return None
    if options.fusedActivationFunction not in _FUSABLE_ACTIVATIONS:
        return None
    if not 1 <= code.version <= _LARGEST_VERSION:
        return None
    used = [index for index in [*operator.inputs, *operator.outputs] if index >= 0]
    if any(subgraph.tensors[index].type != _FLOAT32 for index in used):
        return None
    x, weights = (subgraph.tensors[index].shape for index in operator.inputs[:2])
    if np.size(weights) != fusable.weights_rank or len(operator.outputs) != 1:
        return None
    # Grouped convolutions have kernels of fewer channels than their input.
    if fusable.name == CONV_2D and (np.size(x) != 4 or x[3] != weights[3]):
        return None
    if fusable.name == CONV_2D:
        height, width = weights[1] * options.dilationHFactor, weights[2] * options.dilationWFactor
        if max(height, width) > _LONGEST_REACH or height * width > _LARGEST_REACH:
            return None
    packed = fusable.pack(options)
    if packed is None:
        return None
    packed = packed[:2] + bytes([code.version - 1]) + packed[3:]
    # The op takes missing bytes for zeros.
    return FusedForm(fusable.name, packed.rstrip(b"\0"))


def is_faster_fused(density):
    """Whether the fused ops outrun the runtime's dense ones.

    Args:
        density: float, fraction of the weights that are kept.

    Returns:
        bool; where it is False, `KerasDcDecode` gives the weights to the built-in op.
    """
    return density <= _BREAK_EVEN_DENSITY


def is_fused(name):
    """Whether `name` is that of a fused op."""
    return name in _BY_NAME


def builtin_form(name, custom_options):
    """The built-in op that a fused one stands for; inverse of `fused_form`.

    Args:
        name: of the fused op.
        custom_options: bytes-like or None.

    Returns:
        tuple `(schema.OperatorCodeT, number of the options' type, options)`.
    """
    fusable = _BY_NAME[name]
    given = bytes([] if custom_options is None else custom_options).ljust(7, b"\0")
    code = schema.OperatorCodeT(
        min(fusable.builtin, 127), version=given[2] + 1, builtinCode=fusable.builtin
    )
    return code, fusable.options_type, fusable.unpack(given)


def blob_inputs(name, operator):
    """Positions among an op's inputs that may hold a blob.

    Args:
        name: the op's name.
        operator: `schema.OperatorT`.

    Returns:
        range, empty for ops that are not ours.

    Raises:
        ModelFormatError: if an op of ours has no input or no output.
    """
    is_ours = name == DECODE or is_fused(name)
    if is_ours and not (len(operator.inputs) and len(operator.outputs)):
        raise ModelFormatError(
            f"the op {name} must have inputs and an output. "
            f"Received: {len(operator.inputs)} and {len(operator.outputs)}"
        )
    if name == DECODE:
        return range(1)
    if is_fused(name):
        return range(WEIGHTS_INPUT, min(len(operator.inputs), BIAS_INPUT + 1))
    return range(0)


def blob_tensors(model):
    """Every blob in a model, with the operator that reads it.

    Args:
        model: `schema.ModelT`.

    Yields:
        tuples `(subgraph, operator, name of the op, tensor index)`.
    """
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            name = operator_name(model.operatorCodes[operator.opcodeIndex])
            for position in blob_inputs(name, operator):
                index = operator.inputs[position]
                if index >= 0 and subgraph.tensors[index].type == schema.TensorType.UINT8:
                    yield subgraph, operator, name, index


def is_densify(model, operator):
    """Whether an operator is TFLite's DENSIFY, which gives a sparse constant's values."""
    code = model.operatorCodes[operator.opcodeIndex]
    return builtin_code(code) == schema.BuiltinOperator.DENSIFY

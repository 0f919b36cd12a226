"""The custom ops: which built-in ops have a fused form, and both directions.

A fused op computes from blobs; `KerasDcDecode` makes a blob a tensor for any other op. A
fused op keeps what the built-in op had as options in its custom options, so that the pass
can be undone; `tflite_ops/src/tflite/` reads them. One more fused op is one more row of
`_FUSABLES`.
"""

import collections.abc
import dataclasses
from typing import Any, NamedTuple

import numpy as np

from keras_dc.codec import bundles
from keras_dc.compression import int8_ops
from keras_dc.errors import ModelFormatError
from keras_dc.tflite.graph import TensorRef, operator_name
from keras_dc.tflite.model_file import schema

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
_PADDINGS = (schema.Padding.SAME, schema.Padding.VALID)
_KEEP_NUM_DIMS = 1
_ASYMMETRIC_QUANTIZE_INPUTS = 2
_LARGEST_CONV_OPTION = 256
_LARGEST_VERSION = 256
_MOST_OPTION_BYTES = 7

# Flags that are in byte 1 beside those of the built-in op.
_INT8_FLAGS = int8_ops.INT8 | int8_ops.PLAIN_BIAS | int8_ops.TWO_INPUTS

# At more kept weights the built-in op may be faster with decoded weights: measured by
# tests/benchmarks/ against XNNPACK, both with AVX-512 and both with AVX2. At 0.55 pointwise
# convolutions, which lead the least, are still 1.1 times as fast.
_BREAK_EVEN_DENSITY = 0.55

# The largest extent of a fused convolution's kernel, dilation included: along one axis, and
# the product of both.
_LONGEST_REACH = 4096
_LARGEST_REACH = 65536


@dataclasses.dataclass(frozen=True)
class FusedForm:
    """A custom op that takes the place of a built-in one.

    Attributes:
        name: of the custom op.
        custom_options: bytes.
        has_int8_weights: whether `int8_ops` tells what else it needs.
    """

    name: str
    custom_options: bytes
    has_int8_weights: bool = False

    @property
    def has_plain_bias(self):
        """Whether the scales of the bias are taken out of the graph."""
        return self.has_int8_weights and int8_ops.has_flag(self.custom_options, int8_ops.PLAIN_BIAS)


@dataclasses.dataclass(frozen=True)
class _Fusable:
    """How a built-in op becomes a fused one and is made of it again.

    Attributes:
        name: of the fused op.
        builtin: number of the built-in op.
        options: class of its options.
        options_type: number of its options in the schema's union.
        fits: function `(options, input shape, weights shape) -> bool`: whether the fused op
            computes this case.
        pack: function from the built-in op's options to bytes, None if the fused op lacks
            one of them; byte 2 is left for the op's version.
        unpack: the inverse of `pack`, from 7 bytes.
        place_option: which byte of the custom options is the place in a bundle.
    """

    name: str
    builtin: int
    options: type[Any]
    options_type: int
    fits: collections.abc.Callable
    pack: collections.abc.Callable
    unpack: collections.abc.Callable
    place_option: int


def _fits_fully_connected(options, input_shape, weights_shape):
    return np.size(weights_shape) == 2


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


def _fits_conv_2d(options, input_shape, weights_shape):
    if np.size(weights_shape) != 4 or np.size(input_shape) != 4:
        return False
    # Grouped convolutions have kernels of fewer channels than their input.
    if input_shape[3] != weights_shape[3]:
        return False
    height = weights_shape[1] * options.dilationHFactor
    width = weights_shape[2] * options.dilationWFactor
    return max(height, width) <= _LONGEST_REACH and height * width <= _LARGEST_REACH


def _pack_conv_2d(options):
    sizes = (
        options.strideH,
        options.strideW,
        options.dilationHFactor,
        options.dilationWFactor,
    )
    if options.quantizedBiasType or options.padding not in _PADDINGS:
        return None
    if not all(0 < size <= _LARGEST_CONV_OPTION for size in sizes):
        return None
    return bytes(
        [options.fusedActivationFunction, options.padding, 0, *(size - 1 for size in sizes)]
    )


def _unpack_conv_2d(given):
    stride_h, stride_w, dilation_h, dilation_w = (byte + 1 for byte in given[3:7])
    padding = given[1] & ~_INT8_FLAGS
    return schema.Conv2DOptionsT(padding, stride_w, stride_h, given[0], dilation_w, dilation_h)


_FUSABLES = (
    _Fusable(
        FULLY_CONNECTED,
        schema.BuiltinOperator.FULLY_CONNECTED,
        schema.FullyConnectedOptionsT,
        schema.BuiltinOptions.FullyConnectedOptions,
        _fits_fully_connected,
        _pack_fully_connected,
        _unpack_fully_connected,
        place_option=3,
    ),
    _Fusable(
        CONV_2D,
        schema.BuiltinOperator.CONV_2D,
        schema.Conv2DOptionsT,
        schema.BuiltinOptions.Conv2DOptions,
        _fits_conv_2d,
        _pack_conv_2d,
        _unpack_conv_2d,
        place_option=7,
    ),
)
_BY_NAME = {fusable.name: fusable for fusable in _FUSABLES}
_BY_BUILTIN = {fusable.builtin: fusable for fusable in _FUSABLES}


def fused_form(graph, op):
    """The fused op that computes what a built-in op does, or None if there is none.

    Args:
        graph: `tflite.graph.Graph`.
        op: OpRef.

    Returns:
        FusedForm or None.
    """
    operator, code = graph.operator(op), graph.code(op)
    fusable = _BY_BUILTIN.get(graph.builtin(op))
    options = operator.builtinOptions
    if fusable is None or not isinstance(options, fusable.options):
        return None
    if not 2 <= len(operator.inputs) <= 3 or min(operator.inputs[:2]) < 0:
        return None
    if options.fusedActivationFunction not in _FUSABLE_ACTIVATIONS:
        return None
    if not 1 <= code.version <= _LARGEST_VERSION or len(operator.outputs) != 1:
        return None
    tensors = graph.model.subgraphs[op.subgraph].tensors
    used = [index for index in [*operator.inputs, *operator.outputs] if index >= 0]
    is_float = all(tensors[index].type == _FLOAT32 for index in used)
    if not is_float and not int8_ops.fits(tensors, operator):
        return None
    if not fusable.fits(options, *(tensors[index].shape for index in operator.inputs[:2])):
        return None
    packed = fusable.pack(options)
    if packed is None:
        return None
    flags = 0 if is_float else int8_ops.option_flags(tensors, operator)
    packed = bytes([packed[0], packed[1] | flags, code.version - 1]) + packed[3:]
    # The op takes missing bytes for zeros.
    return FusedForm(fusable.name, packed.rstrip(b"\0"), not is_float)


def is_faster_fused(density):
    """Whether the fused ops outrun the runtime's dense ones, of float32 weights.

    Args:
        density: float, fraction of the weights that are kept.

    Returns:
        bool; where it is False, `KerasDcDecode` gives the weights to the built-in op.
    """
    return density <= _BREAK_EVEN_DENSITY


def is_fused(name):
    """Whether `name` is that of a fused op."""
    return name in _BY_NAME


def builtin_name(name):
    """The name of the built-in op that the fused op `name` stands for; `name` of any other."""
    if name not in _BY_NAME:
        return name
    number = _BY_NAME[name].builtin
    return operator_name(schema.OperatorCodeT(min(number, 127), builtinCode=number))


def builtin_form(name, custom_options):
    """The built-in op that a fused one stands for; inverse of `fused_form`.

    Args:
        name: of the fused op.
        custom_options: bytes-like or None.

    Returns:
        tuple `(schema.OperatorCodeT, number of the options' type, options)`.

    Raises:
        ModelFormatError: if an option has a value that the op does not know.
    """
    fusable = _BY_NAME[name]
    given = bytes([] if custom_options is None else custom_options)
    given = given.ljust(_MOST_OPTION_BYTES, b"\0")
    code = schema.OperatorCodeT(
        min(fusable.builtin, 127), version=given[2] + 1, builtinCode=fusable.builtin
    )
    options = fusable.unpack(given)
    padding = getattr(options, "padding", schema.Padding.SAME)
    if options.fusedActivationFunction not in _FUSABLE_ACTIVATIONS or padding not in _PADDINGS:
        raise ModelFormatError(
            f"the options of the op {name} must be an activation that it has, and a padding. "
            f"Received: {given.hex()}"
        )
    return code, fusable.options_type, options


def blob_inputs(graph, op):
    """The inputs of an op of ours that hold blobs.

    Args:
        graph: `tflite.graph.Graph`.
        op: OpRef.

    Returns:
        list of TensorRef, empty for ops that are not ours.

    Raises:
        ModelFormatError: if an op of ours has no input or no output.
    """
    name, operator = graph.op_name(op), graph.operator(op)
    if name != DECODE and not is_fused(name):
        return []
    if not (len(operator.inputs) and len(operator.outputs)):
        raise ModelFormatError(
            f"the op {name} must have inputs and an output. "
            f"Received: {len(operator.inputs)} and {len(operator.outputs)}"
        )
    first, end = (0, 1) if name == DECODE else (WEIGHTS_INPUT, int8_ops.SCALES_INPUT + 1)
    refs = [TensorRef(op.subgraph, int(index)) for index in operator.inputs[first:end]]
    return [
        ref for ref in refs if ref.tensor >= 0 and graph.tensor(ref).type == schema.TensorType.UINT8
    ]


def scales_of(graph, op):
    """TensorRef of the scales that a fused op of int8 weights reads, None for any other op."""
    is_ours = is_fused(graph.op_name(op))
    return int8_ops.ref_of_scales(op.subgraph, graph.operator(op)) if is_ours else None


def blobs_of(graph):
    """Every blob in a model, with the op that reads it: tuples `(OpRef, TensorRef)`.

    Raises:
        ModelFormatError: see `blob_inputs`.
    """
    return [(op, ref) for op in graph.ops for ref in blob_inputs(graph, op)]


class StoredBlob(NamedTuple):
    """A blob in a model.

    Attributes:
        buffer: index of the buffer that holds it.
        place: its place in the bundle there, None if it is alone.
        content: bytes.
    """

    buffer: int
    place: int | None
    content: bytes


def stored_blob(graph, op, ref):
    """The blob that an op reads from one of its `blob_inputs`.

    Args:
        graph: `tflite.graph.Graph`.
        op: OpRef.
        ref: TensorRef.

    Returns:
        StoredBlob.

    Raises:
        CodecError: if the tensor holds a bundle without this blob.
    """
    buffer, data = graph.tensor(ref).buffer, graph.data(ref)
    if data is None or not bundles.is_bundle(data):
        return StoredBlob(buffer, None, b"" if data is None else data)
    given = graph.operator(op).customOptions
    options = b"" if given is None else bytes(given)
    option = _place_option(graph.op_name(op))
    # Those of one op that are in bundles follow one another, in the order of its inputs.
    refs = blob_inputs(graph, op)
    earlier = [graph.data(other) for other in refs[: refs.index(ref)]]
    offset = sum(data is not None and bundles.is_bundle(data) for data in earlier)
    place = (options[option] if option < len(options) else 0) + offset
    return StoredBlob(buffer, place, bundles.blob_at(data, place))


def set_place(graph, op, place):
    """Let an op of ours read its blobs from a bundle, from the place on.

    Args:
        graph: `tflite.graph.Graph`.
        op: OpRef.
        place: int from 0 to 255.
    """
    operator, option = graph.operator(op), _place_option(graph.op_name(op))
    given = b"" if operator.customOptions is None else bytes(operator.customOptions)
    given = (given.ljust(option, b"\0") + bytes([place])).rstrip(b"\0")
    operator.customOptions = np.frombuffer(given, np.uint8) if given else None


def _place_option(name):
    return 0 if name == DECODE else _BY_NAME[name].place_option


def is_densify(graph, op):
    """Whether an OpRef is TFLite's DENSIFY, which makes a sparse constant dense."""
    return graph.builtin(op) == schema.BuiltinOperator.DENSIFY

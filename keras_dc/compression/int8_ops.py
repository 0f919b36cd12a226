"""What fused ops with int8 weights need beside the blob: scales and zero points.

A runtime insists on the scales of int8 weights and biases for its own ops only. In the graph
they take 12 bytes for each channel of the weights, and again of the bias. So the scales of
the weights become an input of the fused op, float32 or a blob; the zero points are all 0; and
the scales of the bias follow from those of the input and of the weights. `expand` puts all of
them back. A single scale for all weights stays where it is.
"""

import numpy as np

from keras_dc.errors import CompressionError
from keras_dc.tflite.graph import TensorRef, tensor_name
from keras_dc.tflite.model_file import schema

SCALES_INPUT = 3

# Of byte 1 of the custom options: that the weights are int8, that the scales of the bias were
# taken out, and that the operator had no input for a bias, not even an absent one.
INT8 = 4
PLAIN_BIAS = 8
TWO_INPUTS = 16

_FLOAT32, _INT8, _INT32 = (
    getattr(schema.TensorType, name) for name in ("FLOAT32", "INT8", "INT32")
)
_ACTIVATIONS = (
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU_N1_TO_1,
    schema.ActivationFunctionType.RELU6,
)
# The op refuses what its integers cannot hold: products of scales over the output's, and the
# bounds of activations. These are far from what a converter writes.
_LARGEST_PRODUCT = 2.0**29
_SMALLEST_OUTPUT_SCALE = 2.0**-24


def fits(tensors, operator):
    """Whether the fused ops compute this operator from int8 weights.

    Args:
        tensors: list of `schema.TensorT`, those of the operator's subgraph.
        operator: `schema.OperatorT`, a FULLY_CONNECTED or CONV_2D with at least two inputs
            and one output.

    Returns:
        bool.
    """
    source, weights = (tensors[index] for index in operator.inputs[:2])
    output, bias = tensors[operator.outputs[0]], _bias(tensors, operator)
    if operator.builtinOptions.fusedActivationFunction not in _ACTIVATIONS:
        return False
    if weights.type != _INT8 or source.type != output.type or source.type not in (_FLOAT32, _INT8):
        return False
    if bias is not None and bias.type != (_INT32 if source.type == _INT8 else _FLOAT32):
        return False
    scales = _weight_scales(weights)
    if scales is None:
        return False
    if source.type == _FLOAT32:
        return True
    numbers = [_number(source), _number(output)]
    if None in numbers or numbers[1] < _SMALLEST_OUTPUT_SCALE:
        return False
    return bool(np.float64(numbers[0]) * scales.max() / numbers[1] < _LARGEST_PRODUCT)


def num_channel_scales(tensors, operator):
    """How many scales of channels leave the graph if an operator that `fits` is fused.

    0 with float activations, where a fused op that is not faster breaks a chain of the runtime's
    own layers, which takes longer than scales are worth.
    """
    source, weights = (tensors[index] for index in operator.inputs[:2])
    scales = channel_scales(weights)
    return 0 if scales is None or source.type != _INT8 else len(scales)


def option_flags(tensors, operator):
    """The bits of byte 1 of the custom options for an operator that `fits`."""
    derived = _derived_scales(tensors, operator)
    bias = _bias(tensors, operator)
    is_derived = derived is not None and bias is not None and _has_scales(bias, derived)
    flags = INT8 | (PLAIN_BIAS if is_derived else 0)
    return flags | (TWO_INPUTS if len(operator.inputs) == SCALES_INPUT - 1 else 0)


def channel_scales(weights):
    """The scales of a `schema.TensorT` of weights: float32 array, None for a single one."""
    scales = _weight_scales(weights)
    return None if scales is None or len(scales) == 1 else scales


def take_bias_scales(tensors, operator):
    """Take the scales of an operator's bias out of the graph, which `option_flags` allowed."""
    _take_scales(_bias(tensors, operator))


def take_weight_scales(weights):
    """Take the scales of weights out of the graph; others must keep them."""
    _take_scales(weights)


def put_back_weight_scales(weights, scales):
    """Undo `take_weight_scales`.

    Args:
        weights: `schema.TensorT`, with its own shape again.
        scales: float32 array.

    Raises:
        CompressionError: if there are not as many scales as channels.
    """
    if weights.shape is None or len(weights.shape) == 0 or scales.shape != (weights.shape[0],):
        raise CompressionError(
            f"tensor {tensor_name(weights)!r}: there must be a scale for each channel of a tensor "
            f"shaped {weights.shape}. Received: scales shaped {scales.shape}"
        )
    _put_scales(weights, scales)


def put_back_bias_scales(tensors, operator):
    """Undo `take_bias_scales`, once the weights have their scales again.

    Raises:
        CompressionError: if the operator has no bias, or no scales to tell them from.
    """
    bias, scales = _bias(tensors, operator), _derived_scales(tensors, operator)
    if bias is None or scales is None:
        raise CompressionError(
            "an operator whose options tell of a plain bias must have a bias, and an input and "
            f"weights with scales. Received: inputs {list(operator.inputs)}"
        )
    _put_scales(bias, scales)


def add_scales_input(operator, tensor):
    """Let a fused operator read the scales of its weights, a tensor's index."""
    inputs = [*map(int, operator.inputs)]
    inputs += [-1] * (SCALES_INPUT - len(inputs))
    operator.inputs = np.array([*inputs, tensor], np.int32)


def remove_scales_input(operator):
    """Undo `add_scales_input`; `operator` has its custom options still."""
    has_two = has_flag(operator.customOptions, TWO_INPUTS)
    inputs = operator.inputs[: SCALES_INPUT - has_two]
    operator.inputs = np.array(inputs, np.int32)


def has_flag(custom_options, flag):
    """Whether byte 1 of the custom options of a fused op, bytes-like or None, has a flag."""
    return custom_options is not None and len(custom_options) > 1 and bool(custom_options[1] & flag)


def ref_of_scales(subgraph, operator):
    """TensorRef of the scales that a fused operator reads, None if it reads none."""
    if len(operator.inputs) <= SCALES_INPUT or operator.inputs[SCALES_INPUT] < 0:
        return None
    return TensorRef(subgraph, int(operator.inputs[SCALES_INPUT]))


def _bias(tensors, operator):
    has_one = len(operator.inputs) > 2 and operator.inputs[2] >= 0
    return tensors[operator.inputs[2]] if has_one else None


def _weight_scales(weights):
    """float32 array, or None if they are not as the ops take them: on the first axis, zero
    points 0.
    """
    quantization = weights.quantization
    if quantization is None or quantization.scale is None or quantization.details is not None:
        return None
    scales = np.asarray(quantization.scale, np.float32)
    points = quantization.zeroPoint
    if len(scales) not in {1, int(weights.shape[0])} or quantization.quantizedDimension != 0:
        return None
    if points is None or len(points) != len(scales) or np.any(points):
        return None
    return scales if np.all(np.isfinite(scales)) and np.all(scales >= 0) else None


def _number(tensor):
    """The one scale of an activation, None if it has not one scale and one zero point."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
        return None
    points = quantization.zeroPoint
    if points is None or len(points) != 1 or not -128 <= points[0] <= 127:
        return None
    scale = np.float32(quantization.scale[0])
    return scale if np.isfinite(scale) and scale > 0 else None


def _derived_scales(tensors, operator):
    source, weights = (tensors[index] for index in operator.inputs[:2])
    scale = _number(source)
    quantization = weights.quantization
    if scale is None or quantization is None or quantization.scale is None:
        return None
    with np.errstate(over="ignore"):
        return scale * np.asarray(quantization.scale, np.float32)


def _has_scales(tensor, scales):
    """Whether a tensor has just these scales on its first axis, and zero points 0."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or quantization.zeroPoint is None:
        return False
    points = quantization.zeroPoint
    own = np.asarray(quantization.scale, np.float32)
    is_plain = quantization.details is None and quantization.quantizedDimension == 0
    has_zeros = len(points) == len(own) and not np.any(points)
    return is_plain and has_zeros and own.tobytes() == scales.tobytes()


def _take_scales(tensor):
    quantization = tensor.quantization
    quantization.scale = quantization.zeroPoint = None
    if not any(map(np.size, filter(_is_set, vars(quantization).values()))):
        tensor.quantization = None


def _is_set(field):
    """Whether a field of a table says something: an array, or a number that is not 0."""
    return field is not None and (np.ndim(field) > 0 or field != 0)


def _put_scales(tensor, scales):
    if tensor.quantization is None:
        tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.asarray(scales, np.float32)
    tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)

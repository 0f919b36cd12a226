"""The layers of a model that can be rebuilt from samples: weights as rows, inputs as patches."""

import dataclasses
from typing import Any

import numpy as np

from keras_dc.compression.constants import Constant
from keras_dc.tflite.graph import OpRef, Read, TensorRef
from keras_dc.tflite.model_file import schema

_CODE = schema.BuiltinOperator
_SAME = schema.Padding.SAME
_MOST_STEPS = 127
# The places of input, weights and bias among the inputs of an op.
_PLACES = {
    _CODE.FULLY_CONNECTED: (0, 1, 2),
    _CODE.CONV_2D: (0, 1, 2),
    _CODE.DEPTHWISE_CONV_2D: (0, 1, 2),
    _CODE.TRANSPOSE_CONV: (2, 1, 3),
}


@dataclasses.dataclass(frozen=True)
class Layer:
    """An op of the main subgraph whose constant weights it alone reads.

    Attributes:
        op: OpRef.
        builtin: int, the schema's number of the op.
        weights: Constant.
        bias: Constant, or None if there is none that the op alone reads.
        input: int, the tensor that the weights are multiplied with.
        output: int, the tensor that is computed.
        options: the schema's options of the op.
        size: tuple of int, height and width of the output of a TRANSPOSE_CONV; else None.
        steps: float64 array `(outputs,)`, what an integer stands for in each row of int8 weights;
            None for floats.
        zero: tuple `(scale, zero point)` of an int8 input; None for floats.
    """

    op: OpRef
    builtin: int
    weights: Constant
    bias: Constant | None
    input: int
    output: int
    options: Any
    size: tuple | None = None
    steps: np.ndarray | None = None
    zero: tuple | None = None

    @property
    def is_depthwise(self):
        """Whether each channel sees one channel of the input alone."""
        return self.builtin == _CODE.DEPTHWISE_CONV_2D

    @property
    def axis(self):
        """The dimension of the weights that counts output channels, 0 or -1."""
        return -1 if self.is_depthwise else 0

    def rows(self):
        """The weights as a matrix `(outputs, inputs)`, as the numbers that int8 stands for."""
        values = self.weights.values
        rows = np.moveaxis(values, self.axis, 0).reshape(values.shape[self.axis], -1)
        return rows if self.steps is None else rows * self.steps[:, None]

    def shaped(self, rows):
        """The inverse of `rows`: array like the weights, contiguous."""
        old = self.weights.values
        if self.steps is not None:
            rows = np.clip(np.round(rows / self.steps[:, None]), -_MOST_STEPS, _MOST_STEPS)
        moved = np.asarray(rows, old.dtype).reshape(np.moveaxis(old, self.axis, 0).shape)
        values = np.moveaxis(moved, 0, self.axis)
        return np.ascontiguousarray(values)

    def real(self, values):
        """The numbers that the input stands for."""
        if self.zero is None:
            return values
        return np.float32(self.zero[0]) * (values.astype(np.float32) - np.float32(self.zero[1]))


def find_layers(source):
    """The layers of a model that can be rebuilt, and why other float weights cannot.

    Args:
        source: `lossless.Source`.

    Returns:
        tuple of a list of Layer in the order of the graph, and a dict from the index of a buffer
        to str, why it has no second moment.
    """
    graph, layers, others = source.graph, [], {}
    constants = {constant.buffer: constant for constant in source.constants}
    for buffer, constant in constants.items():
        if buffer in source.float_weights:
            found = _layer_of(graph, constants, constant)
        elif constant.dtype == "int8" and constant.sparse_form is None and constant.values.ndim > 1:
            found = _integer_layer_of(graph, constants, constant)
        else:
            continue
        if isinstance(found, Layer):
            layers.append(found)
        elif found is not None:
            others[buffer] = found
    return sorted(layers, key=lambda layer: layer.op), others


def _layer_of(graph, constants, constant):
    """The Layer of a constant, or a str why there is none."""
    if constant.sparse_form is not None:
        return "it is stored sparsely"
    reads = _final_reads(graph, constant)
    ops = {read.op for read in reads}
    if len(ops) != 1 or len(reads) != 1:
        return "several ops read it"
    [read] = reads
    builtin, operator = graph.builtin(read.op), graph.operator(read.op)
    places = _PLACES.get(builtin)
    if places is None or read.position != places[1]:
        return f"{graph.op_name(read.op)} has no second-order support"
    if read.op.subgraph:
        return "it is in a subgraph that is called"
    given = int(operator.inputs[places[0]])
    if builtin == _CODE.CONV_2D:
        channels = graph.tensor(TensorRef(0, given)).shape[-1]
        if channels != constant.shape[-1]:
            return "a convolution by groups has no second-order support"
    if builtin == _CODE.FULLY_CONNECTED and operator.builtinOptions.weightsFormat:
        return "its weights are shuffled"
    size = None
    if builtin == _CODE.TRANSPOSE_CONV:
        shape = graph.data(TensorRef(0, int(operator.inputs[0])))
        if shape is None:
            return "a TRANSPOSE_CONV whose shape is computed has no second-order support"
        size = tuple(map(int, shape.view(np.int32)[1:3]))
    bias = None
    if len(operator.inputs) > places[2] and operator.inputs[places[2]] >= 0:
        buffer = graph.tensor(TensorRef(0, int(operator.inputs[places[2]]))).buffer
        bias = constants.get(buffer)
        if bias is not None and (len(bias.consumers) != 1 or bias.dtype != "float32"):
            bias = None
    output = int(operator.outputs[0])
    options = operator.builtinOptions
    return Layer(read.op, builtin, constant, bias, given, output, options, size)


def _integer_layer_of(graph, constants, constant):
    """The Layer of int8 weights, or None: then they stay as they are."""
    layer = _layer_of(graph, constants, constant)
    tensor = graph.tensor(constant.tensors[0])
    known = _quantization(tensor)
    if not isinstance(layer, Layer) or known is None or np.any(known[1] != 0):
        return None
    num_rows = constant.shape[layer.axis]
    axis = tensor.quantization.quantizedDimension
    if known[0].size != 1 and (
        known[0].size != num_rows or axis != layer.axis % len(constant.shape)
    ):
        return None
    given, zero = graph.tensor(TensorRef(0, layer.input)), None
    if given.type == schema.TensorType.INT8:
        zero = _quantization(given)
        if zero is None or zero[0].size != 1:
            return None
        zero = float(zero[0][0]), int(zero[1][0])
    elif given.type != schema.TensorType.FLOAT32:
        return None
    steps = np.broadcast_to(known[0], num_rows)
    return dataclasses.replace(layer, steps=steps, zero=zero)


def _quantization(tensor):
    """(scales, zero points) of a tensor: two arrays, or None."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        return None
    points = quantization.zeroPoint
    return np.array(quantization.scale, np.float64), np.array([0] if points is None else points)


def _final_reads(graph, constant):
    """Who computes with a constant: the readers behind a DEQUANTIZE, too."""
    reads: list[Read] = []
    for read in constant.consumers:
        output = graph.output(read.op)
        if graph.builtin(read.op) == _CODE.DEQUANTIZE and output is not None:
            reads += graph.readers(output)
        else:
            reads.append(read)
    return reads


def output_shape(layer, shape):
    """The shape of the output of a layer: tuple of int, from that of its input."""
    channels = layer.rows().shape[0]
    if layer.builtin == _CODE.FULLY_CONNECTED:
        return int(np.prod(shape)) // layer.weights.shape[-1], channels
    if layer.size is not None:
        return shape[0], *layer.size, channels
    options = layer.options
    sizes = []
    for size, length, stride, dilation in zip(
        shape[1:3],
        layer.weights.shape[1:3],
        (options.strideH, options.strideW),
        (options.dilationHFactor or 1, options.dilationWFactor or 1),
    ):
        reach = 1 if options.padding == _SAME else (length - 1) * dilation + 1
        sizes.append((size - reach) // stride + 1)
    return shape[0], *sizes, channels


def patches(layer, values, output_shape, places):
    """What a layer multiplies its weights with, at some places of its output.

    Args:
        layer: Layer.
        values: float32 array, its input.
        output_shape: tuple of int, of its output.
        places: int array `(n,)`, places of the output without its last axis, in C order.

    Returns:
        float32 array `(n, inputs)`, or `(n, channels, taps)` of a depthwise convolution.
    """
    if layer.builtin == _CODE.FULLY_CONNECTED:
        return values.reshape(-1, layer.weights.shape[-1])[places]
    number, row, column = np.unravel_index(places, output_shape[:3])
    kernel, met = layer.weights.shape[1:3], []
    for axis, at in enumerate((row, column)):
        size, out = values.shape[axis + 1], output_shape[axis + 1]
        met.append([_met(layer, axis, at, tap, size, out) for tap in range(kernel[axis])])
    found = []
    for rows, has_row in met[0]:
        for columns, has_column in met[1]:
            inside = has_row & has_column
            taken = values[number, rows, columns]
            found.append(np.where(inside[:, None], taken, np.float32(0)))
    if layer.is_depthwise:
        taps = np.stack(found).transpose(1, 2, 0)
        times = layer.weights.shape[-1] // taps.shape[1]
        return taps if times == 1 else np.repeat(taps, times, axis=1)
    return np.concatenate(found, axis=1)


def _met(layer, axis, at, tap, size, out):
    """Which rows, or columns, of an input a tap of the kernel meets.

    Args:
        layer: `layers.Layer`.
        axis: 0 for rows, 1 for columns.
        at: int array, places of the output along the axis.
        tap: int.
        size: int, of the input along the axis.
        out: int, of the output.

    Returns:
        tuple of an int array, 0 where there is none, and a bool array, whether there is one.
    """
    options, length = layer.options, layer.weights.shape[axis + 1]
    stride = (options.strideH, options.strideW)[axis]
    if layer.size is not None:
        before = max((size - 1) * stride + length - out, 0) // 2
        place, rest = np.divmod(at + before - tap, stride)
        inside = (rest == 0) & (place >= 0) & (place < size)
    else:
        dilation = (options.dilationHFactor, options.dilationWFactor)[axis] or 1
        missing = max((out - 1) * stride + (length - 1) * dilation + 1 - size, 0)
        before = missing // 2 if options.padding == _SAME else 0
        place = at * stride + tap * dilation - before
        inside = (place >= 0) & (place < size)
    return np.where(inside, place, 0), inside


def multiplied(layer, inputs, rows):
    """What a layer computes of `patches` without bias and activation: `(n, outputs)`."""
    if layer.is_depthwise:
        return np.einsum("nct,ct->nc", inputs, rows)
    return inputs @ rows.T

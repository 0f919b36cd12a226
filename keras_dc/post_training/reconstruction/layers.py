"""The layers of a model that can be rebuilt from samples, with their weights as rows."""

import dataclasses
from typing import Any

import numpy as np

from keras_dc.compression.constants import Constant
from keras_dc.post_training.reconstruction.loops import loops_of
from keras_dc.tflite.graph import OpRef, Read, TensorRef, shape_of
from keras_dc.tflite.model_file import schema

_CODE = schema.BuiltinOperator
_MOST_STEPS = 127
# Between a layer and what adds its bias, as of both matrices of an LSTM.
_MOST_ADDS = 4
# The places of input, weights and bias among the inputs of an op.
_PLACES = {
    _CODE.FULLY_CONNECTED: (0, 1, 2),
    _CODE.BATCH_MATMUL: (0, 1, 2),
    _CODE.CONV_2D: (0, 1, 2),
    _CODE.DEPTHWISE_CONV_2D: (0, 1, 2),
    _CODE.TRANSPOSE_CONV: (2, 1, 3),
    _CODE.GATHER: (1, 0, 2),
}


@dataclasses.dataclass(frozen=True)
class Layer:
    """An op whose constant weights no others read but ops of its kind.

    Attributes:
        op: OpRef.
        builtin: int, the schema's number of the op.
        weights: Constant.
        bias: Constant that is added to what they compute, by themselves or by ADD ops behind
            them; None if there is none, or others read it, too.
        input: int, the tensor that the weights are multiplied with; of a GATHER the indices.
        output: int, the tensor that is computed.
        options: the schema's options of the op.
        size: tuple of int, height and width of the output of a TRANSPOSE_CONV; else None.
        steps: float64 array `(outputs,)`, what an integer stands for in each row of int8 weights;
            None for floats.
        zero: tuple `(scale, zero point)` of an int8 input; None for floats.
        num_groups: int, of a convolution by groups; 1 for others.
        loop: int, the WHILE op of the main subgraph whose body has the op; None: that has it.
        adds: OpRef, the op that adds the bias; None without one.
        others: tuple of Layer, further ops that read the weights.
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
    num_groups: int = 1
    loop: int | None = None
    adds: OpRef | None = None
    others: tuple = ()

    @property
    def uses(self):
        """All ops that read the weights, the first of the graph first: tuple of Layer."""
        return (self, *self.others)

    @property
    def number(self):
        """The op of the main subgraph that runs the layer."""
        return self.op.operator if self.loop is None else self.loop

    @property
    def key(self):
        """What tells it from other uses of any weights: tuple of the loop, or -1, and the op."""
        return (-1 if self.loop is None else self.loop), self.op.operator

    @property
    def is_depthwise(self):
        """Whether each channel sees one channel of the input alone."""
        return self.builtin == _CODE.DEPTHWISE_CONV_2D

    @property
    def is_product(self):
        """Whether rows are multiplied with the last axis of the input."""
        return self.builtin in (_CODE.FULLY_CONNECTED, _CODE.BATCH_MATMUL)

    @property
    def is_lookup(self):
        """Whether rows are looked up."""
        return self.builtin == _CODE.GATHER

    @property
    def axis(self):
        """The dimension of the weights that counts output channels, 0 or -1."""
        is_turned = self.builtin == _CODE.BATCH_MATMUL and not self.options.adjY
        return -1 if self.is_depthwise or is_turned else 0

    @property
    def shape(self):
        """That of the rows: tuple of int, `(outputs, inputs)`."""
        values = self.weights.values
        return values.shape[self.axis], values.size // values.shape[self.axis]

    def rows(self):
        """The weights as a matrix `(outputs, inputs)`, as the numbers that int8 stands for."""
        rows = np.moveaxis(self.weights.values, self.axis, 0).reshape(self.shape)
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
    return sorted(layers, key=_place), others


def _place(layer):
    return layer.number, layer.op.operator


def _layer_of(graph, constants, constant):
    """The Layer of a constant, or a str why there is none."""
    if constant.sparse_form is not None:
        return "it is stored sparsely"
    uses: list[Layer] = []
    for read in _final_reads(graph, constant):
        loops = [None] if not read.op.subgraph else loops_of(graph, read.op.subgraph)
        if isinstance(loops, str):
            return loops
        use = _use_of(graph, constants, constant, read)
        if isinstance(use, str):
            return use
        uses += [dataclasses.replace(use, loop=loop) for loop in loops]
    # Rows that are looked up alone have nothing to make up for each other.
    if all(use.is_lookup for use in uses):
        return "GATHER has no second-order support"
    if len({(use.axis, use.num_groups, use.is_depthwise) for use in uses}) > 1:
        return "ops read it in several ways"
    adding = {use.adds for use in uses}
    uses = [
        use
        if use.bias is None or {read.op for read in use.bias.consumers} <= adding
        else dataclasses.replace(use, bias=None)
        for use in sorted(uses, key=_place)
    ]
    return dataclasses.replace(uses[0], others=tuple(uses[1:]))


def _use_of(graph, constants, constant, read):
    """The Layer of one op that reads a constant, or a str why there is none."""
    builtin, operator = graph.builtin(read.op), graph.operator(read.op)
    options, places = operator.builtinOptions, _PLACES.get(builtin)
    if places is None or read.position != places[1]:
        return f"{graph.op_name(read.op)} has no second-order support"

    def tensor(place):
        return TensorRef(read.op.subgraph, int(operator.inputs[place]))

    num_groups, size = 1, None
    if builtin == _CODE.CONV_2D:
        num_groups = int(graph.tensor(tensor(0)).shape[-1]) // constant.shape[-1]
    if builtin == _CODE.FULLY_CONNECTED and options.weightsFormat:
        return "its weights are shuffled"
    if builtin == _CODE.BATCH_MATMUL and (constant.values.ndim != 2 or options.adjX):
        return "a BATCH_MATMUL of many matrices has no second-order support"
    if builtin == _CODE.GATHER and (options.axis or options.batchDims):
        return "GATHER has no second-order support"
    if builtin == _CODE.TRANSPOSE_CONV:
        shape = graph.data(tensor(0))
        if shape is None:
            return "a TRANSPOSE_CONV whose shape is computed has no second-order support"
        size = tuple(map(int, shape.view(np.int32)[1:3]))
    given, output = tensor(places[0]).tensor, int(operator.outputs[0])
    layer = Layer(
        read.op, builtin, constant, None, given, output, options, size, num_groups=num_groups
    )
    if len(operator.inputs) > places[2] and operator.inputs[places[2]] >= 0:
        bias, adds = constants.get(graph.tensor(tensor(places[2])).buffer), read.op
    else:
        bias, adds = _added(graph, constants, read.op, layer.shape[0])
    if bias is None or bias.dtype != "float32":
        return layer
    return dataclasses.replace(layer, bias=bias, adds=adds)


def _added(graph, constants, op, size):
    """A constant of a size that is added to the output of an op alone, and the ADD; or two None."""
    for _ in range(_MOST_ADDS):
        output, options = graph.output(op), graph.operator(op).builtinOptions
        reads = graph.readers(output)
        if getattr(options, "fusedActivationFunction", 0) or len(reads) != 1:
            break
        [read] = reads
        if graph.is_output(output) or graph.tensor(output).type != schema.TensorType.FLOAT32:
            break
        op, builtin = read.op, graph.builtin(read.op)
        if builtin == _CODE.RESHAPE and shape_of(graph.tensor(graph.output(op)))[-1:] == (size,):
            continue
        if builtin != _CODE.ADD:
            break
        [other] = [ref for place, ref in enumerate(graph.inputs(op)) if place != read.position]
        found = constants.get(graph.tensor(other).buffer)
        if found is not None:
            is_bias = found.values.size == size and found.shape[-1:] == (size,)
            return (found, op) if is_bias else (None, None)
    return None, None


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
    steps, uses = np.broadcast_to(known[0], num_rows), []
    for use in layer.uses:
        given, zero = graph.tensor(TensorRef(use.op.subgraph, use.input)), None
        if given.type == schema.TensorType.INT8:
            zero = _quantization(given)
            if zero is None or zero[0].size != 1:
                return None
            zero = float(zero[0][0]), int(zero[1][0])
        elif given.type != schema.TensorType.FLOAT32 and not use.is_lookup:
            return None
        uses.append(dataclasses.replace(use, steps=steps, zero=zero, others=()))
    return dataclasses.replace(uses[0], others=tuple(uses[1:]))


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

"""Fused LSTMs as the loops that they stand for, whose layers can be seen one by one.

TensorFlow's converter makes one UNIDIRECTIONAL_SEQUENCE_LSTM of an LSTM of `tf_keras`. The same
computed by a WHILE has its matrices in FULLY_CONNECTED ops, with the same buffers. It is for
measuring alone: files keep their op.
"""

import copy
import dataclasses

import numpy as np

from keras_dc.compression.constants import find_constants
from keras_dc.compression.float_weights import find_float_weights
from keras_dc.tflite.graph import Graph, OpRef, TensorRef, code_index
from keras_dc.tflite.model_file import schema

_CODE = schema.BuiltinOperator
_TYPE = schema.TensorType
_FLOAT32, _FLOAT16, _INT32, _BOOL = _TYPE.FLOAT32, _TYPE.FLOAT16, _TYPE.INT32, _TYPE.BOOL
_GATES = 4
# Where a fused op has its input, the matrices and biases of gates, and what is not known here:
# peepholes, projections and normalization.
_X, _KERNELS, _RECURRENT, _BIASES = 0, 1, 5, 12
_UNKNOWN = (9, 10, 11, 16, 17, 20, 21, 22, 23)


def source_of(source):
    """A source with loops in place of the fused LSTMs that are known here.

    Args:
        source: `lossless.Source`; it is not changed.

    Returns:
        Source, whose buffers have the same indices; `source` itself if there is nothing to do.
    """
    halves = _halves(source.graph)
    numbers = [
        number
        for number, operator in enumerate(source.graph.model.subgraphs[0].operators)
        if _is_known(source.graph, number, operator, halves)
    ]
    if not numbers:
        return source
    model = copy.copy(source.graph.model)
    main = copy.copy(model.subgraphs[0])
    main.tensors = list(map(copy.copy, main.tensors))
    model.subgraphs, model.buffers = [main, *model.subgraphs[1:]], list(model.buffers)
    model.operatorCodes = list(model.operatorCodes)
    old, main.operators = main.operators, []
    for number, operator in enumerate(old):
        if number in numbers:
            _add_loop(model, operator, halves)
        else:
            main.operators.append(operator)
    _drop_unread(main, {int(t) for number in numbers for t in old[number].inputs}, halves)
    graph = Graph(model)
    constants, left = find_constants(graph)
    weights = find_float_weights(graph, constants)
    return dataclasses.replace(
        source, graph=graph, constants=constants, left=left, float_weights=weights
    )


def _halves(graph):
    """By what a DEQUANTIZE makes of a constant in half precision, that constant: dict of int."""
    found = {}
    for number, operator in enumerate(graph.model.subgraphs[0].operators):
        if graph.builtin(OpRef(0, number)) == _CODE.DEQUANTIZE:
            ref = TensorRef(0, int(operator.inputs[0]))
            if graph.tensor(ref).type == _FLOAT16 and graph.data(ref) is not None:
                found[int(operator.outputs[0])] = ref.tensor
    return found


def _drop_unread(main, given, halves):
    """Drop from the main subgraph what loops have now, of the tensors that fused ops were given."""
    read = {int(t) for operator in main.operators for t in operator.inputs}
    read.update(map(int, (*main.inputs, *main.outputs)))
    gone = {tensor for tensor in given & set(halves) if tensor not in read}
    main.operators = [o for o in main.operators if not gone.intersection(map(int, o.outputs))]
    read = {int(t) for operator in main.operators for t in operator.inputs} | set(main.inputs)
    for tensor in {*given, *(halves[tensor] for tensor in gone)} - read - {-1}:
        main.tensors[tensor].buffer = 0


def _is_known(graph, number, operator, halves):
    """Whether an op is a fused LSTM of the plainest kind, with constant matrices."""
    if graph.builtin(OpRef(0, number)) != _CODE.UNIDIRECTIONAL_SEQUENCE_LSTM:
        return False
    options, inputs = operator.builtinOptions, [int(tensor) for tensor in operator.inputs]
    matrices = range(_KERNELS, _KERNELS + 2 * _GATES)
    biases = range(_BIASES, _BIASES + _GATES)
    shape = graph.tensor(TensorRef(0, inputs[_X])).shapeSignature
    time = 0 if options.timeMajor else 1
    return (
        all(place >= len(inputs) or inputs[place] < 0 for place in _UNKNOWN)
        and all(
            inputs[place] in halves
            or (inputs[place] >= 0 and graph.data(TensorRef(0, inputs[place])) is not None)
            for place in (*matrices, *biases)
        )
        and options.fusedActivationFunction == schema.ActivationFunctionType.TANH
        and (shape is None or shape[time] > 0)
    )


class _Builder:
    """Adds tensors and ops to a subgraph of a model."""

    def __init__(self, model, subgraph):
        self._model, self.subgraph = model, subgraph

    def tensor(self, shape, dtype=_FLOAT32, buffer=0):
        self.subgraph.tensors.append(schema.TensorT(np.array(shape, np.int32), dtype, buffer))
        self.subgraph.tensors[-1].hasRank = True
        return len(self.subgraph.tensors) - 1

    def constant(self, values):
        values = np.array(values)
        self._model.buffers.append(schema.BufferT(values.reshape(-1).view(np.uint8)))
        dtype = _FLOAT32 if values.dtype == np.float32 else _INT32
        return self.tensor(values.shape, dtype, len(self._model.buffers) - 1)

    def copied(self, tensor):
        """The same constant as in another subgraph, as float32 if it is in half precision."""
        self.subgraph.tensors.append(copy.copy(tensor))
        index = len(self.subgraph.tensors) - 1
        return index if tensor.type != _FLOAT16 else self.op("DEQUANTIZE", [index], tensor.shape)

    def op(self, name, inputs, shape, *, dtype=_FLOAT32, output=None, **options):
        """Adds an op by its name in the schema: the index of its output, a tensor of the shape."""
        output = self.tensor(shape, dtype) if output is None else output
        self.ops(name, inputs, [output], **options)
        return output

    def ops(self, name, inputs, outputs, **options):
        code = getattr(_CODE, name)
        index = code_index(
            self._model, schema.OperatorCodeT(min(code, 127), version=1, builtinCode=code)
        )
        kind = _OPTIONS.get(name)
        given = None if kind is None else getattr(schema, f"{kind}T")(**options)
        number = 0 if kind is None else getattr(schema.BuiltinOptions, kind)
        inputs, outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        self.subgraph.operators.append(schema.OperatorT(index, inputs, outputs, number, given))


_OPTIONS = {
    "ADD": "AddOptions",
    "CONCATENATION": "ConcatenationOptions",
    "DYNAMIC_UPDATE_SLICE": "DynamicUpdateSliceOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "LESS": "LessOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "MUL": "MulOptions",
    "RESHAPE": "ReshapeOptions",
    "SUM": "ReducerOptions",
    "TRANSPOSE": "TransposeOptions",
    "WHILE": "WhileOptions",
}


def _add_loop(model, operator, halves):
    """Add to the main subgraph what computes the same as a fused op."""
    main, is_time_major = model.subgraphs[0], operator.builtinOptions.timeMajor
    build, turn = _Builder(model, main), [1, 0, 2]
    inputs = [int(tensor) for tensor in operator.inputs]
    x, output = inputs[_X], int(operator.outputs[0])
    shape = [int(size) for size in main.tensors[x].shape]
    if not is_time_major:
        shape = [shape[1], shape[0], shape[2]]
        x = build.op("TRANSPOSE", [x, build.constant(np.array(turn, np.int32))], shape)
    units = int(main.tensors[inputs[_RECURRENT]].shape[0])
    whole, state = [*shape[:2], units], [shape[1], units]
    # Zeros for as many examples as there are.
    last = build.constant(np.array([2], np.int32))
    ones = build.op("SUM", [x, last], [*shape[:2], 1], keepDims=True)
    outputs = build.op("MUL", [ones, build.constant(np.zeros((1, 1, units), np.float32))], whole)
    zero = build.constant(np.array(0, np.int32))
    first = build.op("GATHER", [outputs, zero], state)
    ends = [
        build.tensor((), _INT32),
        *(build.tensor(each) for each in (whole, state, state, shape)),
    ]
    if is_time_major:
        ends[1] = output
    numbers = {"condSubgraphIndex": len(model.subgraphs)}
    numbers["bodySubgraphIndex"] = numbers["condSubgraphIndex"] + 1
    build.ops("WHILE", [zero, outputs, first, first, x], ends, **numbers)
    if not is_time_major:
        turned = build.constant(np.array(turn, np.int32))
        build.op("TRANSPOSE", [ends[1], turned], main.tensors[output].shape, output=output)
    shapes = [((), _INT32), *((each, _FLOAT32) for each in (whole, state, state, shape))]
    _add_condition(model, shapes, shape[0])
    given = [main.tensors[halves.get(t, t)] if t >= 0 else None for t in inputs]
    _add_body(model, shapes, given, operator.builtinOptions.cellClip)


def _begin(model, shapes):
    subgraph = schema.SubGraphT([], [], [], [])
    model.subgraphs.append(subgraph)
    build = _Builder(model, subgraph)
    subgraph.inputs = [build.tensor(*each) for each in shapes]
    return build


def _add_condition(model, shapes, num_steps):
    build = _begin(model, shapes)
    inputs = [build.subgraph.inputs[0], build.constant(np.array(num_steps, np.int32))]
    build.subgraph.outputs = [build.op("LESS", inputs, (), dtype=_BOOL)]


def _add_body(model, shapes, given, clip):
    """One step of an LSTM (Hochreiter and Schmidhuber 1997); `given` are the fused op's tensors."""
    build = _begin(model, shapes)
    step, outputs, h, c, x = build.subgraph.inputs
    (_, (whole, _), (state, _), _, (shape, _)), sums = shapes, []
    now = build.op("GATHER", [x, step], shape[1:])
    for gate in range(_GATES):
        parts = [
            build.op("FULLY_CONNECTED", [values, *map(build.copied, weights)], state)
            for values, weights in (
                (now, [given[_KERNELS + gate], given[_BIASES + gate]]),
                (h, [given[_RECURRENT + gate]]),
            )
        ]
        sums.append(build.op("ADD", parts, state))
    entered, kept, shown = (build.op("LOGISTIC", [sums[gate]], state) for gate in (0, 1, 3))
    new = build.op("TANH", [sums[2]], state)
    products = [build.op("MUL", pair, state) for pair in ([kept, c], [entered, new])]
    c = build.op("ADD", products, state)
    if clip:
        c = build.op("MINIMUM", [c, build.constant(np.array(clip, np.float32))], state)
        c = build.op("MAXIMUM", [c, build.constant(np.array(-clip, np.float32))], state)
    h = build.op("MUL", [shown, build.op("TANH", [c], state)], state)
    place = build.op("RESHAPE", [step, build.constant(np.array([1], np.int32))], [1], dtype=_INT32)
    begin = [place, build.constant(np.array([0, 0], np.int32))]
    begin = build.op("CONCATENATION", begin, [3], dtype=_INT32, axis=0)
    row = build.op("EXPAND_DIMS", [h, build.constant(np.array(0, np.int32))], [1, *state])
    outputs = build.op("DYNAMIC_UPDATE_SLICE", [outputs, row, begin], whole)
    step = build.op("ADD", [step, build.constant(np.array(1, np.int32))], (), dtype=_INT32)
    build.subgraph.outputs = [step, outputs, h, c, x]

"""How much the outputs of a model depend on each channel of each layer.

Outputs are weighed at random, and the gradient of the sum is taken back through the graph: the
mean of its squares tells how far the outputs move, in the square, when a channel does (the diagonal
of a Gauss-Newton matrix). A layer whose way to the outputs has an op without gradient is weighed by
its own outputs alone.
"""

import dataclasses

import numpy as np

from keras_dc.post_training.reconstruction import backward_ops
from keras_dc.post_training.reconstruction.parts import Part, ops_between, tensors_before
from keras_dc.tflite.graph import OpRef, TensorRef
from keras_dc.tflite.model_file import schema

_MOST_RUNS = 32
_LEAST_SHARE = 0.01


def measure(graph, layers, runs, seed, **options):
    """The weight of each channel of each layer.

    Args:
        graph: `tflite.graph.Graph` of the model.
        layers: list of `layers.Layer`.
        runs: list of dicts from the inputs of the main subgraph to arrays.
        seed: int.
        **options: of `keras_dc.Interpreter`.

    Returns:
        list of Importance, one for each layer. The sum over places and channels of weight times
        squared change is what the outputs of the model change for a sample, in the square, over
        what they are in the square.
    """
    main = graph.model.subgraphs[0]
    outputs = _ends(graph)
    numbers = ops_between(graph, set(map(int, main.inputs)), outputs)
    inner = tensors_before(graph, len(main.operators)) - set(map(int, main.inputs))
    wanted = sorted(inner & {t for n in numbers for t in _tensors(graph, n)} | set(outputs))
    part = Part(graph, list(map(int, main.inputs)), wanted, **options)
    rng = np.random.default_rng([seed, 1])
    chosen = runs[:: -(-len(runs) // _MOST_RUNS)]
    blocked: set = set()
    sums = _Sums()
    energies = _energies(part, outputs, chosen)
    for run in chosen:
        values = {**run, **part(run)}
        gradient = {
            tensor: rng.standard_normal(values[tensor].shape, np.float32) / np.float32(scale)
            for tensor, scale in energies.items()
            if values[tensor].dtype == np.float32
        }
        for number, back in _way_back(graph, numbers, values, gradient, blocked):
            sums.add(number, back)
        for layer in layers:
            output = _dequantized(graph, layer.output, values[layer.output])
            sums.add_output(layer.op.operator, output)
    return [sums.importance(layer, layer.op.operator in blocked) for layer in layers]


def _ends(graph):
    """The outputs of a model; of a softmax its input, whatever is likely on these samples."""
    makers = {
        int(tensor): operator
        for number, operator in enumerate(graph.model.subgraphs[0].operators)
        for tensor in operator.outputs
        if graph.builtin(OpRef(0, number)) == schema.BuiltinOperator.SOFTMAX
    }
    ends = []
    for tensor in map(int, graph.model.subgraphs[0].outputs):
        ends.append(int(makers[tensor].inputs[0]) if tensor in makers else tensor)
    return list(dict.fromkeys(ends))


def _energies(part, outputs, runs):
    """By output, what to divide it by so that all outputs together have the square 1."""
    squares = dict.fromkeys(outputs, 0.0)
    for run in runs:
        values = {**run, **part(run)}
        for tensor in outputs:
            squares[tensor] += float(np.sum(np.square(values[tensor], dtype=np.float64)))
    return {
        tensor: np.sqrt(max(square / len(runs), 1e-30) * len(outputs))
        for tensor, square in squares.items()
    }


@dataclasses.dataclass(frozen=True)
class Importance:
    """How much outputs depend on a layer.

    Attributes:
        weights: float64 array `(outputs,)`, of each channel.
        coherence: float, what a change that all places of a sample share counts, over the same
            changes of either sign.
        is_measured: whether they come from gradients.
    """

    weights: np.ndarray
    coherence: float
    is_measured: bool


class _Sums:
    """Squares of gradients and outputs by the number of the op, over all runs."""

    def __init__(self):
        self._squares, self._coherent, self._outputs = {}, {}, {}
        self._counts = {}

    def add(self, number, back):
        axes = tuple(range(back.ndim - 1))
        square = np.mean(np.square(back, dtype=np.float64), axis=axes)
        places = back.size // back.shape[-1] if back.ndim else 1
        common = np.square(np.sum(back, axis=axes, dtype=np.float64)) / places
        self._squares[number] = self._squares.get(number, 0.0) + square
        self._coherent[number] = self._coherent.get(number, 0.0) + float(np.sum(common))
        self._counts[number] = self._counts.get(number, 0) + 1

    def add_output(self, number, output):
        square = float(np.sum(np.square(output, dtype=np.float64)))
        total, runs = self._outputs.get(number, (0.0, 0))
        self._outputs[number] = total + square, runs + 1

    def importance(self, layer, is_blocked):
        number = layer.op.operator
        squares = self._squares.get(number)
        if is_blocked or squares is None or not np.any(squares > 0):
            total, runs = self._outputs[number]
            channels = layer.rows().shape[0]
            return Importance(np.full(channels, runs / max(total, 1e-30)), 1.0, False)
        weights = squares / self._counts[number]
        coherence = self._coherent[number] / float(np.sum(squares))
        return Importance(np.maximum(weights, _LEAST_SHARE * weights.mean()), coherence, True)


def _tensors(graph, number):
    """The tensors of an op."""
    operator = graph.operator(OpRef(0, number))
    return [*(int(t) for t in operator.inputs if t >= 0), *map(int, operator.outputs)]


def _way_back(graph, numbers, values, gradient, blocked):
    """Yield the number of each op and the gradient of its output before its activation."""
    for number in reversed(numbers):
        ref = OpRef(0, number)
        operator, builtin = graph.operator(ref), graph.builtin(ref)
        output = int(operator.outputs[0])
        back = gradient.pop(output, None)
        if len(operator.outputs) > 1 or back is None:
            _block(graph, numbers, number, blocked)
            continue
        inner = backward_ops.before_activation(operator.builtinOptions, values[output], back)
        if inner is not None:
            yield number, inner
        inputs = [None if t < 0 else _value(graph, int(t), values) for t in operator.inputs]
        if any(t >= 0 and value is None for t, value in zip(operator.inputs, inputs)):
            _block(graph, numbers, number, blocked)
            continue
        op = backward_ops.Op(operator.builtinOptions, inputs, values[output])
        backs = backward_ops.gradients(builtin, op, back)
        if backs is None:
            _block(graph, numbers, number, blocked)
            continue
        for tensor, each in zip(operator.inputs, backs):
            if each is not None and int(tensor) in values:
                known = gradient.get(int(tensor))
                gradient[int(tensor)] = each if known is None else known + each


def _block(graph, numbers, number, blocked):
    """Mark all ops that an op without gradient depends on."""
    if number in blocked:
        return
    operator = graph.operator(OpRef(0, number))
    blocked.update(ops_between(graph, set(), [int(t) for t in operator.inputs if t >= 0]))
    blocked.add(number)


_STORAGE = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
}


def _value(graph, tensor, values):
    """The values of a tensor, in a run or constant; None if they are not known."""
    if tensor in values:
        return values[tensor]
    ref = TensorRef(0, tensor)
    data, dtype = graph.data(ref), _STORAGE.get(graph.tensor(ref).type)
    if data is None:
        for number, operator in enumerate(graph.model.subgraphs[0].operators):
            is_half = graph.builtin(OpRef(0, number)) == schema.BuiltinOperator.DEQUANTIZE
            if is_half and tensor in operator.outputs:
                half = _value(graph, int(operator.inputs[0]), values)
                is_half = half is not None and half.dtype == np.float16
                return half.astype(np.float32) if is_half else None
        return None
    if dtype is None or graph.tensor(ref).sparsity is not None:
        return None
    shape = graph.tensor(ref).shape
    return _dequantized(graph, tensor, data.view(dtype).reshape(() if shape is None else shape))


def _dequantized(graph, tensor, values):
    """The numbers that int8 values of a tensor stand for; others as they are."""
    quantization = graph.tensor(TensorRef(0, tensor)).quantization
    if values.dtype != np.int8 or quantization is None or quantization.scale is None:
        return values
    sizes = [1] * values.ndim
    if len(quantization.scale) > 1:
        sizes[quantization.quantizedDimension] = -1
    points = 0 if quantization.zeroPoint is None else quantization.zeroPoint[0]
    scales = np.reshape(quantization.scale, sizes).astype(np.float32)
    return scales * (values.astype(np.float32) - np.float32(points))

"""How much the outputs of a model depend on each channel of each layer.

Outputs are weighed at random, and the gradient of the sum is taken back through the graph: the
mean of its squares tells how far the outputs move, in the square, when a channel does (the diagonal
of a Gauss-Newton matrix). A layer whose way to the outputs has an op without gradient is weighed by
its own outputs alone.
"""

import dataclasses

import numpy as np

from keras_dc.post_training.reconstruction import way_back
from keras_dc.post_training.reconstruction.chance import drawn_together
from keras_dc.post_training.reconstruction.parts import Part, ops_between, tensors_before
from keras_dc.post_training.reconstruction.values import dequantized
from keras_dc.tflite.graph import OpRef, TensorRef
from keras_dc.tflite.model_file import schema

# Gradients that are taken: more where they are cheap, which costs of an op's start tell, too.
_LEAST_PASSES, _MOST_PASSES = 32, 256
_MOST_BYTES, _OP_BYTES = 1.5e9, 2**14
_LEAST_SHARE = 0.01


def measure(graph, uses, runs, seed, **options):
    """The weight of each channel of each op that has weights.

    Args:
        graph: `tflite.graph.Graph` of the model.
        uses: list of `layers.Layer`.
        runs: list of dicts from the inputs of the main subgraph to arrays.
        seed: int.
        **options: of `keras_dc.Interpreter`.

    Returns:
        list of Importance, one for each; None of one in a loop that does not run. The sum over
        places and channels of weight times squared change is what the outputs of the model change
        for a sample, in the square, over what they are in the square.
    """
    main = graph.model.subgraphs[0]
    outputs = _ends(graph)
    numbers = ops_between(graph, set(map(int, main.inputs)), outputs)
    inner = tensors_before(graph, len(main.operators)) - set(map(int, main.inputs))
    traces = {
        number: way_back.Trace(graph, number, [use for use in uses if use.loop == number], options)
        for number in sorted({use.loop for use in uses} - {None})
    }
    starts = {tensor for trace in traces.values() for tensor in trace.given}
    read = {tensor for number in numbers for tensor in _tensors(graph, number)}
    wanted = sorted({*(inner & read), *outputs, *(starts - set(map(int, main.inputs)))})
    part = Part(graph, list(map(int, main.inputs)), wanted, **options)
    num_passes = _num_passes(part, runs[0], traces, len(numbers))
    chosen = runs[:: -(-len(runs) // num_passes)]
    energies = _energies(Part(graph, list(map(int, main.inputs)), outputs, **options), chosen)
    rng, sums = np.random.default_rng([seed, 1]), _Sums()
    walk = way_back.Walk(graph, numbers, traces)
    for run in chosen:
        values = {**run, **part(run)}
        for trace in traces.values():
            trace.run(values, sums)
        for use in uses:
            if use.loop is None:
                ref = TensorRef(0, use.output)
                sums.add_output(use.key, dequantized(graph, ref, values[use.output]))
        for _ in range(num_passes // len(chosen)):
            gradient = {
                tensor: rng.standard_normal(values[tensor].shape, np.float32) / np.float32(scale)
                for tensor, scale in energies.items()
                if values[tensor].dtype == np.float32
            }
            for key, back in walk.gradients(values, gradient):
                sums.add(key, back)
    return [sums.importance(use, use.number in walk.blocked) for use in uses]


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


def _num_passes(part, run, traces, num_ops):
    """How many gradients to take: int."""
    values = {**run, **part(run)}
    size = sum(each.nbytes for each in values.values()) + _OP_BYTES * num_ops
    for trace in traces.values():
        trace.run(values, _Sums())
        size += trace.size_bytes + _OP_BYTES * trace.num_ops
    return int(np.clip(_MOST_BYTES // size, _LEAST_PASSES, _MOST_PASSES))


def _energies(part, runs):
    """By output, what to divide it by so that all outputs together have the square 1."""
    squares: dict = {}
    for run in runs:
        for tensor, values in part(run).items():
            square = float(np.sum(np.square(values, dtype=np.float64)))
            squares[tensor] = squares.get(tensor, 0.0) + square
    return {
        tensor: np.sqrt(max(square / len(runs), 1e-30) * len(squares))
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
    """Squares of gradients and outputs by the key of the op, over all runs."""

    def __init__(self):
        self._squares, self._fourth, self._coherent, self._outputs = {}, {}, {}, {}
        self._counts = {}

    def add(self, key, back):
        axes = tuple(range(back.ndim - 1))
        square = np.mean(np.square(back, dtype=np.float64), axis=axes)
        places = back.size // back.shape[-1] if back.ndim else 1
        common = np.square(np.sum(back, axis=axes, dtype=np.float64)) / places
        self._squares[key] = self._squares.get(key, 0.0) + square
        self._fourth[key] = self._fourth.get(key, 0.0) + np.square(square)
        self._coherent[key] = self._coherent.get(key, 0.0) + float(np.sum(common))
        self._counts[key] = self._counts.get(key, 0) + 1

    def add_output(self, key, output):
        """Add what an op computed in a run, or in a loop of it."""
        square = float(np.sum(np.square(output, dtype=np.float64)))
        total, runs = self._outputs.get(key, (0.0, 0))
        self._outputs[key] = total + square, runs + 1

    def importance(self, use, is_blocked):
        squares = self._squares.get(use.key)
        if use.key not in self._outputs:
            return None
        if is_blocked or squares is None or not np.any(squares > 0):
            total, runs = self._outputs[use.key]
            channels = use.shape[1] if use.is_lookup else use.shape[0]
            return Importance(np.full(channels, runs / max(total, 1e-30)), 1.0, False)
        count = self._counts[use.key]
        weights = drawn_together(squares / count, self._fourth[use.key] / count, count)
        coherence = self._coherent[use.key] / float(np.sum(squares))
        return Importance(np.maximum(weights, _LEAST_SHARE * weights.mean()), coherence, True)


def _tensors(graph, number):
    """The tensors of an op."""
    operator = graph.operator(OpRef(0, number))
    return [*(int(t) for t in operator.inputs if t >= 0), *map(int, operator.outputs)]

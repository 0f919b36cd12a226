"""WHILE ops that are stepped from outside, so that what is computed inside can be read."""

import copy

import numpy as np

from keras_dc.post_training.reconstruction.parts import Part
from keras_dc.tflite.graph import Graph, OpRef
from keras_dc.tflite.model_file import schema

_CODE = schema.BuiltinOperator
# What a subgraph cannot have that runs as a model of its own, step by step.
_STATE = (_CODE.VAR_HANDLE, _CODE.READ_VARIABLE, _CODE.ASSIGN_VARIABLE)


def loops_of(graph, subgraph):
    """The loops that a subgraph is the body of.

    Args:
        graph: `tflite.graph.Graph`.
        subgraph: int, not the main one.

    Returns:
        list of int, the WHILE ops of the main subgraph; or a str, why it cannot be stepped.
    """
    numbers = []
    for ref in graph.ops:
        if subgraph not in _called(graph, ref):
            continue
        options = graph.operator(ref).builtinOptions
        is_body = graph.builtin(ref) == _CODE.WHILE and options.bodySubgraphIndex == subgraph
        if ref.subgraph or not is_body:
            return "it is in a subgraph that is called otherwise than by a loop of the main one"
        for index in _called(graph, ref):
            inner = [OpRef(index, n) for n in range(len(graph.model.subgraphs[index].operators))]
            if any(_called(graph, each) for each in inner):
                return "its loop calls other subgraphs"
            if any(graph.builtin(each) in _STATE for each in inner):
                return "its loop has variables"
        numbers.append(ref.operator)
    return numbers or "it is in a subgraph that samples do not run"


def _called(graph, ref):
    """The subgraphs that an op calls: set of int."""
    options = graph.operator(ref).builtinOptions
    values = {} if options is None else vars(options)
    names = [name for name in values if name.lower().endswith(("subgraphindex", "subgraph"))]
    return {values[name] for name in names}


def alone(graph, subgraph):
    """A subgraph as the main and only one of a model, with the same buffers: Graph."""
    model = copy.copy(graph.model)
    model.subgraphs = [graph.model.subgraphs[subgraph]]
    return Graph(model)


class Loop:
    """A WHILE op of the main subgraph, step by step.

    Args:
        graph: `tflite.graph.Graph`.
        number: int, of the op.
        wanted: list of int, tensors of the body.
        replaced: see Part.
        **options: of `keras_dc.Interpreter`.

    Attributes:
        given: list of int, the tensors of the main subgraph that it starts with.
        body: Graph of the body alone.

    Raises:
        RuntimeError, ValueError: if no runtime here runs it.
    """

    def __init__(self, graph, number, wanted, replaced=None, **options):
        operator = graph.operator(OpRef(0, number))
        self.given, self._wanted = list(map(int, operator.inputs)), list(wanted)
        self.body = alone(graph, operator.builtinOptions.bodySubgraphIndex)
        condition = alone(graph, operator.builtinOptions.condSubgraphIndex)
        self._inputs, self._outputs = ends_of(self.body)
        self._step = Part(self.body, self._inputs, [*self._outputs, *wanted], replaced, **options)
        self._asked, [self._answer] = ends_of(condition)
        self._condition = Part(condition, self._asked, [self._answer], replaced, **options)

    def steps(self, values):
        """Run it.

        Args:
            values: dict from each tensor that it starts with to an array.

        Yields:
            for each step, a dict from each tensor that is wanted to an array.
        """
        state = [values[tensor] for tensor in self.given]
        while np.all(self._condition(dict(zip(self._asked, state)))[self._answer]):
            found = self._step(dict(zip(self._inputs, state)))
            yield {tensor: found[tensor] for tensor in self._wanted}
            state = [found[tensor] for tensor in self._outputs]

    def length(self, values):
        """The number of steps."""
        return sum(1 for _ in self.steps(values))


def joined(loops, values, most_bytes):
    """The tensors that are wanted of loops that run side by side, until the first of them ends.

    Args:
        loops: list of Loop that want the same tensors.
        values: list of what `Loop.steps` takes, one for each.
        most_bytes: int; beyond it every second step is left out, and so on.

    Returns:
        tuple of a list of dicts from each tensor to an array, the values of all steps along its
        first axis; and a float, how many steps each of those that are there stands for. None
        without a step.
    """
    kept: list = []
    every, size, count = 1, 0, 0
    for count, found in enumerate(zip(*map(Loop.steps, loops, values)), 1):
        if (count - 1) % every:
            continue
        kept.append(found)
        size += _size(found)
        if size > most_bytes and len(kept) > 1:
            kept, every = kept[::2], 2 * every
            size = sum(map(_size, kept))
    if not kept:
        return None
    return [
        {
            tensor: np.concatenate([_with_batch(step[tensor]) for step in steps])
            for tensor in steps[0]
        }
        for steps in zip(*kept)
    ], count / len(kept)


def _size(found):
    return sum(each.nbytes for values in found for each in values.values())


def _with_batch(values):
    return values if values.ndim > 1 else values[None]


def ends_of(graph):
    """The inputs and outputs of the main subgraph: two lists of int."""
    main = graph.model.subgraphs[0]
    return list(map(int, main.inputs)), list(map(int, main.outputs))

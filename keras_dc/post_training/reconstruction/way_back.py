"""Gradients of a run of a model, taken back from its outputs op by op, through loops, too."""

import numpy as np

from keras_dc.post_training.reconstruction import backward_ops
from keras_dc.post_training.reconstruction.loops import Loop, ends_of
from keras_dc.post_training.reconstruction.parts import ops_between, tensors_before
from keras_dc.post_training.reconstruction.values import dequantized, known
from keras_dc.tflite.graph import OpRef, TensorRef

# What is kept of all steps of a loop; of one that is longer there are no gradients.
_MOST_TRACED_BYTES = 2**28


class Walk:
    """Takes gradients back through the main subgraph of a graph.

    Args:
        graph: `tflite.graph.Graph`.
        numbers: list of int, the ops to pass, in the order of the file.
        traces: dict from the number of a WHILE op to a Trace.

    Attributes:
        blocked: set of int, the ops before one without a gradient, of which gradients say too
            little; they are known once runs were walked.
    """

    def __init__(self, graph, numbers, traces=None):
        self._graph, self._numbers, self._traces = graph, numbers, traces or {}
        self.blocked: set = set()
        self._constants: dict = {}

    def gradients(self, values, gradient):
        """Walk.

        Args:
            values: dict from tensors to arrays, all that was computed in a run.
            gradient: dict from some tensors to arrays like them; others are added to it.

        Yields:
            the key of an op, as `layers.Layer` has it, and the gradient of its output before its
            activation.
        """
        for number in reversed(self._numbers):
            operator = self._graph.operator(OpRef(0, number))
            outputs = [int(tensor) for tensor in operator.outputs]
            backs = [gradient.pop(tensor, None) for tensor in outputs]
            if all(back is None for back in backs):
                continue
            is_loop = number in self._traces
            if is_loop:
                found, backs = self._traces[number].gradients(backs)
                yield from found
            else:
                inner = backward_ops.before_activation(
                    operator.builtinOptions, values[outputs[0]], backs[0]
                )
                if inner is not None and len(outputs) == 1:
                    yield (-1, number), inner
                backs = self._backs(number, operator, values, backs)
            if backs is None:
                self._block([int(t) for t in operator.inputs if t >= 0], number)
                continue
            for tensor, back in zip(map(int, operator.inputs), backs):
                if not _is_float(values.get(tensor)):
                    continue
                if back is not None:
                    _add(gradient, tensor, back)
                elif not is_loop:  # of which all is known, and this is zero
                    self._block([tensor])

    def _backs(self, number, operator, values, backs):
        """The gradients of the inputs of an op: list, None if they are not known."""
        inputs = [None if t < 0 else self._value(int(t), values) for t in operator.inputs]
        if any(t >= 0 and value is None for t, value in zip(operator.inputs, inputs)):
            return None
        # Only what is computed has a use for gradients.
        if not any(_is_float(values.get(int(t))) for t in operator.inputs):
            return [None] * len(inputs)
        outputs = [values[int(tensor)] for tensor in operator.outputs]
        op = backward_ops.Op(operator.builtinOptions, inputs, outputs[0], tuple(outputs[1:]))
        return backward_ops.gradients(self._graph.builtin(OpRef(0, number)), op, *backs)

    def _block(self, tensors, number=None):
        """Mark the ops that tensors depend on, and one more."""
        if number is not None:
            if number in self.blocked:
                return
            self.blocked.add(number)
        self.blocked.update(ops_between(self._graph, set(), tensors))

    def _value(self, tensor, values):
        """The values of a tensor, in a run or constant; None if they are not known."""
        if tensor in values:
            return values[tensor]
        if tensor not in self._constants:
            self._constants[tensor] = known(self._graph, tensor)
        return self._constants[tensor]


def _add(gradient, tensor, back):
    gradient[tensor] = gradient[tensor] + back if tensor in gradient else back


def _is_float(values):
    return values is not None and values.dtype == np.float32


class Trace:
    """A WHILE op whose steps are kept, so that gradients can be taken back through them.

    Args:
        graph: `tflite.graph.Graph` of the model.
        number: int, of the op.
        uses: list of `layers.Layer`, those in its body.
        options: dict, of `keras_dc.Interpreter`.

    Attributes:
        given: list of int, see Loop.
        size_bytes: int, what the last run keeps.
        num_ops: int, which it passes.
    """

    def __init__(self, graph, number, uses, options):
        self._number, self._uses, self._steps = number, uses, None
        self.size_bytes = self.num_ops = 0
        body = Loop(graph, number, [], **options).body
        self._inputs, self._outputs = ends_of(body)
        self._body, numbers = body, ops_between(body, set(self._inputs), self._outputs)
        made = tensors_before(body, len(body.model.subgraphs[0].operators))
        read = {
            int(t)
            for n in numbers
            for t in (*body.operator(OpRef(0, n)).inputs, *body.operator(OpRef(0, n)).outputs)
        }
        wanted = sorted({*self._inputs, *(made & read), *(use.output for use in uses)})
        self._loop = Loop(graph, number, wanted, **options)
        self._walk, self._numbers, self.given = Walk(body, numbers), numbers, self._loop.given

    def run(self, values, sums):
        """Run it on what a run of the model starts it with.

        Args:
            values: dict from tensors of the main subgraph to arrays, `given` among them.
            sums: gets what each op of `uses` computes, if there is a step.
        """
        self._steps, self.size_bytes, self.num_ops = [], 0, 0
        squares: dict = {}
        before: set = set()
        for step in self._loop.steps(values):
            for use in self._uses:
                output = dequantized(self._body, TensorRef(0, use.output), step[use.output])
                square = float(np.sum(np.square(output, dtype=np.float64)))
                squares[use.key] = squares.get(use.key, 0.0) + square
            self.num_ops += len(self._numbers)
            # What a loop only passes on is there once.
            self.size_bytes += sum(v.nbytes for v in step.values() if id(v) not in before)
            before = set(map(id, step.values()))
            if self.size_bytes > _MOST_TRACED_BYTES:
                self._steps = None
            elif self._steps is not None:
                self._steps.append(step)
        for key, square in squares.items():
            sums.add_output(key, np.sqrt(square))

    def gradients(self, backs):
        """Take gradients of the outputs of the op back through all steps.

        Args:
            backs: list of arrays or None.

        Returns:
            tuple of a list of what `Walk.gradients` yields, and a list of the gradients of the
            inputs of the op; None if they are not known.
        """
        if self._steps is None:
            return [], None
        found: dict = {}
        for values in reversed(self._steps):
            gradient: dict = {}
            for tensor, back in zip(self._outputs, backs):
                if back is not None:
                    _add(gradient, tensor, back)
            for (_, number), inner in self._walk.gradients(values, gradient):
                found.setdefault((self._number, number), []).append(inner)
            backs = [gradient.get(tensor) for tensor in self._inputs]
        if self._walk.blocked:
            return [], None
        return [(key, _joined(each, len(self._steps))) for key, each in found.items()], backs


def _joined(backs, num_steps):
    """Gradients of all steps, one after the other; those that are missing are zero."""
    backs = [back if back.ndim > 1 else back[None] for back in backs]
    backs += [np.zeros_like(backs[0])] * (num_steps - len(backs))
    return np.concatenate(backs)

"""Parts of a model, from some tensors to others, run in an interpreter."""

import copy
import warnings

import numpy as np

from keras_dc.post_training.reconstruction import values as values_of
from keras_dc.runtime.interpreter import Interpreter
from keras_dc.tflite import compact_writer
from keras_dc.tflite.graph import OpRef
from keras_dc.tflite.model_file import schema


def ops_between(graph, given, wanted):
    """The operators of the main subgraph that compute some tensors from others.

    Args:
        graph: `tflite.graph.Graph`.
        given: set of int, tensors that are known.
        wanted: iterable of int, tensors to compute.

    Returns:
        list of int, operators in the order of the file.
    """
    makers = {
        int(tensor): number
        for number, operator in enumerate(graph.model.subgraphs[0].operators)
        for tensor in operator.outputs
    }
    found: set = set()
    left = [int(tensor) for tensor in wanted]
    while left:
        tensor = left.pop()
        number = makers.get(tensor)
        if tensor in given or number is None or number in found:
            continue
        found.add(number)
        left += [ref.tensor for ref in graph.inputs(OpRef(0, number))]
    return sorted(found)


def tensors_before(graph, number):
    """What is computed from the inputs of the model before an op, and the inputs: set of int.

    What comes of constants alone, as of a DEQUANTIZE, is not among them.

    Args:
        graph: `tflite.graph.Graph`.
        number: int, of the operator in the main subgraph; their number for all.
    """
    main = graph.model.subgraphs[0]
    made = {int(tensor) for tensor in main.inputs}
    for operator in main.operators[:number]:
        if made.intersection(map(int, operator.inputs)):
            made.update(map(int, operator.outputs))
    return made


class Part:
    """What a model computes of some tensors from others, as a function.

    Args:
        graph: `tflite.graph.Graph`; its model is not changed.
        given: list of int, the tensors of the main subgraph that are inputs.
        wanted: list of int, those that are outputs.
        replaced: dict from the index of a buffer to a uint8 array, its other values.
        **options: of `keras_dc.Interpreter`.

    Raises:
        RuntimeError, ValueError: if no runtime here runs it.
    """

    def __init__(self, graph, given, wanted, replaced=None, **options):
        self._given, self._wanted = list(given), list(dict.fromkeys(wanted))
        # What is given or constant need not be computed.
        constants = {
            tensor: values_of.known(graph, tensor, replaced)
            for tensor in self._wanted
            if tensor not in self._given
        }
        self._constants = {key: each for key, each in constants.items() if each is not None}
        self._computed = [
            tensor
            for tensor in self._wanted
            if tensor not in self._given and tensor not in self._constants
        ]
        self._interpreter = None
        if self._computed:
            numbers = _with_variables(graph, ops_between(graph, set(self._given), self._computed))
            read = {ref.tensor for number in numbers for ref in graph.inputs(OpRef(0, number))}
            self._given = [tensor for tensor in self._given if tensor in read]
            content = _content(graph, numbers, self._given, self._computed, replaced or {})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tf.lite warns that it is deprecated
                self._interpreter = Interpreter(model_content=content, **options)
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
            self._inputs = [detail["index"] for detail in inputs]
            self._outputs = [detail["index"] for detail in outputs]
            self._shapes = None

    def __call__(self, values):
        """Run it.

        Args:
            values: dict from each tensor that is given to an array.

        Returns:
            dict from each tensor that is wanted to an array.
        """
        found = {tensor: values[tensor] for tensor in self._wanted if tensor in values}
        found.update(self._constants)
        if self._interpreter is None:
            return found
        shapes = [values[tensor].shape for tensor in self._given]
        if shapes != self._shapes:
            for index, shape in zip(self._inputs, shapes):
                self._interpreter.resize_tensor_input(index, shape)
            self._interpreter.allocate_tensors()
            self._shapes = shapes
        for index, tensor in zip(self._inputs, self._given):
            self._interpreter.set_tensor(index, values[tensor])
        self._interpreter.invoke()
        for index, tensor in zip(self._outputs, self._computed):
            found[tensor] = _output(self._interpreter, index)
        return found


def _output(interpreter, index):
    try:
        return np.asarray(interpreter.get_tensor(index))
    except ValueError:
        # Of a tensor without values, such as what a loop has gathered before its first step.
        [detail] = (each for each in interpreter.get_output_details() if each["index"] == index)
        if np.all(detail["shape"]):
            raise
        return np.zeros(detail["shape"], detail["dtype"])


def _with_variables(graph, numbers):
    """Operators of a part, with those that give variables their first values if it reads them.

    None of a part writes them, so that each run is the first one.
    """
    main = graph.model.subgraphs[0]
    kinds = {number: graph.builtin(OpRef(0, number)) for number in range(len(main.operators))}
    if all(kinds[number] != schema.BuiltinOperator.READ_VARIABLE for number in numbers):
        return numbers
    first = [n for n, kind in kinds.items() if kind == schema.BuiltinOperator.CALL_ONCE]
    return sorted({*first, *numbers})


def _content(graph, numbers, given, wanted, replaced):
    """The bytes of the model of a part, whose operators have these numbers."""
    model = copy.copy(graph.model)
    main = copy.copy(model.subgraphs[0])
    main.operators = [main.operators[number] for number in numbers]
    main.inputs = np.array(given, np.int32)
    main.outputs = np.array(wanted, np.int32)
    model.subgraphs = [main, *model.subgraphs[1:]]
    model.signatureDefs, model.metadata, model.metadataBuffer = [], [], []
    read = {
        graph.tensor(ref).buffer for number in numbers for ref in graph.inputs(OpRef(0, number))
    }
    for subgraph in model.subgraphs[1:]:
        read.update(tensor.buffer for tensor in subgraph.tensors)
    model.buffers = [
        schema.BufferT(data=replaced.get(index, buffer.data) if index in read else None)
        for index, buffer in enumerate(model.buffers)
    ]
    return compact_writer.write(model)

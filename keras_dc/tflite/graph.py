"""One index over a TFLite model: who reads each tensor, and which tensors have each buffer."""

import collections
from typing import NamedTuple

from keras_dc.tflite.model_file import schema

_OP_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


class TensorRef(NamedTuple):
    """A tensor by its indices: of the subgraph, and of the tensor in it."""

    subgraph: int
    tensor: int


class OpRef(NamedTuple):
    """An operator by its indices: of the subgraph, and of the operator in it."""

    subgraph: int
    operator: int


class Read(NamedTuple):
    """One use of a tensor: the operator that reads it, and at which of its inputs."""

    op: OpRef
    position: int


class Graph:
    """A model seen by its tensors and operators.

    The index is made once: after an edit of the model it describes the model before.

    Attributes:
        model: `schema.ModelT`.
        ops: list of OpRef, every operator in the order of the file.
    """

    def __init__(self, model):
        self.model = model
        self.ops = []
        self._readers = collections.defaultdict(list)
        self._tensors = collections.defaultdict(list)
        for place, subgraph in enumerate(model.subgraphs):
            for index, tensor in enumerate(subgraph.tensors):
                self._tensors[tensor.buffer].append(TensorRef(place, index))
            for number, operator in enumerate(subgraph.operators):
                ref = OpRef(place, number)
                self.ops.append(ref)
                for position, index in enumerate(operator.inputs):
                    if index >= 0:
                        self._readers[place, int(index)].append(Read(ref, position))
        self._inputs = self._ends("inputs")
        self._outputs = self._ends("outputs")

    def _ends(self, kind):
        return {
            (place, int(index))
            for place, subgraph in enumerate(self.model.subgraphs)
            for index in getattr(subgraph, kind)
        }

    def readers(self, tensor):
        """All reads of a TensorRef: tuple of Read, in the order of the operators."""
        return tuple(self._readers.get(tensor, ()))

    def tensors_of(self, buffer):
        """The tensors that have a buffer: tuple of TensorRef."""
        return tuple(self._tensors.get(buffer, ()))

    def is_input(self, tensor):
        """Whether a TensorRef is an input of its subgraph."""
        return tensor in self._inputs

    def is_output(self, tensor):
        """Whether a TensorRef is an output of its subgraph."""
        return tensor in self._outputs

    def tensor(self, ref):
        """The `schema.TensorT` of a TensorRef."""
        return self.model.subgraphs[ref.subgraph].tensors[ref.tensor]

    def operator(self, ref):
        """The `schema.OperatorT` of an OpRef."""
        return self.model.subgraphs[ref.subgraph].operators[ref.operator]

    def code(self, ref):
        """The `schema.OperatorCodeT` of an OpRef."""
        return self.model.operatorCodes[self.operator(ref).opcodeIndex]

    def builtin(self, ref):
        """The schema's number of the op of an OpRef."""
        return builtin_code(self.code(ref))

    def op_name(self, ref):
        """The name of the op of an OpRef, see `operator_name`."""
        return operator_name(self.code(ref))

    def name(self, ref):
        """The name of a TensorRef as str, "" if it has none."""
        return tensor_name(self.tensor(ref))

    def inputs(self, ref):
        """The inputs of an OpRef that are there: list of TensorRef."""
        return [TensorRef(ref.subgraph, int(i)) for i in self.operator(ref).inputs if i >= 0]

    def output(self, ref, position=0):
        """TensorRef of an output of an OpRef, None if there is none."""
        outputs = self.operator(ref).outputs
        return TensorRef(ref.subgraph, int(outputs[position])) if position < len(outputs) else None

    def data(self, ref):
        """The bytes of the buffer of a TensorRef: uint8 array, None if it has no values."""
        data = self.model.buffers[self.tensor(ref).buffer].data
        return data if data is not None and len(data) else None


def code_index(model, code):
    """Index of an operator code in a model, to which it is added if it is new.

    Args:
        model: `schema.ModelT`.
        code: `schema.OperatorCodeT`.

    Returns:
        int.
    """
    for index, known in enumerate(model.operatorCodes):
        if vars(known) == vars(code):
            return index
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def builtin_code(code):
    """The schema's number of an operator; old files have only the 8-bit field."""
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def operator_name(code):
    """The name of an operator code: that of the custom op, or the schema's own.

    Args:
        code: `schema.OperatorCodeT`.

    Returns:
        str, such as "FULLY_CONNECTED".
    """
    builtin = builtin_code(code)
    if builtin == schema.BuiltinOperator.CUSTOM:
        return (code.customCode or b"").decode(errors="replace")
    return _OP_NAMES.get(builtin, str(builtin))


def tensor_name(tensor):
    """The name of a `schema.TensorT` as str, "" if it has none."""
    return (tensor.name or b"").decode(errors="replace")


def shape_of(tensor):
    """The shape of a `schema.TensorT` as a tuple of int, () for a scalar."""
    return () if tensor.shape is None else tuple(map(int, tensor.shape))

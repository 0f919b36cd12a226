"""What to call the constants of a model, also where a file has no names."""

import collections
import dataclasses
from typing import NamedTuple

from keras_dc.compression import custom_ops
from keras_dc.tflite.graph import TensorRef, shape_of, tensor_name

# What the inputs of ops with weights hold.
_ROLES = {
    "FULLY_CONNECTED": ("input", "weights", "bias"),
    "CONV_2D": ("input", "weights", "bias"),
    "DEPTHWISE_CONV_2D": ("input", "weights", "bias"),
    "CONV_3D": ("input", "weights", "bias"),
    "TRANSPOSE_CONV": ("shape", "weights", "input", "bias"),
}


@dataclasses.dataclass(frozen=True)
class TensorNames:
    """The names of a model's tensors, kept beside its file.

    Attributes:
        names: dict from TensorRef to str, the tensors that have a name.
        shapes: dict from TensorRef to tuple of int, every tensor.
        layers: dict from TensorRef to str, the Keras layer whose weight a constant is.
    """

    names: dict
    shapes: dict
    layers: dict

    @classmethod
    def of(cls, graph, layers=None):
        """Those of a `tflite.graph.Graph`, with `layers` where they are known."""
        tensors = {
            TensorRef(place, index): tensor
            for place, subgraph in enumerate(graph.model.subgraphs)
            for index, tensor in enumerate(subgraph.tensors)
        }
        names = {ref: tensor_name(tensor) for ref, tensor in tensors.items() if tensor.name}
        shapes = {ref: shape_of(tensor) for ref, tensor in tensors.items()}
        return cls(names, shapes, layers or {})

    def completed_by(self, original):
        """These names, with those of the TensorNames of the model before it was compressed."""
        return dataclasses.replace(original, names={**self.names, **original.names})

    def check_shape(self, ref, shape):
        """Raise ValueError if the tensor `ref` is none of these, or has another shape."""
        if self.shapes.get(ref) != shape:
            raise ValueError(
                f"`original` must be the model that was compressed, with a tensor {ref.tensor} "
                f"shaped {shape} in subgraph {ref.subgraph}. Received: {self.shapes.get(ref)}"
            )


class RowNames(NamedTuple):
    """What a row of a report is called.

    Attributes:
        name: str, the tensor's name; where it has none, its op and what it is for it, such as
            "FULLY_CONNECTED 2, weights".
        layer: str, the Keras layer whose weight it is; "" if that is not known.
        role: str, what the tensor is for the op that reads it: "weights", "bias" or "input 3",
            counted from 0; "" if none reads it.
        place: str, its op and what it is for it, whatever its name; "" if none reads it. The
            same in a file and in its compressed form.
    """

    name: str
    layer: str
    role: str
    place: str


class Places:
    """Calls a constant by the op that reads it: "FULLY_CONNECTED 2, weights".

    The number counts the ops of one kind in the order of the file, from 1. Ops of ours are
    counted as what they stand for, so that a file and its compressed form agree.

    Args:
        graph: `tflite.graph.Graph`.
    """

    def __init__(self, graph):
        self._graph = graph
        self._numbers: dict = {}
        counts: collections.Counter = collections.Counter()
        for op in graph.ops:
            name = custom_ops.builtin_name(graph.op_name(op))
            counts[name] += 1
            self._numbers[op] = counts[name]

    def row_names(self, ref, reads, names):
        """RowNames of the tensor `ref`, which `reads` read, with the TensorNames `names`."""
        role = self._role(reads[0]) if reads else ""
        place = f"{self._op(reads[0])} {self._numbers[reads[0].op]}, {role}" if reads else ""
        name = names.names.get(ref) or place or f"tensor {ref.tensor}"
        return RowNames(name, names.layers.get(ref, ""), role, place)

    def _op(self, read):
        return custom_ops.builtin_name(self._graph.op_name(read.op))

    def _role(self, read):
        roles = _ROLES.get(self._op(read), ())
        return roles[read.position] if read.position < len(roles) else f"input {read.position}"


def name_for_patterns(graph, constant):
    """The name of a constant's tensor, or of the output of the op that consumes it: str.

    Args:
        graph: `tflite.graph.Graph`.
        constant: Constant.
    """
    name = tensor_name(graph.tensor(constant.tensors[0]))
    output = graph.output(constant.consumers[0].op) if constant.consumers else None
    return name if name or output is None else tensor_name(graph.tensor(output))

"""Let ops that will be fused read a sparse constant without the DENSIFY before them.

A fused op computes from the blob, so the dense tensor need not exist. `expand` puts the
DENSIFY back where it was.
"""

import dataclasses

import numpy as np

from keras_dc.compression import custom_ops
from keras_dc.tflite.model_file import schema


@dataclasses.dataclass(frozen=True)
class Lift:
    """A DENSIFY that was taken out of a subgraph.

    Attributes:
        subgraph: index of the subgraph.
        operator: `schema.OperatorT`, the DENSIFY.
        position: its place among the subgraph's operators, before any was taken out.
    """

    subgraph: int
    operator: schema.OperatorT
    position: int

    @property
    def stored(self):
        """Index of the sparse tensor."""
        return int(self.operator.inputs[0])

    @property
    def dense(self):
        """Index of the dense tensor."""
        return int(self.operator.outputs[0])


def lift(model):
    """Take out each DENSIFY whose readers all have a fused form that is worth while.

    Args:
        model: `schema.ModelT`, changed in place.

    Returns:
        list of Lift, to be put back with `put_back` unless the constant is coded.
    """
    lifts = []
    for index, subgraph in enumerate(model.subgraphs):
        found = [
            Lift(index, operator, position)
            for position, operator in enumerate(subgraph.operators)
            if custom_ops.is_densify(model, operator) and _is_liftable(model, subgraph, operator)
        ]
        for each in found:
            _redirect(subgraph, each.dense, each.stored)
        taken = {id(each.operator) for each in found}
        subgraph.operators = [each for each in subgraph.operators if id(each) not in taken]
        lifts += found
    return lifts


def put_back(model, lifts, *, still_out=()):
    """Undo `lift` for some of what it took out.

    Args:
        model: `schema.ModelT`, changed in place.
        lifts: list of Lift.
        still_out: list of the others.
    """
    for each in sorted(lifts, key=lambda each: each.position):
        subgraph = model.subgraphs[each.subgraph]
        _redirect(subgraph, each.stored, each.dense)
        before = [
            other
            for other in still_out
            if other.subgraph == each.subgraph and other.position < each.position
        ]
        subgraph.operators.insert(each.position - len(before), each.operator)


def _is_liftable(model, subgraph, densify):
    if len(densify.inputs) != 1 or len(densify.outputs) != 1:
        return False
    stored, dense = int(densify.inputs[0]), int(densify.outputs[0])
    readers = [
        (operator, position)
        for operator in subgraph.operators
        for position, index in enumerate(operator.inputs)
        if index in (stored, dense) and operator is not densify
    ]
    tensor = subgraph.tensors[stored] if stored >= 0 else None
    if not readers or tensor is None or tensor.sparsity is None or dense in subgraph.outputs:
        return False
    if not np.array_equal(tensor.shape, subgraph.tensors[dense].shape):
        return False
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) % 4:
        return False
    size = max(float(np.prod(tensor.shape, dtype=np.float64)), 1.0)
    density = np.count_nonzero(np.frombuffer(data, np.uint32)) / size
    for operator, position in readers:
        form = custom_ops.fused_form(model, subgraph, operator)
        if (
            form is None
            or position != custom_ops.WEIGHTS_INPUT
            or operator.inputs[position] != dense
        ):
            return False
    return custom_ops.is_faster_fused(density)


def _redirect(subgraph, old, new):
    for operator in subgraph.operators:
        if old in operator.inputs:
            operator.inputs = np.array(
                [new if index == old else index for index in operator.inputs], np.int32
            )

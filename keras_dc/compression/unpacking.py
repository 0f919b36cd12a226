"""What is between a stored constant and who computes with it: DENSIFY, and DEQUANTIZE of float16.

DENSIFY makes a sparse constant dense, DEQUANTIZE makes float32 of float16. Ops of ours do both
when they decode a blob: so these ops are taken out, or a `KerasDcDecode` stands in for one, and
`expand` puts them back from a note.
"""

from typing import NamedTuple

import numpy as np

from keras_dc.compression.restore_metadata import DENSIFY, DEQUANTIZE, Step
from keras_dc.errors import CompressionError
from keras_dc.tflite.graph import OpRef, TensorRef, code_index, operator_name, shape_of
from keras_dc.tflite.model_file import schema

_OPTIONS = {
    DENSIFY: (schema.BuiltinOptions.DensifyOptions, schema.DensifyOptionsT),
    DEQUANTIZE: (schema.BuiltinOptions.DequantizeOptions, schema.DequantizeOptionsT),
}
_UNPACKED_BY_XNNPACK = (
    schema.BuiltinOperator.FULLY_CONNECTED,
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.TRANSPOSE_CONV,
)


class Chain(NamedTuple):
    """The ops that follow one another from a stored constant to who computes with it.

    Attributes:
        stored: TensorRef of the constant.
        ops: tuple of OpRef: DENSIFY, DEQUANTIZE, or both in this order.
        made: TensorRef of what the last of them makes.
    """

    stored: TensorRef
    ops: tuple[OpRef, ...]
    made: TensorRef


def chains_of(graph, tensors):
    """What is between a constant and those that compute with it.

    Args:
        graph: `tflite.graph.Graph`.
        tensors: iterable of TensorRef, those that have the constant's buffer.

    Returns:
        tuple of Chain, one for each op that reads the tensors; () if one of these can be neither
        taken out nor replaced.
    """
    chains: list = []
    for stored in tensors:
        readers = graph.readers(stored)
        found = [_chain(graph, stored, read.op, is_alone=len(readers) == 1) for read in readers]
        # One note of a tensor tells of all of them.
        if None in found or len({_described(graph, chain.ops) for chain in found}) > 1:
            return ()
        chains += found
    return tuple(chains)


def consumers_of(graph, tensors, chains):
    """Who computes with a constant: tuple of Read.

    Args:
        graph: `tflite.graph.Graph`.
        tensors: iterable of TensorRef, those of the constant.
        chains: what `chains_of` gives for them.
    """
    ends = [chain.made for chain in chains] or tensors
    return tuple(read for ref in ends for read in graph.readers(ref))


def _chain(graph, stored, op, *, is_alone):
    is_sparse = graph.tensor(stored).sparsity is not None
    if not _is_plain(graph, op, DENSIFY if is_sparse else DEQUANTIZE):
        return None
    ops = [op]
    reads = graph.readers(graph.output(op))
    # With several readers a note of the constant could not tell the places of all ops.
    if is_sparse and is_alone and len(reads) == 1 and _is_plain(graph, reads[0].op, DEQUANTIZE):
        ops.append(reads[0].op)
    return Chain(stored, tuple(ops), graph.output(ops[-1]))


def _is_plain(graph, op, builtin):
    """Whether an op is a DENSIFY, or a DEQUANTIZE of float16, of which a Step tells all."""
    operator, sources, made = graph.operator(op), graph.inputs(op), graph.output(op)
    if graph.builtin(op) != builtin or len(sources) != 1 or len(operator.outputs) != 1:
        return False
    given, result = graph.tensor(sources[0]), graph.tensor(made)
    float16, float32 = schema.TensorType.FLOAT16, schema.TensorType.FLOAT32
    types = (float16, float32) if builtin == DEQUANTIZE else (given.type, given.type)
    return (
        (given.type, result.type) == types
        and shape_of(given) == shape_of(result)
        and not graph.is_output(made)
        and bool(graph.readers(made))
        and operator.builtinOptionsType in (schema.BuiltinOptions.NONE, _OPTIONS[builtin][0])
        and operator.customOptions is None
    )


def _described(graph, ops):
    operators = [graph.operator(op) for op in ops]
    return tuple((operator.opcodeIndex, operator.builtinOptionsType) for operator in operators)


def replaceable(graph, chains):
    """The chains whose last op a `KerasDcDecode` can stand in for, without loss of speed.

    XNNPACK unpacks float16 weights by itself and lets go of them once they are packed. It refuses
    layers of which only the weights or only the bias is behind a DEQUANTIZE: so these stay.

    Args:
        graph: `tflite.graph.Graph`.
        chains: tuple of Chain, those of a constant.

    Returns:
        tuple of Chain; () if a `KerasDcDecode` of its own must make the constant.
    """
    readers = {read.op for chain in chains for read in graph.readers(chain.made)}
    if not any(graph.builtin(op) in _UNPACKED_BY_XNNPACK for op in readers):
        return chains
    firsts = [(chain, chain.ops[0]) for chain in chains]
    if any(graph.builtin(op) == DEQUANTIZE for _, op in firsts):
        return ()
    return tuple(Chain(chain.stored, (op,), graph.output(op)) for chain, op in firsts)


def steps_of(graph, chain, *, stands_in):
    """What a Note tells of a chain: tuple of Step.

    Args:
        graph: `tflite.graph.Graph`.
        chain: Chain.
        stands_in: bool, whether a `KerasDcDecode` takes the place of its last op.
    """
    steps = []
    for op in chain.ops:
        is_replaced = stands_in and op == chain.ops[-1]
        place = None if is_replaced else (graph.output(op).tensor, op.operator)
        options_type = graph.operator(op).builtinOptionsType
        steps.append(Step(graph.builtin(op), graph.code(op).version, options_type, place))
    return tuple(steps)


def make(model, operator, step):
    """Make an operator the op of a Step.

    Args:
        model: `schema.ModelT`, to which the operator's code is added if it is new.
        operator: `schema.OperatorT`, changed.
        step: Step.
    """
    code = schema.OperatorCodeT(step.builtin, version=step.version, builtinCode=step.builtin)
    operator.opcodeIndex = code_index(model, code)
    # Those of a KerasDcDecode tell the place of its blob in a bundle.
    operator.customOptions = None
    operator.builtinOptionsType = step.options_type
    options_type, options = _OPTIONS[step.builtin]
    operator.builtinOptions = options() if step.options_type == options_type else None


def put_back(model, notes):
    """Put ops that were taken out back between constants and their readers.

    Args:
        model: `schema.ModelT`, all other operators of which are in place.
        notes: dict from TensorRef to Note.

    Raises:
        CompressionError: if a note names a tensor or a place that cannot be.
    """
    removed = []
    for stored, note in notes.items():
        places = [(step, step.place) for step in note.steps if step.place is not None]
        if not places:
            continue
        subgraph, source = _subgraph_of(model, stored, places), stored.tensor
        for step, (made, position) in places:
            operator = schema.OperatorT(
                inputs=np.array([source], np.int32), outputs=np.array([made], np.int32)
            )
            make(model, operator, step)
            removed.append((position, subgraph, operator))
            source = made
        _read_instead(subgraph, stored.tensor, source)
    for position, subgraph, operator in sorted(removed, key=lambda place: place[0]):
        subgraph.operators.insert(position, operator)


def _subgraph_of(model, stored, places):
    """The `schema.SubGraphT` of a constant, once the noted places are checked."""
    is_there = 0 <= stored.subgraph < len(model.subgraphs)
    subgraph = model.subgraphs[stored.subgraph] if is_there else schema.SubGraphT(tensors=[])
    tensors = range(len(subgraph.tensors))
    for step, (made, position) in places:
        if stored.tensor not in tensors or made not in tensors or position < 0:
            name = operator_name(schema.OperatorCodeT(builtinCode=step.builtin))
            raise CompressionError(
                f"a {name} must be noted with tensors of its subgraph and a position. Received: "
                f"subgraph {stored.subgraph}, tensors {stored.tensor} and {made}, position "
                f"{position}"
            )
    return subgraph


def _read_instead(subgraph, stored, made):
    for operator in subgraph.operators:
        if stored in operator.inputs:
            inputs = np.array(operator.inputs, np.int32)
            operator.inputs = np.where(inputs == stored, np.int32(made), inputs)

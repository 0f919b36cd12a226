"""One RESHAPE for what TensorFlow's converter makes of a Flatten layer before a Dense layer.

For a batch of any size it makes SHAPE, STRIDED_SLICE, PACK and RESHAPE: up to 700 bytes, and four
ops to run. A RESHAPE to `[-1, input_size]` does the same, see `compression.flattening`.
"""

import numpy as np

from keras_dc.compression import flattening
from keras_dc.tflite import cleanup, model_file
from keras_dc.tflite.graph import Graph
from keras_dc.tflite.model_file import schema

_OP = schema.BuiltinOperator
_OF_SHAPES = (_OP.SHAPE, _OP.STRIDED_SLICE, _OP.PACK)


def with_plain_flattening(content):
    """A model that computes the same, in which one RESHAPE makes the rows of FULLY_CONNECTED.

    Args:
        content: bytes of a `.tflite` model.

    Returns:
        bytes; `content` itself if nothing flattens for such an op.
    """
    model = model_file.parse(content)
    graph = Graph(model)
    found = {op: flattening.reshape_before(graph, op) for op in graph.ops}
    found = {op: reshape for op, reshape in found.items() if reshape is not None}
    if not found:
        return content
    for op, reshape in found.items():
        subgraph, operator = model.subgraphs[op.subgraph], graph.operator(op)
        size = flattening.rows_size(graph, op)
        old = graph.operator(reshape)
        operator.inputs = np.append(old.inputs[0], operator.inputs[1:])
        plain = flattening.add_reshape(model, subgraph.tensors, operator, size)
        vars(old).update(vars(plain))
    _drop_idle(model)
    cleanup.drop_unused_tensors(model)
    cleanup.drop_unused_codes(model)
    _empty_unused_buffers(model)
    cleanup.drop_empty_buffers(model)
    return model_file.serialize(model)


def _drop_idle(model):
    """Remove ops that only compute a shape that nobody reads."""
    while True:
        graph = Graph(model)
        idle = {op for op in graph.ops if _is_idle(graph, op)}
        if not idle:
            return
        for place, subgraph in enumerate(model.subgraphs):
            subgraph.operators = [
                operator
                for number, operator in enumerate(subgraph.operators)
                if (place, number) not in idle
            ]


def _is_idle(graph, op):
    output = graph.output(op)
    is_of_shapes = graph.builtin(op) in _OF_SHAPES and output is not None
    return is_of_shapes and not graph.readers(output) and not graph.is_output(output)


def _empty_unused_buffers(model):
    users = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    used = {user.buffer for user in [*users, *(model.metadata or ())]}
    used.update(map(int, [] if model.metadataBuffer is None else model.metadataBuffer))
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None

"""Leave out what flattens the input of FULLY_CONNECTED, which flattens it itself.

Of a Flatten layer TensorFlow's converter makes a RESHAPE, and for a batch of any size SHAPE,
STRIDED_SLICE and PACK besides: up to 700 bytes, and four ops to run.
"""

import numpy as np

from keras_dc.tflite import cleanup, model_file
from keras_dc.tflite.graph import Graph, TensorRef, shape_of
from keras_dc.tflite.model_file import schema

_OP = schema.BuiltinOperator


def without_flattening(content):
    """A model that computes the same without the RESHAPEs that flatten for FULLY_CONNECTED.

    Args:
        content: bytes of a `.tflite` model.

    Returns:
        bytes; `content` itself if there is no such op.
    """
    model = model_file.parse(content)
    graph = Graph(model)
    flattens = [ref for ref in graph.ops if _flattens(graph, ref)]
    if not flattens:
        return content
    for ref in flattens:
        source = graph.operator(ref).inputs[0]
        for read in graph.readers(graph.output(ref)):
            reader = graph.operator(read.op)
            reader.inputs = np.append(source, reader.inputs[1:])
    _drop_unread(model, flattens)
    cleanup.drop_unused_tensors(model)
    cleanup.drop_unused_codes(model)
    cleanup.drop_empty_buffers(model)
    return model_file.serialize(model)


def _flattens(graph, ref):
    """Whether an op is a RESHAPE to rows as FULLY_CONNECTED takes them, and all read it so."""
    if graph.builtin(ref) != _OP.RESHAPE:
        return False
    output, shape = graph.output(ref), shape_of(graph.tensor(graph.output(ref)))
    readers = graph.readers(output)
    if len(shape) != 2 or not readers or graph.is_output(output):
        return False
    return all(_takes_rows(graph, read, shape[1]) for read in readers)


def _takes_rows(graph, read, size):
    """Whether an op reads rows of `size` numbers, and makes rows of any input of as many."""
    if read.position != 0 or graph.builtin(read.op) != _OP.FULLY_CONNECTED:
        return False
    operator = graph.operator(read.op)
    options = operator.builtinOptions
    weights = graph.tensor(TensorRef(read.op.subgraph, int(operator.inputs[1])))
    is_plain = options is not None and not options.keepNumDims and options.weightsFormat == 0
    return is_plain and shape_of(weights)[-1:] == (size,)


def _drop_unread(model, refs):
    """Remove these ops, and those that made nothing but what only they read."""
    dropped = set(refs)
    while True:
        for place, subgraph in enumerate(model.subgraphs):
            refs_here = {number for at, number in dropped if at == place}
            kept = [op for i, op in enumerate(subgraph.operators) if i not in refs_here]
            subgraph.operators = kept
        graph = Graph(model)
        dropped = {ref for ref in graph.ops if _is_idle(graph, ref)}
        if not dropped:
            return


def _is_idle(graph, ref):
    """Whether an op only computes a shape that nobody reads."""
    if graph.builtin(ref) not in (_OP.SHAPE, _OP.STRIDED_SLICE, _OP.PACK):
        return False
    output = graph.output(ref)
    return not graph.readers(output) and not graph.is_output(output)

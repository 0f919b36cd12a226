"""Put small blobs together: a tensor and a buffer for each would take more than some blobs."""

import numpy as np

from keras_dc.codec import bundles
from keras_dc.compression import custom_ops
from keras_dc.tflite.graph import Graph
from keras_dc.tflite.model_file import schema

# A blob alone takes some 45 bytes of the flatbuffer: of larger ones that is nothing.
MOST_BLOB_BYTES = 2**14
# The place in a bundle is a byte of an op's options.
_MOST_BLOBS = 256


def bundle(model):
    """Move the small blobs of a model into bundles (`tflite_ops/FORMAT.md`, section 11).

    A blob is moved that one op reads, and that no other tensor has. The tensors stay; in a
    model without names they are equal, and written once.

    Args:
        model: `schema.ModelT` whose constants are coded; it is changed.
    """
    graph = Graph(model)
    ops = []
    for op in graph.ops:
        refs = [ref for ref in custom_ops.blob_inputs(graph, op) if _is_movable(graph, ref)]
        ops += [(op, refs)] if refs else []
    if sum(len(refs) for _, refs in ops) < 2:
        return
    while ops:
        moved, place = [], 0
        while ops and place + len(ops[0][1]) <= _MOST_BLOBS:
            op, refs = ops.pop(0)
            custom_ops.set_place(graph, op, place)
            moved += refs
            place += len(refs)
        _move(graph, moved)


def _is_movable(graph, ref):
    data, buffer = graph.data(ref), graph.tensor(ref).buffer
    is_small = data is not None and len(data) <= MOST_BLOB_BYTES and not bundles.is_bundle(data)
    is_end = graph.is_input(ref) or graph.is_output(ref)
    return is_small and len(graph.readers(ref)) == len(graph.tensors_of(buffer)) == 1 and not is_end


def _move(graph, refs):
    content = bundles.join(graph.data(ref).tobytes() for ref in refs)
    buffers = graph.model.buffers
    buffers.append(schema.BufferT(np.frombuffer(content, np.uint8)))
    for ref in refs:
        tensor = graph.tensor(ref)
        buffers[tensor.buffer].data = None
        tensor.buffer = len(buffers) - 1
        tensor.shape = np.array([len(content)], np.int32)

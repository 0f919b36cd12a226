"""The values of tensors that no run computes."""

import numpy as np

from keras_dc.tflite.graph import OpRef, TensorRef
from keras_dc.tflite.model_file import schema

_STORAGE = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.BOOL: np.bool_,
}


def constant(graph, ref, replaced=None):
    """The values of a constant as they are stored: array, None if it is none, or of no such type.

    Args:
        graph: `tflite.graph.Graph`.
        ref: TensorRef.
        replaced: dict from the index of a buffer to bytes, its other values.
    """
    tensor, dtype = graph.tensor(ref), _STORAGE.get(graph.tensor(ref).type)
    data = (replaced or {}).get(tensor.buffer, graph.data(ref))
    if data is None or dtype is None or tensor.sparsity is not None:
        return None
    return np.asarray(data).view(dtype).reshape(() if tensor.shape is None else tensor.shape)


def known(graph, tensor, replaced=None):
    """The numbers of a tensor of the main subgraph that no input changes.

    Args:
        graph: `tflite.graph.Graph`.
        tensor: int.
        replaced: see `constant`.

    Returns:
        array: a constant, or one in half precision behind a DEQUANTIZE; None of others.
    """
    ref = TensorRef(0, tensor)
    found = constant(graph, ref, replaced)
    if found is not None:
        return dequantized(graph, ref, found)
    for number, operator in enumerate(graph.model.subgraphs[0].operators):
        is_half = graph.builtin(OpRef(0, number)) == schema.BuiltinOperator.DEQUANTIZE
        if is_half and tensor in operator.outputs:
            half = constant(graph, TensorRef(0, int(operator.inputs[0])), replaced)
            is_half = half is not None and half.dtype == np.float16
            return half.astype(np.float32) if is_half else None
    return None


def dequantized(graph, ref, values):
    """The numbers that int8 values of a tensor stand for; others as they are."""
    quantization = graph.tensor(ref).quantization
    if values.dtype != np.int8 or quantization is None or quantization.scale is None:
        return values
    sizes = [1] * values.ndim
    if len(quantization.scale) > 1:
        sizes[quantization.quantizedDimension] = -1
    points = 0 if quantization.zeroPoint is None else quantization.zeroPoint[0]
    scales = np.reshape(quantization.scale, sizes).astype(np.float32)
    return scales * (values.astype(np.float32) - np.float32(points))

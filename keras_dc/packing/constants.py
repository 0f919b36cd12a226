"""The constants of a `.tflite` file by the bytes that they take in it."""

import dataclasses

import numpy as np

from keras_dc.codec import bundles
from keras_dc.compression.constants import QuantizedChannels, quantized_channels
from keras_dc.errors import ModelFormatError
from keras_dc.tflite import model_file
from keras_dc.tflite.graph import Graph, shape_of
from keras_dc.tflite.model_file import schema

# Smaller ones are packed with the graph around them.
_LEAST_BYTES = 32
_BLOB_MAGIC = b"KDC\x01"

_TYPE = schema.TensorType
# The codec's element type that has elements of the same size.
_DTYPE_OF = {
    _TYPE.FLOAT32: "float32",
    _TYPE.FLOAT16: "float16",
    _TYPE.BFLOAT16: "bfloat16",
    _TYPE.INT8: "int8",
    _TYPE.UINT8: "int8",
    _TYPE.BOOL: "int8",
    _TYPE.INT4: "int4",
    _TYPE.INT16: "float16",
    _TYPE.UINT16: "float16",
    _TYPE.INT32: "float32",
    _TYPE.UINT32: "float32",
}
ITEM_BITS = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "int4": 4}


@dataclasses.dataclass(frozen=True)
class FileConstant:
    """Bytes of a file that are the values of a tensor, or a blob.

    Attributes:
        begin: int, where they begin.
        size: int, how many there are.
        dtype: the codec's name of an element type of the right size.
        shape: tuple of ints; of a blob its size alone.
        is_blob: whether they are a blob of keras_dc.
        is_opaque: whether they are compressed already.
        is_ascending: whether they are positions, which mostly ascend.
        channels: QuantizedChannels of the tensor, or None.
    """

    begin: int
    size: int
    dtype: str
    shape: tuple[int, ...]
    is_blob: bool = False
    is_ascending: bool = False
    is_opaque: bool = False
    channels: QuantizedChannels | None = None

    @property
    def end(self):
        """Where the bytes end."""
        return self.begin + self.size

    @property
    def row_bytes(self):
        """Bytes of a row of the last dimension, 0 if there is one row alone."""
        if len(self.shape) < 2:
            return 0
        row = self.shape[-1] * ITEM_BITS[self.dtype] // 8
        return row if 0 < row < self.size else 0


def find(content):
    """Find the constants of a `.tflite` file.

    Args:
        content: bytes.

    Returns:
        list of FileConstant in the order of the file, no two of which share a byte; empty if
        `content` is no TFLite model.
    """
    try:
        graph = Graph(model_file.parse(content))
    except ModelFormatError:
        return []
    first_byte = np.frombuffer(content, np.uint8).ctypes.data if content else 0
    found = [*_buffers(graph, first_byte), *_sparse_indices(graph, first_byte)]
    apart = []
    for constant in sorted(found, key=lambda each: (each.begin, -each.size)):
        in_file = constant.begin >= 0 and constant.end <= len(content)
        if in_file and (not apart or constant.begin >= apart[-1].end):
            apart.append(constant)
    return apart


def _buffers(graph, first_byte):
    for index, buffer in enumerate(graph.model.buffers):
        tensors = graph.tensors_of(index)
        data = buffer.data
        if data is None or len(data) < _LEAST_BYTES or not tensors:
            continue
        begin, size = data.ctypes.data - first_byte, len(data)
        tensor = graph.tensor(tensors[0])
        if bytes(data[:4]) == _BLOB_MAGIC:
            yield FileConstant(begin, size, "int8", (size,), is_blob=True)
            continue
        if bundles.is_bundle(data):
            for place, blob_bytes in bundles.spans(data):
                shape = (blob_bytes,)
                yield FileConstant(begin + place, blob_bytes, "int8", shape, is_blob=True)
            continue
        dtype = _DTYPE_OF.get(tensor.type, "int8")
        shape = shape_of(tensor)
        count = int(np.prod(shape, dtype=np.float64))
        if tensor.sparsity is not None or size != -(-count * ITEM_BITS[dtype] // 8):
            shape = (size * 8 // ITEM_BITS[dtype],)
        if size * 8 % ITEM_BITS[dtype]:
            dtype, shape = "int8", (size,)
        yield FileConstant(begin, size, dtype, shape, channels=quantized_channels(tensor))


def _sparse_indices(graph, first_byte):
    """The positions of the values of tensors that are stored sparsely."""
    tensors = (tensor for subgraph in graph.model.subgraphs for tensor in subgraph.tensors)
    for tensor in tensors:
        for dim in () if tensor.sparsity is None else tensor.sparsity.dimMetadata or ():
            for vector in (dim.arraySegments, dim.arrayIndices):
                values = None if vector is None else vector.values
                if isinstance(values, np.ndarray) and values.nbytes >= _LEAST_BYTES:
                    dtype = {1: "int8", 2: "float16", 4: "float32"}[values.itemsize]
                    begin = values.ctypes.data - first_byte
                    yield FileConstant(
                        begin, values.nbytes, dtype, (values.size,), is_ascending=True
                    )

"""Read, check and write a TFLite flatbuffer; its schema comes with ai-edge-litert."""

import os

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_dc.errors import ModelFormatError
from keras_dc.tflite import compact_writer
from keras_dc.tflite.compact_writer import FILE_IDENTIFIER

SCHEMA_VERSION = 3
MAX_FILE_BYTES = 2**31 - 1


def parse(content):
    """Unpack a TFLite model.

    Args:
        content: bytes of a `.tflite` file.

    Returns:
        `schema.ModelT`; buffers are read-only views of `content`.

    Raises:
        ModelFormatError: if `content` is not a TFLite model, is cut short, has
            another schema version or keeps buffers outside the flatbuffer.
    """
    content = bytes(content)
    if len(content) < 8 or content[4:8] != FILE_IDENTIFIER:
        raise ModelFormatError(
            f"a TFLite model is a flatbuffer with the identifier 'TFL3' at byte 4. "
            f"Received: {len(content)} bytes that begin with {content[:8]!r}"
        )
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
    except Exception as error:
        # The flatbuffers package raises many kinds of errors on damaged input.
        raise ModelFormatError(
            f"the TFLite model is damaged or cut short: {error}. Received: {len(content)} bytes"
        ) from error
    if model.version != SCHEMA_VERSION:
        raise ModelFormatError(
            f"the schema version of a TFLite model must be {SCHEMA_VERSION}. "
            f"Received: {model.version}"
        )
    if any(buffer.offset > 1 for buffer in model.buffers or ()):
        raise ModelFormatError(
            "buffers that lie behind the flatbuffer, as in models over 2 GB, are not supported. "
            "Received: a buffer with an offset"
        )
    model.operatorCodes = model.operatorCodes or []
    model.subgraphs = model.subgraphs or []
    model.buffers = model.buffers or []
    for subgraph in model.subgraphs:
        subgraph.tensors = subgraph.tensors or []
        subgraph.operators = subgraph.operators or []
        for holder in (subgraph, *subgraph.operators):
            holder.inputs = _or_empty(holder.inputs)
            holder.outputs = _or_empty(holder.outputs)
    _check_indices(model)
    return model


def _or_empty(indices):
    return np.zeros(0, np.int32) if indices is None else indices


def _check_indices(model):
    """Refuse indices out of range here, where the error can say what is wrong."""
    counts = [("buffer", len(model.buffers)), ("operator code", len(model.operatorCodes))]
    for subgraph in model.subgraphs:
        num_tensors = len(subgraph.tensors)
        used = [tensor.buffer for tensor in subgraph.tensors]
        codes = [operator.opcodeIndex for operator in subgraph.operators]
        for (kind, count), indices in zip(counts, (used, codes)):
            _check_range(kind, indices, 0, count)
        for holder in (subgraph, *subgraph.operators):
            # An optional input that is absent is -1.
            _check_range("tensor", holder.inputs, -1, num_tensors)
            _check_range("tensor", holder.outputs, 0, num_tensors)
    _check_range("buffer", [entry.buffer for entry in model.metadata or ()], 0, counts[0][1])


def _check_range(kind, indices, least, count):
    for index in indices:
        if not least <= index < count:
            raise ModelFormatError(
                f"the TFLite model is damaged: it has {count} of the kind {kind}. "
                f"Received: index {index}"
            )


def serialize(model, *, unaligned_buffers=()):
    """Pack a TFLite model into as few bytes as its readers allow.

    Args:
        model: `schema.ModelT`; it is not changed.
        unaligned_buffers: indices of buffers that need not begin at a multiple of 16
            bytes: blobs, which are read byte by byte.

    Returns:
        bytes of a `.tflite` file.

    Raises:
        ModelFormatError: if the file would pass 2 GB, the limit of flatbuffers.
    """
    size = sum(0 if buffer.data is None else len(buffer.data) for buffer in model.buffers)
    if size > MAX_FILE_BYTES:
        raise ModelFormatError(
            f"a TFLite flatbuffer holds less than 2 GB. Received: {size} bytes of buffers"
        )
    return compact_writer.write(model, unaligned_buffers=unaligned_buffers)


def read(tflite):
    """The bytes of a model, given as bytes or as the path of a file.

    Args:
        tflite: bytes-like, str or path-like.

    Returns:
        bytes.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        IsADirectoryError: if the path is a folder's.
        ModelFormatError: if it has 2 GB or more; a file of that size is not read.
        TypeError: if it is neither bytes nor a path.
    """
    if isinstance(tflite, (str, os.PathLike)):
        if os.path.isdir(tflite):
            raise IsADirectoryError(
                "a TFLite model is given as bytes or as the path of a file. "
                f"Received: the folder {os.fspath(tflite)!r}"
            )
        if not os.path.exists(tflite):
            raise FileNotFoundError(
                f"there is no file at the path. Received: {os.fspath(tflite)!r}"
            )
        _check_size(os.path.getsize(tflite))
        with open(tflite, "rb") as file:
            return file.read()
    if isinstance(tflite, (bytes, bytearray, memoryview)):
        _check_size(memoryview(tflite).nbytes)
        return bytes(tflite)
    raise TypeError(
        f"a TFLite model is given as bytes or as the path of a file. "
        f"Received: {type(tflite).__name__}"
    )


def _check_size(size):
    if size > MAX_FILE_BYTES:
        raise ModelFormatError(f"a TFLite flatbuffer holds less than 2 GB. Received: {size} bytes")

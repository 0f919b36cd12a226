"""Read, check and write a TFLite flatbuffer; its schema comes with ai-edge-litert."""

import copy
import os

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_dc.errors import ModelFormatError
from keras_dc.tflite import compact_writer
from keras_dc.tflite.compact_writer import FILE_IDENTIFIER

SCHEMA_VERSION = 3
MAX_FLATBUFFER_BYTES = 2**31 - 1
_HEAD_BYTES = 8
_MOST_BYTES_OF_A_GRAPH = 2**27
_MOST_COPIED_BYTES = 2**20


def parse(content):
    """Unpack a TFLite model.

    Args:
        content: bytes of a `.tflite` file.

    Returns:
        `schema.ModelT`; buffers are read-only views of `content`.

    Raises:
        ModelFormatError: if `content` is not a TFLite model, is cut short or has another
            schema version.
    """
    content = content if isinstance(content, bytes) else bytes(content)
    _check_identifier(content[:_HEAD_BYTES], len(content))
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
    model.operatorCodes = model.operatorCodes or []
    model.subgraphs = model.subgraphs or []
    model.buffers = model.buffers or []
    _take_in_what_lies_behind(model, content)
    for subgraph in model.subgraphs:
        subgraph.tensors = subgraph.tensors or []
        subgraph.operators = subgraph.operators or []
        for holder in (subgraph, *subgraph.operators):
            holder.inputs = _or_empty(holder.inputs)
            holder.outputs = _or_empty(holder.outputs)
    _check_indices(model)
    return model


def _check_identifier(head, size):
    if head[4:] != FILE_IDENTIFIER:
        raise ModelFormatError(
            f"a TFLite model is a flatbuffer with the identifier 'TFL3' at byte 4. "
            f"Received: {size} bytes that begin with {head!r}"
        )


def _take_in_what_lies_behind(model, content):
    """Give each buffer and operator the bytes that it has behind the flatbuffer.

    Writers put them there where a flatbuffer might pass 2 GB.
    """
    for buffer in model.buffers:
        # 0 and 1 mean that the bytes lie in the flatbuffer.
        if buffer.offset > 1:
            buffer.data = _bytes_at(content, buffer.offset, buffer.size)
        buffer.offset = buffer.size = 0
    for operator in (each for subgraph in model.subgraphs for each in subgraph.operators or ()):
        if getattr(operator, "largeCustomOptionsOffset", 0) > 1:
            size = operator.largeCustomOptionsSize
            operator.customOptions = _bytes_at(content, operator.largeCustomOptionsOffset, size)
            operator.largeCustomOptionsOffset = operator.largeCustomOptionsSize = 0


def _bytes_at(content, offset, size):
    if offset + size > len(content):
        raise ModelFormatError(
            "bytes behind the flatbuffer must lie within the file. Received: bytes "
            f"{offset} to {offset + size} of {len(content)}"
        )
    return np.frombuffer(content, np.uint8, size, offset)


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


def detached(model):
    """A copy of a model that lets go of the file that it was parsed from.

    Args:
        model: `schema.ModelT`.

    Returns:
        `schema.ModelT`. Buffers of more than 1 MiB are the same arrays; as long as one of them
        is a view of the file, its bytes stay.
    """
    graph = copy.copy(model)
    graph.buffers = []
    graph = copy.deepcopy(graph)
    for buffer in model.buffers:
        is_small = buffer.data is not None and len(buffer.data) <= _MOST_COPIED_BYTES
        data = np.array(buffer.data) if is_small else buffer.data
        graph.buffers.append(schema.BufferT(data=data))
    return graph


def serialize(model, *, unaligned_buffers=()):
    """Pack a TFLite model into as few bytes as its readers allow.

    Args:
        model: `schema.ModelT`; it is not changed.
        unaligned_buffers: indices of buffers that need not begin at a multiple of 16
            bytes: blobs, which are read byte by byte.

    Returns:
        bytes of a `.tflite` file. What would pass 2 GB, the limit of flatbuffers, keeps its
        buffers behind the flatbuffer, which runtimes of 2024 and later read.
    """
    size = sum(0 if buffer.data is None else len(buffer.data) for buffer in model.buffers)
    if size + _MOST_BYTES_OF_A_GRAPH > MAX_FLATBUFFER_BYTES:
        return compact_writer.write_with_buffers_behind(model)
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
        # Without a buffer, which would be joined with the rest: a second copy.
        with open(tflite, "rb", buffering=0) as file:
            head = file.read(_HEAD_BYTES)
            # Whatever else is at the path may be of any size.
            _check_identifier(head, os.path.getsize(tflite))
            file.seek(0)
            return file.read()
    if isinstance(tflite, (bytes, bytearray, memoryview)):
        return tflite if isinstance(tflite, bytes) else bytes(tflite)
    raise TypeError(
        f"a TFLite model is given as bytes or as the path of a file. "
        f"Received: {type(tflite).__name__}"
    )

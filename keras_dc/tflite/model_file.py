"""Read and write a TFLite flatbuffer, compactly.

The schema comes with ai-edge-litert. Its object API reads well, but what it writes
is up to twice as large as it need be and ignores the alignment of buffers, so the
builder here shares what is equal and omits what is empty.
"""

import os

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_dc.errors import ModelFormatError

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
_CONSTANT_ALIGNMENT = 16
MAX_FILE_BYTES = 2**31 - 1
_OFFSET_BYTES = 4


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
        # The flatbuffers package raises whatever its reads stumble over.
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
    """A model that points outside itself would fail in places that cannot say why."""
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
        unaligned_buffers: indices of buffers that are read byte by byte and so need
            not begin at a multiple of 16 bytes.

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
    builder = _CompactBuilder(1024)
    packed = schema.ModelT()
    packed.__dict__.update(model.__dict__)
    packed.buffers = [
        _PackedBuffer(buffer.data, 1 if index in unaligned_buffers else _CONSTANT_ALIGNMENT)
        for index, buffer in enumerate(model.buffers)
    ]
    packed.subgraphs = [_without_empty_parts(subgraph) for subgraph in model.subgraphs]
    builder.Finish(packed.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def operator_name(code):
    """The name of an operator code: that of the custom op, or the schema's own.

    Args:
        code: `schema.OperatorCodeT`.

    Returns:
        str, such as "FULLY_CONNECTED".
    """
    builtin = builtin_code(code)
    if builtin == schema.BuiltinOperator.CUSTOM:
        return (code.customCode or b"").decode(errors="replace")
    return _BUILTIN_NAMES.get(builtin, str(builtin))


def read(tflite):
    """Bytes of a model that is given as bytes or as the path of a file.

    Args:
        tflite: bytes-like, str or path-like.

    Returns:
        bytes.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        IsADirectoryError: if the path is a folder's.
        ModelFormatError: if there are 2 GB of it or more, which is known before reading.
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


def tensor_name(tensor):
    """The name of a tensor as str, "" if it has none."""
    return (tensor.name or b"").decode(errors="replace")


def builtin_code(code):
    """The schema's number of an operator; old files have only the 8-bit field."""
    return max(code.builtinCode, code.deprecatedBuiltinCode)


_BUILTIN_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


class _PackedBuffer:
    """A Buffer table whose bytes begin at a multiple of `alignment`."""

    def __init__(self, data, alignment):
        self.data = data
        self.alignment = alignment

    def Pack(self, builder):  # noqa: N802 (the object API's name)
        vector = None
        if self.data is not None and len(self.data):
            vector = builder.create_aligned_bytes(self.data, self.alignment)
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def _without_empty_parts(subgraph):
    """A shallow copy in which what is empty is absent, which means the same."""
    result = schema.SubGraphT()
    result.__dict__.update(subgraph.__dict__)
    result.name = subgraph.name or None
    result.tensors = [_without_empty_fields(tensor) for tensor in subgraph.tensors]
    return result


def _without_empty_fields(tensor):
    result = schema.TensorT()
    result.__dict__.update(tensor.__dict__)
    result.name = tensor.name or None
    quantization = tensor.quantization
    if quantization is not None and not any(map(np.size, _given(quantization))):
        result.quantization = None
    return result


def _given(table):
    """The fields of an object that are neither None nor zero."""
    return [value for value in vars(table).values() if not (value is None or np.all(value == 0))]


class _CompactBuilder(flatbuffers.Builder):
    """A builder that writes equal strings, vectors and tables once.

    Flatbuffers may share: an offset says where a thing is, and two offsets may say
    the same. A thing found to have been written already is taken back by moving the
    head.
    """

    def __init__(self, initial_size):
        super().__init__(initial_size)
        self._offset_of = {}
        self._begin = 0
        self._has_offsets = False
        self._fields = []

    def create_aligned_bytes(self, data, alignment):
        """Write a vector of bytes whose first one is aligned; never shared."""
        data = np.ascontiguousarray(data).view(np.uint8)
        self.StartVector(1, data.size, alignment)
        self.head -= data.size
        self.Bytes[self.head : self.head + data.size] = data.tobytes()
        return super().EndVector()

    def CreateString(self, s, encoding="utf-8", errors="strict"):  # noqa: N802
        self._begin = self.Offset()
        self._has_offsets = False
        return super().CreateString(s, encoding, errors)

    def StartVector(self, elemSize, numElems, alignment):  # noqa: N802, N803
        self._begin = self.Offset()
        self._has_offsets = False
        return super().StartVector(elemSize, numElems, alignment)

    def EndVector(self, numElems=None):  # noqa: N802, N803
        begin, has_offsets = self._begin, self._has_offsets
        offset = super().EndVector(numElems)
        if has_offsets:
            # Offsets count from where they stand: equal bytes are not equal vectors.
            return offset
        key = bytes(self.Bytes[self.head : len(self.Bytes) - begin])
        if key in self._offset_of:
            self._take_back(begin)
        return self._offset_of.setdefault(key, offset)

    def PrependUOffsetTRelative(self, off):  # noqa: N802
        self._has_offsets = True
        super().PrependUOffsetTRelative(off)

    def StartObject(self, numfields):  # noqa: N802
        self._fields = []
        super().StartObject(numfields)

    def PrependSlot(self, flags, o, x, d):  # noqa: N802
        if x != d:
            self._fields.append((flags.bytewidth, o, x, flags))

    def PrependUOffsetTRelativeSlot(self, o, x, d):  # noqa: N802
        if x != d:
            self._fields.append((_OFFSET_BYTES, o, x, None))

    def EndObject(self):  # noqa: N802
        # By size, so that small fields fill one word together.
        self._fields.sort(key=lambda field: field[:2])
        key = tuple((width, slot, value) for width, slot, value, _ in self._fields)
        if key in self._offset_of:
            # Before its vtable is written: one that is taken back must not be known.
            self._take_back(self.objectEnd)
            self.current_vtable = None
            self.nested = False
            return self._offset_of[key]
        for _, slot, value, flags in self._fields:
            if flags is None:
                super().PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                super().PrependSlot(flags, slot, value, None)
        self._offset_of[key] = super().EndObject()
        return self._offset_of[key]

    def _take_back(self, begin):
        self.head = len(self.Bytes) - begin

"""A TFLite flatbuffer in as few bytes as its readers allow.

The schema's object API reads well, but its output is up to twice as large as necessary and
ignores the alignment of buffers. The builder here writes equal parts once and leaves out
empty ones.
"""

import io
import struct

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FILE_IDENTIFIER = b"TFL3"
_CONSTANT_ALIGNMENT = 16
_OFFSET_BYTES = 4
# From here on constants go to the tail of the file: what is built piece by piece in Python
# takes a multiple of its size in memory.
_MOST_BUILT_BYTES = 2**24


def write(model, *, unaligned_buffers=()):
    """Pack a model.

    Args:
        model: `schema.ModelT`. A large one gives its buffers away: they are empty afterwards.
        unaligned_buffers: indices of buffers that need not begin at a multiple of 16 bytes.

    Returns:
        bytes of a `.tflite` file.
    """
    alignments = [
        1 if index in unaligned_buffers else _CONSTANT_ALIGNMENT
        for index in range(len(model.buffers))
    ]
    if sum(map(_size_of, model.buffers)) < _MOST_BUILT_BYTES:
        buffers = zip(model.buffers, alignments)
        return _packed(model, (_PackedBuffer(buffer.data, align) for buffer, align in buffers))
    # The vectors of the buffers follow the rest: each is its length and its bytes.
    # No place is 0, which would say that there is no vector.
    places, end = [], _OFFSET_BYTES
    for buffer, align in zip(model.buffers, alignments):
        place = end + -(end + _OFFSET_BYTES) % max(align, _OFFSET_BYTES)
        places.append(place if _size_of(buffer) else None)
        end = place + _OFFSET_BYTES + _size_of(buffer) if _size_of(buffer) else end
    head = _packed(model, map(_BufferInTail, places), alignment=_CONSTANT_ALIGNMENT)
    return _with_tail(head, model.buffers, places, has_lengths=True)


def write_with_buffers_behind(model):
    """Pack a model whose constants lie behind the flatbuffer, which so stays small.

    Args:
        model: `schema.ModelT`, which gives its buffers away: they are empty afterwards.

    Returns:
        bytes of a `.tflite` file.
    """
    sizes = list(map(_size_of, model.buffers))
    # Equal buffers would be written once, and the flatbuffer change its size.
    length = len(_packed(model, map(_BufferBehind, range(2, 2 + len(sizes)), sizes)))
    places, end = [], 0
    for size in sizes:
        place = end + -(length + end) % _CONSTANT_ALIGNMENT
        places.append(place if size else None)
        end = place + size if size else end
    offsets = [length + (place or 0) for place in places]
    head = _packed(model, map(_BufferBehind, offsets, sizes))
    return _with_tail(head, model.buffers, places, has_lengths=False)


def _with_tail(head, buffers, places, *, has_lengths):
    """The bytes of a file: `head`, and buffers at their places behind it."""
    file = io.BytesIO()
    file.write(head)
    for buffer, place in zip(buffers, places):
        if place is not None:
            file.write(bytes(len(head) + place - file.tell()))
            if has_lengths:
                file.write(struct.pack("<I", _size_of(buffer)))
            file.write(memoryview(np.ascontiguousarray(buffer.data)))  # type: ignore[arg-type]
            buffer.data = None
    return file.getvalue()


def _size_of(buffer):
    return 0 if buffer.data is None else len(buffer.data)


def _packed(model, buffers, *, alignment=1):
    """A flatbuffer with these Buffer tables; its size is a multiple of `alignment`."""
    builder = _CompactBuilder(1024)
    builder.minalign = alignment
    packed = schema.ModelT()
    packed.__dict__.update(model.__dict__)
    packed.buffers = list(buffers)
    packed.subgraphs = [_without_empty_parts(subgraph) for subgraph in model.subgraphs]
    builder.Finish(packed.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


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


class _BufferInTail:
    """A Buffer table whose vector of bytes follows the flatbuffer at a place, or has none."""

    def __init__(self, place):
        self.place = place

    def Pack(self, builder):  # noqa: N802 (the object API's name)
        schema.BufferStart(builder)
        if self.place is not None:
            # Offsets count from the end of what is built, upwards: the tail is below.
            schema.BufferAddData(builder, -self.place)
        return schema.BufferEnd(builder)


class _BufferBehind:
    """A Buffer table whose bytes lie behind the flatbuffer; without bytes it is empty."""

    def __init__(self, offset, size):
        self.offset = offset
        self.size = size

    def Pack(self, builder):  # noqa: N802 (the object API's name)
        schema.BufferStart(builder)
        if self.size:
            schema.BufferAddOffset(builder, self.offset)
            schema.BufferAddSize(builder, self.size)
        return schema.BufferEnd(builder)


def _without_empty_parts(subgraph):
    """A shallow copy without empty fields; an absent field means the same."""
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
    if quantization is not None and _is_empty(quantization):
        result.quantization = None
    return result


def _is_empty(table):
    """Whether an object has the value of an absent one: no vector, and zeros."""
    values = [value for value in vars(table).values() if value is not None]
    return all(np.ndim(value) == 0 and not value for value in values if np.size(value))


class _CompactBuilder(flatbuffers.Builder):
    """A builder that writes equal strings, vectors and tables once.

    Two offsets of a flatbuffer may point to the same object. An object that turns out to
    have been written already is removed again by moving the head.
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
            # Offsets are relative to their own place: equal bytes are not equal vectors.
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
        # Sorted by size, so that small fields share a word.
        self._fields.sort(key=lambda field: field[:2])
        key = tuple((width, slot, value) for width, slot, value, _ in self._fields)
        if key in self._offset_of:
            # Before its vtable is written: later objects must not refer to a removed one.
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

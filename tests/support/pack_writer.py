"""Packed files bit by bit, right or wrong: what the library's packer would not write."""

import zlib

from support.reference_unpacker import BYTES, Control, varint


class RangeEncoder:
    """FORMAT.md, 9.1."""

    def __init__(self):
        self.low, self.range, self.shifts = 0, 2**64 - 1, 0

    def encode(self, bit, p):
        part = (self.range >> 16) * p
        if bit:
            self.range = part
        else:
            self.low, self.range = self.low + part, self.range - part
        if self.range < 2**32:
            self.low, self.range, self.shifts = self.low << 32, self.range << 32, self.shifts + 1

    def finish(self):
        for zeros in range(64, -1, -8):
            number = -(-self.low >> zeros) << zeros
            if number < self.low + self.range:
                return number.to_bytes(8 + 4 * self.shifts, "big").rstrip(b"\0")
        raise AssertionError


class _Given:
    """In place of a decoder: gives the bits that are wanted, and writes them."""

    def __init__(self, writer):
        self.writer = writer

    def bit(self, p):
        bit = self.writer.wanted.pop(0)
        self.writer.encoder.encode(bit, p)
        return bit


class ControlWriter(Control):
    """A control stream that is written: the values come from `self.given`."""

    def __init__(self):
        super().__init__(b"")
        self.encoder, self.wanted = RangeEncoder(), []
        self.coder = _Given(self)

    def write_bit(self, key, bit):
        self.wanted = [bit]
        self.bit(key)

    def write_choice(self, name, num_bits, value):
        self.wanted = [value >> place & 1 for place in range(num_bits - 1, -1, -1)]
        self.choice(name, num_bits)

    def write_number(self, name, value):
        length = value.bit_length()
        self.wanted = [length >> place & 1 for place in range(5, -1, -1)]
        self.wanted += [value >> place & 1 for place in range(length - 2, -1, -1)]
        self.number(name)


class PackWriter:
    """A packed file without bytes of the byte model."""

    def __init__(self):
        self.control, self.payloads, self.last_kind = ControlWriter(), b"", BYTES

    def kind(self, kind):
        """The kind of a segment, which does not count as the one before."""
        self.control.write_choice(("kind", self.last_kind), 3, kind)

    def segment(self, kind):
        self.kind(kind)
        self.last_kind = kind

    def number(self, name, value):
        self.control.write_number(name, value)

    def bit(self, name, bit):
        self.control.write_bit(name, bit)

    def finish(self, original, *, modelled=0, base=None, flags=None, size=None):
        stream = self.control.encoder.finish()
        flags = (base is not None) if flags is None else flags
        head = b"KDP\x01" + bytes([flags]) + file_id(original, size)
        head += b"" if base is None else file_id(base)
        return head + varint(modelled) + varint(len(stream)) + stream + self.payloads


def file_id(content, size=None):
    size = len(content) if size is None else size
    return varint(size) + zlib.crc32(content).to_bytes(4, "little")

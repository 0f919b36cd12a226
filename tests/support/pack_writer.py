"""Packed files bit by bit, right or wrong: what the library's packer would not write."""

import zlib

from support.reference_unpacker import BYTES, Control, varint


class RangeEncoder:
    """FORMAT.md, 9.1."""

    def __init__(self):
        self.low, self.high, self.out = 0, 2**32 - 1, bytearray()

    def encode(self, bit, p):
        split = self.low + ((self.high - self.low) * p >> 16)
        if bit:
            self.high = split
        else:
            self.low = split + 1
        while (self.low ^ self.high) >> 24 == 0:
            self.out.append(self.low >> 24)
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = (self.high << 8 & 0xFFFFFFFF) | 255

    def finish(self):
        for size in (1, 2, 3, 4):
            unit = 1 << (32 - 8 * size)
            number = -(-self.low // unit) * unit
            if number <= self.high:
                return bytes(self.out) + number.to_bytes(4, "big")[:size]
        raise AssertionError


class ControlWriter(Control):
    """A control stream that is written: the values come from `self.given`."""

    def __init__(self):
        super().__init__(b"")
        self.encoder, self.wanted = RangeEncoder(), []
        self.coder = self

    def decode(self, p):
        bit = self.wanted.pop(0)
        self.encoder.encode(bit, p)
        return bit

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

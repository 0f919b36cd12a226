"""An unpacker written from tflite_ops/PACK.md alone, plain and slow: for small files.

It shares no code with the library: where the two agree, the document tells the truth.
Section numbers are PACK.md's.
"""

import collections
import zlib

import numpy as np
from support import reference_arithmetic, reference_decoder
from support.blobs import sealed
from support.reference_byte_model import GRAPH, INT8, PAIRS, WORDS, Bit, bit_of, model_for

BYTES, STORED, TENSOR, COPY, ORIGIN = range(5)
BLOB, DIFFERENCE, BASE = range(3)
TYPES = {0: np.uint32, 1: np.uint16, 2: np.uint16, 3: np.uint8, 4: np.uint8}
INT4 = 4


class Control:
    """The control stream: bits, choices and numbers (3.1)."""

    def __init__(self, stream):
        self.coder, self.bits = reference_arithmetic.Decoder(stream), {}

    def bit(self, key, limit=30):
        adaptive = bit_of(self.bits, key)
        bit = self.coder.bit(min(max(adaptive.p, 32), 65504))
        adaptive.learn(bit, limit)
        return bit

    def choice(self, name, num_bits):
        value = 1
        for _ in range(num_bits):
            value = 2 * value + self.bit((name, value))
        return value - 2**num_bits

    def number(self, name):
        length = self.choice((name, "length"), 6)
        value = min(length, 1)
        for place in range(1, length):
            bit = self.bit((name, length, value)) if place <= 3 else self.coder.bit(32768)
            value = 2 * value + bit
        return value


class Reader:
    """The head (2)."""

    def __init__(self, packed):
        self.data, self.at = packed, 0

    def take(self, size):
        part = self.data[self.at : self.at + size]
        assert len(part) == size
        self.at += size
        return part

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def unpack(packed, base=None):
    """The original."""
    return Unpacker(packed, base).run()


class Unpacker:
    def __init__(self, packed, base):
        head = Reader(packed)
        assert head.take(4) == b"KDP\x01"
        flags = head.take(1)[0]
        self.size, self.checksum = head.varint(), head.take(4)
        if flags & 1:
            assert head.varint() == len(base)
            assert head.take(4) == zlib.crc32(base).to_bytes(4, "little")
        self.is_patch, self.base = bool(flags & 1), base
        modelled = head.varint()
        self.control = Control(head.take(head.varint()))
        self.payloads = Reader(packed[head.at :])
        self.model = model_for(modelled, has_dictionary=bool(flags & 2))
        self.out, self.origin, self.next_base = b"", 0, 0

    def run(self):
        kind = BYTES
        while len(self.out) < self.size:
            found = self.control.choice(("kind", kind), 3)
            if found == ORIGIN:
                self.origin = len(self.out)
                continue
            kind = found
            self.out += [self.bytes, self.stored, self.tensor, self.copy][kind]()
        assert len(self.out) == self.size
        assert self.payloads.at == len(self.payloads.data)
        assert zlib.crc32(self.out).to_bytes(4, "little") == self.checksum
        return self.out

    def coded(self, size, *run, **options):
        """Bytes of the byte model."""
        self.model.begin_run(*run, **options)
        made = []
        for _ in range(size):
            byte = 0
            for _ in range(8):
                bit = self.control.coder.bit(self.model.predict())
                self.model.learn(bit)
                byte = 2 * byte + bit
            made.append(byte)
        return bytes(made)

    def base_offset(self):
        is_backward = self.control.bit("is backward")
        step = self.control.number("base step")
        return self.next_base - step if is_backward else self.next_base + step

    def bytes(self):
        size, rows, base = self.control.number("byte count"), 0, None
        kind = self.control.choice("byte kind", 2)
        if kind != GRAPH and self.control.bit("has rows"):
            rows = self.control.number("row bytes")
        if self.is_patch and self.control.bit("has base"):
            offset = self.base_offset()
            base, self.next_base = self.base[offset:], offset + size
        return self.coded(size, kind, len(self.out) - self.origin, rows, base)

    def stored(self):
        return self.payloads.take(self.control.number("stored size"))

    def copy(self):
        size, offset = self.control.number("copy size"), self.base_offset()
        self.next_base = offset + size
        return self.base[offset : offset + size]

    # 3.4
    def tensor(self):
        control, is_summed, is_by_index, recipe_size = self.control, 0, 0, 0
        is_huffman = control.bit("is huffman")
        if is_huffman:
            is_by_index, recipe_size = control.bit("is by index"), control.number("recipe size")
        else:
            is_summed = control.bit("is summed")
        source = control.choice("source", 2) if self.is_patch else BLOB
        dtype, weights, recipe_base, old = None, None, None, None
        if source != BASE:
            body = self.payloads.take(control.number("payload size"))
            blob = sealed(b"KDC\x01" + body)
            weights, dtype = reference_decoder.decode(blob), blob[4] & 7
        if source != BLOB:
            offset = self.base_offset()
            if control.bit("is blob"):
                size = control.number("blob size")
                blob = self.base[offset : offset + size]
                old, dtype = reference_decoder.decode(blob), blob[4] & 7
                recipe_base = recipe_of(blob, bool(is_by_index)) if source == BASE else None
            else:
                shape = None if weights is None else weights.shape
                if source == BASE:
                    dtype = control.choice("dtype", 3)
                    rank = control.choice("rank", 4)
                    shape = tuple(control.number("dimension") for _ in range(rank))
                old, size = dense(self.base, offset, dtype, shape)
            self.next_base = offset + size
        if is_huffman:
            recipe = self.coded(recipe_size, INT8, 0, base=recipe_base)
        if source == DIFFERENCE:
            weights = weights + old
        elif source == BASE:
            weights = self.beside(old)
        if is_summed:
            weights = np.cumsum(weights.ravel(), dtype=weights.dtype).reshape(weights.shape)
        if is_huffman:
            return huffman_blob(weights, dtype, bool(is_by_index), recipe)
        return stored_bytes(weights, dtype)

    # 3.6
    def beside(self, old):
        num_values, item_size = self.control.number("palette size"), old.itemsize
        before = np.unique(old[old != 0])
        kind = {4: WORDS, 2: PAIRS, 1: INT8}[item_size]
        values = self.coded(num_values * item_size, kind, 0, base=before.tobytes())
        values = np.concatenate([[0], np.frombuffer(values, old.dtype)]).astype(old.dtype)
        symbols = np.where(old == 0, 0, np.searchsorted(before, old) + 1).ravel()
        if not self.control.bit("is same"):
            recent, num_bits = 15, num_values.bit_length()
            same, others = {}, {}
            for i, symbol in enumerate(symbols):
                adaptive = bit_of(same, (symbol == 0, recent))
                is_same = self.control.coder.bit(min(max(adaptive.p, 32), 65504))
                adaptive.learn(is_same, 255)
                recent = (recent << 1 | is_same) & 15
                if is_same:
                    continue
                value = 1
                for _ in range(num_bits):
                    adaptive = others.setdefault((symbol == 0, value), Bit())
                    bit = self.control.coder.bit(min(max(adaptive.p, 32), 65504))
                    adaptive.learn(bit, 30)
                    value = 2 * value + bit
                symbols[i] = value - 2**num_bits
        return values[symbols].reshape(old.shape)


def dense(base, offset, dtype, shape):
    """A dense tensor in a file, and its size in bytes."""
    count = int(np.prod(shape, dtype=np.int64))
    if dtype != INT4:
        size = count * np.dtype(TYPES[dtype]).itemsize
        return np.frombuffer(base, TYPES[dtype], count, offset).reshape(shape), size
    size = (count + 1) // 2
    packed = np.frombuffer(base, np.uint8, size, offset)
    nibbles = np.stack([packed & 15, packed >> 4], -1).ravel()[:count]
    return np.where(nibbles < 8, nibbles, nibbles + 240).astype(np.uint8).reshape(shape), size


def stored_bytes(weights, dtype):
    if dtype != INT4:
        return weights.tobytes()
    nibbles = np.append(weights.ravel() & 15, np.zeros(weights.size % 2, np.uint8))
    return (nibbles[0::2] | nibbles[1::2] << 4).astype(np.uint8).tobytes()


# 3.5
def usual_order(values):
    """The values of kept weights, the most frequent first, then the smaller."""
    counts = collections.Counter(values)
    return sorted(counts, key=lambda value: (-counts[value], value))


class Blob:
    """What stands in a Huffman-coded blob before its streams, by FORMAT.md."""

    def __init__(self, blob):
        reader = reference_decoder.Bytes(blob[:-4])
        reader.take(4)
        self.head = reader.take(3)
        layout, coding, rank = self.head
        self.rows, self.gap_bits = not layout & 8, layout >> 4
        self.is_arithmetic, self.has_scales = bool(coding & 128), bool(coding & 0x30)
        self.shape = tuple(reader.varint() for _ in range(rank & 15))
        self.kept = int(np.prod(self.shape, dtype=np.int64))
        fillers = 0
        if self.gap_bits:
            self.kept, fillers = reader.varint(), reader.varint()
        self.centroids = reader.byte() + 1 if coding & 1 else 0
        self.begin, self.reader, self.num_gaps = reader.position, reader, self.kept + fillers

    def table(self, alphabet):
        """The bytes of a code table."""
        begin = self.reader.position
        reference_decoder.read_table(self.reader, alphabet)
        return self.reader.data[begin : self.reader.position]


def recipe_of(blob, is_by_index):
    """The recipe of a blob of the base; None if it has none."""
    found = Blob(blob)
    if found.is_arithmetic or (not found.centroids if is_by_index else found.has_scales):
        return None
    assert not found.head[2] & 0x70, "planes are beyond this reader"
    reader, recipe = found.reader, found.head
    item_size = 2 if found.head[1] & 2 else np.dtype(TYPES[found.head[0] & 7]).itemsize
    if is_by_index:
        assert not found.has_scales, "scales are beyond this reader"
        numbers = reader.take(found.centroids * item_size)
        assert len(numbers) < 128
        recipe += bytes([found.centroids - 1, len(numbers)]) + numbers
    else:
        numbers = reader.take((found.centroids or found.kept) * item_size)
        if found.centroids:
            weights = reference_decoder.decode(blob)
            values = weights[weights != 0] if found.gap_bits else weights
            usual = usual_order(values.ravel().tolist())
            assert len(usual) == found.centroids
            dtype = np.uint16 if item_size == 2 else TYPES[found.head[0] & 7]
            codebook = np.frombuffer(numbers, dtype)
            if found.head[1] & 2:
                codebook = codebook.view(np.float16).astype(np.float32).view(np.uint32)
            places = [usual.index(value) for value in codebook.tolist()]
            is_usual = places == sorted(places)
            recipe += b"\0" if is_usual else bytes([1, *places])
    if found.centroids > 1 and found.kept:
        recipe += found.table(found.centroids)
    if found.gap_bits and found.num_gaps:
        recipe += found.table(2**found.gap_bits)
    return recipe


def huffman_blob(weights, dtype, is_by_index, recipe):
    reader = reference_decoder.Bytes(recipe)
    head = reader.take(3)
    layout, coding, rank = head
    assert not rank & 0x70, "planes are beyond this reader"
    by_columns, gap_bits, streams = layout & 8, layout >> 4, 1 << (coding >> 2 & 3)
    matrix = weights.reshape(weights.shape[0] if weights.ndim > 1 else 1, -1)
    scan = (matrix.T if by_columns else matrix).ravel()
    places = np.flatnonzero(scan) if gap_bits else np.arange(scan.size)
    kept = scan[places].tolist()
    centroids, numbers, indices = 0, b"", []
    if is_by_index:
        centroids = reader.byte() + 1
        numbers = reader.take(reader.varint())
        indices = [weight - 1 for weight in kept]
    else:
        codebook = kept
        if coding & 1:
            usual = usual_order(kept)
            centroids = len(usual)
            order = reader.take(centroids) if reader.byte() else range(centroids)
            codebook = [usual[place] for place in order]
            indices = [codebook.index(weight) for weight in kept]
        stored = np.array(codebook, TYPES[dtype])
        if coding & 2:
            stored = stored.view(np.float32).astype(np.float16)
        numbers = stored.tobytes()
    gaps, filler, next_place = [], 2**gap_bits - 1, 0
    for place in places if gap_bits else []:
        run, next_place = int(place) - next_place, int(place) + 1
        gaps += [filler] * (run // filler) + [run % filler]
    blob = b"KDC\x01" + head + b"".join(varint(dim) for dim in weights.shape)
    if gap_bits:
        blob += varint(len(kept)) + varint(len(gaps) - len(kept))
    blob += (bytes([centroids - 1]) if centroids else b"") + numbers
    made = []
    for symbols, alphabet in ((indices, centroids), (gaps, 2**gap_bits)):
        if not symbols or alphabet < 2:
            continue
        begin = reader.position
        lengths = reference_decoder.read_table(reader, alphabet)
        blob += recipe[begin : reader.position]
        made += streams_of(symbols, lengths, streams)
    assert reader.position == len(recipe)
    blob += b"".join(varint(len(stream)) for stream in made[:-1]) + b"".join(made)
    return sealed(blob)


def varint(number):
    made = []
    while number >= 128:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def streams_of(symbols, lengths, num_streams):
    """FORMAT.md, 5 and 6."""
    used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    codes, code, before = {}, 0, used[0][0]
    for length, symbol in used:
        code <<= length - before
        codes[symbol] = format(code, f"0{length}b")
        code, before = code + 1, length
    if len(used) == 1:
        codes = {used[0][1]: ""}
    share = -(-len(symbols) // num_streams)
    made = []
    for i in range(num_streams):
        bits = "".join(codes[symbol] for symbol in symbols[i * share : (i + 1) * share])
        size = -(-len(bits) // 8)
        made.append(int(bits[::-1] or "0", 2).to_bytes(size, "little"))
    return made

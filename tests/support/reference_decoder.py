"""A decoder of blobs written from tflite_ops/FORMAT.md alone, plain and slow.

It shares no code with the library: where the two agree, the document tells the truth.
Section numbers are FORMAT.md's.
"""

import zlib

import numpy as np
from support import reference_arithmetic

ITEM_SIZES = {0: 4, 1: 2, 2: 2, 3: 1, 4: 1}
DTYPES = {0: np.uint32, 1: np.uint16, 2: np.uint16, 3: np.uint8, 4: np.uint8}


class Bits:
    """A bit stream (section 1)."""

    def __init__(self, data):
        self.number = int.from_bytes(data, "little")
        self.position = 0

    def take(self, count):
        value = (self.number >> self.position) & ((1 << count) - 1)
        self.position += count
        return value

    def count_until(self, stop):
        count = 0
        while self.take(1) != stop:
            count += 1
            assert count < 512
        return count


class Bytes:
    def __init__(self, data):
        self.data = data
        self.position = 0

    def take(self, count):
        part = self.data[self.position : self.position + count]
        assert len(part) == count
        self.position += count
        return part

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value


def decode(blob):
    """Bit patterns of the tensor: unsigned integers of the dtype's size, in its shape."""
    assert zlib.crc32(blob[:-4]) == int.from_bytes(blob[-4:], "little")
    reader = Bytes(blob[:-4])
    assert reader.take(4) == b"KDC\x01"
    layout, coding = reader.byte(), reader.byte()
    dtype, by_columns, gap_bits = layout & 7, bool(layout & 8), layout >> 4
    has_codebook, as_float16, num_streams = coding & 1, coding & 2, 1 << (coding >> 2 & 3)
    is_arithmetic = coding & 128
    scale_axis, wide = (None, 0, -1)[coding >> 4 & 3], coding & 64
    rank = reader.byte()
    shape = [0] * (rank & 15)
    value_streams = (1 if has_codebook else num_streams) if rank & 16 else 0
    for i in range(len(shape)):
        shape[i] = reader.varint()
    zero_point = reader.byte() if rank & 128 else 0
    size = int(np.prod(shape, dtype=np.int64))
    kept, fillers = size, 0
    if is_arithmetic:
        kept, model, period = reader.varint(), reader.byte(), reader.varint()
    elif gap_bits:
        kept, fillers = reader.varint(), reader.varint()
    centroids = reader.byte() + 1 if has_codebook else 0

    precise = ITEM_SIZES[dtype] if scale_axis is None else 8 if wide else 4
    item_size = 2 if as_float16 else precise
    planes = [plane for plane in range(item_size) if is_arithmetic and model >> 4 + plane & 1]
    if is_arithmetic and has_codebook:
        is_float = scale_axis is not None or dtype < 3
        stored = read_ascending(reader, centroids, item_size, is_float)
    elif is_arithmetic:
        stored = read_other_planes(reader, kept, item_size, planes)
    elif rank & 64:
        assert len(shape) > 1
        num_lines = size // shape[0] if by_columns else shape[0]
        stored = read_classed(reader, num_lines, size // num_lines, item_size, value_streams)
    else:
        stored = read_numbers(reader, centroids or kept, item_size, value_streams)
    if scale_axis is not None:
        scales = read_numbers(reader, shape[scale_axis], precise, rank >> 5 & 1)
    if is_arithmetic:
        lines = lines_of(shape, size, by_columns)
        streams, shares = read_arithmetic_streams(reader, num_streams, size, kept)
        options = {"mask": model & 1, "period": period, "centroids": centroids, "planes": planes}
        entries = list(reference_arithmetic.entries(streams, shares, *lines, **options))
        places, indices = [place for place, _ in entries], [found for _, found in entries]
        for number, plane in enumerate(planes):
            stored[item_size - 1 - plane :: item_size] = bytes(found[number] for found in indices)
    else:
        index_lengths = read_table(reader, centroids) if centroids > 1 and kept else None
        gap_lengths = read_table(reader, 1 << gap_bits) if gap_bits and kept + fillers else None
        streams = read_streams(reader, num_streams, [index_lengths, gap_lengths])
        indices = decode_streams(index_lengths, streams[0], kept)
        gaps = decode_streams(gap_lengths, streams[1], kept + fillers)
        places = positions(gaps, (1 << gap_bits) - 1) if gap_bits else range(size)
    if not has_codebook:
        indices = range(kept)
    if scale_axis is None:
        values = as_values(stored, dtype, as_float16)
    else:
        values = scaled_values(stored, scales, dtype, as_float16, wide)

    tensor = np.zeros(size, DTYPES[dtype])
    for place, index in zip(places, indices, strict=True):
        if by_columns and len(shape) > 1:
            place = place % shape[0] * (size // shape[0]) + place // shape[0]
        if scale_axis is None:
            tensor[place] = values[index]
        else:
            tensor[place] = values[np.unravel_index(place, shape)[scale_axis], index]
    if zero_point:
        assert dtype == 3
        assert scale_axis is None
        tensor += DTYPES[dtype](zero_point)  # modulo 256
    return tensor.reshape(shape)


def read_numbers(reader, count, item_size, num_streams):
    """Section 4: the bytes of numbers; by planes if `num_streams` is not zero."""
    if not num_streams:
        return reader.take(item_size * count)
    coded, numbers = reader.byte(), bytearray(item_size * count)
    assert 0 < coded < 1 << item_size
    assert count
    for plane in range(item_size):
        if coded >> plane & 1:
            lengths = read_table(reader, 256)
            sizes = [reader.varint() for _ in range(num_streams)]
            symbols = decode_streams(lengths, [reader.take(size) for size in sizes], count)
        else:
            symbols = reader.take(count)
        numbers[item_size - 1 - plane :: item_size] = bytes(symbols)
    return bytes(numbers)


def lines_of(shape, size, by_columns):
    """Section 9: how many lines there are, and their length."""
    rows = shape[0] if len(shape) > 1 else 1
    columns = int(np.prod(shape[1:])) if len(shape) > 1 else size
    return (columns, rows) if by_columns else (rows, columns)


def read_ascending(reader, count, item_size, is_float):
    """Section 9: the bytes of a codebook of ascending numbers."""
    exponent, width = reader.byte(), 8 * item_size
    assert exponent < width
    bits = Bits(reader.data[reader.position :])
    order, numbers = bits.take(width), []
    for number in range(count):
        if number:
            length = bits.count_until(1)
            quotient = (1 << length) + bits.take(length)
            order += 1 + (quotient - 1 << exponent) + bits.take(exponent)
        assert order < 1 << width
        is_negative = not order >> width - 1
        flipped = (1 << width) - 1 if is_float and is_negative else 1 << width - 1
        numbers.append(order ^ flipped)
    length = (bits.position + 7) // 8
    reader.take(length)
    assert (bits.number & (1 << 8 * length) - 1) >> bits.position == 0
    return b"".join(number.to_bytes(item_size, "little") for number in numbers)


def read_other_planes(reader, count, item_size, coded):
    """Section 9: the bytes of values of which the coded planes are still zero."""
    numbers = bytearray(item_size * count)
    for plane in range(item_size):
        if plane not in coded:
            numbers[item_size - 1 - plane :: item_size] = reader.take(count)
    return numbers


def read_arithmetic_streams(reader, num_streams, size, kept):
    """Section 9: the streams, and the kept weights of each, or None if all are kept."""
    shares = None
    if kept < size:
        shares = [reader.varint() for _ in range(num_streams - 1)]
        shares.append(kept - sum(shares))
    sizes = [reader.varint() for _ in range(num_streams - 1)]
    sizes.append(len(reader.data) - reader.position - sum(sizes))
    streams = [reader.take(size) for size in sizes]
    assert reader.position == len(reader.data)
    return streams, shares


def read_classed(reader, num_lines, line_length, item_size, num_streams):
    """Section 4: the bytes of values whose lines are of two classes."""
    bits = Bits(reader.take((num_lines + 7) // 8))
    classes = [bits.take(1) for _ in range(num_lines)]
    assert bits.number >> num_lines == 0
    lines = []
    for line_class in (0, 1):
        count = line_length * classes.count(line_class)
        lines.append(Bytes(read_numbers(reader, count, item_size, num_streams)))
    return b"".join(lines[line_class].take(item_size * line_length) for line_class in classes)


def as_values(stored, dtype, as_float16):
    """Section 4; patterns of a float32 stored as float16 are widened by NumPy."""
    if as_float16:
        return np.frombuffer(stored, "<f2").astype(np.float32).view(np.uint32)
    return np.frombuffer(stored, DTYPES[dtype])


def scaled_values(stored, scales, dtype, as_float16, wide):
    """Section 4: patterns by channel and centroid."""
    precise = "<f8" if wide else "<f4"
    codebook = np.frombuffer(stored, "<f2" if as_float16 else precise).astype(float)
    products = np.outer(np.frombuffer(scales, precise).astype(float), codebook)
    if dtype == 0:
        return products.astype(np.float32).view(np.uint32)
    return np.rint(np.clip(products, -128, 127)).astype(np.int8).view(np.uint8)


def read_table(reader, alphabet):
    """Section 5: code lengths, 0 for a symbol without a code."""
    bits = Bits(reader.data[reader.position :])
    length, lengths = bits.take(4), []
    while True:
        exponent = bits.count_until(1)
        run = (1 << exponent) + bits.take(exponent)
        lengths += [0 if length == 13 else length] * run
        if len(lengths) == alphabet:
            break
        rank = bits.count_until(0)
        length += rank // 2 + 1 if rank % 2 == 0 else -(rank + 1) // 2
    reader.take((bits.position + 7) // 8)
    return lengths


def read_streams(reader, num_streams, tables):
    """Section 6: the streams of each table, none where there is no table."""
    total = num_streams * sum(table is not None for table in tables)
    sizes = [reader.varint() for _ in range(total - 1)]
    if total:
        sizes.append(len(reader.data) - reader.position - sum(sizes))
    streams = [reader.take(size) for size in sizes]
    assert reader.position == len(reader.data)
    parts = []
    for table in tables:
        here = num_streams if table is not None else 0
        parts.append(streams[:here])
        streams = streams[here:]
    return parts


def decode_streams(lengths, streams, count):
    if lengths is None:
        return [0] * count
    present = [symbol for symbol, length in enumerate(lengths) if length]
    if len(present) == 1:
        return present * count
    codes = canonical_codes(lengths)
    symbols, share = [], -(-count // len(streams))
    for number, stream in enumerate(streams):
        bits = Bits(stream)
        for _ in range(max(0, min(count, (number + 1) * share) - number * share)):
            code, length = 0, 0
            while (length, code) not in codes:
                code, length = 2 * code + bits.take(1), length + 1
            symbols.append(codes[length, code])
        assert (bits.position + 7) // 8 == len(stream)
    return symbols


def canonical_codes(lengths):
    """Section 5: `{(length, code): symbol}`."""
    codes, code, before = {}, -1, 0
    for length, symbol in sorted((length, s) for s, length in enumerate(lengths) if length):
        code = (code + 1) << (length - before) if before else 0
        codes[length, code] = symbol
        before = length
    return codes


def positions(gaps, filler):
    assert not gaps or gaps[-1] != filler
    position = 0
    for gap in gaps:
        position += gap
        if gap < filler:
            yield position
            position += 1

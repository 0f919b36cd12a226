"""The arithmetic coder of tflite_ops/FORMAT.md, section 9, decoding only, plain and slow."""

import collections

TABLE = [
    22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743,
    32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374,
    65438, 65476, 65500, 65514,
]  # fmt: skip
MAX_LOGIT = 2047


def squash(logit):
    logit = clamp_logit(logit) + 2048
    cell, part = logit >> 7, logit & 127
    return TABLE[cell] + ((TABLE[cell + 1] - TABLE[cell]) * part >> 7)


def clamp_logit(logit):
    return max(-MAX_LOGIT, min(MAX_LOGIT, logit))


def make_stretch():
    table, logit = [], -MAX_LOGIT
    for cell in range(4096):
        while logit < MAX_LOGIT and squash(logit) < 16 * cell + 8:
            logit += 1
        table.append(logit)
    return table


STRETCH = make_stretch()


def stretch(probability):
    return STRETCH[probability >> 4]


def bound(probability):
    return max(32, min(65504, probability))


class Decoder:
    """Section 9.1; `code` is the number of the stream less `low`."""

    def __init__(self, stream):
        self.stream = stream
        self.range = 2**64 - 1
        self.taken = 8
        self.code = int.from_bytes(stream[:8].ljust(8, b"\0"), "big")

    def _narrow(self, new_range):
        self.range = new_range
        if self.range < 1 << 32:
            word = self.stream[self.taken : self.taken + 4].ljust(4, b"\0")
            self.taken += 4
            self.code = self.code << 32 | int.from_bytes(word, "big")
            self.range <<= 32

    def bit(self, probability):
        part = (self.range >> 16) * probability
        bit = int(self.code < part)
        if not bit:
            self.code -= part
        self._narrow(part if bit else self.range - part)
        return bit

    def equal_bits(self, count):
        """A number of `count` equally likely bits."""
        number = 0
        while count:
            now = min(count, 16)
            part = self.range >> now
            digit = min(self.code // part, (1 << now) - 1)
            self.code -= digit * part
            self._narrow(part)
            number = number << now | digit
            count -= now
        return number

    def check_ending(self):
        assert len(self.stream) <= self.taken
        low = int.from_bytes(self.stream.ljust(self.taken, b"\0"), "big") - self.code
        for zeros in range(8, -1, -1):  # at most one multiple of 2^64 is in the range
            unit = 256**zeros
            number = -(-low // unit) * unit
            if number < low + self.range:
                break
        assert number.to_bytes(self.taken, "big").rstrip(b"\0") == self.stream


class Adaptive:
    """Section 9.3."""

    def __init__(self, begin=1 << 15, count=0):
        self.state = 64 * begin
        self.count = count

    @property
    def probability(self):
        return self.state >> 6

    def learn(self, bit):
        target = (1 << 22) - 1 if bit else 0
        self.state += (target - self.state) * (655360 // (10 * self.count + 16)) >> 16
        self.count = min(self.count + 1, 1023)

    def decode(self, decoder):
        bit = decoder.bit(bound(self.probability))
        self.learn(bit)
        return bit


class Mixture:
    """Section 9.3."""

    def __init__(self):
        self.weights = [32768, 32768]

    def decode(self, decoder, inputs):
        logits = [
            stretch(one.probability) * (65536 * (10 * one.count + 4) // (10 * one.count + 15)) >> 16
            for one in inputs
        ]
        mixed = sum(weight * logit for weight, logit in zip(self.weights, logits)) >> 16
        probability = bound(squash(mixed))
        bit = decoder.bit(probability)
        error = (65536 if bit else 0) - probability
        for number, logit in enumerate(logits):
            self.weights[number] += (logit * error + 65536) >> 17
        for one in inputs:
            one.learn(bit)
        return bit


def places_by_gaps(decoder, num_lines, line_length, kept):
    """Section 9.4: line and offset of each kept weight of a stream."""
    size = num_lines * line_length
    mean = 256 * (size - kept) // kept if kept else 0
    quotient_bits = collections.defaultdict(Adaptive)
    rest_bits = collections.defaultdict(Adaptive)
    position = 0
    for _ in range(kept):
        highest = max(mean.bit_length() - 1, 0)
        level = 2 * highest + (mean >> (highest - 1) & 1 if highest else 0)
        depth = max(0, (level - 1) // 2 - 8)
        quotient = 0
        while quotient < 16 and quotient_bits[level, quotient].decode(decoder):
            quotient += 1
        if quotient == 16:
            quotient += decoder.equal_bits(decoder.equal_bits(6))
        node = 1
        in_tree = min(depth, 3)
        for _ in range(in_tree):
            node = 2 * node + rest_bits[level, node].decode(decoder)
        gap = quotient << in_tree | node - (1 << in_tree)
        gap = gap << depth - in_tree | decoder.equal_bits(depth - in_tree)
        mean += (min(gap, 2**32 - 1) * 256 >> 5) - (mean >> 5)
        position += gap
        assert position < size
        yield divmod(position, line_length)
        position += 1


def read_flags(decoder, count, period):
    """Section 9.4: which lines (with a period of 0) or offsets are live."""
    adaptive = [Adaptive() for _ in range(8)]
    flags = []
    for place in range(count):
        backs = [1] + ([period, period - 1] if period else [])
        context = sum(
            flags[place - back] << bit for bit, back in enumerate(backs) if 0 < back <= place
        )
        flags.append(adaptive[context].decode(decoder))
    return flags


def weights_around(period):
    """Section 9.4: distances and weights of the offsets around one."""
    around = [(0, 8), (-1, 4), (1, 4)]
    if period:
        for sign in (-1, 1):
            here = sign * period
            around += [(here, 4), (here - 1, 2), (here + 1, 2), (2 * here, 1), (2 * sign, 1)]
    return around


def places_by_mask(decoder, num_lines, line_length, kept, period):
    """Section 9.4: line and offset of each kept weight of a stream."""
    if not kept:
        return
    live_lines = read_flags(decoder, num_lines, 0)
    live_offsets = read_flags(decoder, line_length, period)
    live_weights = sum(live_lines) * sum(live_offsets)
    assert live_weights >= kept
    density = bound(min(65536 * kept // live_weights, 65535))
    by_neighbours = collections.defaultdict(lambda: Adaptive(density))
    by_bucket = [Adaptive(bound(squash(64 * i - 2016)), 1) for i in range(64) for _ in range(8)]
    mixture = Mixture()
    around = weights_around(period)

    def is_offset(offset):
        return 0 <= offset < line_length

    def odds(share, total):
        return stretch(bound(min(share // total, 65535)))

    widths = [
        sum(weight for step, weight in around if is_offset(o + step) and live_offsets[o + step])
        for o in range(line_length)
    ]
    kept_at = [0] * line_length
    lines = [[0] * line_length, [0] * line_length]  # the last one, the one before it
    found = lines_before = 0
    for line in range(num_lines):
        if not live_lines[line]:
            continue
        near = [
            sum(weight * kept_at[o + step] for step, weight in around if is_offset(o + step))
            for o in range(line_length)
        ]
        now = [0] * line_length
        seen = kept_here = 0
        for offset in range(line_length):
            if not live_offsets[offset]:
                continue

            def before(back, now=now, offset=offset):
                return now[offset - back] if 0 < back <= offset else 0

            bits = [before(1), before(2), lines[0][offset], lines[1][offset]]
            if period:
                bits += [before(back) for back in (period, period - 1, period + 1, 2 * period)]
            many = sum(bits) + before(3) + before(4)
            many += sum(lines[0][o] for o in (offset - 1, offset + 1) if is_offset(o))
            width = widths[offset]
            by_offset = odds(65536 * near[offset] + 3 * density * width, width * (lines_before + 3))
            by_line = odds(65536 * kept_here + 20 * density, seen + 20)
            bucket = clamp_logit(by_offset + by_line - stretch(density)) + 2048 >> 6
            neighbours = sum(bit << place for place, bit in enumerate(bits))
            inputs = [by_neighbours[neighbours], by_bucket[8 * bucket + min(many, 7)]]
            now[offset] = mixture.decode(decoder, inputs)
            seen += 1
            kept_here += now[offset]
            if now[offset]:
                yield line, offset
                found += 1
                if found == kept:
                    return
        kept_at = [count + bit for count, bit in zip(kept_at, now)]
        lines = [now, lines[0]]
        lines_before += 1
    raise AssertionError("fewer kept weights than declared")


class SymbolModel:
    """Section 9.5: symbols with those of the neighbours as their context."""

    def __init__(self, num_symbols, line_length, period, nodes_with_context):
        self.num_symbols, self.period = num_symbols, period
        self.depth = (num_symbols - 1).bit_length()
        self.nodes_with_context = nodes_with_context
        self.plain = collections.defaultdict(Adaptive)
        self.by_context = collections.defaultdict(Adaptive)
        self.line = 0
        # Symbols plus 1, by offset.
        self.now, self.last = {}, {}

    def _context(self, line, offset):
        if line != self.line:
            self.last = self.now if line == self.line + 1 else {}
            self.line, self.now = line, {}

        def before(back):
            return self.now.get(offset - back, 0) if back > 0 else 0

        numbers = [before(1) or before(2)]
        if self.period:
            numbers += [before(self.period), before(self.period + 1), before(self.period - 1)]
        else:
            numbers += [self.last.get(offset, 0), 0, 0]
        factors = [2, 2, 1, 1]
        total = sum(factor for factor, number in zip(factors, numbers) if number)
        if not total:
            return 0
        mean = 2 * sum(factor * number for factor, number in zip(factors, numbers)) // total
        return 1 + (mean - 2) * 16 // (2 * self.num_symbols - 1)

    def decode(self, decoder, line, offset):
        context, node = self._context(line, offset), 1
        for _ in range(self.depth):
            plain = self.plain[node]
            if node < self.nodes_with_context:
                chosen = self.by_context[node, context]
                if chosen.count == 0:
                    chosen.state, chosen.count = plain.state, min(plain.count, 2)
                bit = chosen.decode(decoder)
                plain.learn(bit)
            else:
                bit = plain.decode(decoder)
            node = 2 * node + bit
        symbol = node - (1 << self.depth)
        assert symbol < self.num_symbols
        self.now[offset] = symbol + 1
        return symbol


class PlanesModel:
    """Section 9.6: the bytes of the coded planes of each value."""

    def __init__(self, num_planes, first_is_highest, line_length, period):
        self.first = SymbolModel(256, line_length, period, 256)
        self.first_is_highest = first_is_highest
        self.further = [collections.defaultdict(Adaptive) for _ in range(num_planes - 1)]

    def decode(self, decoder, line, offset):
        byte = self.first.decode(decoder, line, offset)
        if self.first_is_highest:
            byte = byte >> 1 | (byte & 1) << 7
        found = [byte]
        for adaptive in self.further:
            node = 1
            for _ in range(8):
                key = (node, found[-1]) if node < 8 else node
                node = 2 * node + adaptive[key].decode(decoder)
            found.append(node - 256)
        return found


def entries(streams, shares, num_lines, line_length, *, mask, period, centroids, planes):
    """Entries of all streams: position in the scan, and index or bytes of coded planes.

    Args:
        streams: list of bytes.
        shares: kept weights of each stream, or None if all weights are kept.
        num_lines: int, rows or columns of the tensor.
        line_length: int.
        mask: whether positions are by a mask.
        period: int.
        centroids: int, 0 without a codebook.
        planes: numbers of the coded planes, 0 that of the highest bytes.
    """
    lines_each = -(-num_lines // len(streams))
    for number, stream in enumerate(streams):
        first = min(number * lines_each, num_lines)
        count = min(first + lines_each, num_lines) - first
        decoder = Decoder(stream)
        if shares is None:
            places = ((line, offset) for line in range(count) for offset in range(line_length))
        elif mask:
            places = places_by_mask(decoder, count, line_length, shares[number], period)
        else:
            places = places_by_gaps(decoder, count, line_length, shares[number])
        model = None
        if centroids > 1:
            model = SymbolModel(centroids, line_length, period, 16)
        elif planes:
            model = PlanesModel(len(planes), planes[0] == 0, line_length, period)
        for line, offset in places:
            found = model.decode(decoder, line, offset) if model else 0
            yield (first + line) * line_length + offset, found
        decoder.check_ending()

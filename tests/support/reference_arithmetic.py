"""The arithmetic coder of tflite_ops/FORMAT.md, section 9, decoding only, plain and slow."""

TABLE = [
    22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743,
    32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374,
    65438, 65476, 65500, 65514,
]  # fmt: skip
LEVELS = [1, 2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80, 112, 160, 224]
MAX_LOGIT = 2047


def squash(logit):
    logit = max(-MAX_LOGIT, min(MAX_LOGIT, logit)) + 2048
    cell, part = logit >> 7, logit & 127
    return TABLE[cell] + ((TABLE[cell + 1] - TABLE[cell]) * part >> 7)


def make_stretch():
    table, logit = [], -MAX_LOGIT
    for cell in range(4096):
        while logit < MAX_LOGIT and squash(logit) < 16 * cell + 8:
            logit += 1
        table.append(logit)
    return table


STRETCH = make_stretch()


def bound(probability):
    return max(32, min(65504, probability))


def level(count):
    return sum(threshold <= count for threshold in LEVELS)


class Adaptive:
    def __init__(self, probability=32768):
        self.probability = probability
        self.count = 0

    def learn(self, bit, limit):
        target = 65535 if bit else 0
        rate = 655360 // (10 * self.count + 16)
        self.probability += (target - self.probability) * rate >> 16
        self.count = min(self.count + 1, limit)


class Decoder:
    """Section 9.1."""

    def __init__(self, stream):
        self.stream = stream
        self.low, self.high, self.taken, self.code = 0, 2**32 - 1, 0, 0
        for _ in range(4):
            self.next_byte()

    def next_byte(self):
        byte = self.stream[self.taken] if self.taken < len(self.stream) else 0
        self.taken += 1
        self.code = (self.code << 8 | byte) & 0xFFFFFFFF

    def bit(self, probability):
        split = self.low + ((self.high - self.low) * probability >> 16)
        bit = int(self.code <= split)
        if bit:
            self.high = split
        else:
            self.low = split + 1
        while self.low >> 24 == self.high >> 24:
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = self.high << 8 & 0xFFFFFFFF | 0xFF
            self.next_byte()
        return bit


class Mixture:
    """Section 9.4, at its end."""

    def __init__(self, weight):
        self.weights = [weight] * 6

    def decode(self, decoder, inputs, limits):
        logits = [STRETCH[adaptive.probability >> 4] for adaptive in inputs]
        mixed = sum(weight * logit for weight, logit in zip(self.weights, logits)) >> 16
        probability = bound(squash(mixed))
        bit = decoder.bit(probability)
        error = (65536 if bit else 0) - probability
        for number, logit in enumerate(logits):
            self.weights[number] += logit * error >> 16
        for adaptive, limit in zip(inputs, limits):
            adaptive.learn(bit, limit)
        return bit


def positions(streams, line_length, size, kept, period):
    """Section 9.4: positions of the kept weights in the scan."""
    if not kept:
        return []
    decoder = Decoder(streams[0])
    first = bound(min(kept * 65536 // size, 65535))
    at_offset = [Adaptive(first) for _ in range(line_length)]
    contexts = [{} for _ in range(4)]
    mixture = Mixture(16000)
    count_at = [0] * line_length
    # The line before the last one, the last one, the current one so far.
    lines = [[0] * line_length, [0] * line_length, []]
    found = []
    for position in range(size):
        offset = position % line_length
        if offset == 0:
            if position:
                lines = [lines[1], lines[2], []]
            of_line, kept_in_line, gap = Adaptive(first), 0, 0
        backs, places = [1, 2], [offset, offset - 1, offset + 1]
        if period:
            backs += [period, period - 1, period + 1, 2 * period]
            places += [offset - period, offset + period]
        bits = [lines[2][offset - back] if offset >= back else 0 for back in backs]
        bits[2:2] = [lines[1][offset], lines[0][offset]]
        neighbours = sum(bit << place for place, bit in enumerate(bits))
        around = sum(count_at[place] for place in places if 0 <= place < line_length)
        line_level = 16 * level(128 * kept_in_line // (offset + 16))
        keys = [
            neighbours,
            line_level + level(count_at[offset]),
            line_level + level(around),
            16 * level(gap) + level(count_at[offset]),
        ]
        inputs = [at_offset[offset], of_line]
        inputs += [context.setdefault(key, Adaptive(first)) for context, key in zip(contexts, keys)]
        limits = [255, 255, 1023, 1023, 1023, 1023]
        bit = mixture.decode(decoder, inputs, limits)
        lines[2].append(bit)
        kept_in_line += bit
        gap = 0 if bit else gap + 1
        count_at[offset] = min(count_at[offset] + bit, 65535)
        if bit:
            found.append(position)
            if len(found) == kept:
                break
    return found


def indices(streams, negative, places, line_length, period):
    """Section 9.5; `negative` tells the sign of each centroid, `places` are positions."""
    if not streams:
        return [0] * len(places)
    decoder = Decoder(streams[0])
    depth = (len(negative) - 1).bit_length()
    nodes, mixture = {}, Mixture(20000)
    signs, found = {}, []
    for place in places:

        def sign(back, place=place):
            return signs.get(place - back, 0) if 0 < back <= place % line_length else 0

        near, far = sign(1) or sign(2), sign(period)
        prefix = 1
        for _ in range(depth):
            keys = [(prefix,), (prefix, "a", near), (prefix, "b", far), (prefix, near, far)]
            inputs = [nodes.setdefault(key, Adaptive()) for key in keys]
            prefix = 2 * prefix + mixture.decode(decoder, inputs, [255] * 4)
        index = prefix - (1 << depth)
        found.append(index)
        signs[place] = 2 if negative[index] else 1
    return found

"""The byte model of a packed file, written from tflite_ops/PACK.md alone, section 4. Slow."""

import copy
import functools
import hashlib
import pathlib

TABLE = [
    22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743, 32768,
    40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438,
    65476, 65500, 65514,
]  # fmt: skip
DICTIONARY = pathlib.Path(__file__).parents[2] / "tflite_ops" / "dictionary.bin"
DICTIONARY_SHA256 = "725cfb04351823d92aaf8aca47c8db9e2cd3a8704a973b45a0950ec0429917e0"
GRAPH, INT8, WORDS, PAIRS = range(4)
U32, U64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


def squash(x):
    x = min(max(x, -2047), 2047)
    i, f = (x + 2048) >> 7, (x + 2048) & 127
    return TABLE[i] + ((TABLE[i + 1] - TABLE[i]) * f >> 7)


@functools.cache
def stretch_of(step):
    return next((x for x in range(-2047, 2047) if squash(x) >= step * 16 + 8), 2047)


def mix(a, b):
    m = ((a ^ ((b * 0x9E3779B1) & U32)) * 0x85EBCA6B) & U32
    return m ^ (m >> 15)


def hash64(a, b):
    m = ((a * 0x9E3779B97F4A7C15) & U64) ^ ((b + 0x51ED27) & U64)
    return ((m * 0xD6E8FEB86659FD93) & U64) >> 32


class Bit:
    """An adaptive bit (3.1)."""

    def __init__(self, p=32768):
        self.p, self.count = p, 0

    def learn(self, bit, limit=255):
        target = 65535 if bit else 0
        self.p += ((target - self.p) * (131072 // (2 * self.count + 3))) >> 16
        self.count += self.count < limit

    @property
    def logit(self):
        return stretch_of(self.p >> 4)


def bit_of(bits, key, p=32768):
    if key not in bits:
        bits[key] = Bit(p)
    return bits[key]


# 4.2: a history is (zeros, ones, last bit), None if it is empty.
BESIDE = (40, 24, 12, 8, 6, 5)


def is_allowed(a, b):
    return min(a, b) <= 5 and max(a, b) <= BESIDE[min(a, b)]


@functools.cache
def counted(history, bit):
    counts = list(history[:2]) if history else [0, 0]
    counts[bit] += 1
    if counts[1 - bit] > 2:
        counts[1 - bit] = 2 + (counts[1 - bit] - 2) // 2
    while not is_allowed(*counts):
        if counts[1 - bit] > 0 and is_allowed(counts[bit], counts[1 - bit] - 1):
            counts[1 - bit] -= 1
        else:
            counts[bit] -= 1
    return (*counts, bit)


class Match:
    """A finder (4.4)."""

    def __init__(self, length, log_size):
        self.length, self.shift, self.places = length, 32 - log_size, {}
        self.matched, self.place = 0, 0

    def update(self, model):
        n = model.n
        if self.matched and model.at(self.place) == model.back(1):
            self.place, self.matched = self.place + 1, min(self.matched + 1, 63)
        else:
            self.matched = 0
        if n < self.length:
            return
        h = 0
        for k in range(self.length, 0, -1):
            h = ((h + model.back(k) + 1) * 0x2F0B4C47) & U32
        key = h >> self.shift
        if not self.matched and self.places.get(key, 0):
            self.place = self.places[key]
            while (
                self.matched < 63
                and self.matched < self.place
                and model.holds(self.place - self.matched - 1)
                and model.at(self.place - self.matched - 1) == model.back(self.matched + 1)
            ):
                self.matched += 1
            if self.matched < self.length:
                self.matched = 0
        self.places[key] = n

    @property
    def level(self):
        return self.matched if self.matched < 16 else min(16 + (self.matched - 16) // 8, 21)


class Record:
    """An object of a flatbuffer (4.5)."""

    def __init__(self, kind=0, position=0, place=0):
        self.kind, self.position, self.place, self.is_table = kind, position, place, False


class Model:
    """The model of section 4 for `num_bytes` bytes."""

    def __init__(self, num_bytes):
        self.L = next((k for k in range(8, 22) if 2**k > num_bytes), 22)
        self.bytes, self.n = [], 0
        self.buckets, self.num_buckets = {}, 2 ** min(self.L + 3, 20)
        self.bits = {}
        self.matches = [Match(6, min(self.L, 18)), Match(3, min(self.L, 16))]
        self.rows, self.last_rows = {}, {}
        self.targets, self.target_shift = {}, 32 - min(self.L - 2, 18)
        self.pairs, self.num_pairs = {}, 2 ** min(self.L - 2, 10)
        self.file, self.record = 0, None
        self.word_tables = [{}, {}, {}, {}]
        self.guess_hits, self.text = [0] * 4, 0
        self.made, self.guesses = [None] * 4, [None] * 4
        self.begin_run(GRAPH, 0)

    # What was seen.
    def at(self, place):
        return self.bytes[place] if 0 <= place < self.n else 0

    def back(self, distance):
        return self.at(self.n - distance)

    def word_back(self, distance):
        return sum(self.back(distance - k) << (8 * k) for k in range(4))

    def holds(self, place):
        return 0 <= place < self.n and self.n - place <= 2**self.L - 1

    def begin_run(self, kind, position, row_bytes=0, base=None):
        self.kind, self.position, self.row_bytes, self.base = kind, position, row_bytes, base
        self.offset, self.hits, self.num_words = 0, 0, 0
        self.made, self.guesses = [None] * 4, [None] * 4
        if kind != GRAPH:
            self.record = None
        elif position == 0:
            self.record = None
            self.file += 1
        self.before_bits = 1
        self.is_begun = False

    # 4.5
    def begin_record(self, position):
        target = self.targets.get(hash64(position, 0) >> self.target_shift)
        if target is None or target[:2] != (position, self.file):
            return
        self.record = Record(target[2], position, self.n)
        key = target[2] % self.num_pairs
        last, before = self.pairs.get(key, (None, None))
        self.last = last if last and last.kind == target[2] else None
        self.before = before if before and before.kind == target[2] else None
        self.pairs[key] = (self.record, self.last)

    def field(self, position):
        d = position - (self.record.position if self.record else 0)
        if self.record and self.record.is_table:
            return min(d, 255)
        return d if d < 4 else 256 + d % 4

    def end_word_of_graph(self, q, v):
        record = self.record
        if record and record.position == q:
            signed = v - 2**32 if v >= 2**31 else v
            place = self.n - 4 - signed
            if signed < 0:
                record.is_table = True
            elif signed >= 4 and place >= 0 and self.holds(place):
                a = self.at(place) | self.at(place + 1) << 8
                b = self.at(place + 2) | self.at(place + 3) << 8
                record.is_table = 4 <= a <= v and a % 2 == 0 and b >= 4
            return
        if not 4 <= v <= 2**28:
            return
        key = hash64(q + v, 0) >> self.target_shift
        found = self.targets.get(key)
        if found is None or found[:2] != (q + v, self.file):
            kind = hash64(record.kind if record else 0, self.field(q)) | 1
            self.targets[key] = (q + v, self.file, kind)

    # 4.6
    def guess_field(self, position):
        self.made = [None] * 4
        record = self.record
        if record:
            d = position - record.position
            place = self.last.place + d if self.last else -1
            if self.last and self.holds(place) and place + 4 <= self.n:
                word = self.word_back(self.n - place)
                m = record.position - self.last.position
                self.made[:3] = [word, (word + m) & U32, (word - m) & U32]
                if self.before and self.holds(self.before.place + d):
                    earlier = self.word_back(self.n - self.before.place - d)
                    self.made[3] = (2 * word - earlier) & U32
            if not record.is_table and d >= 8:
                left = self.word_back(4)
                self.made[1] = left
                if d >= 12:
                    self.made[2] = (2 * left - self.word_back(8)) & U32
                    self.made[3] = self.word_back(8)
        self.guesses = list(self.made)

    def word_key(self, a, b):
        a, b = self.word_back(4 * a), self.word_back(4 * b)
        h = (((a & 0x7FFFFFFF) * 0x2F0B4C47 + (b & 0x7FFFFFFF)) * 0x9E3779B1) & U32
        return h >> (32 - min(self.L, 18))

    def guess_word(self):
        self.made = [None] * 4
        for i, (least, a, b) in enumerate([(2, 2, 1), (2, 1, 2), (8, 8, 4), (16, 16, 8)]):
            if self.num_words >= least:
                number = self.word_tables[i].get(self.word_key(a, b), 0)
                if number and self.holds(number - 1) and number + 3 <= self.n:
                    self.made[i] = self.word_back(self.n - number + 1)
        self.guesses = list(self.made)

    def end_word(self, word):
        mask = 0x7FFFFFFF if self.kind == WORDS else U32
        for i, guess in enumerate(self.made):
            if guess is not None:
                hit = (guess ^ word) & mask == 0
                self.guess_hits[i] = (self.guess_hits[i] << 1 | hit) & 15
        if self.kind != WORDS:
            return
        self.num_words += 1
        ways = [(3, 3, 2, 1), (3, 2, 1, 3), (9, 9, 5, 1), (17, 17, 9, 1)]
        for i, (least, a, b, stored) in enumerate(ways):
            if self.num_words >= least:
                self.word_tables[i][self.word_key(a, b)] = self.n - 4 * stored + 1

    # 4.3
    def above(self, rows):
        distance = rows * self.row_bytes
        if distance == 0 or distance > self.offset or not self.holds(self.n - distance):
            return 256
        return self.back(distance)

    def base_byte(self, offset):
        return self.base[offset] if self.base is not None and offset < len(self.base) else 256

    def contexts(self):
        c = [None, *(self.back(k) for k in range(1, 9))]
        w, t, lane = self.word_back(4), c[1] | c[2] << 8, self.lane
        g = [256 if guess is None else guess >> (8 * lane) & 255 for guess in self.guesses]
        every = 0
        for each in g:
            every = (every * 257 + each) & U32

        def size(b):
            return 0 if b == 256 else 1 + (256 - b if b >= 128 else b) // 4

        field = lane
        if self.record:
            field = mix(self.record.kind, self.field(self.position + self.offset))
        found = {
            GRAPH: lambda: [
                (0, c[1], lane), (1, t, 0), (2, w >> 8, 0), (3, w, 0), (4, w, c[5] | c[6] << 8),
                (5, self.text, c[1]), (6, field, 0), (7, field, c[1] + 1), (8, field, t + 1),
                (9, every, lane), (10, g[0] << 9 | g[1], c[1]), (11, c[4] | c[8] << 8, lane),
                (12, c[4] | c[1] << 8, lane), (13, c[2] | c[4] << 8, lane & 1),
            ],
            INT8: lambda: [
                (14, 0, 0), (15, c[1], 0), (16, t, 0), (17, self.above(1), c[1]),
                (18, self.above(1), self.above(2)),
                (19, size(c[1]) + size(c[2]), size(self.above(1))),
            ],
            WORDS: lambda: [
                (20, c[1], lane), (21, every, lane), (22, g[0], c[1]),
                (23, c[4] | c[8] << 8, lane),
            ],
            PAIRS: lambda: [
                (24, c[1], lane), (25, t, lane & 1), (26, c[2] | c[4] << 8, lane & 1),
                (27, self.above(1) << 1 | (lane & 1), c[1]), (28, self.above(1), self.above(2)),
            ],
        }[self.kind]()  # fmt: skip
        d = self.base_byte(self.offset)
        if d != 256:
            e = self.base_byte(self.offset + 1)
            found += [(29, d << 8 | c[1], 0), (30, d << 9 | e, lane | self.hits << 2)]
        return [(name, mix(mix(a, b), name)) for name, a, b in found]

    def bucket(self, h):
        number, tag = h % self.num_buckets, h >> 24
        found = [self.buckets.setdefault(k, [0, [None] * 16]) for k in (number, number ^ 1)]
        for each in found:
            if each[0] == tag:
                return each[1]
        seen = [sum(each[1][1][:2]) if each[1][1] else 0 for each in found]
        chosen = found[0] if seen[0] <= seen[1] else found[1]
        # The histories of a bucket in use elsewhere are the same ones.
        chosen[0] = tag
        chosen[1][:] = [None] * 16
        return chosen[1]

    def begin_byte(self):
        position = self.position + self.offset
        self.lane = (self.offset if self.kind == WORDS else position) % 4
        if self.kind == GRAPH and self.lane == 0:
            self.begin_record(position)
            self.guess_field(position)
        elif self.kind == WORDS and self.lane == 0:
            self.guess_word()
        self.hashes = self.contexts()
        self.is_begun = True

    def expect(self, byte, key, ignored=0):
        """Logit of an expected byte; remembers whom to teach."""
        depth = self.before_bits.bit_length() - 1
        seen = self.before_bits - (1 << depth)
        if byte == 256 or ((byte >> (8 - depth)) ^ seen) & ~ignored:
            return 0
        bit = byte >> (7 - depth) & 1
        right = bit_of(self.bits, key)
        self.expected[key] = (right, bit)
        return right.logit if bit else -right.logit

    def predict(self):
        if not self.is_begun:
            self.begin_byte()
        depth = self.before_bits.bit_length() - 1
        if depth % 4 == 0:
            p = self.before_bits
            hashes = [h if depth == 0 else mix((h + 0x3D4D51CB) & U32, p) for _, h in self.hashes]
            self.histories = [self.bucket(h) for h in hashes]
        node = self.before_bits - (1 << depth)
        self.node = (node & ((1 << depth % 4) - 1)) | 1 << depth % 4
        self.expected, x = {}, []
        for k, match in enumerate(self.matches):
            byte = self.at(match.place) if match.level else 256
            x.append(self.expect(byte, ("match", k, match.level)))
        m = self.matches[0].level + 1 if ("match", 0, self.matches[0].level) in self.expected else 0
        has_words = self.kind in (GRAPH, WORDS)
        for i in range(4):
            guess = self.guesses[i] if has_words else None
            byte = 256 if guess is None else guess >> (8 * self.lane) & 255
            is_float = self.kind == WORDS
            ignored = 1 << (depth - 1) if is_float and self.lane == 3 and depth else 0
            key = ("guess", is_float, i, self.guess_hits[i], self.lane, depth)
            x.append(self.expect(byte, key, ignored))
        self.bare = bit_of(self.bits, ("byte", self.kind, self.lane, self.before_bits))
        x.append(self.bare.logit)
        base_key = ("base", self.hits, self.lane)
        x.append(self.expect(self.base_byte(self.offset), base_key))
        self.taught = []
        for (name, _), histories in zip(self.hashes, self.histories):
            history = histories[self.node]
            zeros, ones = history[:2] if history else (0, 0)
            first = 65536 * (8 * ones + 3) // (8 * (ones + zeros) + 6)
            self.taught.append(bit_of(self.bits, ("history", name, history), first))
            x.append(self.taught[-1].logit if history else 0)
        expected = 4 + (self.hits & 3) if base_key in self.expected else self.lane
        valid = tuple(guess is not None for guess in self.guesses) if has_words else (False,) * 4
        self.chosen = [
            self.rows.setdefault(key, [14000] * 24)
            for key in (
                (0, m, expected, self.kind),
                (1, self.kind, self.before_bits),
                (2, self.kind, self.lane, valid),
            )
        ]
        self.final = self.last_rows.setdefault((self.kind, self.lane), [21845] * 3)
        self.x = x
        self.sums = [self.clamp(sum((w * v) >> 5 for w, v in zip(r, x)) >> 11) for r in self.chosen]
        self.set_ps = [squash(s) for s in self.sums]
        self.p = squash(self.clamp(sum(v * s for v, s in zip(self.final, self.sums)) >> 16))
        return self.p

    @staticmethod
    def clamp(x):
        return min(max(x, -2047), 2047)

    def learn(self, bit):
        target = 65536 if bit else 0
        for row, p in zip(self.chosen, self.set_ps):
            e = (target - p) * 6 >> 4
            for i, x in enumerate(self.x):
                row[i] = min(max(row[i] + ((x * e + 8192) >> 14), -524287), 524287)
        for j, s in enumerate(self.sums):
            self.final[j] += (s * (target - self.p)) >> 18
        for adaptive, histories in zip(self.taught, self.histories):
            adaptive.learn(bit)
            histories[self.node] = counted(histories[self.node], bit)
        for right, expected in self.expected.values():
            right.learn(bit == expected)
        self.bare.learn(bit)
        self.before_bits = 2 * self.before_bits + bit
        if self.before_bits >= 256:
            self.end_byte(self.before_bits & 255)

    def end_byte(self, byte):
        d = self.base_byte(self.offset)
        if d != 256:
            self.hits = (self.hits << 1 | (d == byte)) & 63
        self.bytes.append(byte)
        self.n += 1
        self.text = mix(self.text, byte) if 97 <= byte | 32 <= 122 else 0
        for match in self.matches:
            match.update(self)
        for i, guess in enumerate(self.guesses):
            if guess is not None and guess >> (8 * self.lane) & 255 != byte:
                self.guesses[i] = None
        if self.lane == 3 and self.n >= 4 and self.kind in (GRAPH, WORDS):
            word = self.word_back(4)
            if self.kind == GRAPH:
                self.end_word_of_graph(self.position + self.offset - 3, word)
            self.end_word(word)
        self.before_bits, self.is_begun = 1, False
        self.offset += 1


@functools.cache
def _taught(log_bytes):
    content = DICTIONARY.read_bytes()
    assert hashlib.sha256(content).hexdigest() == DICTIONARY_SHA256
    model, at = Model(2**log_bytes - 1), 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 2], "little")
        model.begin_run(GRAPH, 0)
        for byte in content[at + 2 : at + 2 + size]:
            for place in range(7, -1, -1):
                model.predict()
                model.learn(byte >> place & 1)
        at += 2 + size
    return model


def model_for(num_bytes, *, has_dictionary):
    """The model of section 4, with the dictionary learned if there is one."""
    if not has_dictionary:
        return Model(num_bytes)
    return copy.deepcopy(_taught(Model(num_bytes + DICTIONARY.stat().st_size).L))

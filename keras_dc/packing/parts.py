"""What each part of a file is packed as: by the byte model, or as a blob."""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np

from keras_dc import codec
from keras_dc.codec import packs
from keras_dc.codec.packs import Part
from keras_dc.compression.encode import huffman_blob
from keras_dc.errors import CodecError
from keras_dc.packing import bundles, constants
from keras_dc.support import progress

BYTE_KIND_OF = {
    "float32": "words",
    "float16": "pairs",
    "bfloat16": "pairs",
    "int8": "int8",
    "int4": "int8",
}
# The byte model takes a microsecond a byte: a file of any size unpacks in a second more than
# its weights take.
_MOST_MODELLED_BYTES = 1_200_000
# The smallest blob of this much takes half a second to decode at most.
_MOST_SLOW_BYTES = 1 << 24
# Smaller constants are not tried as blobs, whose heads take more than they save.
_LEAST_BLOB_BYTES = 96
# A blob unpacks far faster, so the byte model must save more than this on a large constant.
_LARGE_BYTES = 1 << 15
_LEAST_SAVING = 0.01
_CHUNK_BYTES = 1 << 22


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A run of a file, the ways to pack it, and the bytes that they take besides the byte model.

    Attributes:
        modelled: Part by the byte model; None if that would take too long.
        coded: Part as a blob or stored, None if there is no such way.
        coded_bytes: what `coded` takes.
    """

    modelled: Part | None
    coded: Part | None = None
    coded_bytes: int = 0


def plain_parts(content):
    """The smallest way found to pack a `.tflite` file, or any other.

    Args:
        content: bytes.

    Returns:
        list of Part.
    """
    return choose(content, candidates(content, runs_of(len(content), bundles.find(content))))


class Run(NamedTuple):
    """Bytes of a file from `begin` to `end`: those of a constant, or None between constants.

    Where `is_origin` a nested file begins.
    """

    begin: int
    end: int
    constant: constants.FileConstant | None
    is_origin: bool


def runs_of(size, found):
    """Divide a file by its constants.

    Args:
        size: int, bytes of the file.
        found: bundles.Contents.

    Returns:
        list of Run that together are the whole file.
    """
    starts = {constant.begin: constant for constant in found.constants}
    origins = {origin for origin in found.origins if 0 < origin < size}
    ends = {constant.end for constant in found.constants}
    edges = sorted({0, size, *starts, *ends, *origins})
    return [
        Run(begin, end, starts.get(begin), begin in origins)
        for begin, end in itertools.pairwise(edges)
    ]


def candidates(content, runs):
    """The ways to pack each run of a file.

    Args:
        content: bytes of the file.
        runs: list of Run.

    Returns:
        list of Candidate.
    """
    modelled = modelled_runs(runs)
    smallest = _first_runs(runs, _MOST_SLOW_BYTES)
    made = []
    for run in progress.tracked(runs, "packing", [run.end - run.begin for run in runs]):
        if run.is_origin:
            made.append(Candidate(Part("origin", 0)))
        if run.constant is None:
            made += bytes_candidates(content, run.begin, run.end, run in modelled)
        else:
            made.append(
                constant_candidate(
                    content,
                    run.constant,
                    is_modelled=run in modelled,
                    may_be_slow=run in smallest,
                )
            )
    return made


def modelled_runs(runs):
    """The runs that the byte model has time for: set of Run."""
    return _first_runs(runs, _MOST_MODELLED_BYTES)


def _first_runs(runs, budget):
    """The runs that a slow way has time for: set of Run, of at most `budget` bytes.

    Small ones gain the most, and those between constants, so they come first.
    """
    chosen = set()
    for run in sorted(runs, key=lambda run: (run.constant is not None, run.end - run.begin)):
        budget -= run.end - run.begin
        if budget < 0:
            break
        chosen.add(run)
    return chosen


def choose(content, given):
    """Choose among candidates: each is packed both ways, and the smaller one stays.

    Args:
        content: bytes of the whole file.
        given: list of Candidate, for all of its bytes.

    Returns:
        list of Part.
    """
    first = [each.modelled or each.coded for each in given]
    if all(each.coded is None or each.modelled is None for each in given):
        return first
    _, sizes = packs.pack(content, first)
    chosen = []
    for each, part, size in zip(given, first, sizes):
        if part is each.modelled and each.coded is not None:
            least = size if part.size < _LARGE_BYTES else size + _LEAST_SAVING * part.size
            if each.coded_bytes <= least:
                part = each.coded
        chosen.append(part)
    return chosen


def smallest_blob(values, dtype, *, channels=None, may_be_slow=False):
    """The smallest blob of an array; None if the codec cannot hold it.

    A large one is coded by contexts only if that saves enough for its slower decoding.

    Args:
        values: array.
        dtype: the codec's name of the element type.
        channels: QuantizedChannels, or None.
        may_be_slow: whether there is time for the smallest, whatever it saves.

    Returns:
        bytes, or None.
    """
    try:
        blob = huffman_blob(values, dtype, channels=channels).content
    except CodecError:
        return None
    recoded = codec.recode(blob)
    least = 0 if may_be_slow else _handicap(recoded, blob)
    return recoded if len(recoded) + least < len(blob) else bytes(blob)


def _handicap(part, plain):
    """What a slower way must save: bytes, 0 for what is small or the plain way itself."""
    return 0 if part is plain or len(plain) < _LARGE_BYTES else _LEAST_SAVING * len(plain)


def blob_part(blob, size, **options):
    """A Part that a blob decodes to, and the bytes that it takes.

    Args:
        blob: bytes.
        size: int, bytes of the part.
        **options: of Part.

    Returns:
        tuple `(Part, int)`.
    """
    # Magic and checksum are not stored; the segment's head takes some three bytes.
    return Part("tensor", size, blob=blob, **options), len(blob) - 8 + 3


def values_of(content, constant):
    """The values of a constant as the codec takes them: array of the constant's shape."""
    data = np.frombuffer(content, np.uint8, constant.size, constant.begin)
    if constant.dtype == "int4":
        pairs = data.view(np.int8)
        both = np.stack([(pairs << 4).astype(np.int8) >> 4, pairs >> 4], axis=-1)
        count = int(np.prod(constant.shape, dtype=np.int64))
        return both.ravel()[:count].reshape(constant.shape)
    storage = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16, "int8": np.int8}
    return data.view(storage[constant.dtype]).reshape(constant.shape)


def modelled_part(constant, **options):
    """A constant by the byte model: Part."""
    kind = BYTE_KIND_OF[constant.dtype]
    rows = 0 if constant.is_blob else constant.row_bytes
    return Part("bytes", constant.size, kind, rows, **options)


def constant_candidate(content, constant, *, is_modelled, may_be_slow=False):
    """The ways to pack a constant: Candidate."""
    modelled = modelled_part(constant) if is_modelled else None
    if constant.is_opaque:
        return Candidate(None, Part("stored", constant.size), constant.size)
    if constant.is_blob:
        return _blob_candidate(content, constant, modelled)
    if is_modelled and constant.size < _LEAST_BLOB_BYTES:
        return Candidate(modelled)
    values, options = values_of(content, constant), {}
    if constant.is_ascending:
        values, options = _steps(values), {"is_summed": True}
    blob = smallest_blob(
        values, constant.dtype, channels=constant.channels, may_be_slow=may_be_slow
    )
    if blob is None or len(blob) - 8 >= constant.size:
        return Candidate(modelled, Part("stored", constant.size), constant.size)
    return Candidate(modelled, *blob_part(blob, constant.size, **options))


def _blob_candidate(content, constant, modelled):
    """A Huffman-coded blob is made again from a smaller one, if it can be."""
    blob = content[constant.begin : constant.end]
    stored = Candidate(modelled, Part("stored", constant.size), constant.size)
    try:
        if codec.inspect(blob).coder != "huffman":
            return stored
        ways = list(_transcoded(blob))
    except CodecError:
        return stored
    smallest = min(ways, key=lambda way: way[1], default=None)
    if smallest is None or smallest[1] + _handicap(smallest, blob) >= constant.size:
        return stored
    return Candidate(modelled, *smallest)


def _transcoded(blob):
    """The ways to make a Huffman-coded blob again: tuples `(Part, bytes that it takes)`.

    Each is tried: blobs of other encoders may say the same in other ways.
    """
    info, values = codec.decode_with_info(blob)
    inner = [(codec.recode(blob), False), (smallest_blob(values, info.dtype), False)]
    if 0 < info.num_centroids < 128:
        inner.append((smallest_blob(indices_of(blob, info), "int8"), True))
    for other, is_by_index in inner:
        # A blob that the coder left as it is has nothing to give.
        if other is None or other == blob:
            continue
        part = Part("tensor", len(blob), blob=other, is_huffman=True, is_by_index=is_by_index)
        try:
            packed, sizes = packs.pack(blob, [part])
            if packs.unpack(packed) == blob:
                yield part, sizes[0]
        except CodecError:
            continue


def indices_of(blob, info):
    """One more than the cluster index of each weight, 0 for pruned ones: int8 array."""
    entries = codec.decode_entries(blob)
    rows = np.repeat(np.arange(len(entries.row_begin) - 1), np.diff(entries.row_begin))
    matrix = np.zeros((len(entries.row_begin) - 1, _columns(info)), np.int8)
    matrix[rows, entries.columns] = entries.indices + 1
    return matrix.reshape(info.shape)


def _columns(info):
    rows = info.shape[0] if len(info.shape) > 1 else 1
    return int(np.prod(info.shape, dtype=np.int64)) // max(rows, 1)


def _steps(values):
    """From each value to the next, as unsigned numbers; the dtype stays."""
    numbers = values.view(f"u{values.itemsize}")
    return np.diff(numbers, prepend=numbers.dtype.type(0)).view(values.dtype)


def bytes_candidates(content, begin, end, is_modelled):
    """A run of other bytes; where the byte model would take too long, by pieces."""
    if is_modelled:
        return [Candidate(Part("bytes", end - begin))]
    made = []
    for first in range(begin, end, _CHUNK_BYTES):
        size = min(_CHUNK_BYTES, end - first)
        values = np.frombuffer(content, np.int8, size, first)
        blob = smallest_blob(values, "int8")
        if blob is None or len(blob) - 8 >= size:
            made.append(Candidate(None, Part("stored", size), size))
        else:
            made.append(Candidate(None, *blob_part(blob, size)))
    return made

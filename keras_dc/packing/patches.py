"""Patches: what of a file differs from another one, its base."""

import collections

import numpy as np

from keras_dc import codec
from keras_dc.codec import packs
from keras_dc.codec.packs import Part
from keras_dc.errors import CodecError
from keras_dc.packing import bundles, parts

# Shorter runs are as small by the byte model, which expects the base's bytes.
_LEAST_COPY_BYTES = 256
# More weights of few values than this are not compared value by value.
_MOST_COMPARED_WEIGHTS = 1 << 28


def patch_parts(content, base):
    """The smallest way found to pack a file, given its base.

    Args:
        content: bytes.
        base: bytes of the older file.

    Returns:
        list of Part.
    """
    runs = parts.runs_of(len(content), bundles.find(content))
    old_runs = parts.runs_of(len(base), bundles.find(base))
    partners = _partners(content, runs, base, old_runs)
    modelled = parts.modelled_runs(runs)
    made = []
    for place, run in enumerate(runs):
        if run.is_origin:
            made.append(Part("origin", 0))
        old = partners[place]
        if run.constant is None or run.constant.is_opaque or old is None:
            offset = _base_offset(runs, partners, place, len(base))
            made += _bytes_parts(content, run, base, offset, run in modelled)
        else:
            made.append(_constant_part(content, run, base, old, run in modelled))
    return _joined(content, made, base)


def _is_at(base, offset, content):
    return base[offset : offset + len(content)] == content


def _joined(content, given, base):
    """Parts that are equal to the base, one behind the other in both, as one copy."""
    made: list[Part] = []
    at = 0
    for part in given:
        end, offset = at + part.size, part.base_offset
        if part.size and offset is not None and _is_at(base, offset, content[at:end]):
            part = Part("copy", part.size, base_offset=offset)
            before = made[-1] if made else None
            first = None if before is None or before.kind != "copy" else before.base_offset
            if before is not None and first is not None and first + before.size == offset:
                made.pop()
                part = Part("copy", before.size + part.size, base_offset=first)
        made.append(part)
        at = end
    return made


def _partners(content, runs, base, old_runs):
    """For each run with a constant the run of the base that it may have come from, or None.

    Constants of one kind keep their order.
    """
    waiting = collections.defaultdict(collections.deque)
    for run in old_runs:
        if run.constant is not None:
            waiting[_kind(base, run.constant)].append(run)
    found = []
    for run in runs:
        queue = None if run.constant is None else waiting[_kind(content, run.constant)]
        found.append(queue.popleft() if queue else None)
    return found


def _kind(content, constant):
    if constant.is_blob:
        try:
            info = codec.inspect(content[constant.begin : constant.end])
            return True, info.dtype, info.shape
        except CodecError:
            pass
    return constant.is_blob, constant.dtype, constant.shape


def _base_offset(runs, partners, place, base_size):
    """Where the base may have had a run that has no partner: beside its neighbour's."""
    run = runs[place]
    for step, edge in ((-1, "end"), (1, "begin")):
        near = place + step
        if 0 <= near < len(runs) and partners[near] is not None:
            offset = getattr(partners[near], edge)
            return min(max(offset - (run.end - run.begin if step > 0 else 0), 0), base_size)
    return min(run.begin, base_size)


def _bytes_parts(content, run, base, offset, is_modelled):
    size = run.end - run.begin
    new = content[run.begin : run.end]
    if run.end == len(content) and base[-size:] == new:
        offset = len(base) - size
    same = _common_prefix(new, base[offset : offset + size])
    if same < _LEAST_COPY_BYTES and same < size:
        same = 0
    tail = 0
    if size - same > _LEAST_COPY_BYTES:
        tail = _common_prefix(new[same:][::-1], base[offset + same : offset + size][::-1])
        aligned = offset + size <= len(base)
        tail = tail if tail >= _LEAST_COPY_BYTES and aligned else 0
    made = [Part("copy", same, base_offset=offset)] if same else []
    middle = size - same - tail
    if middle and is_modelled:
        made.append(Part("bytes", middle, base_offset=min(offset + same, len(base))))
    elif middle:
        first = run.begin + same
        given = parts.bytes_candidates(content, first, first + middle, False)
        made += [each.coded for each in given]
    if tail:
        made.append(Part("copy", tail, base_offset=offset + size - tail))
    return made


def _common_prefix(first, second):
    size = min(len(first), len(second))
    a, b = (np.frombuffer(each, np.uint8, size) for each in (first, second))
    differs = a != b
    return int(np.argmax(differs)) if differs.any() else size


def _constant_part(content, run, base, old, is_modelled):
    """The smallest of the ways to pack a constant that the base has, too: each is tried."""
    new, before = run.constant, old.constant
    bytes_of_it = content[new.begin : new.end]
    if bytes_of_it == base[before.begin : before.end]:
        return Part("copy", new.size, base_offset=before.begin)
    ways = []
    if is_modelled:
        ways.append(parts.modelled_part(new))
        ways.append(parts.modelled_part(new, base_offset=before.begin))
    plain = parts.constant_candidate(content, new, is_modelled=is_modelled)
    if plain.coded is not None:
        ways.append(plain.coded)
    ways += _beside_the_base(content, new, base, before)
    tried = (_tried(bytes_of_it, part, base) for part in ways)
    sizes = [(size, place) for place, size in enumerate(tried) if size is not None]
    return ways[min(sizes)[1]] if sizes else Part("stored", new.size)


def _beside_the_base(content, new, base, before):
    """Ways to pack a tensor given that of the base: Parts."""
    beside = {"base_offset": before.begin}
    if new.is_blob:
        if codec.inspect(content[new.begin : new.end]).coder == "huffman":
            beside |= {"is_huffman": True, "base_blob_size": before.size}
            yield Part("tensor", new.size, source="base", **beside)
        return
    values, olds = parts.values_of(content, new), parts.values_of(base, before)
    if values.size <= _MOST_COMPARED_WEIGHTS:
        shaped = {"dtype": new.dtype, "shape": new.shape}
        yield Part("tensor", new.size, source="base", **beside, **shaped)
    if new.dtype != "int4":
        numbers = f"u{values.itemsize}"
        steps = (values.view(numbers) - olds.view(numbers)).view(values.dtype)
        blob = parts.smallest_blob(steps, new.dtype)
        if blob is not None:
            yield Part("tensor", new.size, source="difference", blob=blob, **beside)


def _tried(content, part, base):
    """What a part takes; None if it does not come back as it was."""
    try:
        packed, sizes = packs.pack(content, [part], base=base)
        is_right = packs.unpack(packed, base=base) == content
    except CodecError:
        return None
    return sizes[0] if is_right else None

"""Write the golden packed files that are not there yet.

    cd tests && python -m golden_packs.make_golden_packs

See README.md beside this file.
"""

import hashlib
import json
import pathlib

import numpy as np
from support import packs, reference_unpacker
from support.pack_writer import PackWriter
from support.reference_unpacker import COPY, ORIGIN, STORED, TENSOR

from keras_dc import codec
from keras_dc.codec.packs import pack

FOLDER = pathlib.Path(__file__).parent
BASE = FOLDER / "base.bin"
DIGESTS = FOLDER / "digests.json"
TEXT = b"TFL3!"


def stored(content=TEXT):
    """A writer of one segment of stored bytes."""
    writer = PackWriter()
    writer.segment(STORED)
    writer.number("stored size", len(content))
    writer.payloads = content
    return writer


def tensor(blob, **options):
    """A writer of one tensor from a blob, or of a Huffman-coded blob with a recipe of no bytes."""
    writer = PackWriter()
    writer.segment(TENSOR)
    writer.bit("is huffman", options.get("is_huffman", 0))
    if options.get("is_huffman"):
        writer.bit("is by index", 0)
        writer.number("recipe size", 0)
    else:
        writer.bit("is summed", 0)
    writer.number("payload size", len(blob) - 8)
    writer.payloads = blob[4:-4]
    return writer


def copy(size, offset, base):
    """A patch that is one copy."""
    writer = PackWriter()
    writer.segment(COPY)
    writer.number("copy size", size)
    writer.bit("is backward", 0)
    writer.number("base step", offset)
    return writer.finish(TEXT, base=base)


def bad_packs(base):
    """For each refusal files that are right but for one thing; keys begin with the status."""
    good = stored().finish(TEXT)
    head = len(b"KDP\x01") + 1
    blob = codec.encode(np.arange(4, dtype=np.float32))
    empty = PackWriter()
    empty.segment(STORED)
    empty.number("stored size", 0)
    unknown = PackWriter()
    unknown.kind(5)
    origin = PackWriter()
    origin.kind(ORIGIN)
    many = PackWriter()
    many.segment(reference_unpacker.BYTES)
    many.number("byte count", 5)
    damaged = blob[:4] + b"\7" + blob[5:]
    return {
        "4-other_magic": b"KDX" + good[3:],
        "5-version_2": good[:3] + b"\2" + good[4:],
        "6-another_file": stored(b"TFL3?").finish(TEXT),
        "7-no_flags": good[:4],
        "7-half_a_checksum": good[: head + 3],
        "7-half_a_control_stream": good[: head + 8],
        "7-half_a_payload": good[:-2],
        "8-a_payload_too_many": good + b"\0",
        "9-unknown_flag": good[:4] + b"\4" + good[5:],
        "9-overlong_varint": good[:head] + b"\x85\0" + good[head + 1 :],
        "9-too_much_is_modelled": stored().finish(TEXT, modelled=4 * 5 + 4097),
        "9-unknown_dtype_in_a_blob": tensor(damaged).finish(bytes(16)),
        "10-size_over_2_to_48": stored().finish(TEXT, size=2**48 + 1),
        "10-tensor_larger_than_the_file": tensor(blob).finish(TEXT),
        "10-too_many_weights_a_byte": tensor(
            codec.encode(np.zeros(6000, np.float32)), is_huffman=1
        ).finish(TEXT),
        "12-empty_segment": empty.finish(TEXT),
        "12-unknown_kind": unknown.finish(TEXT),
        "12-origin_at_the_begin": origin.finish(TEXT),
        "12-segment_longer_than_the_file": stored(TEXT + b"!").finish(TEXT),
        "12-more_modelled_than_declared": many.finish(TEXT, modelled=4),
        "12-less_modelled_than_declared": stored().finish(TEXT, modelled=1),
        "12-control_stream_too_long": (
            good[: head + 6] + b"\3" + good[head + 7 : head + 9] + b"\1" + good[head + 9 :]
        ),
        "12-copy_behind_the_base": copy(5, len(base) - 4, base),
        "12-no_recipe": tensor(blob, is_huffman=1).finish(blob),
        "14-a_patch_without_its_base": copy(5, 0, base),
    }


def main():
    if not BASE.exists():
        BASE.write_bytes(packs.golden_base())
    base = BASE.read_bytes()
    digests = json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}
    for name, (content, parts, is_patch) in packs.golden_cases(base).items():
        if f"v1-{name}" not in digests:
            packed, _ = pack(content, parts, base=base if is_patch else None)
            (FOLDER / f"v1-{name}.kdc").write_bytes(packed)
            digests[f"v1-{name}"] = hashlib.sha256(content).hexdigest()
    by_hand = "v1-by_hand"
    if by_hand not in digests:
        (FOLDER / f"{by_hand}.kdc").write_bytes(stored().finish(TEXT))
        digests[by_hand] = hashlib.sha256(TEXT).hexdigest()
    DIGESTS.write_text(json.dumps(digests, indent=1) + "\n")
    for name, packed in bad_packs(base).items():
        path = FOLDER / "errors" / f"{name}.kdc"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(packed)


if __name__ == "__main__":
    main()

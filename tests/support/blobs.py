"""Blobs worked out by hand, and edits of blobs behind a right checksum."""

import pathlib
import zlib

import numpy as np

from keras_dc import codec, errors

TESTS = pathlib.Path(__file__).parents[1]
GOLDEN = TESTS / "golden"
GOLDEN_ERRORS = TESTS / "golden_errors"


def sealed(body):
    """`body` with its checksum."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def changed(body, position, value):
    """`body` with another byte at `position`."""
    return body[:position] + bytes([value]) + body[position + 1 :]


def outcome_of_mutant(blob, mutant):
    """What decoding says of a blob whose bytes between version and checksum are `mutant`.

    Returns:
        "decoded", "refused", or "too large" for a shape that a test should not allocate.
    """
    whole = sealed(blob[:4] + mutant.tobytes())
    try:
        if np.prod(codec.inspect(whole).shape, dtype=float) > 1e7:
            return "too large"
        codec.decode(whole)
    except errors.CodecError:
        return "refused"
    return "decoded"


# The example of FORMAT.md, section 10, worked out by hand.
EXAMPLE_BLOB = bytes.fromhex(
    "4B444301 20 03 02 02 08 04 02 01 0038 0034 21 4200 01 02 F602 8E352A89".replace(" ", "")
)
EXAMPLE = np.array(
    [[0, 0.5, 0, 0, 0.25, 0, 0, 0], [0, 0, 0, 0, 0.5, 0.5, 0, 0]],
    np.float32,
)


def _bit_stream(*parts):
    """Bytes of a bit stream of strings, first bit first, and of pairs (number, bits)."""
    written = [p if isinstance(p, str) else f"{p[0]:0{p[1]}b}"[::-1] for p in parts]
    stream = "".join(written)
    return bytes(int(stream[i : i + 8][::-1], 2) for i in range(0, len(stream), 8))


# 1, 2, 1 and 1.5 in float16 are 3C00, 4000, 3C00 and 3E00: of the higher bytes 3C has the
# code 0, 3E 10 and 40 11. The lower bytes stand as they are.
PLANES_EXAMPLE = np.array([1, 2, 1, 1.5], np.float16)
_TABLE = _bit_stream(
    (13, 4),
    *("000001", (60 - 32, 5)),  # 00 to 3B have no code
    *("1" * 23 + "0", "1"),  # 12 less: 3C has 1 bit
    *("1" * 22 + "0", "1"),  # 12 more: 3D has none
    *("1" * 21 + "0", "1"),  # 11 less: 3E has 2 bits
    *("1" * 20 + "0", "1"),  # 11 more: 3F has none
    *("1" * 21 + "0", "1"),  # 11 less: 40 has 2 bits
    *("1" * 20 + "0", "00000001", (191 - 128, 7)),  # 11 more: 41 to FF have none
)
_BODY = (
    b"KDC\x01\x01\x00\x11\x04"  # float16, rank 1 by planes, 4 values
    + b"\x01"  # the plane of the higher bytes is coded
    + _TABLE
    + b"\x01"  # its stream has 1 byte
    + _bit_stream("0", "11", "0", "10")
    + bytes(4)
)
PLANES_EXAMPLE_BLOB = sealed(_BODY)

# By the arithmetic coder. The order of 1.5 in float32 is BFC00000, its bytes the highest first
# 3F C0 00 00; that of 1.0 in float16 is BC00. Bytes of streams were found by trying.
ARITHMETIC_EXAMPLES = {
    "all_zero": (np.zeros((5, 7), np.float32), "4B444301 00 80 02 05 07 00 00 00"),
    "empty": (np.zeros((0, 3), np.float32), "4B444301 00 80 02 00 03 00 00 00"),
    "scalar": (np.array(1.5, np.float32), "4B444301 00 80 00 01 00 00 3FC00000"),
    "two_streams_of_gaps": (
        np.array([[1, 1, 1, 1], [0, 1, 1, 1]], np.float32),
        "4B444301 00 87 02 02 04 07 00 00 00 00 00BC 04 01 AC 7A",
    ),
    "two_streams_of_a_mask": (
        np.array([[1, 1, 1, 1], [1, 1, 0, 1]], np.float32),
        "4B444301 00 87 02 02 04 07 01 00 00 00 00BC 04 00 06",
    ),
}
ARITHMETIC_EXAMPLES = {
    name: (tensor, sealed(bytes.fromhex(body.replace(" ", ""))))
    for name, (tensor, body) in ARITHMETIC_EXAMPLES.items()
}

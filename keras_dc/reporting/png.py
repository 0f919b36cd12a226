"""A picture of one colour and its strength, as the bytes of a PNG file."""

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE_8_BIT = (8, 3, 0, 0, 0)


def of_strengths(strengths, colour):
    """A picture whose pixels are a colour, more or less transparent.

    Args:
        strengths: float array `(height, width)` in [0, 1]; 0 is transparent.
        colour: str, "#rrggbb".

    Returns:
        bytes. Any background shows through.
    """
    levels = np.rint(255 * np.clip(strengths, 0, 1)).astype(np.uint8)
    height, width = levels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = levels
    return _SIGNATURE + b"".join(
        _chunk(kind, content)
        for kind, content in [
            (b"IHDR", struct.pack(">II5B", width, height, *_PALETTE_8_BIT)),
            (b"PLTE", bytes.fromhex(colour.lstrip("#")) * 256),
            (b"tRNS", bytes(range(256))),
            (b"IDAT", zlib.compress(rows.tobytes(), 9)),
            (b"IEND", b""),
        ]
    )


def _chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

"""What general-purpose compressors make of a file: the rivals of every size."""

import gzip
import importlib.util
import lzma

from keras_dc.support import progress

# xz takes a second for a megabyte at its strongest.
_LARGE_BYTES = 32 * 2**20


def zip_sizes(content):
    """Sizes of a file as gzip -9, xz -9e, and zstd -19 and brotli -11 where they are installed.

    A file of more than 32 MB is packed at levels 6 of gzip, xz and brotli, and 9 of zstd.

    Args:
        content: bytes.

    Returns:
        dict from the compressor with its level to its size in bytes.
    """
    is_large = len(content) > _LARGE_BYTES
    ways = {
        ("gzip -6" if is_large else "gzip -9"): _gzip,
        ("xz -6" if is_large else "xz -9e"): _xz,
        ("zstd -9" if is_large else "zstd -19"): _zstd,
        ("brotli -6" if is_large else "brotli -11"): _brotli,
    }
    modules = {_zstd: "zstandard", _brotli: "brotli"}
    found = {}
    for name, way in ways.items():
        if way not in modules or importlib.util.find_spec(modules[way]):
            progress.tell(f"zipping by {name}")
            found[name] = len(way(content, is_large))
    return found


def _gzip(content, is_large):
    return gzip.compress(content, 6 if is_large else 9)


def _xz(content, is_large):
    return lzma.compress(content, preset=6 if is_large else 9 | lzma.PRESET_EXTREME)


def _zstd(content, is_large):
    import zstandard

    return zstandard.ZstdCompressor(level=9 if is_large else 19).compress(content)


def _brotli(content, is_large):
    import brotli

    return brotli.compress(content, quality=6 if is_large else 11)

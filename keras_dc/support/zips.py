"""What general-purpose compressors make of a file: the rivals of every size."""

import concurrent.futures
import functools
import gzip
import importlib.util
import lzma

from keras_dc.support import progress

# Levels by the size of the file: the strongest ones take minutes for large files.
_LEVELS = (
    (4 * 2**20, {"gzip": "9", "xz": "9e", "zstd": "19", "brotli": "11"}),
    (24 * 2**20, {"gzip": "9", "xz": "9e", "zstd": "19", "brotli": "9"}),
    (float("inf"), {"gzip": "6", "xz": "1", "zstd": "9", "brotli": "5"}),
)


def zip_sizes(content):
    """Sizes of a file by gzip and xz, and by zstd and brotli where they are installed.

    They work side by side, up to 4 MB at their strongest levels: gzip -9, xz -9e, zstd -19
    and brotli -11.

    Args:
        content: bytes.

    Returns:
        dict from the compressor with its level, "xz -9e", to its size in bytes.
    """
    compressors = _compressors(len(content))
    progress.tell(f"zipping by {', '.join(compressors)}")
    with concurrent.futures.ThreadPoolExecutor(len(compressors)) as pool:
        sizes = pool.map(lambda compress: len(compress(content)), compressors.values())
        return dict(zip(compressors, sizes))


def _compressors(size):
    """Functions `bytes -> bytes` by their name and level, for a file of this size."""
    levels = next(levels for most, levels in _LEVELS if size <= most)
    compressors = {"gzip": _gzip, "xz": _xz}
    # What is not installed is left out.
    for name, module, compress in [("zstd", "zstandard", _zstd), ("brotli", "brotli", _brotli)]:
        if importlib.util.find_spec(module) is not None:
            compressors[name] = compress
    return {
        f"{name} -{levels[name]}": functools.partial(compress, level=levels[name])
        for name, compress in compressors.items()
    }


def _gzip(content, level):
    # A fixed time: the same file has the same size each time.
    return gzip.compress(content, int(level), mtime=0)


def _xz(content, level):
    extreme = lzma.PRESET_EXTREME if level.endswith("e") else 0
    return lzma.compress(content, preset=int(level.rstrip("e")) | extreme)


def _zstd(content, level):
    import zstandard

    return zstandard.ZstdCompressor(level=int(level)).compress(content)


def _brotli(content, level):
    import brotli

    return brotli.compress(content, quality=int(level))

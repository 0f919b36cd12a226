"""Whole files and what general-purpose compressors make of them."""

import concurrent.futures
import dataclasses
import functools
import gzip
import importlib.util
import lzma

# Levels by the size of the file: the strongest ones take minutes for large files.
_LEVELS = (
    (4 * 2**20, {"gzip": "9", "xz": "9e", "zstd": "19", "brotli": "11"}),
    (24 * 2**20, {"gzip": "9", "xz": "9e", "zstd": "19", "brotli": "9"}),
    (float("inf"), {"gzip": "1", "xz": "0", "zstd": "3", "brotli": "1"}),
)


@dataclasses.dataclass(frozen=True)
class FileFigures:
    """A file and its zips.

    Attributes:
        label: str, what it is.
        size_bytes: int.
        zips: dict from a compressor and its level, "xz -9e", to bytes; those that are not
            installed are missing.
        is_ours: whether it is the compressed file.
    """

    label: str
    size_bytes: int
    zips: dict
    is_ours: bool = False

    @property
    def best_zip(self):
        """(name, bytes) of the smallest zip, or None."""
        return min(self.zips.items(), key=lambda item: item[1]) if self.zips else None

    def zip_of(self, compressor):
        """(name, bytes) of the zip by "gzip", "xz", "zstd" or "brotli", or None."""
        found = [item for item in self.zips.items() if item[0].split()[0] == compressor]
        return found[0] if found else None


def measure(label, content):
    """FileFigures of a file with its zips, which are made side by side.

    Args:
        label: str.
        content: bytes.
    """
    compressors = _compressors(len(content))
    with concurrent.futures.ThreadPoolExecutor(len(compressors)) as pool:
        zipped = pool.map(lambda compress: len(compress(content)), compressors.values())
        return FileFigures(label, len(content), dict(zip(compressors, zipped)))


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

"""Whole files and what general-purpose compressors make of them."""

import dataclasses

from keras_dc.support.zips import zip_sizes


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
    """FileFigures of a file with its zips.

    Args:
        label: str.
        content: bytes.
    """
    return FileFigures(label, len(content), zip_sizes(content))

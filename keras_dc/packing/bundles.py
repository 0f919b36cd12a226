"""ZIP archives of models, such as `.task` bundles, and models with files behind them."""

import dataclasses
import io
import zipfile

from keras_dc.packing import constants
from keras_dc.packing.constants import FileConstant

_ZIP_MAGIC = b"PK\x03\x04"
_LOCAL_HEADER_BYTES = 30
_MOST_NESTED = 4
_LEAST_OPAQUE_BYTES = 32


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        constants: list of FileConstant, of all models in the file.
        origins: list of ints, where nested files begin.
    """

    constants: list[FileConstant]
    origins: list[int]


def find(content, *, depth=0):
    """Find the constants of a model, or of the models that an archive stores.

    Args:
        content: bytes of a file.
        depth: int, in how many archives the file is nested.

    Returns:
        Contents, in the order of the file.
    """
    found = Contents(constants.find(content), [])
    last = found.constants[-1].end if found.constants else 0
    for info, begin in _members(content):
        end = begin + info.compress_size
        if begin < last or end > len(content):
            # Behind a constant alone may lie an archive, and within the file.
            continue
        if info.compress_type != zipfile.ZIP_STORED:
            # Whoever unpacks could not deflate again to the same bytes.
            if info.compress_size >= _LEAST_OPAQUE_BYTES:
                found.constants.append(_opaque(begin, info.compress_size))
        elif depth < _MOST_NESTED and _may_be_nested(content[begin : begin + 8]):
            inner = find(content[begin:end], depth=depth + 1)
            found.origins.append(begin)
            found.origins.extend(begin + origin for origin in inner.origins)
            found.constants.extend(
                dataclasses.replace(each, begin=begin + each.begin) for each in inner.constants
            )
        last = end
    return found


def _opaque(begin, size):
    return FileConstant(begin, size, "int8", (size,), is_opaque=True)


def _may_be_nested(head):
    return head[4:] == b"TFL3" or head.startswith(_ZIP_MAGIC)


def _members(content):
    """Members of the archive that a file is, or ends with: `(zipfile.ZipInfo, begin)`, in order."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return []
    found = []
    for info in members:
        header = content[info.header_offset : info.header_offset + _LOCAL_HEADER_BYTES]
        if len(header) == _LOCAL_HEADER_BYTES and header.startswith(_ZIP_MAGIC):
            lengths = (int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
            found.append((info, info.header_offset + _LOCAL_HEADER_BYTES + sum(lengths)))
    return sorted(found, key=lambda member: member[1])

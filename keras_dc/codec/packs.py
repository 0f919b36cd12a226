"""Binding to the native library: packed files (tflite_ops/PACK.md).

What a part of a file is packed as is decided in `keras_dc.packing`; the library packs and
unpacks.
"""

import ctypes
import dataclasses
from typing import Literal

from keras_dc.codec import blobs, dtypes, library
from keras_dc.errors import CodecError

_KINDS = ("bytes", "stored", "tensor", "copy", "origin")
_BYTE_KINDS = ("graph", "int8", "words", "pairs")
_SOURCES = ("blob", "difference", "base")


@dataclasses.dataclass(frozen=True)
class Part:
    """A run of bytes of a file, and what it is packed as; `kdc_part` of keras_dc/pack.h.

    Attributes:
        kind: "bytes", by the byte model; "stored"; "tensor", as a blob; "copy", of the base;
            "origin", no bytes: a nested file begins.
        size: bytes of the part.
        byte_kind: of bytes: "graph", "int8", "words" of 4 bytes or "pairs" of 2.
        row_bytes: of bytes: the bytes of a row of a matrix; 0 if there are none.
        base_offset: where the counterpart of the part begins in the base; None without one.
        source: of a tensor: "blob"; "difference", a blob to be added to a tensor of the base;
            "base", a tensor of the base and what differs.
        is_huffman: of a tensor: whether the part is a Huffman-coded blob.
        is_by_index: whether the blob holds cluster indices, one more each.
        is_summed: whether the part's values, unsigned, are the sums of the blob's up to each.
        blob: bytes of the blob, None with the source "base".
        base_blob_size: size of the blob in the base; None if a dense tensor is there.
        dtype: name of the element type of that dense tensor.
        shape: its dimensions.
    """

    kind: Literal["bytes", "stored", "tensor", "copy", "origin"]
    size: int
    byte_kind: str = "graph"
    row_bytes: int = 0
    base_offset: int | None = None
    source: str = "blob"
    is_huffman: bool = False
    is_by_index: bool = False
    is_summed: bool = False
    blob: bytes | None = None
    base_blob_size: int | None = None
    dtype: str = "float32"
    shape: tuple[int, ...] = ()

    def _struct(self):
        return library.PartStruct(
            kind=_KINDS.index(self.kind),
            size=self.size,
            byte_kind=_BYTE_KINDS.index(self.byte_kind),
            row_bytes=self.row_bytes,
            has_base=self.base_offset is not None,
            base_offset=self.base_offset or 0,
            source=_SOURCES.index(self.source),
            is_huffman=self.is_huffman,
            is_by_index=self.is_by_index,
            is_summed=self.is_summed,
            blob=self.blob,
            blob_size=0 if self.blob is None else len(self.blob),
            base_is_blob=self.base_blob_size is not None,
            base_size=self.base_blob_size or 0,
            dtype=dtypes.BY_NAME[self.dtype].code,
            rank=len(self.shape),
            shape=(ctypes.c_int64 * library.MAX_RANK)(*self.shape),
        )


def _check(status):
    if status != 0:
        message = library.library().kdc_status_message(status).decode()
        message = message.replace("blob", "packed file").replace("'KDC'", "'KDP'")
        raise CodecError(f"{message}. Received: status {status}")


@dataclasses.dataclass(frozen=True)
class PackInfo:
    """What the head of a packed file says.

    Attributes:
        original_size: bytes of the file that is packed.
        original_crc: its CRC-32.
        base_size: bytes of the file that a patch is for; None if it is no patch.
        base_crc: the CRC-32 of that file, None if it is no patch.
    """

    original_size: int
    original_crc: int
    base_size: int | None
    base_crc: int | None


def pack(original, parts, *, base=None):
    """Pack a file part by part.

    Args:
        original: bytes.
        parts: sequence of Part; their sizes add up to that of `original`.
        base: bytes of the file that a patch is for, or None.

    Returns:
        tuple `(bytes of the packed file, list of the bytes that each part takes)`.

    Raises:
        CodecError: if a part does not fit its bytes.
    """
    parts = list(parts)
    structs = (library.PartStruct * max(len(parts), 1))(*(part._struct() for part in parts))
    sizes = (ctypes.c_uint64 * max(len(parts), 1))()
    packed = blobs.written_by(
        library.library().kdc_pack,
        original,
        len(original),
        base,
        0 if base is None else len(base),
        structs,
        len(parts),
        sizes,
    )
    return packed, list(sizes)[: len(parts)]


def info(packed):
    """Read the head of a packed file.

    Args:
        packed: bytes.

    Returns:
        PackInfo.

    Raises:
        CodecError: if it is none.
    """
    struct = library.PackInfoStruct()
    _check(library.library().kdc_pack_get_info(packed, len(packed), ctypes.byref(struct)))
    has_base = bool(struct.has_base)
    return PackInfo(
        struct.original_size,
        struct.original_crc,
        struct.base_size if has_base else None,
        struct.base_crc if has_base else None,
    )


def unpack(packed, *, base=None):
    """Unpack a file.

    Args:
        packed: bytes.
        base: bytes of the file that a patch is for, or None.

    Returns:
        bytes.

    Raises:
        CodecError: if the packed file is damaged, or the base is another one.
    """
    size = info(packed).original_size
    # The library writes every byte.
    file = ctypes.create_string_buffer(0) if size == 0 else (ctypes.c_char * size)()
    _check(
        library.library().kdc_unpack(
            packed, len(packed), base, 0 if base is None else len(base), file, size
        )
    )
    return bytes(file) if size else b""

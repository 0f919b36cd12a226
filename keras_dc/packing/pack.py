"""`pack` and `unpack`: a file small for storage and transport, and the same bytes again."""

import os
import zlib

from keras_dc.codec import packs
from keras_dc.errors import CodecError
from keras_dc.packing import parts, patches
from keras_dc.support import progress
from keras_dc.support.file_bytes import FileBytes

# The largest file that is unpacked without being asked for: as large as a `.tflite` file gets.
MAX_UNPACKED_BYTES = 2**31


def pack(tflite, base=None):
    """Pack a `.tflite` file, or a ZIP archive of such, smaller than a zip does.

    The packed file holds the original byte for byte (`tflite_ops/PACK.md`): its graph by a
    model of bytes, each constant as the smallest blob or by that model. A device unpacks it
    in C (`keras_dc/pack.h`) and runs the original in any runtime. Any other bytes can be
    packed, too, if less well.

    Args:
        tflite: bytes, or the path of a file: a `.tflite` file of any kind; an archive, such as
            a `.task` bundle, whose stored models are packed while deflated members stay as
            they are.
        base: bytes or a path: an older version of the file. The result is then a patch that
            holds only what differs, and whoever unpacks it needs the same base.

    Returns:
        bytes of the packed file. It was unpacked again and found equal.

    Raises:
        FileNotFoundError, IsADirectoryError: if there is no file at a path.
        TypeError: if an argument is neither bytes nor a path.
    """
    content = _read(tflite, "tflite")
    old = None if base is None else _read(base, "base")
    made = parts.plain_parts(content) if old is None else patches.patch_parts(content, old)
    progress.tell("packing all, and unpacking it")
    packed, _ = packs.pack(content, made, base=old)
    if packs.unpack(packed, base=old) != content:
        raise CodecError(
            "the packed file must unpack to the original; this is a fault of keras_dc. "
            f"Received: {len(content)} bytes with CRC-32 {zlib.crc32(content):#010x}"
        )
    return FileBytes(packed, "packed file" if old is None else "patch")


def unpack(packed, base=None, *, max_bytes=MAX_UNPACKED_BYTES):
    """Unpack what `pack` packed.

    Args:
        packed: bytes, or the path of a packed file.
        base: bytes or a path: the file that a patch was made for; None if it is no patch.
        max_bytes: int, how large the original may be: a small file may declare any size.

    Returns:
        bytes of the original file.

    Raises:
        CodecError: if `packed` is no packed file, is damaged or cut short; if it is a patch and
            `base` is missing or another file; if it is none and there is a `base`; if it declares
            more than `max_bytes`.
        FileNotFoundError, IsADirectoryError: if there is no file at a path.
        TypeError: if an argument is neither bytes nor a path.
    """
    content = _read(packed, "packed")
    old = None if base is None else _read(base, "base")
    info = packs.info(content)
    if info.original_size > max_bytes:
        raise CodecError(
            f"the original must have at most `max_bytes`. Received: {info.original_size:,} bytes "
            f"declared, max_bytes={max_bytes:,}"
        )
    if info.base_size is None and old is not None:
        raise CodecError(
            "a packed file that is no patch is unpacked without a base. "
            f"Received: base of {len(old)} bytes"
        )
    if info.base_size is not None:
        expected = f"of {info.base_size} bytes with CRC-32 {info.base_crc:#010x}"
        if old is None:
            raise CodecError(
                f"the packed file is a patch: it needs its base, {expected}. Received: base=None"
            )
        found = zlib.crc32(old)
        if (len(old), found) != (info.base_size, info.base_crc):
            raise CodecError(
                f"the base of this patch is a file {expected}. "
                f"Received: {len(old)} bytes with CRC-32 {found:#010x}"
            )
    return FileBytes(packs.unpack(content, base=old), "unpacked file")


def _read(file, name):
    """The bytes of a file, given as bytes or as its path."""
    if isinstance(file, (bytes, bytearray, memoryview)):
        return file if isinstance(file, bytes) else bytes(file)
    if not isinstance(file, (str, os.PathLike)):
        raise TypeError(
            f"`{name}` is given as bytes or as the path of a file. Received: {type(file).__name__}"
        )
    if os.path.isdir(file):
        raise IsADirectoryError(
            f"`{name}` is given as bytes or as the path of a file. "
            f"Received: the folder {os.fspath(file)!r}"
        )
    if not os.path.exists(file):
        raise FileNotFoundError(f"there is no file at the path. Received: {os.fspath(file)!r}")
    with open(file, "rb", buffering=0) as opened:
        return opened.read()

"""The native library: where it lies, and the C functions that it has."""

import ctypes
import functools
import os
import pathlib
import sys

MAX_RANK = 8
_LIBRARY_NAMES = {"darwin": "libkeras_dc.dylib", "win32": "keras_dc.dll"}


class BlobInfoStruct(ctypes.Structure):
    """`kdc_blob_info` of keras_dc/codec.h."""

    _fields_ = [
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.c_int64 * MAX_RANK),
        ("num_weights", ctypes.c_int64),
        ("num_kept", ctypes.c_int64),
        ("num_fillers", ctypes.c_int64),
        ("num_centroids", ctypes.c_int32),
        ("gap_bits", ctypes.c_int32),
        ("column_major", ctypes.c_int32),
        ("num_streams", ctypes.c_int32),
        ("header_bytes", ctypes.c_int64),
        ("codebook_bytes", ctypes.c_int64),
        ("table_bytes", ctypes.c_int64),
        ("index_bytes", ctypes.c_int64),
        ("gap_bytes", ctypes.c_int64),
        ("scale_axis", ctypes.c_int32),
        ("wide", ctypes.c_int32),
        ("scale_bytes", ctypes.c_int64),
        ("coder", ctypes.c_int32),
        ("value_planes", ctypes.c_int32),
        ("line_classes", ctypes.c_int32),
        ("scale_planes", ctypes.c_int32),
        ("zero_point", ctypes.c_int32),
    ]


class PartStruct(ctypes.Structure):
    """`kdc_part` of keras_dc/pack.h."""

    _fields_ = [
        ("kind", ctypes.c_int32),
        ("size", ctypes.c_uint64),
        ("byte_kind", ctypes.c_int32),
        ("row_bytes", ctypes.c_uint64),
        ("has_base", ctypes.c_int32),
        ("base_offset", ctypes.c_uint64),
        ("source", ctypes.c_int32),
        ("is_huffman", ctypes.c_int32),
        ("is_by_index", ctypes.c_int32),
        ("is_summed", ctypes.c_int32),
        ("blob", ctypes.c_char_p),
        ("blob_size", ctypes.c_size_t),
        ("base_is_blob", ctypes.c_int32),
        ("base_size", ctypes.c_uint64),
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.c_int64 * MAX_RANK),
    ]


class PackInfoStruct(ctypes.Structure):
    """`kdc_pack_info` of keras_dc/pack.h."""

    _fields_ = [
        ("original_size", ctypes.c_uint64),
        ("original_crc", ctypes.c_uint32),
        ("has_base", ctypes.c_int32),
        ("base_size", ctypes.c_uint64),
        ("base_crc", ctypes.c_uint32),
    ]


def op_library_path():
    """Path of the native library, for those who call `load_delegate` themselves.

    Returns:
        str, the absolute path of the shared library inside the installed package.

    Raises:
        FileNotFoundError: if the package was imported from its sources without
            having been built.
        OSError: if the library is cut short.
    """
    name = _LIBRARY_NAMES.get(sys.platform, "libkeras_dc.so")
    # An editable installation has two folders: the sources and what was built.
    folders = [pathlib.Path(folder) for folder in sys.modules["keras_dc"].__path__]
    for folder in folders:
        if (folder / name).is_file():
            _check_is_whole(folder / name)
            return str((folder / name).resolve())
    raise FileNotFoundError(
        f"keras_dc's native library must lie beside the package; install it with "
        f"`pip install .` and import it from outside the sources. Received: no {name} "
        f"in {', '.join(map(str, folders))}"
    )


def _check_is_whole(path):
    """Refuse a library that is cut short: the system's loader may die of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
    is_whole = len(head) == 64
    if head.startswith(b"\x7fELF\x02\x01") and is_whole:
        # The table of sections lies at the end: e_shoff, e_shentsize and e_shnum.
        begin = int.from_bytes(head[40:48], "little")
        entry, count = (int.from_bytes(head[i : i + 2], "little") for i in (58, 60))
        is_whole = begin + entry * count <= size
    if not is_whole:
        raise OSError(
            "keras_dc's native library is cut short; install the package anew. "
            f"Received: {path} of {size} bytes"
        )


@functools.cache
def library():
    """The native library with its functions declared (keras_dc/codec.h).

    Returns:
        ctypes.CDLL.

    Raises:
        FileNotFoundError, OSError: as `op_library_path`.
    """
    loaded = ctypes.CDLL(op_library_path())
    int32, size, pointer = ctypes.c_int32, ctypes.c_size_t, ctypes.c_void_p
    shape, blob_out = ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(pointer)
    info_out = ctypes.POINTER(BlobInfoStruct)
    tensor, bytes_out = (pointer, int32, shape, int32), ctypes.POINTER(pointer)
    file, counts = (ctypes.c_char_p, size), ctypes.POINTER(ctypes.c_uint64)
    # The type of the result, and those of the arguments.
    signatures = {
        "kdc_status_message": (ctypes.c_char_p, int32),
        "kdc_instruction_set": (ctypes.c_char_p,),
        "kdc_check_model": (ctypes.c_char_p, pointer, size),
        "kdc_num_litert_delegates": (ctypes.c_int64,),
        "kdc_bytes_data": (pointer, pointer),
        "kdc_bytes_size": (size, pointer),
        "kdc_free_bytes": (None, pointer),
        "kdc_encode": (int32, *tensor, bytes_out),
        "kdc_encode_with_zero_point": (int32, *tensor, int32, bytes_out),
        "kdc_encode_scaled": (int32, *tensor, pointer, int32, pointer, int32, bytes_out),
        "kdc_recode": (int32, pointer, size, int32, bytes_out),
        "kdc_open": (int32, pointer, size, blob_out),
        "kdc_close": (None, pointer),
        "kdc_get_info": (int32, pointer, info_out),
        "kdc_decode": (int32, pointer, pointer, size),
        "kdc_decode_entries": (int32, pointer, pointer, size, pointer, pointer, size),
        "kdc_pack": (int32, *file, *file, ctypes.POINTER(PartStruct), size, counts, bytes_out),
        "kdc_pack_get_info": (int32, *file, ctypes.POINTER(PackInfoStruct)),
        "kdc_unpack": (int32, *file, *file, pointer, size),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def instruction_set():
    """What the library computes with in this process.

    Returns:
        str, "portable", "neon", "avx2", "avx512" or "amx".

    Raises:
        ValueError: if the environment variable KERAS_DC_ISA names another one than this
            machine has.
        FileNotFoundError, OSError: as `op_library_path`.
    """
    name = library().kdc_instruction_set()
    if name is None:
        raise ValueError(
            "KERAS_DC_ISA must name an instruction set of this machine. Received: "
            f"KERAS_DC_ISA={os.environ.get('KERAS_DC_ISA')!r}"
        )
    return name.decode()

"""Binding to the native library: arrays to blobs and back (tflite_ops/FORMAT.md).

Python never parses a blob; it hands bytes to the library, which also holds the
TFLite ops. The library lets go of the interpreter lock while it works.
"""

import contextlib
import ctypes
import dataclasses
import math
import weakref

import numpy as np

from keras_dc.codec import dtypes, library
from keras_dc.errors import CodecError

CODERS = ("huffman", "arithmetic")
_MOST_WEIGHTS_OF_A_MASK_MODEL = 2**22
_AXIS_OF = {0: None, 1: 0, 2: -1}


@dataclasses.dataclass(frozen=True)
class BlobInfo:
    """What a blob holds, and where its bytes go; the byte counts add up to its size.

    Attributes:
        dtype: name of the element type: "float32", "float16", "bfloat16", "int8" or
            "int4".
        shape: dimensions of the tensor.
        num_kept: weights that have a cluster index or a stored value.
        num_fillers: filler zeros between them.
        num_centroids: size of the codebook; 0 if there is none.
        gap_bits: bits of a position gap; 0 if there are no gaps.
        column_major: whether the scan is by columns.
        num_streams: bit streams for each kind of symbol.
        header_bytes: header, stream sizes and checksum.
        codebook_bytes: the centroids.
        table_bytes: the tables of code lengths.
        index_bytes: coded cluster indices, or the values if there is no codebook.
        gap_bytes: coded position gaps, or the coded mask.
        scale_axis: the axis of the channels, 0 or -1, if each channel has a scale; None
            otherwise.
        wide: whether codebook and scales are stored as float64.
        scale_bytes: the scales.
        coder: "huffman" or "arithmetic", which codes a mask in place of gaps.
        value_planes: whether the centroids, or the values, are stored by byte planes.
        line_classes: whether the rows, or columns, of the values are of two classes.
        scale_planes: whether the scales are stored by byte planes.
        zero_point: int, the value that counts as zero; 0 but for some int8 tensors.
    """

    dtype: str
    shape: tuple[int, ...]
    num_kept: int
    num_fillers: int
    num_centroids: int
    gap_bits: int
    column_major: bool
    num_streams: int
    header_bytes: int
    codebook_bytes: int
    table_bytes: int
    index_bytes: int
    gap_bytes: int
    scale_axis: int | None
    wide: bool
    scale_bytes: int
    coder: str
    value_planes: bool
    line_classes: bool
    scale_planes: bool
    zero_point: int


def check(status):
    if status != 0:
        message = library.library().kdc_status_message(status).decode()
        raise CodecError(f"{message}. Received: status {status}")


def encode(values, *, dtype=None, zero_point=0, copy=True):
    """Code a tensor losslessly: bit patterns come back as they were.

    Args:
        values: array of at most 8 dimensions; float32, float16 or int8; uint16 bit
            patterns of bfloat16 with `dtype="bfloat16"`; int8 values from -8 to 7 with
            `dtype="int4"`.
        dtype: name of the element type; that of `values` if None.
        zero_point: int, the int8 value that stands for 0 and counts as zero.
        copy: False for a view of the blob where the library wrote it.

    Returns:
        bytes, the blob; a read-only memoryview of them with `copy=False`.

    Raises:
        CodecError: if the dtype, the rank, the size or the zero point cannot be coded.
    """
    values = _native(values)
    name = dtype or values.dtype.name
    known = dtypes.BY_NAME.get(name)
    if known is None or values.dtype != known.storage or values.ndim > library.MAX_RANK:
        raise CodecError(
            f"expected an array of {', '.join(dtypes.BY_NAME)} with at most {library.MAX_RANK} "
            f"dimensions. Received: dtype={name!r}, an array of {values.dtype} shaped "
            f"{values.shape}"
        )
    function = library.library().kdc_encode_with_zero_point
    return _call_encoder(function, values, known, zero_point, copy=copy)


def encode_scaled(values, *, codebook, scales, axis, copy=True):
    """Code a tensor that has one codebook, and a scale for each channel, losslessly.

    Every weight that is not zero must equal `codebook[k] * scales[channel]` for some k:
    the product in float64, rounded to float32 or, for int8, to the nearest integer.

    Args:
        values: float32 or int8 array of 2 to 8 dimensions.
        codebook: float array `(num_centroids,)`, 1 to 256 centroids. Stored in float64
            unless it and `scales` are exact in float32.
        scales: float array `(num_channels,)`.
        axis: 0 or -1, the dimension of the channels.
        copy: as in `encode`.

    Returns:
        bytes, the blob; a read-only memoryview of them with `copy=False`.

    Raises:
        CodecError: if a weight is not such a product, or an argument does not fit.
    """
    values = _native(values)
    codebook = np.asarray(codebook, np.float64, order="C")
    scales = np.asarray(scales, np.float64, order="C")
    if values.ndim < 2 or axis not in (0, -1) or scales.shape != (values.shape[axis],):
        raise CodecError(
            "expected an array of at least 2 dimensions, axis 0 or -1, and a scale for each index "
            f"of it. Received: an array shaped {values.shape}, axis={axis}, scales shaped "
            f"{scales.shape}"
        )
    dtype = dtypes.BY_NAME.get(values.dtype.name)
    if dtype is None or not 1 <= codebook.size <= 256:
        raise CodecError(
            "expected float32 or int8 and 1 to 256 centroids. "
            f"Received: {values.dtype}, {codebook.size} centroids"
        )
    return _call_encoder(
        library.library().kdc_encode_scaled,
        values,
        dtype,
        codebook.ctypes.data,
        codebook.size,
        scales.ctypes.data,
        1 if axis == 0 else 2,
        copy=copy,
    )


def recode(blob, *, mask_model=None):
    """Code a Huffman-coded blob anew with the arithmetic coder (FORMAT.md, 9).

    That coder learns while it codes: how dense rows and columns are, which weights are
    kept together, and that neighbours have like values. So it can take fewer bits than the
    Shannon bound for independent weights.

    Args:
        blob: bytes-like.
        mask_model: whether positions are coded weight by weight, in the fewest bits; a
            decoder then takes some 20 ns for each weight of the rows and columns that have
            any. Else gaps are coded, in some 50 ns for each kept weight. None is True for
            tensors of at most 4 million weights.

    Returns:
        bytes of a blob of the same tensor, never larger; those of `blob` if it would not
        become smaller, or is arithmetic already.

    Raises:
        CodecError: if the blob is malformed.
    """
    content = np.frombuffer(blob, np.uint8)
    recode_blob = library.library().kdc_recode
    if mask_model is None:
        mask_model = math.prod(inspect(content).shape) <= _MOST_WEIGHTS_OF_A_MASK_MODEL
    return written_by(recode_blob, content.ctypes.data, content.size, mask_model)


def _native(values):
    """The values in C order and in the byte order of this machine, as the C library reads them."""
    values = np.asarray(values)
    return np.asarray(values, dtype=values.dtype.newbyteorder("="), order="C")


def _call_encoder(function, values, dtype, *parameters, copy):
    shape = (ctypes.c_int64 * max(values.ndim, 1))(*values.shape)
    arguments = values.ctypes.data, dtype.code, shape, values.ndim, *parameters
    written = _Written(function, *arguments)
    return bytes(written) if copy else memoryview(np.asarray(written))  # type: ignore[arg-type]


class _Written:
    """The bytes that a function of the C library makes, which lie in its memory.

    They are freed with the last array that is a view of them.
    """

    def __init__(self, function, *arguments):
        bound, handle = library.library(), ctypes.c_void_p()
        check(function(*arguments, ctypes.byref(handle)))
        weakref.finalize(self, bound.kdc_free_bytes, handle).atexit = False
        self._size = bound.kdc_bytes_size(handle)
        self._address = bound.kdc_bytes_data(handle)

    def __bytes__(self):
        return ctypes.string_at(self._address, self._size)

    @property
    def __array_interface__(self):
        return {
            "version": 3,
            "typestr": "|u1",
            "shape": (self._size,),
            "data": (self._address, True),
        }


def written_by(function, *arguments):
    """The bytes that a function of the C library makes."""
    return bytes(_Written(function, *arguments))


@contextlib.contextmanager
def _opened(blob):
    """The C library's handle of a blob whose header and tables are in order."""
    content, handle = np.frombuffer(blob, np.uint8), ctypes.c_void_p()
    check(library.library().kdc_open(content.ctypes.data, content.size, ctypes.byref(handle)))
    try:
        yield handle
    finally:
        library.library().kdc_close(handle)


def _info(handle):
    struct = library.BlobInfoStruct()
    check(library.library().kdc_get_info(handle, ctypes.byref(struct)))
    fields = {field.name: getattr(struct, field.name) for field in dataclasses.fields(BlobInfo)}
    fields["dtype"] = dtypes.BY_CODE[struct.dtype].name
    fields["shape"] = tuple(struct.shape[: struct.rank])
    for name in ("column_major", "wide", "value_planes", "line_classes", "scale_planes"):
        fields[name] = bool(fields[name])
    fields["scale_axis"] = _AXIS_OF[struct.scale_axis]
    fields["coder"] = CODERS[struct.coder]
    return BlobInfo(**fields)


def inspect(blob):
    """Read the header and the tables of a blob, without decoding its weights.

    Args:
        blob: bytes-like.

    Returns:
        BlobInfo.

    Raises:
        CodecError: if the blob is malformed.
    """
    with _opened(blob) as handle:
        return _info(handle)


def decode(blob):
    """Decode a blob; the inverse of `encode`.

    Args:
        blob: bytes-like.

    Returns:
        array of the coded shape and dtype; bfloat16 as uint16 bit patterns, int4 as int8.

    Raises:
        CodecError: if the blob is malformed.
    """
    return decode_with_info(blob)[1]


def decode_with_info(blob):
    """As `inspect` and `decode`, reading the header and the tables once.

    Args:
        blob: bytes-like.

    Returns:
        (BlobInfo, array).

    Raises:
        CodecError: if the blob is malformed.
    """
    with _opened(blob) as handle:
        info = _info(handle)
        values = np.empty(info.shape, dtypes.BY_NAME[info.dtype].storage)
        check(library.library().kdc_decode(handle, values.ctypes.data, values.nbytes))
    return info, values


@dataclasses.dataclass(frozen=True)
class Entries:
    """The kept weights of a blob as a matrix in compressed sparse row form.

    The first dimension is the row, all others together are the column; a vector is one
    row (FORMAT.md, 2).

    Attributes:
        row_begin: uint32 array `(rows + 1,)`; row r has entries `row_begin[r]` to
            `row_begin[r + 1] - 1`.
        columns: uint32 array `(num_kept,)`, ascending within a row.
        indices: uint8 array `(num_kept,)`, the centroid of each entry.
    """

    row_begin: np.ndarray
    columns: np.ndarray
    indices: np.ndarray


def decode_entries(blob, *, out=None):
    """Decode a blob to positions and cluster indices.

    Args:
        blob: bytes of a blob with a codebook.
        out: Entries to be written to, for as many rows and kept weights as the blob has;
            new arrays if None.

    Returns:
        Entries.

    Raises:
        CodecError: if the blob is malformed or has no codebook, or if `out` does not fit.
    """
    with _opened(blob) as handle:
        out = out or _empty_entries(_info(handle))
        _check_entries(out.row_begin, out.columns, out.indices)
        check(
            library.library().kdc_decode_entries(
                handle,
                out.row_begin.ctypes.data,
                out.row_begin.size,
                out.columns.ctypes.data,
                out.indices.ctypes.data,
                out.indices.size,
            )
        )
    return out


def _empty_entries(info):
    rows = 0 if 0 in info.shape else info.shape[0] if len(info.shape) > 1 else 1
    return Entries(
        row_begin=np.zeros(rows + 1, np.uint32),
        columns=np.empty(info.num_kept, np.uint32),
        indices=np.empty(info.num_kept, np.uint8),
    )


def _check_entries(*arrays):
    found = [array.dtype for array in arrays]
    if (
        found != [np.uint32, np.uint32, np.uint8]
        or arrays[1].shape != arrays[2].shape
        or not all(array.flags.carray for array in arrays)
    ):
        raise CodecError(
            "`out` must hold contiguous, writable arrays of uint32, uint32 and uint8, with as many "
            f"columns as indices. Received: {', '.join(map(str, found))} shaped "
            f"{', '.join(str(array.shape) for array in arrays)}"
        )

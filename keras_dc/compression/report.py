"""What a compressed model holds, and what became of each constant of the original."""

import dataclasses
import functools
import lzma
import math
import zlib
from typing import NamedTuple

import numpy as np

from keras_dc import codec
from keras_dc.codec import dtypes
from keras_dc.compression import custom_ops
from keras_dc.compression.constants import pack
from keras_dc.compression.decide import Placement
from keras_dc.errors import CodecError
from keras_dc.numerics import entropy
from keras_dc.support import text_columns
from keras_dc.tflite import model_file
from keras_dc.tflite.graph import Graph, tensor_name

_HEADINGS = ["tensor", "op", "shape", "kept%", "clusters", "coding", "bytes", "coded"]
_MEASURED_HEADINGS = ["Shannon", "zip"]
_ERROR_HEADINGS = ["error", "largest"]
_IS_NUMBER = [False, False, False, True, True, False, True, True, True, True, True, True]
_LEFT_IS_NUMBER = [False, False, False, True, False]
_LONGEST_NAME = 40
# What blobs may hold decoded, unless the caller says otherwise: a few bytes may declare anything.
MAX_DECODED_BYTES = 2**31


@dataclasses.dataclass(frozen=True)
class CodedTensor:
    """A tensor that is coded as a blob.

    Attributes:
        name: the tensor's name, or that of its op's output if names were stripped.
        op: the op that reads the blob, "KerasDcFullyConnected", "KerasDcConv2D" or
            "KerasDcDecode".
        blob: codec.BlobInfo.
        blob_bytes: size of the blob.
        original_bytes: size of the tensor before; `inspect` assumes that it was dense.
        content: the blob's bytes.
        relative_error: root mean square error over root mean square of the values, if
            `compress` pruned or clustered them; else 0.
        largest_error: largest absolute error, likewise.
    """

    name: str
    op: str
    blob: codec.BlobInfo
    blob_bytes: int
    original_bytes: int
    content: bytes = dataclasses.field(repr=False)
    relative_error: float = 0.0
    largest_error: float = 0.0

    @property
    def shape(self):
        """Dimensions of the tensor."""
        return self.blob.shape

    @property
    def num_weights(self):
        """Elements of the tensor."""
        return int(np.prod(self.blob.shape, dtype=np.int64))

    @property
    def density(self):
        """Fraction of the weights that are coded one by one, by the header of the blob.

        A blob without position gaps codes its zeros one by one, too.
        """
        return self.blob.num_kept / self.num_weights if self.num_weights else 0.0

    @property
    def kept_fraction(self):
        """Fraction of the weights that are not zero; this decodes the blob."""
        return self._measured.num_nonzero / self.num_weights if self.num_weights else 0.0

    @property
    def coding(self):
        """How the values are coded, such as "huffman, scales".

        "planes": the bytes of the values, or of the scales, are coded plane by plane.
        """
        parts = [self.blob.coder]
        if not self.blob.num_centroids:
            parts.append("no codebook")
        if self.blob.scale_axis is not None:
            parts.append("scales")
        if self.blob.scale_planes or (self.blob.value_planes and not self.blob.num_centroids):
            parts.append("planes")
        return ", ".join(parts)

    @property
    def index_bits(self):
        """Bits of a cluster index `(before, after)` Huffman coding, per kept weight."""
        fixed = max(self.blob.num_centroids - 1, 0).bit_length()
        return fixed, _bits_per(self.blob.index_bytes, self.blob.num_kept)

    @property
    def gap_bits(self):
        """Bits of a position gap `(before, after)` Huffman coding, per symbol."""
        symbols = self.blob.num_kept + self.blob.num_fillers
        return self.blob.gap_bits, _bits_per(self.blob.gap_bytes, symbols)

    @property
    def shannon_bytes(self):
        """See `keras_dc.numerics.entropy.shannon_bytes`; includes the scales of the blob."""
        return self._measured.shannon_bytes

    @property
    def zip_bytes(self):
        """The smaller of zlib and xz, both at their strongest, on the same values."""
        return self._measured.zip_bytes

    @property
    def num_negative_zeros(self):
        """Number of kept weights that are -0.0: they cost bits, and 0.0 computes the same."""
        return self._measured.num_negative_zeros

    @functools.cached_property
    def _measured(self):
        """All figures that need the decoded values, which are decoded once."""
        values = codec.decode(self.content)
        packed = pack(values, self.blob.dtype).tobytes()
        zipped = zlib.compress(packed, 9), lzma.compress(packed, preset=6 | lzma.PRESET_EXTREME)
        is_float = self.blob.dtype in ("float32", "float16")
        is_negative_zero = (values == 0) & np.signbit(values) if is_float else False
        return _Measured(
            self._shannon_bytes(values),
            min(map(len, zipped)),
            int(np.count_nonzero(is_negative_zero)),
            int(np.count_nonzero(values)),
        )

    def _shannon_bytes(self, values):
        if self.blob.scale_axis is None:
            return entropy.shannon_bytes(values)
        # The cluster indices do not follow from the values.
        counts = np.bincount(codec.decode_entries(self.content).indices)
        side_bytes = self.blob.codebook_bytes + self.blob.scale_bytes
        return entropy.ideal_bytes(self.num_weights, counts) + side_bytes


class _Measured(NamedTuple):
    shannon_bytes: float
    zip_bytes: int
    num_negative_zeros: int
    num_nonzero: int


@dataclasses.dataclass(frozen=True)
class LeftTensor:
    """A constant that stays as it is.

    Attributes:
        name: the tensor's name, or that of its op's output if it has none.
        op: the op that reads it.
        shape: dimensions of the tensor.
        original_bytes: its size.
        reason: why it is not coded.
        relative_error: see CodedTensor.
        largest_error: see CodedTensor.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    original_bytes: int
    reason: str
    relative_error: float = 0.0
    largest_error: float = 0.0


class Report(list):
    """Rows of CodedTensor and LeftTensor; `str` of it is a table.

    Attributes:
        file_bytes: size of the file that `inspect` read, None in a report of `compress`.
    """

    def __init__(self, rows=(), *, file_bytes=None):
        super().__init__(rows)
        self.file_bytes = file_bytes

    @property
    def coded(self):
        """The rows of what is coded."""
        return Report(row for row in self if isinstance(row, CodedTensor))

    @property
    def left(self):
        """The rows of what stays as it is."""
        return Report(row for row in self if isinstance(row, LeftTensor))

    def __str__(self):
        return self.table()

    def table(self, *, measured=False, max_bytes=MAX_DECODED_BYTES):
        """The rows as text.

        Args:
            measured: whether to decode the blobs, for the true kept %, the Shannon bound and
                what zip makes of the same values. This takes seconds for a large model.
            max_bytes: int, how much the blobs may hold decoded.

        Returns:
            str, a line for each row and, after `inspect`, the totals.

        Raises:
            CodecError: if a blob is malformed, or the blobs declare more than `max_bytes`.
        """
        lines = []
        if measured:
            check_declared_bytes((row.blob for row in self.coded), max_bytes)
        if self.coded:
            has_errors = any(row.relative_error for row in self)
            heading = [*_HEADINGS, *(_MEASURED_HEADINGS if measured else [])]
            heading += _ERROR_HEADINGS if has_errors else []
            rows = [_cells(row, measured, has_errors) for row in self.coded]
            if self.file_bytes is not None:
                rows += self._totals(len(heading))
            lines += text_columns.aligned([heading, *rows], _IS_NUMBER)
        if self.left:
            lines += ["", "left as they are:"] if lines else []
            lines += text_columns.aligned([_left_cells(row) for row in self.left], _LEFT_IS_NUMBER)
        return "\n".join(lines)

    def _totals(self, num_cells):
        original = sum(row.original_bytes for row in self.coded)
        coded = sum(row.blob_bytes for row in self.coded)
        rest = self.file_bytes - coded
        for name, before, after in [
            ("graph and other constants", rest, rest),
            ("total", original + rest, self.file_bytes),
        ]:
            cells = [name, *[""] * 5, f"{before:,}", f"{after:,}"]
            yield cells + [""] * (num_cells - len(cells))


def check_declared_bytes(infos, max_bytes):
    """Refuse blobs that declare too much, before anything is decoded.

    Args:
        infos: iterable of codec.BlobInfo.
        max_bytes: int.

    Raises:
        CodecError: if they hold more than `max_bytes` decoded.
    """
    declared = sum(map(_dense_bytes, infos))
    if declared > max_bytes:
        raise CodecError(
            f"the blobs must hold at most `max_bytes` decoded. Received: {declared:,} bytes "
            f"declared, max_bytes={max_bytes:,}"
        )


def inspect(tflite):
    """List the blobs of a compressed model, from their headers alone.

    Args:
        tflite: bytes of a compressed `.tflite` model, or the path of a file.

    Returns:
        Report: a list of CodedTensor in the order of the operators, whose `str` is a
        table, and `table(measured=True)` a longer one. A blob that several operators read is
        listed once.

    Raises:
        ModelFormatError: if `tflite` is not a TFLite model.
        CodecError: if the header of a blob is malformed.
    """
    content = model_file.read(tflite)
    graph = Graph(model_file.parse(content))
    report, seen = Report(file_bytes=len(content)), set()
    for op, ref in custom_ops.blobs_of(graph):
        tensor = graph.tensor(ref)
        blob = custom_ops.stored_blob(graph, op, ref)
        if (blob.buffer, blob.place) in seen:
            continue
        seen.add((blob.buffer, blob.place))
        name = tensor_name(tensor) or tensor_name(graph.tensor(graph.output(op)))
        info = codec.inspect(blob.content)
        report.append(_coded(name, graph.op_name(op), blob.content, info, _dense_bytes(info)))
    return report


def report_of(graph, plan, left, changes):
    """What becomes of each constant of a model.

    Args:
        graph: `tflite.graph.Graph` of the model, before it is changed.
        plan: `decide.Plan`.
        left: iterable of LeftConstant.
        changes: dict from the index of a buffer to `post_training.Change`.

    Returns:
        Report, in the order of the buffers.
    """
    rows = {}
    for decision in plan.decisions:
        constant = decision.constant
        name, op = names_of(graph, constant)
        if decision.placement is Placement.KEPT:
            row = LeftTensor(name, op, constant.shape, constant.size_bytes, decision.reason)
        else:
            form = plan.fusions.get(constant.consumers[0].op)
            is_fused = decision.placement is Placement.FUSED
            op = form.name if is_fused else custom_ops.DECODE
            content, info = decision.blob
            row = _coded(name, op, content, info, constant.size_bytes)
        rows[constant.buffer] = row
    for constant in left:
        name, op = names_of(graph, constant)
        row = LeftTensor(name, op, constant.shape, constant.size_bytes, constant.reason)
        rows[constant.buffer] = row
    for buffer, change in changes.items():
        rows[buffer] = dataclasses.replace(rows[buffer], **vars(change))
    return Report(rows[buffer] for buffer in sorted(rows))


def names_of(graph, constant):
    """Name of a constant's tensor, or of its consumer's output, and of the op that consumes it.

    Args:
        graph: `tflite.graph.Graph`.
        constant: Constant or LeftConstant.

    Returns:
        tuple of str; "" where there is none.
    """
    name = tensor_name(graph.tensor(constant.tensors[0]))
    if not constant.consumers:
        return name, ""
    op = constant.consumers[0].op
    output = graph.output(op)
    if not name and output is not None:
        name = tensor_name(graph.tensor(output))
    return name, graph.op_name(op)


def _dense_bytes(info):
    """Bytes of the tensor that a blob holds, as a `.tflite` file stores it."""
    return -(-math.prod(info.shape) * dtypes.BY_NAME[info.dtype].size_bits // 8)


def _coded(name, op, content, info, original_bytes):
    return CodedTensor(name, op, info, len(content), original_bytes, content)


def _bits_per(size_bytes, count):
    return 8 * size_bytes / count if count else 0.0


def _cells(row, measured, has_errors):
    has_minus = measured and row.num_negative_zeros
    cells = [
        _short(row.name),
        row.op,
        _dimensions(row.shape),
        f"{100 * (row.kept_fraction if measured else row.density):.1f}",
        str(row.blob.num_centroids or "-"),
        row.coding + (", -0.0" if has_minus else ""),
        f"{row.original_bytes:,}",
        f"{row.blob_bytes:,}",
    ]
    if measured:
        cells += [f"{row.shannon_bytes:,.0f}", f"{row.zip_bytes:,}"]
    return cells + ([_error(row), f"{row.largest_error:.2g}"] if has_errors else [])


def _left_cells(row):
    reason = f"{row.reason} (error {_error(row)})" if row.relative_error else row.reason
    return [_short(row.name), row.op, _dimensions(row.shape), f"{row.original_bytes:,}", reason]


def _error(row):
    return f"{100 * row.relative_error:.2f}%"


def _short(name):
    return name if len(name) <= _LONGEST_NAME else f"...{name[3 - _LONGEST_NAME :]}"


def _dimensions(shape):
    return "x".join(map(str, shape)) or "scalar"

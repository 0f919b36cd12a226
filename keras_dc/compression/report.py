"""What a compressed model holds, and what became of each constant on the way to it."""

import dataclasses
import functools
import lzma
import zlib

import numpy as np

from keras_dc import codec
from keras_dc.compression import custom_ops
from keras_dc.compression.constants import pack
from keras_dc.numerics import entropy
from keras_dc.support import text_columns
from keras_dc.tflite import model_file

_HEADINGS = ["tensor", "op", "shape", "kept%", "clusters", "coding"]
_HEADINGS += ["bytes", "coded", "Shannon", "zip"]
_ERROR_HEADINGS = ["error", "largest"]
_IS_NUMBER = [False, False, False, True, True, False, True, True, True, True, True, True]
_LEFT_IS_NUMBER = [False, False, False, True, False]
_LONGEST_NAME = 40


@dataclasses.dataclass(frozen=True)
class CodedTensor:
    """A tensor that is coded as a blob.

    Attributes:
        name: the tensor's name, or that of its op's output if names were stripped.
        op: the op that reads the blob, "KerasDcFullyConnected", "KerasDcConv2D" or
            "KerasDcDecode".
        blob: codec.BlobInfo.
        blob_bytes: size of the blob.
        original_bytes: what the tensor took; `inspect` takes it to have been dense.
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
        """Fraction of the weights that are coded one by one."""
        return self.blob.num_kept / self.num_weights if self.num_weights else 0.0

    @property
    def coding(self):
        """How the values are coded, such as "huffman, scales".

        "planes" stands for values, or for scales, whose bytes are coded plane by plane.
        """
        parts = [self.blob.coder]
        if not self.blob.num_centroids:
            parts.append("no codebook")
        if self.blob.scale_axis is not None:
            parts.append("scales")
        if self.blob.scale_planes or (self.blob.value_planes and not self.blob.num_centroids):
            parts.append("planes")
        if self.num_negative_zeros:
            parts.append("-0.0")
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

    @functools.cached_property
    def shannon_bytes(self):
        """See `keras_dc.numerics.entropy.shannon_bytes`; with the scales that the blob has."""
        if self.blob.scale_axis is None:
            return entropy.shannon_bytes(self._values())
        counts = np.bincount(codec.decode_entries(self.content).indices)
        side_bytes = self.blob.codebook_bytes + self.blob.scale_bytes
        return entropy.ideal_bytes(self.num_weights, counts) + side_bytes

    @functools.cached_property
    def zip_bytes(self):
        """The smaller of zlib and xz, both at pains, on the same values."""
        packed = pack(self._values(), self.blob.dtype).tobytes()
        zipped = zlib.compress(packed, 9), lzma.compress(packed, preset=6 | lzma.PRESET_EXTREME)
        return min(map(len, zipped))

    @functools.cached_property
    def num_negative_zeros(self):
        """Kept weights that are -0.0: they cost bits, and 0.0 computes the same."""
        if self.blob.dtype not in ("float32", "float16"):
            return 0
        values = self._values()
        return int(np.count_nonzero((values == 0) & np.signbit(values)))

    def _values(self):
        return codec.decode(self.content)


@dataclasses.dataclass(frozen=True)
class LeftTensor:
    """A constant that stays as it is.

    Attributes:
        name: the tensor's name, or that of its op's output if it has none.
        op: the op that reads it.
        shape: dimensions of the tensor.
        original_bytes: what it takes.
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
    """Rows of CodedTensor and LeftTensor; `str` of it is a table."""

    @property
    def coded(self):
        """The rows of what is coded."""
        return Report(row for row in self if isinstance(row, CodedTensor))

    @property
    def left(self):
        """The rows of what stays as it is."""
        return Report(row for row in self if isinstance(row, LeftTensor))

    def __str__(self):
        lines = []
        if self.coded:
            has_errors = any(row.relative_error for row in self)
            heading = [*_HEADINGS, *(_ERROR_HEADINGS if has_errors else [])]
            rows = [heading, *(_cells(row, has_errors) for row in self.coded)]
            lines += text_columns.aligned(rows, _IS_NUMBER)
        if self.left:
            lines += ["", "left as they are:"] if lines else []
            lines += text_columns.aligned([_left_cells(row) for row in self.left], _LEFT_IS_NUMBER)
        return "\n".join(lines)


def inspect(tflite):
    """List the blobs of a compressed model.

    Args:
        tflite: bytes of a compressed `.tflite` model, or the path of a file.

    Returns:
        Report: a list of CodedTensor in the order of the operators, whose `str` is a
        table; a blob that several operators read is listed once.

    Raises:
        ModelFormatError: if `tflite` is not a TFLite model.
        CodecError: if a blob is malformed.
    """
    model = model_file.parse(model_file.read(tflite))
    report, seen = Report(), set()
    for subgraph, operator, op, index in custom_ops.blob_tensors(model):
        tensor = subgraph.tensors[index]
        if tensor.buffer in seen:
            continue
        seen.add(tensor.buffer)
        named = tensor.name or subgraph.tensors[operator.outputs[0]].name or b""
        blob = model.buffers[tensor.buffer].data
        blob = b"" if blob is None else blob.tobytes()
        values = pack(codec.decode(blob), codec.inspect(blob).dtype)
        report.append(_coded(named.decode(errors="replace"), op, blob, values.nbytes))
    return report


def report_of(model, choices, left, forms, changes):
    """What becomes of each constant of a model.

    Args:
        model: `schema.ModelT`, before it is changed.
        choices: list of `choosing.Choice`.
        left: list of `constants.LeftConstant`.
        forms: dict that `choosing.fused_forms` gave.
        changes: dict from the index of a buffer to `post_training.Change`.

    Returns:
        Report, in the order of the buffers.
    """
    rows = {}
    for choice in choices:
        constant = choice.constant
        name, op = names_of(model, constant)
        if choice.reason:
            shape, size_bytes = constant.values.shape, constant.size_bytes
            rows[constant.buffer] = LeftTensor(name, op, shape, size_bytes, choice.reason)
            continue
        op = forms[id(constant.readers[0][0])].name if choice.is_fused else custom_ops.DECODE
        rows[constant.buffer] = _coded(name, op, constant.blob, constant.size_bytes)
    for constant in left:
        name, op = names_of(model, constant)
        tensor = _first_tensor(model, constant)
        shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
        row = LeftTensor(name, op, shape, constant.size_bytes, constant.reason)
        rows[constant.buffer] = row
    for buffer, change in changes.items():
        rows[buffer] = dataclasses.replace(rows[buffer], **vars(change))
    return Report(rows[buffer] for buffer in sorted(rows))


def names_of(model, constant):
    """Name of a constant's tensor, or of its reader's output, and of the op that reads it.

    Args:
        model: `schema.ModelT`.
        constant: `constants.Constant` or `constants.LeftConstant`.

    Returns:
        tuple of str; "" where there is none.
    """
    name = model_file.tensor_name(_first_tensor(model, constant))
    if not constant.readers:
        return name, ""
    operator = constant.readers[0][0]
    op = model_file.operator_name(model.operatorCodes[operator.opcodeIndex])
    if not name and len(operator.outputs):
        subgraph = model.subgraphs[constant.tensors[0][0]]
        name = model_file.tensor_name(subgraph.tensors[operator.outputs[0]])
    return name, op


def _first_tensor(model, constant):
    subgraph, tensor = constant.tensors[0]
    return model.subgraphs[subgraph].tensors[tensor]


def _coded(name, op, blob, original_bytes):
    return CodedTensor(name, op, codec.inspect(blob), len(blob), original_bytes, blob)


def _bits_per(size_bytes, count):
    return 8 * size_bytes / count if count else 0.0


def _cells(row, has_errors):
    cells = [
        _short(row.name),
        row.op,
        _dimensions(row.shape),
        f"{100 * row.density:.1f}",
        str(row.blob.num_centroids or "-"),
        row.coding,
        f"{row.original_bytes:,}",
        f"{row.blob_bytes:,}",
        f"{row.shannon_bytes:,.0f}",
        f"{row.zip_bytes:,}",
    ]
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

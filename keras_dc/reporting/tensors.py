"""The figures of one coded tensor, from its blob alone."""

import dataclasses
import math

import numpy as np

from keras_dc import codec
from keras_dc.codec import dtypes
from keras_dc.compression import huffman_form
from keras_dc.compression.report_rows import CodedTensor
from keras_dc.numerics import entropy
from keras_dc.numerics.code_lengths import code_lengths, mean_bits
from keras_dc.reporting import positions
from keras_dc.reporting.histograms import Histogram

# The stages of Han et al. 2016, tables 2 to 5, and what the file has.
STAGES = ("P", "P+Q", "P+Q+H", "written")


@dataclasses.dataclass(frozen=True)
class TensorFigures:
    """What is known of a coded tensor.

    Attributes:
        row: CodedTensor, for its names and its blob.
        num_kept: int, weights that are not zero.
        index_counts: int array `(num_centroids,)`, how often the Huffman form codes each
            index; None without a codebook.
        gap_counts: int array `(2**gap_bits,)`, likewise of the position gaps, fillers last;
            None without gaps.
        centroids: float array `(num_centroids,)`; None without a codebook, or where each
            channel has a scale, so that there is no one value.
        histogram: Histogram of the kept weights; None if none is kept.
        mask: positions.MaskPicture; None for a tensor of less than two dimensions.
        stage_bytes: dict from a stage to a dict from "values", "positions", "both",
            "codebook" and "tables" to bytes; stages that this blob cannot have are missing.
        shannon_bytes: float, see `keras_dc.numerics.entropy.shannon_bytes`.
    """

    row: CodedTensor
    num_kept: int
    index_counts: np.ndarray | None
    gap_counts: np.ndarray | None
    centroids: np.ndarray | None
    histogram: Histogram | None
    mask: positions.MaskPicture | None
    stage_bytes: dict
    shannon_bytes: float

    @property
    def label(self):
        """What to call it: the Keras layer and what the tensor is for it, or its name."""
        return f"{self.row.layer}, {self.row.role}" if self.row.layer else self.row.name

    @property
    def short_label(self):
        """The label; of a name that TensorFlow made of many, "a;b;c", the first."""
        return self.label.partition(";")[0] or self.label

    @property
    def kept_fraction(self):
        """Fraction of the weights that are not zero."""
        return self.num_kept / self.row.num_weights if self.row.num_weights else 0.0

    @property
    def index_bits(self):
        """Bits of a cluster index `(fixed, Huffman)`, or None."""
        if self.index_counts is None or not self.index_counts.any():
            return None
        return (len(self.index_counts) - 1).bit_length(), mean_bits(self.index_counts)

    @property
    def gap_bits(self):
        """Bits of a position gap `(fixed, Huffman)`, or None."""
        if self.gap_counts is None or not self.gap_counts.any():
            return None
        return (len(self.gap_counts) - 1).bit_length(), mean_bits(self.gap_counts)

    @property
    def bits_per_kept(self):
        """Bits that the file takes for a weight that is not zero, position included, or None."""
        blob = self.row.blob
        streams = blob.index_bytes + blob.gap_bytes
        return 8 * streams / self.num_kept if self.num_kept else None

    def total(self, stage):
        """Bytes of a stage, or None."""
        parts = self.stage_bytes.get(stage)
        return None if parts is None else sum(parts.values())

    def percent(self, stage):
        """A stage in % of the same weights as float32, or None."""
        size = self.total(stage)
        weights = self.row.num_weights
        return None if size is None or not weights else 100 * size / (4 * weights)

    def code_lengths(self, kind):
        """Huffman code lengths and counts of the symbols: "index" or "gap"; or None."""
        counts = self.index_counts if kind == "index" else self.gap_counts
        return None if counts is None else (code_lengths(counts), counts)


def measure(row):
    """Decode a blob and measure it.

    Args:
        row: CodedTensor.

    Returns:
        TensorFigures.

    Raises:
        CodecError: if the blob is malformed.
    """
    info, values = codec.decode_with_info(row.content)
    form = huffman_form.of(row.content, info, values)
    coded = _Symbols.of(form, values)
    kept = positions.kept_positions(values, info.zero_point)
    gap_counts = None
    if form.info.gap_bits:
        order = positions.in_scan_order(coded.positions, info.shape, form.info.column_major)
        gap_counts = positions.gap_symbol_counts(order, form.info.gap_bits)
    centroids = None
    if coded.indices is not None and info.scale_axis is None:
        centroids = positions.first_values(values, coded.positions, coded.indices,
                                           form.info.num_centroids)  # fmt: skip
    return TensorFigures(
        row=row,
        num_kept=kept.size,
        index_counts=coded.counts,
        gap_counts=gap_counts,
        centroids=None if centroids is None else as_float(centroids, info.dtype),
        histogram=_histogram(values, kept, centroids, coded, info),
        mask=positions.mask_picture(kept, info.shape),
        stage_bytes=_stages(info, form.info, kept),
        shannon_bytes=_shannon_bytes(info, values, centroids, coded),
    )


def as_float(values, dtype):
    """Values of a blob as float32: bfloat16 comes as bit patterns."""
    if dtype != "bfloat16":
        return values.astype(np.float32, copy=False)
    return (values.astype(np.uint32) << 16).view(np.float32)


@dataclasses.dataclass(frozen=True)
class _Symbols:
    """What the Huffman form codes one by one: positions in C order, and indices if it has any."""

    positions: np.ndarray
    indices: np.ndarray | None
    counts: np.ndarray | None

    @classmethod
    def of(cls, form, values):
        info = form.info
        if not info.num_centroids:
            if info.num_kept == values.size:
                return cls(np.arange(0), None, None)
            return cls(positions.kept_positions(values, info.zero_point), None, None)
        entries = codec.decode_entries(form.content)
        num_rows = len(entries.row_begin) - 1
        columns = values.size // num_rows if num_rows else 0
        starts = np.repeat(np.arange(num_rows) * columns, np.diff(entries.row_begin))
        counts = np.bincount(entries.indices, minlength=info.num_centroids)
        return cls(starts + entries.columns, entries.indices, counts)


def _histogram(values, kept, centroids, coded, info):
    if not kept.size:
        return None
    if centroids is not None:
        floats = as_float(centroids, info.dtype)
        is_kept = _patterns(centroids, info.zero_point) != 0
        return Histogram.of_points(floats[is_kept], coded.counts[is_kept])
    return Histogram.of_values(as_float(values.reshape(-1)[kept], info.dtype))


def _shannon_bytes(info, values, centroids, coded):
    if info.scale_axis is not None:
        # The indices do not follow from the values.
        side_bytes = info.codebook_bytes + info.scale_bytes
        return entropy.ideal_bytes(values.size, coded.counts) + side_bytes
    if centroids is None:
        return entropy.shannon_bytes(_less_zero_point(values, info))
    is_kept = _patterns(centroids, info.zero_point) != 0
    return entropy.codebook_bytes(values.size, centroids[is_kept], coded.counts[is_kept])


def _less_zero_point(values, info):
    return values - values.dtype.type(info.zero_point) if info.zero_point else values


def _patterns(values, zero_point):
    """Bit patterns, 0 for what counts as zero: so that -0.0 is kept (FORMAT.md, 2)."""
    zero = values.dtype.type(zero_point)
    return values.view(f"u{values.itemsize}") - zero.view(f"u{zero.itemsize}")


def _stages(info, huffman, kept):
    """The bytes of each stage by parts; fixed lengths count bits, without a header."""
    size_bits = dtypes.BY_NAME[info.dtype].size_bits
    side = huffman.codebook_bytes + huffman.scale_bytes
    gap_bytes = (huffman.num_kept + huffman.num_fillers) * huffman.gap_bits / 8
    stages = {"P": _sparse_bytes(info, huffman, kept, size_bits, gap_bytes)}
    if huffman.num_centroids:
        bits = (huffman.num_centroids - 1).bit_length()
        stages["P+Q"] = {
            "values": huffman.num_kept * bits / 8,
            "positions": gap_bytes,
            "codebook": side,
        }
    for stage, blob in [("P+Q+H", huffman), ("written", info)]:
        is_both = blob.coder == "arithmetic"
        stages[stage] = {
            "both" if is_both else "values": blob.index_bytes + (blob.gap_bytes if is_both else 0),
            "positions": 0 if is_both else blob.gap_bytes,
            "codebook": blob.codebook_bytes + blob.scale_bytes,
            "tables": blob.table_bytes + blob.header_bytes,
        }
    return stages


def _sparse_bytes(info, huffman, kept, size_bits, gap_bytes):
    """Kept weights as they are, with the gaps of this blob at a fixed length."""
    if huffman.gap_bits:
        return {"values": huffman.num_kept * size_bits / 8, "positions": gap_bytes}
    return _smallest_sparse_bytes(kept, math.prod(info.shape), size_bits)


def _smallest_sparse_bytes(kept, size, size_bits):
    """Kept weights as they are, with gaps of the best fixed length; or all, if that is less."""
    gaps = min(positions.fixed_gap_bytes(kept, bits) for bits in range(1, 9))
    values = kept.size * size_bits / 8
    if values + gaps < size * size_bits / 8:
        return {"values": values, "positions": gaps}
    return {"values": size * size_bits / 8, "positions": 0}


def with_stage_p(figures, constant):
    """TensorFigures whose stage P is what pruning alone takes in an earlier file.

    Args:
        figures: TensorFigures.
        constant: `compression.constants.Constant` of the same shape.
    """
    kept = positions.kept_positions(constant.values, constant.zero_point)
    size_bits = dtypes.BY_NAME[constant.dtype].size_bits
    pruned = _smallest_sparse_bytes(kept, constant.values.size, size_bits)
    return dataclasses.replace(figures, stage_bytes={**figures.stage_bytes, "P": pruned})

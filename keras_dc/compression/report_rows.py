"""The rows of a report: a tensor that is coded, and a constant that is not."""

import dataclasses
import functools
import lzma
import zlib
from typing import NamedTuple

import numpy as np

from keras_dc import codec
from keras_dc.compression import custom_ops, huffman_form, int8_speed
from keras_dc.compression.constants import pack
from keras_dc.numerics import entropy


@dataclasses.dataclass(frozen=True)
class CodedTensor:
    """A tensor that is coded as a blob.

    Attributes:
        name: the tensor's name; where it is not known, such as "FULLY_CONNECTED 2, weights":
            the second op of its kind.
        op: the op that reads the blob, "KerasDcFullyConnected", "KerasDcConv2D" or
            "KerasDcDecode".
        blob: codec.BlobInfo.
        blob_bytes: size of the blob.
        original_bytes: size of the tensor before; `inspect` assumes that it was dense.
        content: the blob's bytes.
        relative_error: root mean square error over root mean square of the values, if
            `compress` pruned or clustered them; else 0.
        largest_error: largest absolute error, likewise.
        output_error: root mean square error over root mean square of what the layer computes on
            samples, before bias and activation; None if `compress` had no samples for it.
        method: how `compress` chose the values, if it had samples: "second order", or "weights
            alone" and why; else "".
        layer: the Keras layer whose weight it is; "" if that is not known.
        role: what it is for its op: "weights", "bias" or "input 3", counted from 0.
        place: its op and what it is for it, whatever its name: "FULLY_CONNECTED 2, weights".
    """

    name: str
    op: str
    blob: codec.BlobInfo
    blob_bytes: int
    original_bytes: int
    content: bytes = dataclasses.field(repr=False)
    relative_error: float = 0.0
    largest_error: float = 0.0
    output_error: float | None = None
    method: str = ""
    layer: str = ""
    role: str = ""
    place: str = ""

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
        """Fraction of the weights that are not zero, or the zero point; this decodes the blob."""
        return self._measured.num_nonzero / self.num_weights if self.num_weights else 0.0

    @functools.cached_property
    def form(self):
        """How a fused op computes from int8 weights: in "words" of four input channels, or in
        single "weights"; "" of all else. This decodes the blob.
        """
        is_int8 = self.blob.dtype == "int8" and len(self.shape) in (2, 4)
        is_fused = self.role == "weights" and self.op != custom_ops.DECODE
        if not is_int8 or not is_fused or self.num_weights == 0:
            return ""
        return int8_speed.form_of(codec.decode(self.content))

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
        """Bits of a cluster index `(before, after)` Huffman coding, per kept weight.

        The arithmetic coder has no code for the indices alone: its blobs are decoded, and
        the figures are those of Huffman codes for the same weights.
        """
        blob = self._huffman_info
        fixed = max(blob.num_centroids - 1, 0).bit_length()
        return fixed, _bits_per(blob.index_bytes, blob.num_kept)

    @property
    def gap_bits(self):
        """Bits of a position gap `(before, after)` Huffman coding, per symbol.

        For blobs of the arithmetic coder see `index_bits`.
        """
        blob = self._huffman_info
        return blob.gap_bits, _bits_per(blob.gap_bytes, blob.num_kept + blob.num_fillers)

    @property
    def bits_per_kept(self):
        """Bits that this blob takes for a weight that is coded one by one, position included.

        What lies beside the streams is not counted: header, codebook, scales and tables.
        """
        return _bits_per(self.blob.index_bytes + self.blob.gap_bytes, self.blob.num_kept)

    @functools.cached_property
    def _huffman_info(self):
        if self.blob.coder == "huffman":
            return self.blob
        return huffman_form.of(self.content, self.blob).info

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
        # Only int8 tensors have a zero point; the difference is modulo 256.
        point = self.blob.zero_point
        centred = values - values.dtype.type(point) if point else values
        return _Measured(
            self._shannon_bytes(centred),
            min(map(len, zipped)),
            int(np.count_nonzero(is_negative_zero)),
            int(np.count_nonzero(centred)),
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
        name: see CodedTensor.
        op: the op that reads it.
        shape: dimensions of the tensor.
        original_bytes: its size.
        reason: why it is not coded.
        relative_error: see CodedTensor.
        largest_error: see CodedTensor.
        output_error: see CodedTensor.
        method: see CodedTensor.
        layer: see CodedTensor.
        role: see CodedTensor.
        place: see CodedTensor.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    original_bytes: int
    reason: str
    relative_error: float = 0.0
    largest_error: float = 0.0
    output_error: float | None = None
    method: str = ""
    layer: str = ""
    role: str = ""
    place: str = ""


def _bits_per(size_bytes, count):
    return 8 * size_bytes / count if count else 0.0

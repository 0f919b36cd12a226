"""What a compressed model holds: a row for each coded tensor."""

import dataclasses

import numpy as np

from keras_dc import codec, compression, tflite_model


@dataclasses.dataclass(frozen=True)
class CodedTensor:
    """One blob of a compressed model.

    Attributes:
        name: the tensor's name, or that of the op's output if names were stripped.
        op: the op that reads the blob, "KerasDcFullyConnected" or "KerasDcDecode".
        blob: codec.BlobInfo.
        blob_bytes: size of the blob.
        original_bytes: size of the tensor that it holds.
        shannon_bytes: `n H(density) + kept H(indices)` and the codebook: what an ideal
            code needs if zeros fall independently (Han et al. 2016 code the same
            symbols).
    """

    name: str
    op: str
    blob: codec.BlobInfo
    blob_bytes: int
    original_bytes: int
    shannon_bytes: float

    @property
    def num_weights(self):
        """Elements of the tensor."""
        return int(np.prod(self.blob.shape, dtype=np.int64))

    @property
    def density(self):
        """Fraction of the weights that are coded one by one."""
        return self.blob.num_kept / self.num_weights if self.num_weights else 0.0

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


def inspect(tflite):
    """List the blobs of a compressed model.

    Args:
        tflite: bytes of a compressed `.tflite` model, or the path of a file.

    Returns:
        list of CodedTensor, in the order of the operators; a blob that several
        operators read is listed once.

    Raises:
        ModelFormatError: if `tflite` is not a TFLite model.
        CodecError: if a blob is malformed.
    """
    model = tflite_model.parse(compression.read(tflite))
    rows, seen = [], set()
    for subgraph, operator, op, index in compression.blob_tensors(model):
        tensor = subgraph.tensors[index]
        if tensor.buffer in seen:
            continue
        seen.add(tensor.buffer)
        named = tensor.name or subgraph.tensors[operator.outputs[0]].name or b""
        rows.append(_row(named.decode(errors="replace"), op, model.buffers[tensor.buffer].data))
    return rows


def shannon_bytes(values):
    """The ideal code's size for a sparse tensor of few distinct values.

    Args:
        values: array; a weight is kept unless all its bits are zero.

    Returns:
        float: `n H(density) + kept H(indices)` in bytes, plus the codebook of distinct
        kept values.
    """
    patterns = values.reshape(-1).view(f"u{values.itemsize}")
    kept = patterns[patterns != 0]
    density = np.array([kept.size, patterns.size - kept.size]) / max(patterns.size, 1)
    distinct, counts = np.unique(kept, return_counts=True)
    bits = patterns.size * _entropy(density) + kept.size * _entropy(counts / max(kept.size, 1))
    return bits / 8 + distinct.size * values.itemsize


def _entropy(probabilities):
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log2(positive)).sum())


def _bits_per(size_bytes, count):
    return 8 * size_bytes / count if count else 0.0


def _row(name, op, blob):
    blob = blob.tobytes()
    info = codec.inspect(blob)
    values = codec.decode(blob)
    return CodedTensor(name, op, info, len(blob), values.nbytes, shannon_bytes(values))

"""What a network's file weighs before and after, beside zips and int8."""

import math

from lib.baselines import zip_sizes
from paper.sizes import xz_size

import keras_dc as dc


def figures(num_weights, *, original, small, same_weights, int8, int8_same_weights):
    """Sizes of files of one network.

    Args:
        num_weights: int, of all its kernels.
        original: bytes of the float32 `.tflite` of the network as it was.
        small: bytes of the compressed file.
        same_weights: bytes of the float32 `.tflite` of the pruned and shared network, for zips.
        int8: bytes of the `.tflite` that TensorFlow quantized of the network as it was.
        int8_same_weights: bytes, the same of the pruned and shared one.

    Returns:
        dict of sizes in bytes and of ratios. Kernels are those coded tensors that have more than
        one axis.
    """
    coded = [row for row in dc.inspect(small) if len(row.shape) > 1]
    weights_bytes = sum(row.blob_bytes for row in coded)
    return {
        "num_weights": num_weights,
        "float_bytes": len(original),
        "compressed_bytes": len(small),
        "ratio": round(len(original) / len(small), 1),
        "weights_bytes": weights_bytes,
        "weights_ratio": round(4 * num_weights / weights_bytes, 1),
        "shannon_bytes": math.ceil(sum(row.shannon_bytes for row in coded)),
        "packed_bytes": len(dc.pack(small)),
        "zip_bytes": zip_sizes(same_weights),
        "int8_bytes": len(int8),
        "int8_xz_bytes": xz_size(int8),
        "int8_xz_same_weights_bytes": xz_size(int8_same_weights),
    }

"""Whole files of a network: what they answer, and what they weigh beside zips and int8."""

import gzip
import math

import keras
import numpy as np
from paper.sizes import xz_size

import keras_dc as dc


def outputs(tflite, inputs):
    """What a file with one input and one output answers, one example at a time.

    Args:
        tflite: bytes.
        inputs: float32 array `(n, ...)`.

    Returns:
        float32 array `(n, ...)`.
    """
    interpreter = dc.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    asked = interpreter.get_output_details()[0]["index"]
    answers = []
    for one in inputs:
        interpreter.set_tensor(given, one[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(asked)[0].copy())
    return np.stack(answers)


def kernels_of(model):
    """Arrays of a model's kernels by the names of their layers: dict."""
    return {
        layer.name: keras.ops.convert_to_numpy(layer.kernel)
        for layer in model.layers
        if hasattr(layer, "kernel")
    }


def num_weights(model):
    """How many weights all kernels of a model have: int."""
    return sum(kernel.size for kernel in kernels_of(model).values())


def kept_percents(model):
    """The share of weights that each kernel keeps, in percent, by the names of layers: dict."""
    return {
        name: round(100 * np.count_nonzero(kernel) / kernel.size, 2)
        for name, kernel in kernels_of(model).items()
    }


def sizes_as_it_is(tflite):
    """What a file weighs that is not compressed by us: dict of bytes, of itself and under xz."""
    return {"bytes": len(tflite), "xz_bytes": xz_size(tflite)}


def figures(num_weights, *, original, small, int8, int8_same_weights, same_weights=None):
    """Sizes of files of one network.

    Args:
        num_weights: int, of all its kernels.
        original: bytes of the float32 `.tflite` of the network as it was.
        small: bytes of the compressed file.
        int8: bytes of the `.tflite` that TensorFlow quantized of the network as it was.
        int8_same_weights: bytes, the same of the pruned and shared one.
        same_weights: bytes of the float32 `.tflite` of the pruned and shared network, for zips
            that take a minute or two; None: without zips.

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
        "zip_bytes": {} if same_weights is None else _zip_sizes(same_weights),
        "int8_bytes": len(int8),
        "int8_xz_same_weights_bytes": xz_size(int8_same_weights),
    }


def _zip_sizes(content):
    """Bytes under zips; zstd at its best level takes longer, and does not come down to xz."""
    return {"gzip": len(gzip.compress(content, 9)), "xz": xz_size(content)}

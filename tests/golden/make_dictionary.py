"""Write tflite_ops/dictionary.bin and the C++ file that has its bytes (PACK.md, 4.8).

    cd tests && python -m golden.make_dictionary

makes small models as today's converters do, of one channel each, so that they are all graph.
Both files are committed: what another TensorFlow would write makes another dictionary, and so
another format version.
"""

import hashlib
import pathlib

import keras
import numpy as np
import tensorflow as tf

import keras_dc as dc

OPS = pathlib.Path(__file__).parents[2] / "tflite_ops"
WORDS = [
    "KerasDcDecode", "KerasDcFullyConnected", "KerasDcConv2D",
    "TFLITE_METADATA", "min_runtime_version", "CONVERSION_METADATA", "main", "TOCO Converted.",
    "MLIR Converted.", "serving_default_input_1:0", "serving_default_inputs:0",
    "StatefulPartitionedCall:0", "StatefulPartitionedCall:1", "PartitionedCall:0", "Identity",
    "model/batch_normalization/FusedBatchNormV3", "model/depthwise_conv2d/depthwise",
    "model/add/add", "model/conv2d/Conv2D",
    "model/conv2d/BiasAdd/ReadVariableOp", "functional_1/dense_1/MatMul",
    "sequential/dense/Relu;sequential/dense/BiasAdd", "sequential/flatten/Reshape/shape", "input_1",
    "tfl.quantize", "tfl.pseudo_qconst", "arith.constant", "conv2d_transpose", "max_pooling2d",
    "global_average_pooling2d/Mean", "lstm/while", "softmax", "sigmoid", "embedding", "dequantize",
]  # fmt: skip


def image_net():
    """A convolutional net with what such nets have."""
    inputs = keras.Input((8, 8, 1), batch_size=1)
    x = keras.layers.Conv2D(1, 3, strides=2, padding="same", use_bias=True)(inputs)
    x = keras.layers.ReLU()(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    y = keras.layers.Conv2D(1, 1, activation="relu")(x)
    x = keras.layers.Add()([x, y])
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(1, activation="softmax")(x)
    return keras.Model(inputs, x)


def dense_net():
    """LeNet-300-100 but for its widths."""
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(1, activation="relu"),
            keras.layers.Dense(1, activation="relu"),
            keras.layers.Dense(1),
        ]
    )


def converted(model, *, is_quantized=False):
    """What TensorFlow's converter makes of a model: bytes."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if is_quantized:
        shape = (1, *model.input_shape[1:])
        samples = [np.linspace(-1, 1, np.prod(shape), dtype=np.float32).reshape(shape)]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: [[sample] for sample in samples]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def parts():
    """The parts of the dictionary: what small files are like stands last."""
    keras.utils.set_random_seed(0)
    image, dense = image_net(), dense_net()
    return [
        "\0".join(WORDS).encode(),
        converted(image, is_quantized=True),
        dc.compress(converted(dense)),
        converted(dense),
    ]


def main():
    made = parts()
    content = b"".join(len(part).to_bytes(2, "little") + part for part in made)
    (OPS / "dictionary.bin").write_bytes(content)
    print([len(part) for part in made], hashlib.sha256(content).hexdigest())
    write_source(content)


def write_source(content):
    """The C++ file of these bytes."""
    numbers = [f"{byte:#04x}," for byte in content]
    lines = "\n".join("    " + " ".join(numbers[i : i + 12]) for i in range(0, len(numbers), 12))
    (OPS / "src" / "bytes" / "dictionary_bytes.cc").write_text(
        f"""// The bytes of tflite_ops/dictionary.bin; tests/golden/make_dictionary.py writes
// both.
#include "bytes/dictionary.h"

namespace keras_dc {{

// clang-format off
const uint8_t kDictionary[] = {{
{lines}
}};
// clang-format on
const size_t kDictionarySize = sizeof(kDictionary);

}}  // namespace keras_dc
"""
    )


if __name__ == "__main__":
    main()

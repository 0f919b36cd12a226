"""What a compressed file is compared with: the float32 and int8 `.tflite`, and their zips.

TensorFlow and zstandard are imported where they are needed: what only trains does without.
"""

import contextlib
import functools
import gzip
import io
import lzma
import tempfile

import keras

KILO = 1024
ZIPS = {
    "gzip": lambda data: gzip.compress(data, 9),
    "xz": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "zstd": lambda data: _zstd(data),
}


def _zstd(data):
    import zstandard

    return zstandard.ZstdCompressor(level=22).compress(data)


def float_tflite(model):
    """The `.tflite` that TensorFlow's own converter makes of a Keras model.

    Args:
        model: functional or sequential `keras.Model` with one input.

    Returns:
        bytes.
    """
    return _with_converter(model, lambda converter: converter.convert())


def int8_tflite(model):
    """The `.tflite` whose large weights TensorFlow's own converter quantizes to int8.

    Args:
        model: functional or sequential `keras.Model` with one input.

    Returns:
        bytes.
    """
    import tensorflow as tf

    def convert(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()

    return _with_converter(model, convert)


def full_int8_tflite(model, samples):
    """The `.tflite` that TensorFlow's own converter makes compute in int8; float inputs.

    Args:
        model: functional or sequential `keras.Model` with one input.
        samples: array `(n, ...)`, what activations are measured on.

    Returns:
        bytes.
    """
    import tensorflow as tf

    def convert(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative(samples)
        return converter.convert()

    return _with_converter(model, convert)


def representative(samples):
    """What converters take as `representative_dataset`: a function that gives one input a time."""
    return lambda: ([samples[i : i + 1]] for i in range(len(samples)))


def _with_converter(model, convert):
    """What a function makes of the TFLite converter of a Keras model."""
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec(x.shape, x.dtype, x.name) for x in model.inputs]
    call = functools.partial(model.__call__, training=False)
    archive.add_endpoint("serving_default", call, signature)
    # Writing prints a page about the artifact.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        archive.write_out(folder)
        return convert(tf.lite.TFLiteConverter.from_saved_model(folder))


def zip_sizes(content):
    """Bytes of a file under each general-purpose compressor at its best level."""
    return {name: len(compress(content)) for name, compress in ZIPS.items()}

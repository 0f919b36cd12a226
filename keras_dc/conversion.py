"""Keras model to compressed `.tflite`: strip, convert, compress, verify."""

import contextlib
import io
import os
import pathlib
import tempfile

import numpy as np

from keras_dc import compression, runtime, tflite_diff, tflite_model
from keras_dc.stripping import strip

# Fused kernels add in another order than the runtime's own, so the outputs differ in
# the last bits; this is the largest difference allowed, relative to the largest output.
OUTPUT_TOLERANCE = 1e-4


class VerificationError(RuntimeError):
    """A compressed model does not do what the original does."""


def convert(model, filepath=None, *, coder="huffman", strip_names=True):
    """Convert a Keras model to a compressed TFLite model, and verify it.

    The model is stripped of pruning and weight sharing, converted by TensorFlow's
    converter and compressed. The result is verified before it is returned: expanding it
    must give the converter's graph and constants back bit for bit, and in the
    interpreter its outputs must agree with the original's.

    Args:
        model: Keras model, with or without keras_dc's wrappers. It is not changed, but
            for a subclassed model, which `strip` changes in place.
        filepath: where to write the `.tflite` file; not written if None. The file is
            written whole or not at all.
        coder: see `compress`.
        strip_names: see `compress`.

    Returns:
        bytes of the compressed `.tflite` model; `Interpreter` runs it.

    Raises:
        FileNotFoundError: if the folder of `filepath` does not exist.
        VerificationError: if the compressed model differs from the original.
    """
    if filepath is not None and not pathlib.Path(filepath).absolute().parent.is_dir():
        raise FileNotFoundError(
            f"the folder of `filepath` must exist. Received: filepath={str(filepath)!r}"
        )
    original = to_tflite(strip(model))
    compressed = compression.compress(original, coder=coder, strip_names=strip_names)
    verify(original, compressed)
    if filepath is not None:
        write_atomically(filepath, compressed)
    return compressed


def to_tflite(model):
    """Convert a plain Keras model with TensorFlow's converter.

    Args:
        model: Keras model without wrappers.

    Returns:
        bytes of a float32 `.tflite` model.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    # Exporting a Keras model prints a page about the artifact.
    with contextlib.redirect_stdout(io.StringIO()):
        return converter.convert()


def verify(original, compressed):
    """Check that a compressed model does what the original does.

    Args:
        original: bytes of a `.tflite` model.
        compressed: bytes that `compress` made of it.

    Raises:
        VerificationError: if expanding does not give the graph and the constants back,
            or if outputs for random inputs differ by more than `OUTPUT_TOLERANCE` of
            the largest output.
    """
    expanded = tflite_model.parse(compression.expand(compressed))
    found = tflite_diff.differences(tflite_model.parse(original), expanded)
    if found:
        raise VerificationError(
            f"the expanded model must equal the original. Received: {'; '.join(found[:5])}"
        )
    rng = np.random.default_rng(0)
    interpreters = [
        runtime.Interpreter(model_content=content) for content in (original, compressed)
    ]
    for interpreter in interpreters:
        interpreter.allocate_tensors()
    inputs = [_random_input(detail, rng) for detail in interpreters[0].get_input_details()]
    expected, received = [_run(interpreter, inputs) for interpreter in interpreters]
    for number, (want, got) in enumerate(zip(expected, received)):
        _check_output(number, want, got)


def write_atomically(filepath, content):
    """Write a file so that it is there whole or not at all.

    Args:
        filepath: path; an existing file is replaced.
        content: bytes.
    """
    path = pathlib.Path(filepath).absolute()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp lets only the owner read; a new file is readable as usual.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _random_input(detail, rng):
    if np.issubdtype(detail["dtype"], np.floating):
        return rng.normal(size=detail["shape"]).astype(detail["dtype"])
    # 0 and 1 are in range wherever integers or truth values are expected.
    return rng.integers(0, 2, size=detail["shape"]).astype(detail["dtype"])


def _run(interpreter, inputs):
    for detail, values in zip(interpreter.get_input_details(), inputs):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def _check_output(number, want, got):
    if not np.issubdtype(want.dtype, np.floating):
        agree = np.array_equal(want, got)
        largest = np.nan
    else:
        scale = max(1.0, float(np.max(np.abs(want), initial=0)))
        largest = float(np.max(np.abs(want - got), initial=0)) / scale
        agree = largest <= OUTPUT_TOLERANCE
    if not agree:
        raise VerificationError(
            f"output {number} must agree with the original's within {OUTPUT_TOLERANCE} of the "
            f"largest output. Received: a difference of {largest}"
        )

"""A plain model to `.tflite` bytes, by TensorFlow's own converter.

Every model is saved as a SavedModel first. The converter's `from_keras_model` does the same,
but falls back to something else in silence where that fails, and does not know the inputs
of a subclassed Keras 3 model.
"""

import contextlib
import functools
import io
import math
import os
import sys
import tempfile

import keras
import numpy as np

from keras_dc.compression.constants import find_constants
from keras_dc.conversion import converter_settings
from keras_dc.conversion.input_signatures import build, input_signature_of
from keras_dc.conversion.loading import is_tf_keras
from keras_dc.conversion.plain_flattening import with_plain_flattening
from keras_dc.conversion.tensorflow_process import to_tflite_on_tensorflow
from keras_dc.errors import ConversionError
from keras_dc.tflite import model_file
from keras_dc.tflite.graph import Graph, tensor_name
from keras_dc.wrapping.layer_tree import layers_within

_SIGNATURE = "serving_default"


def to_tflite(model, *, input_signature=None, signature_keys=None, **settings):
    """Convert a plain model with TensorFlow's converter.

    Args:
        model: Keras or tf_keras model without wrappers, or path of a SavedModel.
        input_signature: see `keras_dc.convert`.
        signature_keys: see `keras_dc.convert`.
        **settings: see `keras_dc.convert`.

    Returns:
        bytes of a `.tflite` model.

    Raises:
        ConversionError: if the converter refuses the model.
        ValueError: if an argument does not fit the model, or a constant is NaN.
    """
    import tensorflow as tf

    checked = converter_settings.checked(settings)
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(model, os.PathLike):
            if input_signature is not None:
                raise ValueError(
                    "a SavedModel has the signature with which it was saved; `input_signature` "
                    f"must be None. Received: input_signature={input_signature}"
                )
            saved_model, keys = os.fspath(model), signature_keys or _keys_of(model)
        else:
            if signature_keys is not None:
                raise ValueError(
                    "`signature_keys` are for SavedModels. "
                    f"Received: signature_keys={signature_keys}"
                )
            saved_model, keys = folder, [_SIGNATURE]
            build(model, input_signature)
            _check_size(model, smallest=1 / 4 if settings.get("optimizations") else 1)
            if not is_tf_keras(model) and keras.backend.backend() != "tensorflow":
                content = to_tflite_on_tensorflow(
                    model, input_signature=input_signature, settings=settings
                )
                _check_result(content, keys)
                return content
            _export(model, input_signature_of(model, input_signature), folder)
        with _refusals_explained(model):
            converter = tf.lite.TFLiteConverter.from_saved_model(saved_model, signature_keys=keys)
        converter_settings.give(converter, checked)
        with _refusals_explained(model):
            content = converter.convert()
    _check_result(content, keys)
    return with_plain_flattening(content)


@contextlib.contextmanager
def _refusals_explained(model):
    try:
        yield
    except Exception as error:
        # The converter has no public error class of its own.
        raise ConversionError(_explanation(str(error), model)) from error


def _check_size(model, *, smallest):
    """Refuse a model of over 2 GB, on which the converter fails after hours, if at all."""
    size = sum(math.prod(weight.shape) * _itemsize(weight.dtype) for weight in model.weights)
    if size * smallest > model_file.MAX_FLATBUFFER_BYTES:
        raise ValueError(
            "a .tflite file holds less than 2 GB, before it is compressed as well. "
            f"Received: a model with {size} bytes of weights"
        )


def _itemsize(dtype):
    import tensorflow as tf

    return tf.as_dtype(dtype).size


def _export(model, signature, folder):
    """Write `model` as a SavedModel with one signature, in inference mode."""
    # A tf_keras model exists, so its package is loaded.
    package = sys.modules["tf_keras"] if is_tf_keras(model) else keras
    archive = package.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(_SIGNATURE, functools.partial(model.__call__, training=False), signature)
    # Exporting prints a long description.
    with contextlib.redirect_stdout(io.StringIO()):
        archive.write_out(folder)


def _keys_of(saved_model):
    """The signatures of a SavedModel to convert if the user names none."""
    import tensorflow as tf

    try:
        keys = list(tf.saved_model.load(os.fspath(saved_model)).signatures)
    except Exception as error:
        # TensorFlow raises many kinds of errors for folders that it cannot load.
        raise ValueError(
            f"TensorFlow must be able to load the SavedModel. Received: {str(saved_model)!r}, of "
            f"which TensorFlow says: {error}"
        ) from error
    if not keys:
        raise ValueError(
            "a SavedModel must have a signature, as `model.export` writes it. "
            f"Received: {str(saved_model)!r}"
        )
    return [_SIGNATURE] if _SIGNATURE in keys else keys


def _explanation(message, model):
    """What to do about the converter's refusal, and the readable part of its message."""
    hint = ""
    layers = [] if isinstance(model, os.PathLike) else layers_within(model)
    dtypes = {getattr(layer, "compute_dtype", None) for layer in layers}
    halves = dtypes & {"float16", "bfloat16"}
    if "TF Select ops" in message or "Select TF ops" in message:
        hint = (
            " Ops that TFLite lacks come in by supported_ops=['TFLITE_BUILTINS', 'SELECT_TF_OPS'], "
            "and such a file needs the Flex delegate to run."
        )
    if halves:
        hint = (
            f" It computes in {halves.pop()}, which TFLite does not: build it with the dtype "
            "policy 'float32' and set its weights."
        )
    if "TensorList" in message:
        hint = (
            " A recurrent layer needs a known batch size: an Input with batch_size=1, or an "
            "`input_signature` that begins with 1."
        )
    named = [line for line in message.splitlines() if "ops: " in line and "http" not in line]
    summary = "; ".join(named) or message.strip().split("\n")[0][:500]
    return f"TensorFlow's converter must accept the model.{hint} Received: {summary}"


def _check_result(content, keys):
    model = model_file.parse(content)
    found = [entry.signatureKey.decode() for entry in model.signatureDefs or ()]
    if set(found) != set(keys):
        # The converter reduces what `model.export` wrote to its endpoint "serve".
        raise ConversionError(
            f"TensorFlow's converter must keep the signatures {keys}; from what `model.export` "
            f"wrote it takes one at a time. Received: {found}"
        )
    graph = Graph(model)
    for constant in find_constants(graph)[0]:
        values = constant.values
        if values.dtype.kind == "f" and np.isnan(values).any():
            name = tensor_name(graph.tensor(constant.tensors[0]))
            raise ValueError(
                "the weights must be finite; `compress` codes a .tflite model as it is. "
                f"Received: tensor {name!r} with {np.count_nonzero(np.isnan(values))} of "
                f"{values.size} NaN"
            )

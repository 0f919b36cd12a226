"""Keras model to compressed `.tflite`: load, strip, convert, compress, verify."""

import functools
import os

from keras_dc.compression import lossless
from keras_dc.compression.apply import apply
from keras_dc.compression.expand import expand
from keras_dc.compression.report import report_of
from keras_dc.conversion import verification
from keras_dc.conversion.batch_norm_scales import factors_of
from keras_dc.conversion.input_signatures import input_names, input_signature_of
from keras_dc.conversion.layer_names import layers_of
from keras_dc.conversion.loading import load, plain_model
from keras_dc.conversion.source_outputs import SavedModelSource, SourceModel
from keras_dc.conversion.tensorflow_converter import to_tflite
from keras_dc.support import atomic_files
from keras_dc.support.file_bytes import FileBytes


def convert(
    model,
    filepath=None,
    *,
    coder="huffman",
    strip_names=True,
    min_saving=0.0,
    input_signature=None,
    custom_objects=None,
    signature_keys=None,
    verify=True,
    verify_inputs=None,
    return_report=False,
    **settings,
):
    """Convert a model to a compressed TFLite model, and verify it.

    The model is stripped of pruning and weight sharing, converted by TensorFlow's
    converter and compressed. The result is verified before it is returned. Expanding it
    must give the converter's graph and constants back bit for bit; what it makes of a Flatten
    layer before a Dense layer is one RESHAPE. In the interpreter its
    outputs must agree with those of the uncompressed file within
    `verification.OUTPUT_TOLERANCE` of the largest (`verification.QUANTIZED_TOLERANCE` where
    the converter quantized). And the uncompressed file must agree with `model` as it was
    given, within `verification.SOURCE_TOLERANCE`; where the converter quantizes, or rounds to
    float16, the stripped model is compared instead.

    Args:
        model: one of

            - a Keras model, with or without keras_dc's wrappers, of any backend: TensorFlow
              converts the models of others in a process of its own. It is not changed;
            - a tf_keras (Keras 2) model; a model of TensorFlow Model Optimization only
              after its `strip_pruning` or `strip_clustering`;
            - the path of a `.keras` or `.h5` file;
            - the directory of a SavedModel.
        filepath: where to write the `.tflite` file, whole or not at all; None writes none.
        coder: see `compress`.
        strip_names: see `compress`.
        min_saving: see `compress`.
        input_signature: the inputs to convert a Keras model with, such as a batch size of
            1; the model's own if None. A shape (tuple of int, None for any size),
            `keras.InputSpec` or `tf.TensorSpec` for a model with one input; a list of
            them in order, or a dict by name, for several. A subclassed model takes one for
            each argument of its `call`, and must have been called if this is None.
        custom_objects: dict from names to classes or functions that a `.keras` or `.h5`
            file refers to.
        signature_keys: list of str, the signatures of a SavedModel to convert; None
            converts "serving_default", or all signatures if there is none of that name.
        verify: if False, the models are not run, and only the expanded file is compared with
            the original: for models that no installed runtime runs, or that draw random
            numbers.
        verify_inputs: what to run both models on; None for random inputs. An array
            `(batch, ...)` for a model with one input; a list of arrays in the order of the
            inputs; a dict by name; or an iterator, or a function without arguments
            that returns one, over such samples.
        return_report: whether to return a report, too.
        **settings: settings of TensorFlow's converter as `model.export(format="litert")`
            takes them: the attributes of `tf.lite.TFLiteConverter` and of its `target_spec`.
            For example `optimizations=["DEFAULT"]` quantizes weights, together with
            `supported_types=["float16"]` to float16 and with `representative_dataset=
            function` activations as well; `supported_ops=["TFLITE_BUILTINS",
            "SELECT_TF_OPS"]` allows TensorFlow's ops where TFLite lacks them. The names of
            TensorFlow's objects serve as well as the objects.

    Returns:
        bytes of the compressed `.tflite` model; `Interpreter` runs it. With `return_report` a
        tuple of these bytes and a `Report`: a row for each constant, with its Keras layer and
        with what it takes now or why it stays as it is. `inspect(file, original=report)` knows
        these names, which the file is without.

    Raises:
        ConversionError: if TensorFlow's converter refuses the model.
        FileNotFoundError: if the folder of `filepath`, or the model's path, does not exist.
        IsADirectoryError: if `filepath` is a folder.
        TypeError: if `model` is of another type, or a setting is unknown.
        ValueError: if an argument does not fit the model or has no effect, a file cannot
            be loaded, a model is not built, has LoRA, is quantized by Keras or has more than
            2 GB, or a weight is NaN or infinite.
        VerificationError: if the compressed model differs from the original, or no installed
            runtime runs the original.
    """
    if filepath is not None:
        atomic_files.check_place(filepath)
    if verify_inputs is not None and not verify:
        raise ValueError("`verify_inputs` have no effect with `verify=False`. Received: both")
    code_settings = lossless.Settings(coder, strip_names, min_saving)
    given = load(model, custom_objects=custom_objects)
    with plain_model(given) as plain:
        original = to_tflite(
            plain, input_signature=input_signature, signature_keys=signature_keys, **settings
        )
        factors, names = factors_of(plain), input_names(plain)
        source = lossless.Source.of(original)
        layers = layers_of(source.graph, plain) if return_report else {}
    plan = lossless.plan(source, code_settings, candidates=factors)
    report = None
    if return_report:
        report = report_of(source.graph, plan, source.left, {}, layers=layers)
    apply(source.graph, plan)
    compressed = lossless.write(source.graph.model, source.files, code_settings)
    if verify:
        verification.verify(
            original,
            compressed,
            inputs=verify_inputs,
            input_names=names,
            source=functools.partial(_source, given, input_signature),
            # A subclassed model has its wrappers again here; the outputs are the same.
            plain=functools.partial(_source, plain, input_signature),
        )
    else:
        verification.check_expanded(original, expand(compressed))
    if filepath is not None:
        atomic_files.write_atomically(filepath, compressed)
    compressed = FileBytes(compressed, "compressed .tflite")
    return compressed if report is None else (compressed, report)


def _source(model, input_signature, key):
    """A model, or one signature of a SavedModel, as a function from a sample to outputs."""
    if isinstance(model, os.PathLike):
        return SavedModelSource(model, key)
    return SourceModel(model, input_signature_of(model, input_signature))

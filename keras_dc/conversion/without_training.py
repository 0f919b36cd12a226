"""`compress_without_training`: a Keras model to a small file, from samples without labels."""

import dataclasses

from keras_dc.compression.expand import expand
from keras_dc.conversion.convert import convert
from keras_dc.post_training.compress import compress
from keras_dc.support import atomic_files


def compress_without_training(
    model,
    samples,
    filepath=None,
    *,
    max_error=None,
    max_bytes=None,
    ratio=None,
    metric=None,
    sparsity=None,
    num_clusters=None,
    coder="huffman",
    strip_names=True,
    min_saving=0.0,
    seed=0,
    input_signature=None,
    custom_objects=None,
    return_report=False,
    **settings,
):
    """Convert a trained Keras model, and make it small without training or labels.

    `convert` makes a `.tflite` file of it and verifies that; `compress` with `samples` then gives
    each layer weights of few values and many zeros that compute on the samples what it did.

    Args:
        model: see `convert`.
        samples: 32 to 512 inputs, see `compress`.
        filepath: where to write the file, whole or not at all; None writes none.
        max_error: see `compress`; one of these three, `sparsity` or `num_clusters` must be given.
        max_bytes: see `compress`.
        ratio: see `compress`; times smaller than the `.tflite` file that TensorFlow makes.
        metric: see `compress`.
        sparsity: see `compress`.
        num_clusters: see `compress`.
        coder: see `compress`.
        strip_names: see `compress`.
        min_saving: see `compress`.
        seed: see `compress`.
        input_signature: see `convert`.
        custom_objects: see `convert`.
        return_report: whether to return a report, too.
        **settings: of TensorFlow's converter, see `convert`.

    Returns:
        bytes of the compressed `.tflite` model. With `return_report` a tuple of these bytes and a
        `Report`, whose rows have the names of Keras layers, too.

    Raises:
        ValueError, ModelFormatError, ConversionError: see `convert` and `compress`.
    """
    if filepath is not None:
        atomic_files.check_place(filepath)
    lossless, layers = convert(
        model,
        strip_names=False,
        input_signature=input_signature,
        custom_objects=custom_objects,
        return_report=True,
        **settings,
    )
    small, report = compress(
        expand(lossless),
        filepath=filepath,
        coder=coder,
        strip_names=strip_names,
        min_saving=min_saving,
        sparsity=sparsity,
        num_clusters=num_clusters,
        samples=samples,
        max_error=max_error,
        max_bytes=max_bytes,
        ratio=ratio,
        metric=metric,
        seed=seed,
        return_report=True,
    )
    if not return_report:
        return small
    names = {row.place: row.layer for row in layers}
    report[:] = [dataclasses.replace(row, layer=names.get(row.place, "")) for row in report]
    report.names = dataclasses.replace(report.names, layers=layers.names.layers)
    return small, report

"""The lossless pass: `.tflite` bytes to compressed `.tflite` bytes and back.

The pass knows nothing of training. It looks at the constants of a model, whoever
made it, and codes each one that becomes smaller: few distinct values, many zeros, or
both.
"""

from keras_dc.compression import apply, custom_ops, lifting, negative_zeros, restore_metadata
from keras_dc.compression.constants import find_constants
from keras_dc.compression.decide import choose, fused_forms
from keras_dc.compression.encode import encode_all
from keras_dc.compression.float_weights import find_kernels
from keras_dc.compression.report import names_of, report_of
from keras_dc.errors import CompressionError
from keras_dc.post_training.prune_and_cluster import prune_and_cluster
from keras_dc.support import atomic_files
from keras_dc.tflite import cleanup, model_file
from keras_dc.tflite.zip_tail import append_files, associated_files


def compress(
    tflite,
    *,
    filepath=None,
    coder="huffman",
    strip_names=True,
    min_saving=0.0,
    sparsity=None,
    num_clusters=None,
    return_report=False,
):
    """Code the constants of a TFLite model: losslessly, unless it is to be pruned or clustered.

    `KerasDcFullyConnected` and `KerasDcConv2D` take the place of float32 FULLY_CONNECTED
    and CONV_2D ops and compute from the coded weights; other ops read their constant from
    a `KerasDcDecode`. What would not become smaller stays as it is.

    With `sparsity` or `num_clusters` the float weights are pruned by magnitude or
    clustered by k-means first, without data or training, and `expand` gives that model
    back. Biases and quantized constants are not touched. The report tells the error of
    each tensor; training with `prune` and `share_weights` loses far less.

    Args:
        tflite: bytes of a `.tflite` model, or the path of a file. One that is compressed
            already comes back as it is.
        filepath: where to write the compressed model, too; the file is there whole or not
            at all, and may be the one that was read.
        coder: "huffman", or "arithmetic" for files that are some 5 % smaller where masks
            were trained, and that take some 10 ms per million weights to load.
        strip_names: drop the names of inner tensors and what TensorFlow's converter
            notes of itself; names of inputs, outputs and signatures always stay, and
            so does all other metadata.
        min_saving: float in [0, 1), the least fraction of a constant's bytes that coding
            it must save; one that saves less stays as it is.
        sparsity: fraction of zeros in [0, 1) that the float weights shall have at the least,
            or a dict from regular expressions to such, the first of them found in a
            tensor's name counts. With 0.0 only -0.0 becomes 0.0, which codes better and
            computes the same. None: nothing is pruned.
        num_clusters: int from 1 to 256, distinct values besides zero, or such a dict; a
            kernel whose channels differ in scale has as many times a scale per channel.
            None: nothing is clustered.
        return_report: whether to return a report, too.

    Returns:
        bytes of the compressed `.tflite` model; `Interpreter` runs it. With
        `return_report` a tuple of them and a `report.Report`, which has a row for each
        constant: what it takes now, or why it stays as it is.

    Raises:
        ModelFormatError: if `tflite` is not a TFLite model, or a buffer contradicts its
            tensor.
        ValueError: if `coder` is unknown, a number is out of range, a pattern finds no
            weights, a weight to be clustered is not finite, or a compressed model is to
            be pruned or clustered.
        FileNotFoundError, IsADirectoryError: if no file can be at `filepath`.
    """
    if filepath is not None:
        atomic_files.check_place(filepath)
    compressed, report = compress_known(
        tflite,
        None,
        coder=coder,
        strip_names=strip_names,
        min_saving=min_saving,
        sparsity=sparsity,
        num_clusters=num_clusters,
        has_report=return_report,
    )
    if filepath is not None:
        atomic_files.write_atomically(filepath, compressed)
    return (compressed, report) if return_report else compressed


def compress_known(
    tflite,
    known,
    *,
    coder,
    strip_names,
    min_saving,
    sparsity=None,
    num_clusters=None,
    has_report=False,
):
    """Code the constants of a TFLite model of whose kernels something may be known.

    Args:
        tflite: see `compress`, and so are all others.
        known: known_factors.KnownFactors of the model that it was converted from, or None.
        coder: str.
        strip_names: bool.
        min_saving: float.
        sparsity: float, dict or None.
        num_clusters: int, dict or None.
        has_report: whether there is to be a report.

    Returns:
        tuple of the bytes of the compressed model and `report.Report`, None if there is to
        be none.

    Raises:
        ModelFormatError, ValueError: as `compress`.
    """
    content = model_file.read(tflite)
    model = model_file.parse(content)
    lifts = lifting.lift(model)
    forms = fused_forms(model)
    constants, left = find_constants(model)
    changes = {}
    if sparsity is not None or num_clusters is not None:
        _refuse_compressed(model)
        changes = prune_and_cluster(
            model,
            constants,
            sparsity=sparsity,
            num_clusters=num_clusters,
            name_of=lambda constant: names_of(model, constant)[0],
        )
    _drop_negative_zeros(find_kernels(model, constants))
    encode_all(constants, coder=coder, known=known)
    choices, fused = choose(model, constants, forms, min_saving=min_saving)
    # Rows tell of the model as it came.
    report = report_of(model, choices, left, forms, changes) if has_report else None
    for operator in fused:
        apply.fuse(model, operator, forms[id(operator)])
    placed = _place_blobs(model, [choice for choice in choices if not choice.reason], lifts)
    restore_metadata.write_notes(model, placed)
    cleanup.drop_unused_codes(model)
    if strip_names:
        cleanup.strip_names(model)
    cleanup.drop_empty_buffers(model)
    return append_files(_serialize(model), associated_files(content)), report


def expand(compressed, *, filepath=None):
    """Undo `compress`: an ordinary TFLite model with the same constants, bit for bit.

    Args:
        compressed: bytes of a compressed `.tflite` model, or the path of a file.
        filepath: where to write the model, too; whole or not at all.

    Returns:
        bytes of a `.tflite` model that needs no custom op.

    Raises:
        ModelFormatError: if `compressed` is not a TFLite model.
        CompressionError: if a blob is malformed or does not fit its operator.
        FileNotFoundError, IsADirectoryError: if no file can be at `filepath`.
    """
    if filepath is not None:
        atomic_files.check_place(filepath)
    content = model_file.read(compressed)
    model = model_file.parse(content)
    try:
        taken = restore_metadata.take_notes(model)
    except ValueError as error:
        raise CompressionError(str(error)) from error
    apply.restore(model, taken)
    cleanup.drop_unused_codes(model)
    cleanup.drop_empty_buffers(model)
    expanded = append_files(_serialize(model), associated_files(content))
    if filepath is not None:
        atomic_files.write_atomically(filepath, expanded)
    return expanded


def _place_blobs(model, coded, lifts):
    """Put the blobs into the model, and each DENSIFY back whose constant stays as it is."""
    places = {place for choice in coded for place in choice.constant.tensors}
    out, back = {}, []
    for lift in lifts:
        place = lift.subgraph, lift.stored
        if place in places:
            out[place] = lift
        else:
            back.append(lift)
    lifting.put_back(model, back, still_out=list(out.values()))
    placed = {}
    for choice in coded:
        lifted = out.get(choice.constant.tensors[0])
        placed |= apply.place_blob(model, choice.constant, is_fused=choice.is_fused, lifted=lifted)
    return placed


def _drop_negative_zeros(kernels):
    """Note them instead where that is possible, and no output can tell the difference."""
    for kernel in kernels:
        constant = kernel.constant
        channels = negative_zeros.find_channels(constant.values) if kernel.is_summed else None
        if channels is not None and constant.sparse_form is None:
            constant.values = negative_zeros.without(constant.values)
            constant.negative_zeros = channels


def _refuse_compressed(model):
    names = {name for *_, name, _ in custom_ops.blob_tensors(model)}
    if names:
        raise ValueError(
            "only a model that is not compressed can be pruned or clustered; `expand` it first. "
            f"Received: a model with {', '.join(sorted(names))}"
        )


def _serialize(model):
    blobs = {
        subgraph.tensors[index].buffer for subgraph, _, _, index in custom_ops.blob_tensors(model)
    }
    return model_file.serialize(model, unaligned_buffers=blobs)

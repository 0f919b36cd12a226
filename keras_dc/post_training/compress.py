"""`compress`: any `.tflite` file made smaller, losslessly or pruned and clustered first."""

from keras_dc.compression import lossless
from keras_dc.compression.apply import apply
from keras_dc.compression.report import report_of
from keras_dc.post_training.prune_and_cluster import prune_and_cluster
from keras_dc.support import atomic_files
from keras_dc.support.file_bytes import FileBytes
from keras_dc.tflite import model_file


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

    `KerasDcFullyConnected` and `KerasDcConv2D` take the place of FULLY_CONNECTED and
    CONV_2D ops with float32 or int8 weights and compute from the coded weights; other ops
    read their constant from a `KerasDcDecode`. What would not become smaller stays as it is.

    With `sparsity` or `num_clusters` the float weights are pruned by magnitude or clustered
    by k-means first, without data or training; `expand` then gives the pruned and clustered
    model back. Biases and quantized constants are not touched. The report tells the error of
    each tensor; training with `prune` and `share_weights` loses far less.

    Args:
        tflite: bytes of a `.tflite` model, or the path of a file. One that is compressed
            already comes back as it is.
        filepath: where to write the compressed model, too. The file is written whole or not
            at all; it may be the one that was read.
        coder: "huffman", or "arithmetic" for files that are 5 to 20 % smaller where weights
            were trained, and that take some 5 to 50 ms more per million weights to load.
        strip_names: drop the names of inner tensors and of subgraphs, and the notes of
            TensorFlow's converter about itself. Names of inputs, outputs and signatures
            stay, and so does all other metadata.
        min_saving: float in [0, 1), minimum fraction of a constant's bytes that coding must
            save; a constant that saves less stays as it is.
        sparsity: minimum sparsity of the float weights in [0, 1), or a dict from regular
            expressions to such numbers: the first pattern found in a tensor's name counts.
            0.0 only turns -0.0 into 0.0, which codes better and computes the same. None
            prunes nothing.
        num_clusters: int from 1 to 256, distinct values besides zero, or such a dict. A
            weight whose channels differ in scale has these values times a scale per channel.
            None clusters nothing.
        return_report: whether to return a report, too.

    Returns:
        bytes of the compressed `.tflite` model, which `Interpreter` runs. With
        `return_report` a tuple of these bytes and a `Report`: a row for each constant, with
        what it takes now or why it stays as it is.

    Raises:
        ModelFormatError: if `tflite` is not a TFLite model, or a buffer contradicts its
            tensor.
        ValueError: if `coder` is unknown, a number is out of range, a pattern finds no
            weights, a weight to be clustered is not finite, or a compressed model is to be
            pruned or clustered.
        FileNotFoundError, IsADirectoryError: if no file can be at `filepath`.
    """
    if filepath is not None:
        atomic_files.check_place(filepath)
    settings = lossless.Settings(coder, strip_names, min_saving)
    source, changes = lossless.Source.of(tflite), {}
    if sparsity is not None or num_clusters is not None:
        source, changes = prune_and_cluster(source, sparsity=sparsity, num_clusters=num_clusters)
    plan = lossless.plan(source, settings)
    # Rows tell of the model as it came.
    report = report_of(source.graph, plan, source.left, changes) if return_report else None
    apply(source.graph, plan)
    model, files = model_file.detached(source.graph.model), source.files
    del source, plan  # and so the file that was read, and the second reference to each blob
    compressed = lossless.write(model, files, settings)
    if filepath is not None:
        atomic_files.write_atomically(filepath, compressed)
    compressed = FileBytes(compressed, "compressed .tflite")
    return (compressed, report) if return_report else compressed

"""`compress`: any `.tflite` file made smaller, losslessly or pruned and clustered first."""

import numpy as np

from keras_dc.compression import lossless
from keras_dc.compression.apply import apply
from keras_dc.compression.report import report_of
from keras_dc.post_training.prune_and_cluster import prune_and_cluster
from keras_dc.post_training.reconstruction.budget import Budget
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
    samples=None,
    max_error=None,
    max_bytes=None,
    ratio=None,
    metric=None,
    seed=0,
    runtime=None,
    num_threads=None,
    return_report=False,
):
    """Code the constants of a TFLite model: losslessly, unless it is to lose something.

    `KerasDcFullyConnected` and `KerasDcConv2D` take the place of FULLY_CONNECTED and
    CONV_2D ops with float32 or int8 weights and compute from the coded weights; other ops
    read their constant from a `KerasDcDecode`. What would not become smaller stays as it is.

    With `sparsity` or `num_clusters` the float weights are pruned by magnitude or clustered
    by k-means first, without data or training; `expand` then gives the pruned and clustered
    model back. Biases and quantized constants are not touched. The report tells the error of
    each tensor; training with `prune` and `share_weights` loses far less.

    With `samples`, some dozens of inputs without labels, far less is lost, too. The model is run
    on them, and layer after layer gets weights that compute what the layer did, of what the layers
    before it, which are changed already, give it: each weight that is rounded or pruned moves the
    others of its row (Optimal Brain Surgeon), and biases make up for what is left. `max_error`,
    `max_bytes` or `ratio` says how small the file becomes; how many values and zeros each tensor
    gets follows from what its bits are worth. A quarter of the samples is held back to measure the
    error on. The how-to page "Compress a .tflite file from samples" tells more.

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
        samples: 32 to 512 inputs to run the model on: an array `(examples, ...)` for a model with
            one input; a dict of such by name; an iterator, or a function that returns one, over
            such; or the path of an `.npz` file (by name; `y` is left out) or an `.npy` file. None:
            weights alone count. Needs one of the next three, `sparsity` or `num_clusters`.
        max_error: float > 0, how far outputs may move on samples that are held back: root mean
            square of the difference over root mean square of the output, of the output where it
            is most. The smallest file is made.
        max_bytes: int, what the file may take; the error is made small.
        ratio: float > 1, the bytes of the model over those of the file, instead of `max_bytes`.
        metric: function from the outputs of all samples, in their order, to a float, in place of
            the error that `max_error` bounds: of an array, or of a dict of arrays by name where
            there are several outputs. Smaller is better.
        seed: int; with the same one, samples and versions, the same file comes out.
        runtime: see `Interpreter`; what runs the samples.
        num_threads: see `Interpreter`; all processors if None.
        return_report: whether to return a report, too.

    Returns:
        bytes of the compressed `.tflite` model, which `Interpreter` runs. With
        `return_report` a tuple of these bytes and a `Report`: a row for each constant, with
        what it takes now or why it stays as it is. With samples rows have `output_error` and
        `method`, and the report has `outputs`, the whole error.

    Raises:
        ModelFormatError: if `tflite` is not a TFLite model, or a buffer contradicts its
            tensor.
        ValueError: if `coder` is unknown, a number is out of range, a pattern finds no
            weights, a weight to be clustered is not finite, or a compressed model is to be
            pruned or clustered; if samples do not fit the model, are fewer than 8, all zero or
            not finite, or no file is within the budget.
        TypeError: if samples are of another type.
        RuntimeError: if no runtime that is installed runs the model on the samples.
        FileNotFoundError, IsADirectoryError: if no file can be at `filepath`.
    """
    if filepath is not None:
        atomic_files.check_place(filepath)
    settings = lossless.Settings(coder, strip_names, min_saving)
    budget = Budget(max_error, max_bytes, ratio)
    if samples is not None:
        _check_aim(budget, sparsity, num_clusters, metric)
        _check_seed(seed)
        # It takes part of the package that a lossless pass does without.
        from keras_dc.post_training.reconstruction.from_samples import compress_from_samples

        compressed, report = compress_from_samples(
            model_file.read(tflite),
            samples,
            budget,
            settings,
            sparsity=sparsity,
            num_clusters=num_clusters,
            metric=metric,
            seed=seed,
            runtime=runtime,
            num_threads=num_threads,
        )
        return _delivered(compressed, report if return_report else None, filepath)
    if budget.is_given or any(given is not None for given in (metric, runtime, num_threads)):
        raise ValueError(
            "`max_error`, `max_bytes`, `ratio`, `metric`, `runtime` and `num_threads` need "
            "`samples`. Received: samples=None"
        )
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
    return _delivered(compressed, report, filepath)


def _check_aim(budget, sparsity, num_clusters, metric):
    if not budget.is_given and sparsity is None and num_clusters is None:
        raise ValueError(
            "`samples` need `max_error`, `max_bytes`, `ratio`, `sparsity` or `num_clusters`. "
            "Received: none of them"
        )
    if metric is not None and not callable(metric):
        raise TypeError(f"`metric` must be a function. Received: metric={metric!r}")
    if metric is not None and budget.max_error is None:
        raise ValueError("`metric` needs `max_error`, which bounds it. Received: max_error=None")


def _check_seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"`seed` must be an integer of 0 or more. Received: seed={seed!r}")


def _delivered(compressed, report, filepath):
    if filepath is not None:
        atomic_files.write_atomically(filepath, compressed)
    compressed = FileBytes(compressed, "compressed .tflite")
    return compressed if report is None else (compressed, report)

"""`keras-dc verify`."""

import click

from keras_dc.cli import answers, files, terminal

# Of the largest output; fused ops add in another order than the runtime's own.
_TOLERANCE, _QUANTIZED_TOLERANCE = 1e-4, 0.02


@answers.command(
    "verify",
    options=[
        click.argument("original", type=files.INPUT, metavar="ORIGINAL"),
        click.argument("compressed", type=files.INPUT, metavar="COMPRESSED"),
        files.SAMPLES_OPTION,
        click.option(
            "--tolerance",
            type=click.FloatRange(min=0),
            metavar="FRACTION",
            help="How far an output may move, as a fraction of the largest one.  [default: "
            f"{_TOLERANCE}, or {_QUANTIZED_TOLERANCE} in quantized models]",
        ),
        click.option("--base", type=files.INPUT, metavar="FILE", help="The base of a patch."),
        files.RUNTIME_OPTION,
        files.THREADS_OPTION,
    ],
)
def verify(original, compressed, samples, tolerance, base, runtime, threads):
    """Check that a compressed or packed file does what the original does.

    A packed file must unpack to the same bytes. A compressed file that was made without loss
    must expand to the same graph and weights, bit for bit, and give the same outputs but for
    rounding. Of any other file, such as a pruned one, it is told how far outputs move: on
    --samples, else on one random input, which tells little of a trained model.

    ORIGINAL is a .tflite file; TensorFlow is then not needed where ai-edge-litert or
    tflite-runtime is installed. A Keras model or SavedModel is converted by TensorFlow first.

    Exit status: 0 if outputs stay within the tolerance (and packed bytes are the same), 3 if not,
    1 on errors.

    Examples:
      keras-dc verify model.tflite small.tflite
      keras-dc verify model.tflite pruned.tflite --samples images.npy --tolerance 0.05
    """
    inputs, _ = files.load_samples(samples)
    (files.check_keras if files.is_keras(original) else files.check_input)(original)
    if files.kind_of(compressed) in ("packed", "patch"):
        return _packed(original, compressed, base)
    if base is not None:
        raise click.UsageError("--base is for patches")
    files.check_tflite(compressed)
    content = _content_of(original)
    import keras_dc
    from keras_dc.tflite import diff, model_file

    models = [model_file.parse(each) for each in (content, files.plain_content(compressed))]
    is_lossless = not diff.differences(*models, signed_zeros=False)
    limit = tolerance
    if limit is None:
        limit = _QUANTIZED_TOLERANCE if _is_quantized(models[0]) else _TOLERANCE
    options = {"runtime": runtime, "num_threads": threads}
    changes = keras_dc.compare_outputs(content, compressed, inputs, **options)
    is_good = all(change.largest_error <= limit for change in changes)
    values = {
        "original": str(original),
        "compressed": str(compressed),
        "lossless": is_lossless,
        "on_samples": inputs is not None,
        "tolerance": limit,
        "equal": is_good,
        "outputs": [vars(change) for change in changes],
    }
    text = [_first_line(is_lossless), _table(changes)]
    where = "the samples" if inputs is not None else "a random input; --samples FILE tells more"
    word = "within" if is_good else "NOT within"
    text.append(f"{word} the tolerance of {limit:g} of the largest output, on {where}")
    return answers.Answer(values, text, 0 if is_good else answers.DIFFERENT)


def _content_of(original):
    """The bytes of an ordinary `.tflite`; TensorFlow makes them of a Keras model."""
    if not files.is_keras(original):
        files.check_tflite(original)
        return files.plain_content(original)
    import keras_dc
    from keras_dc.support import progress

    progress.tell("converting by TensorFlow, and verifying")
    return keras_dc.expand(keras_dc.convert(original))


def _first_line(is_lossless):
    if is_lossless:
        return "lossless: expanding gives the graph and weights of the original, bit for bit"
    return "not lossless: graph or weights are others (see them by `keras-dc diff`)"


def _table(changes):
    return terminal.Table(
        ["output", "moved by", "largest move", "same class"],
        [
            [
                change.name,
                answers.percent(change.relative_error),
                answers.percent(change.largest_error),
                answers.percent(change.same_class),
            ]
            for change in changes
        ],
    )


def _packed(original, compressed, base):
    import keras_dc

    if base is not None:
        files.check_input(base)
    if files.is_keras(original):
        raise files.FileError(f"{compressed} is packed; ORIGINAL must be the file that was packed")
    unpacked = keras_dc.unpack(compressed, base=base)
    is_same = unpacked == original.read_bytes()
    values = {
        "original": str(original),
        "compressed": str(compressed),
        "lossless": is_same,
        "equal": is_same,
    }
    text = f"unpacking gives {'the bytes' if is_same else 'NOT the bytes'} of {original}"
    return answers.Answer(values, [text], 0 if is_same else answers.DIFFERENT)


def _is_quantized(model):
    return any(
        tensor.quantization is not None and tensor.quantization.scale is not None
        for subgraph in model.subgraphs
        for tensor in subgraph.tensors
    )

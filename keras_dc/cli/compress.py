"""`keras-dc compress`."""

import functools
from typing import Any

import click

from keras_dc.cli import answers, files

_CONVERTER_SETTINGS = {
    "dynamic": {"optimizations": ["DEFAULT"]},
    "float16": {"optimizations": ["DEFAULT"], "supported_types": ["float16"]},
    "int8": {"optimizations": ["DEFAULT"]},
}
_BUDGETS = ("max_error", "max_bytes", "ratio")


class ByName(click.ParamType):
    """One value for all weights, or `PATTERN=VALUE` for those whose names match."""

    def __init__(self, kind, name):
        self.kind, self.name = kind, name

    def convert(self, value, param, ctx):
        pattern, _, number = str(value).rpartition("=")
        return pattern or None, self.kind.convert(number, param, ctx)


class Shape(click.ParamType):
    """A shape such as `1,224,224,3`, for all inputs or as `NAME=SHAPE`; `?` is any size."""

    name = "shape"

    def convert(self, value, param, ctx):
        name, _, sizes = str(value).rpartition("=")
        try:
            shape = tuple(None if size.strip() == "?" else int(size) for size in sizes.split(","))
        except ValueError:
            self.fail(f"{value!r} is neither a shape such as 1,28,28,1 nor NAME=SHAPE", param, ctx)
        return name or None, shape


def merged(values, option):
    """One value, or a dict by patterns, of an option that is given several times; or None.

    Raises:
        click.UsageError: if a value for all is given beside others.
    """
    if not values:
        return None
    if len(values) == 1 and values[0][0] is None:
        return values[0][1]
    if any(name is None for name, _ in values):
        raise click.UsageError(f"several {option} must all be NAME=VALUE")
    return dict(values)


@answers.command(
    "compress",
    options=[
        click.argument("source", type=files.INPUT, metavar="IN"),
        files.OUTPUT_OPTION,
        click.option(
            "--coder",
            type=click.Choice(["huffman", "arithmetic"]),
            default="huffman",
            show_default=True,
            help="'arithmetic' is 5 to 20 % smaller and loads 5 to 50 ms per million weights "
            "slower.",
        ),
        click.option(
            "--sparsity",
            type=ByName(click.FloatRange(0, 1, max_open=True), "fraction"),
            multiple=True,
            help="Prune float weights first, by magnitude, to this fraction of zeros; or "
            "PATTERN=FRACTION for the weights whose names match, several times.",
        ),
        click.option(
            "--clusters",
            type=ByName(click.IntRange(1, 256), "number"),
            multiple=True,
            help="Cluster float weights first to so many values, 1 to 256; or PATTERN=NUMBER.",
        ),
        click.option(
            "--min-saving",
            type=click.FloatRange(0, 1, max_open=True),
            default=0.0,
            metavar="FRACTION",
            help="Leave a tensor as it is unless coding saves this fraction of its bytes; a "
            "tensor that is not coded needs no op of ours.",
        ),
        click.option("--keep-names", is_flag=True, help="Keep the names of inner tensors."),
        files.SAMPLES_OPTION,
        click.option(
            "--max-error",
            type=click.FloatRange(0, min_open=True),
            metavar="FRACTION",
            help="Make the smallest file whose outputs on --samples move by at most this fraction, "
            "such as 0.02.",
        ),
        click.option(
            "--max-bytes",
            type=click.IntRange(1),
            metavar="BYTES",
            help="Make a file of at most so many bytes that computes nearly what IN does on "
            "--samples.",
        ),
        click.option(
            "--ratio",
            type=click.FloatRange(1, min_open=True),
            metavar="TIMES",
            help="The same, so many times smaller than the .tflite file.",
        ),
        click.option(
            "--seed", type=click.IntRange(0), help="Which samples are held back; 0 by default."
        ),
        click.option(
            "--report",
            type=files.OUTPUT,
            metavar="FILE",
            help="Write a report with figures, too: .html or .json.",
        ),
        click.option(
            "--input-shape",
            type=Shape(),
            multiple=True,
            help="Keras: convert for this shape, such as 1,224,224,3; or NAME=SHAPE.",
        ),
        click.option(
            "--quantize",
            type=click.Choice(list(_CONVERTER_SETTINGS)),
            help="Keras: have TensorFlow quantize; 'int8' takes the ranges of --samples.",
        ),
        click.option(
            "--no-verify", is_flag=True, help="Keras: do not run the models to compare outputs."
        ),
    ],
)
def compress(source, output, sparsity, clusters, samples, report, seed, **options):
    """Compress a model to a .tflite file that runs as it is.

    IN is a .tflite file, or a .keras or .h5 file or the folder of a SavedModel, which are
    converted by TensorFlow first. Without --sparsity and --clusters nothing is lost: `keras-dc
    expand` gives the same graph and weights back. Models that were trained with dc.prune and
    dc.share_weights become smallest.

    With --samples, 32 to 512 inputs without labels, and one of --max-error, --max-bytes and
    --ratio layer after layer is made small so that it computes on the samples what it did. A
    quarter of them is held back to measure the error on. Without one of these the samples
    only tell how far outputs move.

    Examples:
      keras-dc compress model.tflite -o small.tflite
      keras-dc compress trained.keras -o small.tflite --coder arithmetic --report r.html
      keras-dc compress model.tflite -o small.tflite --sparsity dense=0.6 --samples images.npy
      keras-dc compress model.tflite -o small.tflite --samples images.npz --max-error 0.02
    """
    files.check_output(output, source, samples)
    files.check_output(report, source, samples, output)
    if report is not None and report.suffix not in (".html", ".json"):
        raise click.UsageError(f"--report must end in .html or .json. Received: {report}")
    if report is not None and report.resolve() == output.resolve():
        raise click.UsageError("--report and --output must be different files")
    inputs, _ = files.load_samples(samples)
    lossy = {
        "sparsity": merged(sparsity, "--sparsity"),
        "num_clusters": merged(clusters, "--clusters"),
    }
    lossy = {name: value for name, value in lossy.items() if value is not None}
    lossy |= _budget(inputs, seed, **{name: options.pop(name) for name in _BUDGETS})
    if files.is_keras(source):
        made, original = _from_keras(source, inputs, lossy, **options), None
    else:
        made, original = _from_tflite(source, lossy, **options), source
    return _answer(source, output, made, original, lossy, inputs, report)


def _budget(inputs, seed, **limits):
    """The arguments of `keras_dc.compress` that make a file from samples; {} without a budget."""
    given = {name: value for name, value in limits.items() if value is not None}
    options = [f"--{name.replace('_', '-')}" for name in given]
    if len(given) > 1:
        raise click.UsageError(f"one of {', '.join(options)} at most must be given")
    if given and inputs is None:
        raise click.UsageError(f"{options[0]} needs --samples, inputs to run the model on")
    if seed is not None and not given:
        needed = ", ".join(f"--{name.replace('_', '-')}" for name in _BUDGETS)
        raise click.UsageError(f"--seed needs one of {needed}")
    return {**given, "samples": inputs, "seed": seed or 0} if given else {}


def _from_tflite(source, lossy, *, coder, min_saving, keep_names, **keras_options):
    given = [name for name, value in keras_options.items() if value]
    if given:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise click.UsageError(f"{names} must come with a Keras model. Received: IN={source}")
    if files.check_tflite(source) == "compressed":
        raise files.FileError(
            f"{source} is compressed already; `keras-dc expand` it first to code it anew"
        )
    import keras_dc

    return keras_dc.compress(
        source,
        coder=coder,
        min_saving=min_saving,
        strip_names=not keep_names,
        return_report=True,
        **lossy,
    )


def _from_keras(
    source,
    inputs,
    lossy,
    *,
    coder,
    min_saving,
    keep_names,
    input_shape,
    quantize,
    no_verify,
):
    files.check_keras(source)
    if quantize == "int8" and inputs is None:
        raise click.UsageError("--quantize int8 needs --samples, whose ranges it takes")
    import keras_dc
    from keras_dc.support import progress

    settings: dict[str, Any] = dict(_CONVERTER_SETTINGS[quantize]) if quantize else {}
    if quantize == "int8":
        settings["representative_dataset"] = functools.partial(_one_by_one, inputs)
    progress.tell("converting by TensorFlow, and verifying")
    made = keras_dc.convert(
        source,
        coder=coder,
        min_saving=min_saving,
        # Patterns look for names.
        strip_names=not (keep_names or lossy),
        input_signature=merged(input_shape, "--input-shape"),
        verify=not no_verify,
        verify_inputs=None if no_verify else inputs,
        return_report=True,
        **settings,
    )
    if not lossy:
        return made
    return keras_dc.compress(
        keras_dc.expand(made[0]),
        coder=coder,
        min_saving=min_saving,
        strip_names=not keep_names,
        return_report=True,
        **lossy,
    )


def _one_by_one(inputs):
    """Yield each example as a batch of one, in the form that TensorFlow's converter takes."""
    if isinstance(inputs, dict):
        for place in range(len(next(iter(inputs.values())))):
            yield {name: values[place : place + 1] for name, values in inputs.items()}
    else:
        for place in range(len(inputs)):
            yield [inputs[place : place + 1]]


def _answer(source, output, made, original, lossy, inputs, report):
    import keras_dc
    from keras_dc.support import atomic_files

    content, rows = made
    plain = keras_dc.expand(content)
    before = source.stat().st_size if original is not None else len(plain)
    values = {
        "input": str(source),
        "output": str(output),
        "input_bytes": before,
        "output_bytes": len(content),
        "ratio": before / len(content),
        "num_coded": len(rows.coded),
        "num_left": len(rows.left),
    }
    text = [
        f"{output}: {answers.change(before, len(content))}"
        + (" than the .tflite that TensorFlow makes" if original is None else ""),
        f"{len(rows.coded)} tensors are coded, {len(rows.left)} stay as they are",
    ]
    if lossy:
        worst = max(rows, key=lambda row: row.relative_error)
        values["weight_error"] = worst.relative_error
        text.append(
            f"weights are off by {answers.percent(worst.relative_error)} (root mean square) in "
            f"{worst.name or worst.op!r}, where it is the most"
        )
        changes = rows.outputs
        if changes is not None:
            text.append("on the samples that were held back:")
        elif original is not None and inputs is not None:
            changes = keras_dc.compare_outputs(original, content, inputs)
        if changes is not None:
            values["outputs"] = [vars(change) for change in changes]
            text += [
                f"output {change.name!r} moves by {answers.percent(change.relative_error)}"
                + ("" if change.same_class is None else
                   f"; the largest stays the largest in {answers.percent(change.same_class)}")
                for change in changes
            ]  # fmt: skip
        elif inputs is None:
            text.append("outputs move by more than weights; --samples FILE tells by how much")
    if report is not None:
        _write_report(content, original, rows, report)
        values["report"] = str(report)
        text.append(f"{report}: the report")
    # Last: where something fails, no file is left behind.
    atomic_files.write_atomically(output, content)
    return answers.Answer(values, text)


def _write_report(content, original, rows, path):
    import keras_dc

    before = {"original": rows} if original is None else {"original": original, "names": rows}
    keras_dc.report(content, **before, title=path.stem).save(path)

"""`keras-dc explore`."""

import itertools
from typing import Any

import click

from keras_dc.cli import answers, files, terminal


@answers.command(
    "explore",
    options=[
        click.argument("source", type=files.INPUT, metavar="FILE"),
        files.SAMPLES_OPTION,
        click.option(
            "--labels",
            type=files.INPUT,
            metavar="FILE",
            help="Class numbers of the samples, .npy: the accuracy of each file is measured.",
        ),
        click.option(
            "--sparsity",
            type=click.FloatRange(0, 1, max_open=True),
            multiple=True,
            help="Fraction of weights to prune; several times for several settings.",
        ),
        click.option(
            "--clusters",
            type=click.IntRange(1, 256),
            multiple=True,
            help="Distinct weights besides zero; several times, combined with each --sparsity.",
        ),
        click.option(
            "--coder",
            type=click.Choice(["huffman", "arithmetic"]),
            default="huffman",
            show_default=True,
            help="See `keras-dc compress --help`.",
        ),
        files.RUNTIME_OPTION,
        files.THREADS_OPTION,
    ],
)
def explore(source, samples, labels, sparsity, clusters, coder, runtime, threads):
    """Show what `compress` would make of a .tflite file, from lossless to bold settings.

    All you need is the file. Each line is one setting: the size, the best zip of the same
    weights, and how far weights are off (root mean square, in the tensor where it is the most).
    Outputs move by far more than weights do: --samples shows by how much, and in how many
    examples the largest output stays the largest. Nothing is written.

    Examples:
      keras-dc explore model.tflite
      keras-dc explore model.tflite --samples images.npy --labels classes.npy
      keras-dc explore model.tflite --clusters 32 --clusters 16 --sparsity 0 --sparsity 0.5
    """
    if files.check_tflite(source) == "compressed":
        raise files.FileError(f"{source} is compressed already; `keras-dc expand` it first")
    inputs, own_labels = files.load_samples(samples)
    targets = own_labels if labels is None else files.load_samples(labels)[0]
    if targets is not None and inputs is None:
        raise click.UsageError("--labels are of --samples, which are missing")
    from keras_dc.post_training import explore as post_training
    from keras_dc.support import progress

    settings = _settings(sparsity, clusters) or list(post_training.SETTINGS)
    content = source.read_bytes()
    outcomes = []
    found = post_training.explore(
        content,
        settings,
        samples=inputs,
        labels=targets,
        coder=coder,
        runtime=runtime,
        num_threads=threads,
    )
    for outcome in progress.tracked(found, "compressing", [1] * len(settings)):
        outcomes.append(outcome)
    values = {
        "file": str(source),
        "size_bytes": len(content),
        "coder": coder,
        "settings": [{**vars(each), "ratio": len(content) / each.size_bytes} for each in outcomes],
    }
    if targets is not None:
        import keras_dc

        values["accuracy"] = keras_dc.evaluate(
            content, (inputs, targets), runtime=runtime, num_threads=threads
        )
    return answers.Answer(values, _text(source, content, outcomes, values.get("accuracy")))


def _settings(sparsity, clusters):
    chosen = [
        {"sparsity": fraction, "num_clusters": count}
        for fraction, count in itertools.product(sparsity or (None,), clusters or (None,))
    ]
    chosen = [{name: each[name] for name in each if each[name] is not None} for each in chosen]
    return chosen if any(chosen) else []


def _text(source, content, outcomes, accuracy):
    columns = {
        "setting": lambda each: _label(each.settings),
        "KB": lambda each: f"{each.size_bytes / 1024:,.1f}",
        "ratio": lambda each: f"{len(content) / each.size_bytes:.1f}x",
        "best zip, KB": lambda each: f"{each.zip_bytes / 1024:,.1f} ({each.zip_name})",
        "weights off": lambda each: answers.percent(each.weight_error),
    }
    if outcomes[0].output_error is not None:
        columns["outputs off"] = lambda each: answers.percent(each.output_error)
        columns["same class"] = lambda each: answers.percent(each.same_class)
    if accuracy is not None:
        columns["accuracy"] = lambda each: answers.percent(each.accuracy)
    rows = [[cell(each) for cell in columns.values()] for each in outcomes]
    title = f"{source.name}: {answers.size(len(content))}"
    if accuracy is not None:
        title += f", accuracy {answers.percent(accuracy)}"
    text: list[Any] = [terminal.Table(list(columns), rows, title=title)]
    if outcomes[0].output_error is None:
        text.append("outputs move by far more than weights; --samples FILE tells by how much")
    return text


def _label(settings):
    parts = []
    if "sparsity" in settings:
        parts.append(f"--sparsity {settings['sparsity']:g}")
    if "num_clusters" in settings:
        parts.append(f"--clusters {settings['num_clusters']}")
    return " ".join(parts) or "lossless"

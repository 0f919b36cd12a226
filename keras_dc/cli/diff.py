"""`keras-dc diff`."""

import re

import click

from keras_dc.cli import answers, files

_MOST_LINES = 40


@answers.command(
    "diff",
    options=[
        click.argument("first", type=files.INPUT, metavar="A"),
        click.argument("second", type=files.INPUT, metavar="B"),
        click.option("--names", is_flag=True, help="Compare the names of tensors, too."),
        click.option(
            "--signed-zeros", is_flag=True, help="Count -0.0 and 0.0 as different weights."
        ),
        click.option("--all", "all_lines", is_flag=True, help="Print every difference."),
    ],
)
def diff(first, second, names, signed_zeros, all_lines):
    """List where two .tflite files differ, op by op and tensor by tensor.

    Compressed and packed files are expanded first, so that a file and what `compress` made of it
    do not differ. How a file is laid out does not count.

    Exit status: 0 if nothing differs, 3 if something does, 1 on errors.

    Examples:
      keras-dc diff model.tflite small.tflite
      keras-dc diff v1.tflite v2.tflite --json
    """
    from keras_dc.tflite import diff as tflite_diff
    from keras_dc.tflite import model_file

    models = [model_file.parse(files.plain_content(path)) for path in (first, second)]
    found = tflite_diff.differences(*models, names=names, signed_zeros=signed_zeros)
    lines = [_named(line, models[0]) for line in found]
    values = {"a": str(first), "b": str(second), "equal": not found, "differences": lines}
    text = lines if all_lines else lines[:_MOST_LINES]
    if len(text) < len(lines):
        text.append(f"... and {len(lines) - len(text)} more; --all prints them")
    if not lines:
        but = "" if signed_zeros else " (but for the sign of zeros)"
        text = [f"{first} and {second} are the same: graph and constants, bit for bit{but}"]
    return answers.Answer(values, text, answers.DIFFERENT if found else 0)


def _named(line, model):
    """A difference with the name of the tensor that it is about."""
    from keras_dc.tflite.graph import tensor_name

    match = re.match(r"model\.subgraphs\[(\d+)\]\.tensors\[(\d+)\]", line)
    if match is None:
        return line
    subgraph, place = map(int, match.groups())
    return f"{tensor_name(model.subgraphs[subgraph].tensors[place])!r}, {line}"

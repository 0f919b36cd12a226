"""`keras-dc expand`."""

import click

from keras_dc.cli import answers, files


@answers.command(
    "expand",
    options=[
        click.argument("source", type=files.INPUT, metavar="IN"),
        files.OUTPUT_OPTION,
        files.MAX_BYTES_OPTION,
    ],
)
def expand(source, output, max_bytes):
    """Undo `compress`: an ordinary .tflite file that every runtime runs.

    The graph and the weights are those of the file that was compressed, bit for bit; names of
    inner tensors are not kept, unless `compress --keep-names` did.

    Example:
      keras-dc expand small.tflite -o model.tflite
    """
    files.check_output(output, source)
    if files.check_tflite(source) != "compressed":
        raise files.FileError(f"{source} is an ordinary .tflite file: there is nothing to expand")
    import keras_dc

    limit = {} if max_bytes is None else {"max_bytes": max_bytes}
    content = keras_dc.expand(source, filepath=output, **limit)
    before = source.stat().st_size
    values = {
        "input": str(source),
        "output": str(output),
        "input_bytes": before,
        "output_bytes": len(content),
    }
    return answers.Answer(values, [f"{output}: {answers.change(before, len(content))}"])

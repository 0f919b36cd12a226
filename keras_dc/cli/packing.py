"""`keras-dc pack` and `keras-dc unpack`."""

import click

from keras_dc.cli import answers, files

_SOURCE = click.argument("source", type=files.INPUT, metavar="IN")


def _base(text):
    return click.option("--base", type=files.INPUT, metavar="FILE", help=text)


@answers.command(
    "pack",
    options=[
        _SOURCE,
        files.OUTPUT_OPTION,
        _base("An older version of the file: write only what differs, a patch."),
    ],
)
def pack(source, output, base):
    """Pack a .tflite file for transport, smaller than a zip.

    The packed file gives the same bytes back by `keras-dc unpack`, by dc.unpack or, without
    Python, by kdc_unpack in C. Any file can be packed; .tflite files, compressed or not, and ZIP
    archives of them (.task) gain the most.

    Examples:
      keras-dc pack model.tflite -o model.kdc
      keras-dc pack new.tflite --base old.tflite -o patch.kdc
    """
    _check(source, output, base)
    import keras_dc
    from keras_dc.support import atomic_files

    packed = keras_dc.pack(source, base=base)
    atomic_files.write_atomically(output, packed)
    return _answer(source, output, packed, base)


@answers.command(
    "unpack",
    options=[
        _SOURCE,
        files.OUTPUT_OPTION,
        _base("The file that a patch was made for."),
        files.MAX_BYTES_OPTION,
    ],
)
def unpack(source, output, base, max_bytes):
    """Undo `pack`: the same bytes again.

    Examples:
      keras-dc unpack model.kdc -o model.tflite
      keras-dc unpack patch.kdc --base old.tflite -o new.tflite
    """
    _check(source, output, base)
    if files.kind_of(source) not in ("packed", "patch"):
        raise files.FileError(f"{source} is not a packed file: it does not begin with 'KDP'")
    import keras_dc
    from keras_dc.support import atomic_files

    limit = {} if max_bytes is None else {"max_bytes": max_bytes}
    content = keras_dc.unpack(source, base=base, **limit)
    atomic_files.write_atomically(output, content)
    return _answer(source, output, content, base)


def _check(source, output, base):
    files.check_output(output, source, base)
    files.check_input(source)
    if base is not None:
        files.check_input(base)


def _answer(source, output, content, base):
    before = source.stat().st_size
    values = {
        "input": str(source),
        "output": str(output),
        "base": None if base is None else str(base),
        "input_bytes": before,
        "output_bytes": len(content),
    }
    return answers.Answer(values, [f"{output}: {answers.change(before, len(content))}"])

"""The files of the command line: what they are, where output may go, samples."""

import os
import pathlib

import click

from keras_dc.errors import KerasDcError

INPUT = click.Path(path_type=pathlib.Path)
OUTPUT = click.Path(path_type=pathlib.Path)
OUTPUT_OPTION = click.option(
    "-o", "--output", type=OUTPUT, required=True, metavar="OUT", help="Where to write the result."
)
MAX_BYTES_OPTION = click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    metavar="N",
    help="How large the result may be: a small file may declare any size. 2 GiB if left out.",
)
SAMPLES_OPTION = click.option(
    "--samples",
    type=INPUT,
    metavar="FILE",
    help="Inputs to run on: an .npy array with the examples along the first axis, or an .npz "
    "of arrays by the names of the inputs; 'x' and 'y' are inputs and labels.",
)
RUNTIME_OPTION = click.option(
    "--runtime",
    type=click.Choice(["litert", "tflite_runtime", "tensorflow"]),
    help="What runs the files; the first that is installed if left out.",
)
THREADS_OPTION = click.option(
    "--threads", type=click.IntRange(min=1), help="Threads of the runtime."
)
_PACKED_MAGIC = b"KDP"


class FileError(click.ClickException):
    """A file that cannot be read, written or used so: one sentence, exit status 1."""


def check_input(path):
    """Refuse a path that is no file.

    Raises:
        FileError: if it is not.
    """
    if path.is_dir():
        raise FileError(f"{path} is a folder, where a file was expected")
    if not path.exists():
        raise FileError(f"there is no file {path}")


def check_output(path, *inputs):
    """Refuse a place that no file can be written to, or that holds an input.

    Args:
        path: pathlib.Path or None.
        *inputs: pathlib.Path or None.

    Raises:
        FileError: if the folder is missing, or a folder or an input is there.
    """
    if path is None:
        return
    if not path.parent.is_dir():
        raise FileError(f"the folder of {path} does not exist")
    if path.is_dir():
        raise FileError(f"{path} is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise FileError(f"{path} is a pipe or a device, where a file was expected")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise FileError(f"{path} cannot be written: permission denied")
    for other in inputs:
        if other is not None and other.exists() and path.exists() and path.samefile(other):
            raise FileError(f"{path} would overwrite the input {other}; name another output")


def is_keras(path):
    """Whether a path is that of a Keras model or a SavedModel: by its suffix, or a folder."""
    return path.is_dir() or path.suffix in (".keras", ".h5", ".hdf5")


def check_keras(path):
    """Refuse what is no Keras model or SavedModel.

    Raises:
        FileError: if nothing is there, or a folder is no SavedModel.
    """
    if not path.exists():
        raise FileError(f"there is no file {path}")
    if path.is_dir() and not (path / "saved_model.pb").exists():
        raise FileError(f"the folder {path} is no SavedModel: it has no saved_model.pb")


def kind_of(path):
    """What a file is, by its first bytes and its blobs.

    Returns:
        str: "tflite", "compressed" (a `.tflite` with blobs), "packed", "patch" or "other".

    Raises:
        FileError: if it cannot be read, or is empty or cut short.
    """
    check_input(path)
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise FileError(f"{path} is empty")
    try:
        if head.startswith(_PACKED_MAGIC):
            from keras_dc.codec import packs

            return "packed" if packs.info(path.read_bytes()).base_size is None else "patch"
        if head[4:] != b"TFL3":
            return "other"
        import keras_dc

        return "compressed" if len(keras_dc.inspect(path)) else "tflite"
    except KerasDcError as error:
        raise FileError(f"{path}: {error}") from error


def check_tflite(path):
    """The kind of a file, which must be a `.tflite`; see `kind_of`.

    Raises:
        FileError: if it is something else; the sentence says what helps.
    """
    kind = kind_of(path)
    if kind in ("packed", "patch"):
        raise FileError(f"{path} is a packed file; get the .tflite by `keras-dc unpack`")
    if kind == "other":
        raise FileError(f"{path} is not a .tflite file: it lacks 'TFL3' at byte 4")
    return kind


def plain_content(path):
    """The bytes of an ordinary `.tflite`, whether it is compressed, packed or neither.

    Raises:
        FileError: if the file is a patch, or holds no `.tflite`.
    """
    import keras_dc

    kind = kind_of(path)
    if kind == "patch":
        raise FileError(f"{path} is a patch; get the file by `keras-dc unpack --base`")
    if kind == "other":
        raise FileError(f"{path} is not a .tflite file: it lacks 'TFL3' at byte 4")
    content = keras_dc.unpack(path) if kind == "packed" else path.read_bytes()
    try:
        return keras_dc.expand(content) if len(keras_dc.inspect(content)) else content
    except KerasDcError as error:
        raise FileError(f"{path}: {error}") from error


def load_samples(path):
    """The inputs in a file, and their labels.

    Args:
        path: pathlib.Path of an .npy or .npz file, or None.

    Returns:
        tuple `(samples, labels)`: an array or a dict of such by name; an array or None. Both
        None without a path.

    Raises:
        FileError: if it is no such file.
    """
    if path is None:
        return None, None
    check_input(path)
    import numpy as np

    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        with loaded as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except Exception as error:
        # NumPy and zipfile raise many kinds of errors for what is no such file.
        raise FileError(
            f"{path} must be an .npy or .npz file of arrays of numbers: {error}"
        ) from error
    if not found:
        raise FileError(f"{path} holds no array")
    if set(found) == {"x", "y"}:
        return found["x"], found["y"]
    return next(iter(found.values())) if len(found) == 1 else found, None

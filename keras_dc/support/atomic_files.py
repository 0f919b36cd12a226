"""Where a model is written to: checked before the long work, whole or not at all."""

import os
import pathlib
import tempfile


def check_place(filepath):
    """Refuse a path that no file could be written to.

    Args:
        filepath: str or path-like.

    Raises:
        TypeError: if `filepath` is neither.
        FileNotFoundError: if its folder does not exist.
        IsADirectoryError: if it is a folder itself.
    """
    if not isinstance(filepath, (str, os.PathLike)):
        raise TypeError(f"`filepath` must be a path. Received: filepath={filepath!r}")
    path = pathlib.Path(filepath).absolute()
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"the folder of `filepath` must exist. Received: filepath={str(filepath)!r}"
        )
    if path.is_dir():
        raise IsADirectoryError(
            f"`filepath` must be the path of a file. Received: the folder {str(filepath)!r}"
        )


def write_atomically(filepath, content):
    """Write a file so that it is there whole or not at all.

    Args:
        filepath: path; an existing file is replaced.
        content: bytes.
    """
    path = pathlib.Path(filepath).absolute()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp lets only the owner read; a new file is readable as usual.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise

"""Writing a file whole or not at all, and checking its place before the long work."""

import contextlib
import os
import pathlib
import secrets


def check_place(filepath):
    """Refuse a path that no file can be written to.

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
    # In the same folder, so that the last step only renames it. `open` gives it the mode of
    # any new file, as the process' umask says.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(temporary, "xb") as file, _removed_on_error(temporary):
        file.write(content)
        file.close()
        os.replace(temporary, path)


@contextlib.contextmanager
def _removed_on_error(path):
    try:
        yield
    except BaseException:
        os.unlink(path)
        raise

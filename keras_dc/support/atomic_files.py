"""Writing a file whole or not at all, and checking its place before the long work."""

import contextlib
import hashlib
import os
import pathlib
import secrets
import stat
import time

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

_LEFTOVER_SECONDS = 60


def check_place(filepath):
    """Refuse a path that no file can be written to.

    Args:
        filepath: str or path-like.

    Raises:
        TypeError: if `filepath` is neither.
        FileNotFoundError: if its folder does not exist.
        IsADirectoryError: if it is a folder itself.
        ValueError: if there is something else than a file: a pipe, a device.
    """
    if not isinstance(filepath, (str, os.PathLike)):
        raise TypeError(f"`filepath` must be a path. Received: filepath={filepath!r}")
    path = _target(filepath)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"the folder of `filepath` must exist. Received: filepath={str(filepath)!r}"
        )
    if path.is_dir():
        raise IsADirectoryError(
            f"`filepath` must be the path of a file. Received: the folder {str(filepath)!r}"
        )
    if path.exists() and not path.is_file():
        raise ValueError(
            "`filepath` must be the path of a regular file. Received: the pipe or device "
            f"{str(filepath)!r}"
        )


def write_atomically(filepath, content):
    """Write a file so that it is there whole or not at all, also after a crash.

    A symbolic link stays, and its target is written. A file that is replaced keeps its mode.

    Args:
        filepath: path; an existing file is replaced.
        content: bytes.

    Raises:
        Those of `check_place`; OSError if the file cannot be written.
    """
    check_place(filepath)
    path = _target(filepath)
    # In the same folder, so that the last step only renames it. The name tells whose it is,
    # and has room for the longest name of a target.
    prefix = f".keras_dc-{hashlib.sha256(path.name.encode()).hexdigest()[:16]}-"
    _remove_leftovers(path.parent, prefix)
    temporary = path.with_name(f"{prefix}{secrets.token_hex(8)}.tmp")
    # `open` gives it the mode of any new file, as the process' umask says.
    with open(temporary, "xb") as file, _removed_on_error(temporary):
        _lock(file)
        file.write(content)
        if path.exists():
            os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
        file.flush()
        os.fsync(file.fileno())
        if fcntl is None:
            file.close()  # Windows renames no open file
        os.replace(temporary, path)
    _sync_folder(path.parent)


def _target(filepath):
    return pathlib.Path(os.path.realpath(filepath))


@contextlib.contextmanager
def _removed_on_error(path):
    try:
        yield
    except BaseException:
        os.unlink(path)
        raise


def _lock(file):
    """Mark a file as being written; False if another process writes it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_leftovers(folder, prefix):
    """Remove what processes that were killed left of earlier writes to the same file."""
    for leftover in folder.glob(f"{prefix}*.tmp"):
        with contextlib.suppress(OSError), open(leftover, "rb") as file:
            # A new one may be about to be locked.
            is_old = time.time() - os.fstat(file.fileno()).st_mtime > _LEFTOVER_SECONDS
            if is_old and _lock(file):
                os.unlink(leftover)


def _sync_folder(folder):
    """Make a renaming last after a crash, where folders can be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

"""Files that take long to make: one process makes each, and those beside it wait."""

import fcntl
import os


def made_once(path, make):
    """Make a file, unless it is there.

    Args:
        path: pathlib.Path; its folder is made, too.
        make: function of a pathlib.Path with the same suffix, where it writes the file.

    Returns:
        `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "a") as lock:
        # Of the system: it is free again when its process ends, however that ends.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = path.with_suffix(f".part{path.suffix}")
            make(part)
            os.replace(part, path)
    return path

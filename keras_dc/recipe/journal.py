"""What a run has done so far, in a folder: a run that was killed goes on where it was.

The recipe is a program without chance whose long steps are remembered by their names. The
next run goes the same way, and takes from the folder what it finds there.
"""

import io
import json
import pathlib
import time
import zipfile

import numpy as np

from keras_dc.support.atomic_files import write_atomically

_FORMAT = 1
_ABOUT = "recipe.json"
# A training is saved as often as makes it slower by this share at most.
_SAVING_SHARE = 0.1


class Journal:
    """The steps of a run.

    Args:
        directory: path of a folder, made if it is missing; None: nothing is kept.
        about: dict from str to str, what the run depends on: arguments, model, data.

    Raises:
        ValueError: if the folder holds a run of other arguments, or other files.
        NotADirectoryError: if the path is that of a file.
    """

    def __init__(self, directory, about):
        self._folder = None if directory is None else pathlib.Path(directory)
        self._saved_at = -float("inf")
        self._saving_seconds = 0.0
        if self._folder is None:
            return
        if self._folder.exists() and not self._folder.is_dir():
            raise NotADirectoryError(
                f"`directory` must be a folder. Received: directory={str(directory)!r}"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        about = {"format": str(_FORMAT), **about}
        path = self._folder / _ABOUT
        if not path.exists():
            _check_empty(self._folder)
            write_atomically(path, json.dumps(about, indent=2).encode() + b"\n")
            return
        found = json.loads(path.read_text())
        names = sorted(name for name in {*found, *about} if found.get(name) != about.get(name))
        if names:
            raise ValueError(
                "`directory` holds a run of other arguments, another model or other data: call "
                "with the same, or give another folder. Received: directory="
                f"{str(directory)!r}, which differs in "
                + "; ".join(f"{n}: {found.get(n)} there, {about.get(n)} now" for n in names)
            )

    def remembered(self, name, compute):
        """What `compute()` gave when the step `name` was first done.

        Args:
            name: str, unique in the run, which can be a file's name.
            compute: callable without arguments that returns a tuple of a JSON-able dict and a
                list of arrays.

        Returns:
            Such a tuple.
        """
        found = self._load(f"{name}.npz")
        if found is None:
            found = compute()
            # In the form in which the next run finds it.
            found = json.loads(json.dumps(found[0])), found[1]
            self._save(f"{name}.npz", *found)
        self._remove(f"{name}.part.npz")
        return found

    def load_part(self, name):
        """What `save_part` saved last of the step `name`, None if nothing."""
        return self._load(f"{name}.part.npz")

    def save_part(self, name, info, arrays):
        """Save how far the step `name` is, if that takes little of its time.

        Args:
            name: str.
            info: a JSON-able dict.
            arrays: callable that returns a list of arrays.
        """
        start = time.monotonic()
        if self._folder is None or start - self._saved_at < self._saving_seconds / _SAVING_SHARE:
            return
        self._save(f"{name}.part.npz", info, arrays())
        self._saved_at = time.monotonic()
        self._saving_seconds = self._saved_at - start

    def _save(self, name, info, arrays):
        if self._folder is None:
            return
        arrays = [np.asarray(array) for array in arrays]
        dtypes = [array.dtype.name for array in arrays]
        head = json.dumps({"info": info, "dtypes": dtypes}).encode()
        buffer = io.BytesIO()
        # bfloat16 and its like are no types of NumPy's own.
        raw = {
            f"a{i}": array if array.dtype.kind != "V" else array.view(f"u{array.dtype.itemsize}")
            for i, array in enumerate(arrays)
        }
        np.savez(buffer, head=np.frombuffer(head, np.uint8), **raw)
        write_atomically(self._folder / name, buffer.getvalue())

    def _load(self, name):
        path = None if self._folder is None else self._folder / name
        if path is None or not path.exists():
            return None
        try:
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                head = json.loads(file["head"].tobytes())
                raw = [(file[f"a{i}"], dtype) for i, dtype in enumerate(head["dtypes"])]
                arrays = [a if a.dtype.name == dtype else a.view(dtype) for a, dtype in raw]
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                "a file of `directory` is damaged: remove it, and its step is done again. "
                f"Received: {str(path)!r}, {error}"
            ) from error
        return head["info"], arrays

    def _remove(self, name):
        if self._folder is not None:
            (self._folder / name).unlink(missing_ok=True)


def _check_empty(folder):
    others = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    if others:
        raise ValueError(
            "`directory` must be empty, or hold an earlier run. Received: directory="
            f"{str(folder)!r} with {sorted(others)[:5]}"
        )

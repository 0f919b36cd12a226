"""Where the files of long experiments are kept, beside the output of tutorials."""

import os
import pathlib
import re

from lib.tutorial import OUTPUT


def path_of(experiment, run, suffix=".tflite"):
    """Where the file of a run is kept.

    Args:
        experiment: str.
        run: str.
        suffix: str, of the file.

    Returns:
        pathlib.Path; its folder need not exist.
    """
    folder = pathlib.Path(os.environ.get(OUTPUT) or "tutorial_output") / experiment
    return folder / (re.sub(r"[^a-z0-9.]+", "_", run) + suffix)


def keep(experiment, run, content):
    """Keep the `.tflite` file of a run: bytes at `path_of`."""
    path = path_of(experiment, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)

"""Trained models that are kept, so that one machine can train them and another convert them.

A machine with a GPU has often no TensorFlow, and `keras_dc.convert` needs it. What a script trains
goes through `kept`, and `--train-only` stops there; the same command without it, anywhere, takes
what was trained and goes on.
"""

import json
import os
import time

import keras
from lib import machine


def kept(path, train):
    """A trained model: that of the file, or trained now and written there.

    Args:
        path: pathlib.Path, ending in ".keras"; figures of the training are beside it in a
            ".json" of the same name.
        train: function of no arguments that returns a plain `keras.Model`.

    Returns:
        (`keras.Model`, dict): where and with what it was trained: "device", "backend",
        "seconds" and "versions".
    """
    figures_path = path.with_suffix(".json")
    if not (path.exists() and figures_path.exists()):
        start = time.monotonic()
        model = train()
        figures = {
            "device": machine.device_name(),
            "backend": keras.backend.backend(),
            "seconds": round(time.monotonic() - start),
            "versions": machine.versions(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.keras")
        model.save(part)
        os.replace(part, path)
        part.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
        os.replace(part.with_suffix(".json"), figures_path)
    # The file's model in both cases, so that both are the same to the last bit.
    return keras.saving.load_model(path, compile=False), json.loads(figures_path.read_text())

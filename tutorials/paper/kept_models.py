"""Trained models that are kept, so that one machine can train them and another convert them.

A machine with a GPU has often no TensorFlow, and `keras_dc.convert` needs it. What a script trains
goes through `kept`, and `--train-only` stops there; the same command without it, anywhere, takes
what was trained and goes on.
"""

import json
import time
import zipfile

import keras
from lib import machine
from lib.made_once import made_once


def kept(path, train):
    """A trained model: that of the file, or trained now and written there.

    Args:
        path: pathlib.Path, ending in ".keras"; figures of the training are beside it in a
            ".json" of the same name.
        train: function of no arguments that returns a plain `keras.Model`, Sequential or
            Functional, or a tuple of it and a dict of further figures.

    Returns:
        (`keras.Model`, dict): where and with what it was trained: "device", "backend",
        "seconds" and "versions", and what `train` added.
    """
    figures_path = path.with_suffix(".json")

    def make(part):
        start = time.monotonic()
        trained = train()
        model, more = trained if isinstance(trained, tuple) else (trained, {})
        figures = {
            **more,
            "device": machine.device_name(),
            "backend": keras.backend.backend(),
            "seconds": round(time.monotonic() - start),
            "versions": machine.versions(),
        }
        # A copy that is not compiled is a third of the size, and needs no loss to be loaded.
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
        copy.save(part)
        _deflate(part)
        figures_path.write_text(json.dumps(figures, indent=1) + "\n")

    made_once(path, make)
    # The file's model in both cases, so that both are the same to the last bit.
    return keras.saving.load_model(path, compile=False), json.loads(figures_path.read_text())


def _deflate(path):
    """Write a ZIP archive anew with its members compressed: what is pruned has many zeros."""
    with zipfile.ZipFile(path) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in members:
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)

"""Files for the command line, and a way to run it in this process."""

import json

import numpy as np
import pytest
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc.cli.main import main


class Folder:
    """A folder with files of every kind; `run` runs the command line there.

    Attributes:
        out, err: str, what the last command printed.
    """

    def __init__(self, path, capsys):
        self.path, self._capsys = path, capsys
        content = mlp(sizes=(20, 8, 4), density=0.5).serialize()
        self.content, self.small = content, dc.compress(content)
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(10, 20)).astype(np.float32)
        (path / "model.tflite").write_bytes(content)
        (path / "small.tflite").write_bytes(self.small)
        (path / "cut.tflite").write_bytes(content[:100])
        (path / "text.tflite").write_text("Once upon a time")
        (path / "empty.tflite").write_bytes(b"")
        (path / "packed.kdc").write_bytes(dc.pack(content))
        (path / "patch.kdc").write_bytes(dc.pack(self.small, base=content))
        np.save(path / "x.npy", self.x)
        np.save(path / "wrong.npy", self.x[:, :7])

    def run(self, *arguments):
        """The exit status."""
        code = main([str(each) for each in arguments])
        captured = self._capsys.readouterr()
        self.out, self.err = captured.out, captured.err
        assert "Traceback" not in self.err
        return code

    def json(self, *arguments, code=0):
        """The object that a command prints."""
        assert self.run(*arguments, "--json") == code, self.err
        assert self.err == ""
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    def names(self):
        """The files of the folder."""
        return {path.name for path in self.path.iterdir()}


@pytest.fixture
def folder(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path, capsys)

import os

import pytest

from keras_dc.support import atomic_files


def test_a_file_is_written_like_any_other(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"what stood here before")
    atomic_files.write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tflite"]
    tmp_path.joinpath("other").touch()
    assert path.stat().st_mode == tmp_path.joinpath("other").stat().st_mode


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"before")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(atomic_files.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        atomic_files.write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_places_where_no_file_can_be(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of `filepath` must exist.*no_such_folder"):
        atomic_files.check_place(tmp_path / "no_such_folder" / "model.tflite")
    with pytest.raises(IsADirectoryError, match="path of a file. Received: the folder"):
        atomic_files.check_place(str(tmp_path))
    with pytest.raises(TypeError, match="must be a path. Received: filepath=7"):
        atomic_files.check_place(7)
    atomic_files.check_place(tmp_path / "model.tflite")
    assert os.listdir(tmp_path) == []

import os
import pathlib
import stat
import subprocess
import sys

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


def test_a_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to(tmp_path / "new")
    for name, target in [("link", "real"), ("dangling", "new")]:
        atomic_files.write_atomically(tmp_path / name, b"after")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_bytes() == b"after"
    assert len(os.listdir(tmp_path)) == 4


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"before")
    path.chmod(mode)
    atomic_files.write_atomically(path, b"after")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_pipe_is_refused_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular file. Received: the pipe or device"):
        atomic_files.check_place(tmp_path / "pipe")
    with pytest.raises(ValueError, match="regular file. Received: the pipe or device"):
        atomic_files.write_atomically(tmp_path / "pipe", b"content")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_the_longest_name_that_the_system_takes(tmp_path):
    path = tmp_path / ("m" * 255)
    atomic_files.write_atomically(path, b"content")
    assert path.read_bytes() == b"content"


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path):
    code = """
import os, signal, sys
from keras_dc.support import atomic_files
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
atomic_files.write_atomically(sys.argv[1], b"half")
"""
    path = tmp_path / "model.tflite"
    subprocess.run([sys.executable, "-c", code, path], cwd=pathlib.Path(__file__).parent)
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".keras_dc-")
    os.utime(tmp_path / left, times=(0, 0))
    atomic_files.write_atomically(path, b"whole")
    assert os.listdir(tmp_path) == ["model.tflite"]


def test_what_another_process_is_writing_stays(tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    replace = os.replace

    def write_again(temporary, target):
        os.utime(temporary, times=(0, 0))
        monkeypatch.setattr(atomic_files.os, "replace", replace)
        atomic_files.write_atomically(path, b"second")
        replace(temporary, target)

    monkeypatch.setattr(atomic_files.os, "replace", write_again)
    atomic_files.write_atomically(path, b"first")
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["model.tflite"]

"""What is told of the processor, and where its figures go."""

import importlib
import json

import pytest

CPU_INFO = """processor\t: 0
cpu family\t: 26
model\t\t: 2
model name\t: Chip 9
cpu MHz\t\t: 2596.122

processor\t: 1
model name\t: Chip 9
"""


@pytest.fixture
def processor():
    return importlib.import_module("processor")


@pytest.fixture
def chip(processor, tmp_path, monkeypatch):
    """A machine made up; the folder of results."""
    (tmp_path / "cpuinfo").write_text(CPU_INFO)
    for index, (level, kind, size) in enumerate([("1", "Data", "48K"), ("3", "Unified", "32M")]):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    monkeypatch.setattr(processor, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor, "_CACHES", tmp_path)
    monkeypatch.setattr(processor, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_a_line_tells_cpu_cores_clock_and_caches(processor, chip):
    expected = "Chip 9, family 26 model 2, 2 cores at 2.6 GHz; L1d 48 KiB, L3 32768 KiB"
    assert processor.line() == expected


def test_figures_of_one_processor_share_a_file(processor, chip):
    processor.save("int8", {"a": 1.0, "b": 2.0})
    processor.save("other", {"c": 3.0})
    path = processor.save("int8", {"b": 4.0})
    assert path == chip / "chip_9_family_26_model_2.json"
    assert json.loads(path.read_text()) == {
        "cpu": "Chip 9, family 26 model 2",
        "cores": 2,
        "caches": {"L1d": 49152, "L3": 33554432},
        "clock_mhz": 2596,
        "int8": {"a": 1.0, "b": 4.0},
        "other": {"c": 3.0},
    }


def test_a_machine_that_tells_nothing_has_a_name(processor, tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "_CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(processor, "_CACHES", tmp_path / "none")
    found = processor.describe()
    assert found["cpu"]
    assert (found["cores"], found["caches"], found["clock_mhz"]) == (None, {}, None)

"""The numbered tutorials in their short form: each runs as it is, and its figures hold.

Bounds are looser than what a full run gives: a short one trains for seconds.
"""

import importlib.util
import os
import pathlib
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest
from lib import tutorial

import keras_dc as dc

FOLDER = pathlib.Path(tutorial.__file__).parents[1]
NAMES = sorted(path.stem for path in FOLDER.glob("0[2-8]_*.py"))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs a tutorial in this process, into `tmp_path`, and gives the variables it ends with."""

    def run_one(name):
        arguments = [f"{name}.py", "--short", "--output", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", arguments)
        return runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")

    return run_one


def by(key, rows):
    return {row[key]: row for row in rows}


def check_pictures(folder, *names):
    """These pictures are PNG files, each of many colours: something is drawn."""
    from matplotlib import image

    for name in names:
        pixels = image.imread(folder / f"{name}.png")
        assert min(pixels.shape[:2]) > 100, name
        assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 10, name


def test_your_own_model(run, tmp_path):
    end = run("02_your_own_model")
    rows = by("file", end["rows"])
    for label in ("by one call", "by hand"):
        assert rows[label]["ratio"] > 8
        assert rows[label]["bytes"] < rows["dense, int8"]["bytes"]
        assert rows[label]["accuracy %"] > rows["dense"]["accuracy %"] - 4
    result = end["result"]
    assert rows["by one call"]["bytes"] == (tmp_path / "one_call.tflite").stat().st_size
    assert result.scores["compressed file"] > result.scores["dense"] - 0.02
    assert {"densities", "num_clusters"} <= set(result.choices)
    check_pictures(tmp_path, "sensitivity", "sizes", "report_bytes", "report_mask_dense_weights")
    for name in ("one_call", "by_hand"):
        assert "<html" in (tmp_path / f"{name}.html").read_text()


def test_only_a_tflite(run, tmp_path):
    end = run("03_only_a_tflite")
    rows = by("setting", end["rows"])
    assert rows["as it is"]["outputs off %"] < 0.01
    assert rows["256 clusters"]["outputs off %"] < 2
    assert all(row["bytes"] < row["best zip"] for row in rows.values())
    # Bolder settings make smaller files, whose outputs are farther off.
    for key, order in [("bytes", -1), ("outputs off %", 1)]:
        values = [order * row[key] for row in end["rows"]]
        assert values == sorted(values), key
    chosen = end["chosen"]
    assert chosen["same class %"] >= end["LEAST_SAME_CLASS"]
    assert chosen["ratio"] > 3
    # What agreement without labels promises, labels confirm.
    assert chosen["accuracy %"] == pytest.approx(rows["as it is"]["accuracy %"], abs=1.5)
    assert (tmp_path / "small.tflite").stat().st_size == chosen["bytes"]
    check_pictures(tmp_path, "outputs", "before_and_after")
    assert "<html" in (tmp_path / "report.html").read_text()
    # From samples: half the size of the smallest file above, and outputs move less.
    smallest = end["rows"][-1]
    for row in end["sampled"]:
        assert row["outputs off %"] < smallest["outputs off %"]
        assert row["accuracy %"] > smallest["accuracy %"]
    assert end["sampled"][-1]["ratio"] >= 12


def in_a_process(name, folder):
    """A tutorial's printed text, run as a user does: as a script, in an empty folder."""
    root = str(pathlib.Path(dc.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), "--short", "--output", "here"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def cells_of(printed):
    """Rows of a printed table by their first cell: lists of the others, without commas."""
    lines = [line.strip("│").split("│") for line in printed.splitlines() if line.startswith("│")]
    return {cells[0].strip(): [c.strip().replace(",", "") for c in cells[1:]] for cells in lines}


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_model_optimization") is None,
    reason="needs tensorflow-model-optimization",
)
def test_coming_from_tfmot(tmp_path):
    """In a process of its own: importing TFMOT makes `tf.keras` Keras 2."""
    printed = in_a_process("04_coming_from_tfmot", tmp_path)
    rows = {label: [float(cell) for cell in cells] for label, cells in cells_of(printed).items()}
    dense, theirs, recoded, ours = (
        rows[label]
        for label in ("dense float32", "TFMOT, as converted", "TFMOT, compressed by ours", "ours")
    )
    # Theirs is small as a zip alone, ours as it is.
    assert theirs[0] > 0.9 * dense[0]
    assert max(recoded[0], ours[0]) < theirs[1] < theirs[0] / 15
    # The same weights: the same outputs.
    assert recoded[2] == theirs[2]
    assert min(theirs[2], ours[2]) > dense[2] - 15
    assert "it is `model` here" in printed
    assert ours[0] == (tmp_path / "here" / "ours.tflite").stat().st_size
    check_pictures(tmp_path / "here", "sizes")


def test_transfer_learning(run, tmp_path):
    end = run("05_transfer_learning")
    rows = by("file", end["rows"])
    # A pruned head alone saves little: the bytes are in the base.
    assert 1.1 < rows["frozen, head pruned"]["ratio"] < 2
    small = rows["fine-tuned, all pruned"]
    assert small["ratio"] > 15
    assert small["accuracy %"] > rows["fine-tuned"]["accuracy %"] - 5
    assert small["accuracy %"] > rows["frozen base"]["accuracy %"]
    assert small["bytes"] == (tmp_path / "fine-tuned_all_pruned.tflite").stat().st_size
    assert set(end["new_task"][1]) == {0, 1, 2, 3, 4}
    check_pictures(tmp_path, "tasks", "sizes")
    assert "<html" in (tmp_path / "report.html").read_text()


def test_int8_and_float16(run, tmp_path):
    end = run("06_int8_and_float16")
    rows = by("format", end["rows"])
    assert rows["float16"]["outputs off %"] < 0.1
    for label in ("int8 weights", "int8", "int8, a scale per layer"):
        assert 0 < rows[label]["outputs off %"] < 5
        assert rows[label]["plain"] < rows["float32"]["plain"] / 3.5
        assert rows[label]["accuracy %"] > rows["float32"]["accuracy %"] - 1
    assert all(row["packed"] < row["xz"] for row in rows.values())
    assert rows["float32"]["compressed"] == min(row["compressed"] for row in rows.values())
    # The scales of fused layers are coded.
    assert 0 < rows["int8"]["compressed"] - rows["int8, a scale per layer"]["compressed"] < 1000
    check_pictures(tmp_path, "sizes", "before_and_after")


def test_over_the_air(run, tmp_path):
    end = run("07_over_the_air")
    sizes, accuracy = end["sizes"], end["accuracy"]
    assert sizes["v1 to v2, patch"] < 600
    assert sizes["v1 to v2, patch"] == (tmp_path / "v1_to_v2.kdc").stat().st_size
    assert sizes["v2, packed"] < sizes["v2, compressed"] < sizes["v2, xz"]
    assert len(end["packed_v1"]) < len(end["v1"]) / 200
    assert accuracy["v1, as new"] > 0.98
    assert accuracy["v1, old camera"] < 0.5
    assert accuracy["v2, old camera"] > 0.85
    assert re.match(r"the base of this patch is a file of \d+ bytes", end["refusal"])
    assert dc.unpack(end["patch"], base=end["v1"]) == end["v2"] != end["v1"]
    check_pictures(tmp_path, "camera", "sizes")


def test_run_it(run, tmp_path):
    end = run("08_run_it")
    assert "KerasDcConv2D" in end["refusal"]
    assert max(end["differences"].values()) < 1e-5
    np.testing.assert_allclose(end["compiled_outputs"], end["outputs"][0], rtol=1e-5, atol=1e-4)
    sizes = {name: len(content) for name, content in end["files"].items()}
    assert sizes["compressed, packed"] < sizes["compressed"] < sizes["plain"] / 100
    assert sizes["plain, packed"] < sizes["plain"] / 100
    assert end["accuracy"]["compressed"] == end["accuracy"]["plain"] > 0.98
    assert [row.name for row in end["benchmark"].rows] == ["wide_plain.tflite", "wide.tflite"]
    assert end["before"].size_bytes > 40 * end["after"].size_bytes
    [low] = end["slow_but_small"].rows
    assert low.low_memory
    check_pictures(tmp_path, "latency")


def test_every_tutorial_is_listed_and_says_what_one_has_at_the_end():
    listed = (FOLDER / "README.md").read_text()
    numbered = sorted(FOLDER.glob("[0-9]*.py"))
    assert [path.stem[:2] for path in numbered] == [f"{n:02}" for n in range(2, 10)]
    for path in [FOLDER / "quickstart.py", *numbered]:
        assert f"[{path.name}]({path.name})" in listed, path.name
    for name in NAMES:
        text = (FOLDER / f"{name}.py").read_text()
        number = int(name[:2])
        assert text.startswith(f"# %% [markdown]\n# # {number}. "), name
        assert "**What you have at the end:**" in text.split("# %%\n")[0], name
        for link in re.findall(r"\]\((\w+\.py)\)", text):
            assert (FOLDER / link).exists(), (name, link)


def test_a_notebook_reads_the_environment(monkeypatch, tmp_path):
    """Its arguments are those of the kernel."""
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    monkeypatch.setenv(tutorial.SHORT, "1")
    monkeypatch.setenv(tutorial.OUTPUT, str(tmp_path / "pictures"))
    found = tutorial.Run("02_your_own_model")
    assert found.short
    assert found.folder.is_dir()
    assert found.folder == tmp_path / "pictures"
    assert found.pick("full", "short") == "short"


def test_a_script_is_long_unless_told(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["02_your_own_model.py"])
    for name in (tutorial.SHORT, tutorial.OUTPUT):
        monkeypatch.delenv(name, raising=False)
    found = tutorial.Run("02_your_own_model")
    assert not found.short
    assert found.folder == pathlib.Path("tutorial_output/02_your_own_model")

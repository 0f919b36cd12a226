import json

import ml_dtypes
import numpy as np
import pytest

from keras_dc.recipe.journal import Journal

ABOUT = {"epochs": "3", "model": "a"}


def step():
    return {"score": 0.5}, [np.arange(3.0), np.ones((2,), ml_dtypes.bfloat16)]


def never():
    raise AssertionError("the step is remembered")


def test_a_step_is_done_once(tmp_path):
    first = Journal(tmp_path / "run", ABOUT).remembered("prune", step)
    again = Journal(tmp_path / "run", ABOUT).remembered("prune", never)
    assert first[0] == again[0] == {"score": 0.5}
    for one, other in zip(first[1], again[1], strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_without_a_folder_nothing_is_kept():
    journal = Journal(None, ABOUT)
    assert journal.remembered("prune", step)[0] == {"score": 0.5}
    journal.save_part("prune", {}, never)
    assert journal.load_part("prune") is None


def test_a_part_is_kept_until_its_step_is_done(tmp_path):
    journal = Journal(tmp_path, ABOUT)
    journal.save_part("prune", {"done": 1}, lambda: [np.zeros(2)])
    info, arrays = Journal(tmp_path, ABOUT).load_part("prune")
    assert info == {"done": 1}
    np.testing.assert_array_equal(arrays[0], np.zeros(2))
    journal.remembered("prune", step)
    assert Journal(tmp_path, ABOUT).load_part("prune") is None


def test_other_arguments_are_refused(tmp_path):
    Journal(tmp_path, ABOUT)
    with pytest.raises(ValueError, match="epochs: 3 there, 4 now"):
        Journal(tmp_path, {**ABOUT, "epochs": "4"})


def test_other_files_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match=r"must be empty.*thesis\.tex"):
        Journal(tmp_path, ABOUT)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="`directory` must be a folder"):
        Journal(tmp_path / "file", ABOUT)


def test_damage_is_told(tmp_path):
    journal = Journal(tmp_path, ABOUT)
    journal.remembered("prune", step)
    path = tmp_path / "prune.npz"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"damaged.*prune\.npz"):
        journal.remembered("prune", never)


def test_what_a_run_depends_on_can_be_read(tmp_path):
    Journal(tmp_path, ABOUT)
    assert json.loads((tmp_path / "recipe.json").read_text())["model"] == "a"

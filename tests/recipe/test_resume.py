"""A run that is killed goes on where it was, and ends as if it had not been."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support import recipe_models
from support.recipe_models import QUICK

import keras_dc as dc

OPTIONS = {**QUICK, "epochs": 6}
# In a process of its own: train, say that it begins, compress.
CODE = """
import sys
from support import recipe_models
import keras_dc as dc
model = recipe_models.trained_classifier()
model.load_weights(sys.argv[2])
dc.deep_compress(model, *recipe_models.data(), directory=sys.argv[1], **{options!r})
"""


def killed_when(folder, weights, is_there):
    """Run the recipe in a process, and kill it once the folder has what `is_there` tells."""
    code = CODE.format(options=OPTIONS)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(weights)],
        cwd=pathlib.Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        stderr=subprocess.PIPE,
    )
    try:
        while not is_there(folder):
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()


def test_a_run_killed_in_mid_stage_gives_the_same_file(trained, tmp_path):
    trained.save_weights(tmp_path / "w.weights.h5")
    whole = dc.deep_compress(
        trained, *recipe_models.data(), directory=tmp_path / "whole", **OPTIONS
    )
    folder = tmp_path / "killed"
    killed_when(
        folder,
        tmp_path / "w.weights.h5",
        lambda f: (f / "attempt-1-prune.part.npz").exists(),
    )
    assert not (folder / "attempt-1-share.npz").exists()
    again = dc.deep_compress(trained, *recipe_models.data(), directory=folder, **OPTIONS)
    assert again.tflite == whole.tflite
    assert again.history == whole.history
    assert again.scores == whole.scores
    for one, other in zip(again.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    # What is finished is not done again.
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    finished = dc.deep_compress(trained, *recipe_models.data(), directory=folder, **OPTIONS)
    assert finished.tflite == whole.tflite
    assert times == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    with pytest.raises(ValueError, match="epochs: 6 there, 7 now"):
        dc.deep_compress(
            trained, *recipe_models.data(), directory=folder, **{**OPTIONS, "epochs": 7}
        )
    (x, y), validation = recipe_models.data()
    with pytest.raises(ValueError, match="differs in train_data"):
        dc.deep_compress(trained, (x + 1, y), validation, directory=folder, **OPTIONS)

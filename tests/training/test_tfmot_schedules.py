"""Schedules of TensorFlow Model Optimization as they are, in a process of their own.

Importing TFMOT makes `tf.keras` the Keras 2 of old for the whole process.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

import keras_dc

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_model_optimization") is None,
    reason="needs tensorflow-model-optimization",
)

CODE = """
import sys
import keras
import numpy as np
import tensorflow_model_optimization as tfmot
import keras_dc as dc

theirs = tfmot.sparsity.keras
x = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)


class Stairs(theirs.PruningSchedule):
    begin_step, end_step, frequency = 0, -1, 2

    def __call__(self, step):
        return self._should_prune_in_step(step, 0, -1, 2), 0.25

    def get_config(self):
        return {"class_name": "Stairs", "config": {}}


# Sparsity after steps 8 and 16; 0.45 is the polynomial's at step 5, its second update.
expected = {
    theirs.PolynomialDecay(0.1, 0.5, 1, 9, frequency=4): [0.45, 0.5],
    theirs.ConstantSparsity(0.5, 9, frequency=2): [0.0, 0.5],
    Stairs(): [0.25, 0.25],
}
for schedule, sparsities in expected.items():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(10), keras.layers.Dense(2)])
    pruned = dc.prune(model, schedule)
    pruned.compile("sgd", "mse")
    callbacks = [dc.PruningCallback()]
    logs = pruned.fit(x, x[:, :2], batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    np.testing.assert_allclose(logs.history["sparsity"], sparsities, atol=0.01)
    assert not any("keras_dc" in type(layer).__module__ for layer in dc.strip(pruned).layers)
    if not isinstance(schedule, Stairs):
        pruned.save(sys.argv[1])
        again = keras.models.load_model(sys.argv[1]).layers[0].schedule
        assert isinstance(again, (dc.PolynomialDecay, dc.ConstantSparsity))
        for step in range(12):
            update_now, sparsity = schedule(step)
            if update_now:
                assert abs(float(sparsity) - again(step)) < 1e-6
"""


def test_their_schedules_prune_and_are_saved(tmp_path):
    root = str(pathlib.Path(keras_dc.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "model.keras")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr

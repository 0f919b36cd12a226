"""The tests of the training half, again on the other backends that are installed."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

TESTS_FOLDER = pathlib.Path(__file__).parents[1]
TESTS = [
    "training/test_constraints",
    "training/test_covered_weights",
    "training/test_dead_units",
    "training/test_layer_names",
    "training/test_mask_rules",
    "training/test_one_shot",
    "training/test_own_loops",
    "training/test_phases",
    "training/test_pruning",
    "training/test_pruning_targets",
    "training/test_reassignment",
    "training/test_refusals",
    "training/test_stripping",
    "training/test_tensorboard",
    "training/test_training_runs",
    "training/test_unfreezing",
    "training/test_weight_sharing",
    "training/test_wrapped_models",
    "wrapping/test_cloning",
    "wrapping/test_elementwise_steps",
    "wrapping/test_gradients",
    "wrapping/test_half_floats",
    "wrapping/test_in_place",
    "wrapping/test_kernel_wrapper",
    "wrapping/test_layer_kinds",
    "wrapping/test_layer_state",
    "wrapping/test_model_classes",
    "wrapping/test_tied_weights",
    "wrapping/test_train_function",
]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_training_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    files = [str(TESTS_FOLDER / f"{name}.py") for name in TESTS]
    # One worker, whatever runs this test: its neighbours have the other cores.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    result = subprocess.run(
        command,
        env={**os.environ, "KERAS_BACKEND": backend},
        # Where the sources do not hide the installed package.
        cwd=TESTS_FOLDER,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert result.returncode == 0, result.stdout[-8000:]

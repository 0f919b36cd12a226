"""The tests of the training half, again on the other backends that are installed."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
TESTS = {
    "jax": [
        "test_cloning",
        "test_independence",
        "test_layer_kinds",
        "test_masking",
        "test_monitoring",
        "test_pruning",
        "test_stripping",
        "test_training_runs",
        "test_weight_sharing",
        "test_wrapping",
    ],
    "torch": ["test_layer_kinds", "test_masking", "test_training_runs"],
}


@pytest.mark.parametrize("backend", TESTS)
def test_training_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    files = [str(HERE / f"{name}.py") for name in TESTS[backend]]
    # One worker, whatever runs this test: its neighbours have the other cores.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    result = subprocess.run(
        command,
        env={**os.environ, "KERAS_BACKEND": backend},
        # Where the sources do not hide the installed package.
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert result.returncode == 0, result.stdout[-8000:]

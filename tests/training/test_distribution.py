"""Two devices, and two processes, train as one does."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

TESTS_FOLDER = pathlib.Path(__file__).parents[1]
MULTI_WORKER = TESTS_FOLDER.parent / "tutorials" / "09_multi_worker.py"
KINDS = ["pruned", "straight_through", "shared"]


def last_line_of(*command):
    result = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_train_as_one_does(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script = TESTS_FOLDER / "support" / "distributed_process.py"
    two = last_line_of(script, backend, *KINDS)
    one = last_line_of(script, backend, *KINDS, "--one-device")
    for kind in KINDS:
        losses = two[kind]["losses"]
        assert losses[-1] < losses[0]
        # The sums of two halves differ from the whole's in the last bits.
        np.testing.assert_allclose(losses, one[kind]["losses"], rtol=1e-5)
        np.testing.assert_allclose(two[kind]["squares"], one[kind]["squares"], rtol=1e-4)


def test_two_processes_train_as_one_does():
    pytest.importorskip("tensorflow")
    two = last_line_of(MULTI_WORKER, "--workers", 2)
    one = last_line_of(MULTI_WORKER, "--workers", 1)
    assert two["pruned_losses"][-1] < two["pruned_losses"][0]
    assert two["shared_losses"][-1] < two["shared_losses"][0]
    assert two["sparsity"] == one["sparsity"] == pytest.approx(0.8, abs=0.005)
    for name in ("pruned_losses", "shared_losses"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4)

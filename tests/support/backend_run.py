"""The tests of the training half on another backend of Keras, in a process of their own."""

import os
import pathlib
import subprocess
import sys

TESTS_FOLDER = pathlib.Path(__file__).parents[1]
BACKENDS = ["jax", "torch"]
MODULES = [
    "training/test_constraints",
    "training/test_covered_weights",
    "training/test_dead_units",
    "training/test_device_assignment",
    "training/test_device_masks",
    "training/test_distillation",
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
    "wrapping/test_compiled_functions",
    "wrapping/test_elementwise_steps",
    "wrapping/test_gradients",
    "wrapping/test_half_floats",
    "wrapping/test_in_place",
    "wrapping/test_kernel_wrapper",
    "wrapping/test_layer_kinds",
    "wrapping/test_layer_state",
    "wrapping/test_model_classes",
    "wrapping/test_sums_by_index",
    "wrapping/test_tied_weights",
    "wrapping/test_train_function",
    "wrapping/test_train_steps",
]


class BackendRun:
    """Starts at once; `result` waits for its end.

    Args:
        backend: str, one of `BACKENDS`.
        folder: `pathlib.Path` of an empty folder for the run's own files.
    """

    def __init__(self, backend, folder):
        self._output = folder / "output.txt"
        # On JAX each test compiles afresh what others have compiled before it; files keep it. What
        # runs once need not be fast.
        compiler = {
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        files = [str(TESTS_FOLDER / f"{name}.py") for name in MODULES]
        with open(self._output, "wb") as output:
            # One worker, whatever runs the tests here: its neighbours have the other cores.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *files],
                env={**os.environ, **compiler, "KERAS_BACKEND": backend},
                # Where the sources do not hide the installed package.
                cwd=TESTS_FOLDER,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def result(self, timeout_seconds):
        """The exit code of pytest, and the end of what it printed.

        Raises:
            subprocess.TimeoutExpired: if the run takes longer from now on.
        """
        code = self._process.wait(timeout_seconds)
        return code, self._output.read_text(errors="replace")[-8000:]

    def stop(self):
        """Ends the run if it still goes on."""
        self._process.kill()
        self._process.wait()

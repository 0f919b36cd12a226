"""What figures were measured on and with."""

import importlib.metadata
import pathlib
import platform

import keras

import keras_dc as dc

PACKAGES = ["keras", "tensorflow", "numpy", "ai-edge-litert", "tflite-runtime", "jax", "torch"]


def cpu_name():
    """Of the processor, as the system calls it."""
    path = pathlib.Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def device_name():
    """Of what Keras computes on: the first GPU that its backend sees, or the processor."""
    name = None
    if keras.backend.backend() == "jax":
        import jax

        device = jax.devices()[0]
        name = device.device_kind if device.platform == "gpu" else None
    elif keras.backend.backend() == "torch":
        import torch

        name = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    else:
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            name = tf.config.experimental.get_device_details(gpus[0]).get("device_name")
    return name or cpu_name()


def versions():
    """Of Python and of what the figures depend on; None for what is not installed."""
    found = {"python": platform.python_version(), "keras_dc": dc.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found

"""Texts that tell models and arguments from others, the same in every process."""

import os
import zlib

import keras
import numpy as np

from keras_dc.wrapping.compilation import compile_arguments, optimizer_of
from keras_dc.wrapping.weights import host_array


def model_fingerprint(model):
    """A text that tells a model, its weights and its compilation from others."""
    check = 0
    for weight in model.weights:
        check = zlib.crc32(np.ascontiguousarray(host_array(weight)).view(np.uint8).data, check)
    optimizer = optimizer_of(model)
    arguments = compile_arguments(model)
    names = [f"{type(layer).__name__} {layer.name}" for layer in model.layers]
    check = zlib.crc32(" ".join(names).encode(), check)
    compiled = {name: named(value) for name, value in arguments.items()}
    return f"{model.name}, CRC-32 {check:08x}, {named(optimizer)}, {compiled}"


def named(value):
    """A text of a value that is the same in another process."""
    if isinstance(value, dict):
        return {str(key): named(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [named(item) for item in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    name = getattr(value, "__name__", type(value).__name__)
    config = getattr(value, "get_config", None)
    if isinstance(value, keras.optimizers.Optimizer) and config is not None:
        return f"{name} with learning rate {named(config()['learning_rate'])}"
    return name if callable(value) or config is not None else repr(value)

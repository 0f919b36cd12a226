"""Conversion of a model of another backend: in a child process on TensorFlow.

Keras takes one backend a process, and TFLite is made from TensorFlow. The model goes over as
a temporary `.keras` file; classes and functions that are not Keras' own by their names.
"""

import os
import pathlib
import pickle
import subprocess
import sys
import tempfile

import keras

from keras_dc import errors
from keras_dc.support import machine
from keras_dc.wrapping.layer_tree import layers_within

_MODEL, _REQUEST, _ANSWER = "model.keras", "request.pickle", "answer.pickle"
_START = "from keras_dc.conversion import tensorflow_process; tensorflow_process.main()"


def to_tflite_on_tensorflow(model, *, input_signature, settings):
    """`tensorflow_converter.to_tflite` for a model of another backend.

    Args:
        model: built Keras model without wrappers.
        input_signature: see `keras_dc.convert`.
        settings: dict, see `**settings` of `keras_dc.convert`.

    Returns:
        bytes of a `.tflite` model.

    Raises:
        ConversionError: if the converter refuses the model, or the child process dies.
        ValueError: if a class or function of the model cannot be imported by another process,
            or the model cannot be saved and loaded.
    """
    settings = dict(settings)
    if settings.get("representative_dataset") is not None:
        settings["representative_dataset"] = list(settings["representative_dataset"]())
    request = {
        "path": sys.path,
        "custom_objects": _custom_objects_of(model),
        "input_signature": input_signature,
        "settings": settings,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            model.save(folder / _MODEL)
        except Exception as error:
            # Keras raises many kinds of errors for models that it cannot save.
            raise ValueError(
                "a model of another backend than TensorFlow must be one that Keras can save. "
                f"Received: {model}, of which Keras says: {error}"
            ) from error
        (folder / _REQUEST).write_bytes(pickle.dumps(request))
        child = subprocess.run(
            machine.child_command(_START, name),
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
        )
        if not (folder / _ANSWER).exists():
            raise errors.ConversionError(
                "the process that converts on TensorFlow must end in an answer. Received: exit "
                f"status {child.returncode}, {child.stderr[-500:]}"
            )
        answer = pickle.loads((folder / _ANSWER).read_bytes())
    if isinstance(answer, tuple):
        kind, message = answer
        raise {"ValueError": ValueError, "TypeError": TypeError}.get(kind, errors.ConversionError)(
            message
        )
    return answer


def _custom_objects_of(model):
    """`(name in the file, module, name in the module)` of each class that is not Keras' own."""
    found = []
    for layer in layers_within(model):
        cls = type(layer)
        if cls.__module__.split(".")[0] in ("keras", "keras_dc"):
            continue
        if cls.__module__ == "__main__" or "<locals>" in cls.__qualname__:
            raise ValueError(
                "a model of another backend than TensorFlow is converted in another process, "
                "which must be able to import the classes of its layers: define them in a "
                f"module of their own. Received: {cls.__qualname__} of {cls.__module__}"
            )
        found.append((cls.__name__, cls.__module__, cls.__qualname__))
    return found


def _answer(folder):
    """What the child process does: bytes of the `.tflite` model, or what went wrong."""
    import importlib
    import operator

    from keras_dc.conversion.tensorflow_converter import to_tflite

    request = pickle.loads((folder / _REQUEST).read_bytes())
    try:
        custom_objects = {
            name: operator.attrgetter(path)(importlib.import_module(module))
            for name, module, path in request["custom_objects"]
        }
        # Safe mode refuses lambdas; these are the caller's own.
        model = keras.saving.load_model(
            folder / _MODEL, custom_objects=custom_objects, compile=False, safe_mode=False
        )
        settings = request["settings"]
        samples = settings.get("representative_dataset")
        if samples is not None:
            settings["representative_dataset"] = lambda: iter(samples)
        return to_tflite(model, input_signature=request["input_signature"], **settings)
    except Exception as error:
        return type(error).__name__, str(error)


def main():
    """The child process; its argument is the folder of the request."""
    place = pathlib.Path(sys.argv[1])
    (place / _ANSWER).write_bytes(pickle.dumps(_answer(place)))

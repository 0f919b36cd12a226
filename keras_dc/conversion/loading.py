"""What `convert` takes: Keras models of both generations, files and SavedModels."""

import contextlib
import os
import pathlib

import keras
import numpy as np

from keras_dc.numerics.finite import count_nonfinite
from keras_dc.training.stripping import stripped_for_a_while
from keras_dc.wrapping.constraints import check_kernel_is_used
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import is_of_keras_2 as is_tf_keras
from keras_dc.wrapping.layer_tree import layers_of_class

_KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
_SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
# Wrappers of TensorFlow Model Optimization, and its functions that remove them.
_UNSTRIPPED = {"PruneLowMagnitude": "strip_pruning", "ClusterWeights": "strip_clustering"}


def load(model, *, custom_objects=None):
    """The model for what `convert` takes.

    Args:
        model: Keras model, wrapped or not; tf_keras (Keras 2) model; path of a `.keras`
            or `.h5` file; directory of a SavedModel.
        custom_objects: dict from names to classes or functions of a file that Keras
            does not know.

    Returns:
        Keras model, with its wrappers, or tf_keras model; or `pathlib.Path` of a SavedModel.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        TypeError: if `model` is none of these.
        ValueError: if the file is of another kind or cannot be loaded, the model has
            wrappers of TensorFlow Model Optimization or LoRA, is quantized by Keras, or a
            weight is NaN or infinite.
    """
    if isinstance(model, (str, os.PathLike)):
        path = pathlib.Path(model)
        if path.is_dir():
            _refuse_custom_objects(custom_objects)
            return _checked_saved_model(path)
        model = _load_file(path, custom_objects)
    else:
        _refuse_custom_objects(custom_objects)
    if is_tf_keras(model):
        _refuse_unstripped(model)
    elif not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a Keras or tf_keras model, the path of a .keras or .h5 file, or a "
            f"SavedModel's directory; `compress` takes .tflite models. "
            f"Received: {type(model).__name__}"
        )
    else:
        check_kernel_is_used(model)
    _check_finite(model)
    return model


@contextlib.contextmanager
def plain_model(model):
    """In the block, what `load` gave without keras_dc's wrappers; then it has them again."""
    if isinstance(model, keras.Model) and layers_of_class(model, KernelWrapper):
        with stripped_for_a_while(model) as plain:
            yield plain
    else:
        yield model


def _refuse_custom_objects(custom_objects):
    if custom_objects is not None:
        raise ValueError(
            "`custom_objects` are for a .keras or .h5 file; another model has its classes with "
            f"it. Received: custom_objects={custom_objects!r}"
        )


def _checked_saved_model(path):
    if not any((path / name).is_file() for name in _SAVED_MODEL_FILES):
        raise ValueError(
            f"a directory must be a SavedModel, with {' or '.join(_SAVED_MODEL_FILES)} in it. "
            f"Received: {str(path)!r}"
        )
    return path


def _load_file(path, custom_objects):
    if not path.is_file():
        raise FileNotFoundError(f"there must be a model at the path. Received: {str(path)!r}")
    if path.suffix == ".tflite":
        raise ValueError(
            f"a .tflite file is converted already: call `compress` on it. Received: {str(path)!r}"
        )
    if path.suffix not in _KERAS_SUFFIXES:
        raise ValueError(
            f"the file of a Keras model must end with {', '.join(_KERAS_SUFFIXES)}. "
            f"Received: {str(path)!r}"
        )
    try:
        return keras.saving.load_model(path, custom_objects=custom_objects, compile=False)
    except Exception as error:
        # Keras raises many kinds of errors for files that it cannot load.
        raise ValueError(
            f"Keras must be able to load the file, with `custom_objects` for classes that it does "
            f"not know; a file of Keras 2 is loaded by tf_keras, and the model passed. "
            f"Received: {str(path)!r}, of which Keras says: {_reason(error)}"
        ) from error


def _reason(error):
    """The last cause in Keras' message, without the configurations in it."""
    return str(error).split("Exception encountered:")[-1].split("Full object config")[0].strip()


def _refuse_unstripped(model):
    for layer in model.submodules:
        for cls in type(layer).__mro__:
            is_theirs = cls.__module__.split(".")[0] == "tensorflow_model_optimization"
            if is_theirs and cls.__name__ in _UNSTRIPPED:
                raise ValueError(
                    "a model of TensorFlow Model Optimization must be stripped with its own "
                    f"`{_UNSTRIPPED[cls.__name__]}`. Received: layer {layer.name!r}, a "
                    f"{cls.__name__}"
                )


def _check_finite(model):
    """Refuse the weights of a training that diverged."""
    found = []
    for weight in model.weights:
        values = np.asarray(weight) if is_tf_keras(model) else keras.ops.convert_to_numpy(weight)
        count = count_nonfinite(values) if "float" in values.dtype.name else 0
        if count:
            name = getattr(weight, "path", weight.name)
            found.append(f"{name} with {count} of {values.size} NaN or infinite")
    if found:
        raise ValueError(
            "the weights must be finite; `compress` codes a .tflite model as it is. "
            f"Received: {'; '.join(found[:5])}"
        )

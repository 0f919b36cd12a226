"""The model that the user gave, as a function from named inputs to named outputs.

`convert` compares its file with these outputs, and not with those of a copy made on the way.
"""

import os
import re

import keras
import numpy as np

from keras_dc.conversion.loading import is_tf_keras


class SourceModel:
    """A Keras or tf_keras model, called in inference mode. It is not changed.

    Args:
        model: built Keras or tf_keras model.
        signature: list of nested structures of `tf.TensorSpec`, one for each positional
            argument; see `input_signatures.input_signature_of`.
    """

    def __init__(self, model, signature):
        self._model = model
        self._signature = signature
        # Between samples a model may keep a state, as its file does.
        self._state: dict = {}

    def __call__(self, sample):
        """The outputs for a sample: dict from names to arrays.

        Args:
            sample: dict from the names of a `.tflite` signature's inputs to arrays.
        """
        specs = keras.tree.flatten(self._signature)
        names = _names_of(specs, list(sample))
        values = [sample[name] for name in names]
        arguments = keras.tree.pack_sequence_as(self._signature, values)
        outputs = self._call(*arguments)
        if isinstance(outputs, dict):
            return {name: np.asarray(value) for name, value in outputs.items()}
        flat = keras.tree.flatten(outputs)
        return {f"output_{i}": np.asarray(value) for i, value in enumerate(flat)}

    def _call(self, *arguments):
        if is_tf_keras(self._model):
            return self._model(*arguments, training=False)
        arguments = keras.tree.map_structure(keras.ops.convert_to_tensor, arguments)
        # What the call assigns to variables, the scope keeps.
        with keras.StatelessScope() as scope:
            # Not by the constructor: the model does not list the state of recurrent layers.
            scope.state_mapping.update(self._state)
            outputs = self._model(*arguments, training=False)
        self._state = scope.state_mapping
        return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


class SavedModelSource:
    """One signature of a SavedModel.

    Args:
        path: directory of the SavedModel.
        key: str, the name of the signature.
    """

    def __init__(self, path, key):
        import tensorflow as tf

        # Its variables live as long as the object.
        self._loaded = tf.saved_model.load(os.fspath(path))
        self._function = self._loaded.signatures[key]

    def __call__(self, sample):
        """The outputs for a sample, as those of SourceModel."""
        import tensorflow as tf

        outputs = self._function(**{name: tf.constant(sample[name]) for name in sample})
        return {name: value.numpy() for name, value in outputs.items()}


def _names_of(specs, names):
    """The names of a signature's inputs in the order of `specs`."""
    own = [spec.name for spec in specs]
    if sorted(map(str, own)) == sorted(names):
        return own
    # TensorFlow numbers what has no name: args_0, args_0_1, args_1.
    return sorted(names, key=in_numeric_order)


def in_numeric_order(name):
    """Sorting key of names in which numbers count as numbers: `output_10` after `output_2`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]

"""Models that compute in half precision, in full precision."""

import keras

from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.layer_tree import layers_within


def in_full_precision(model):
    """A copy of a Sequential or Functional model that computes in the dtype of its weights.

    A model of mixed precision becomes one of float32.
    """

    def full(layer):
        for part in layers_within(layer):
            if part.compute_dtype != part.variable_dtype:
                part.dtype_policy = keras.dtype_policies.DTypePolicy(part.variable_dtype)
        return layer

    return replace_layers(model, full)

"""The codebooks and the scales of BatchNorm in a Keras model."""

import os

from keras import ops

from keras_dc.compression.factoring.known_factors import KnownFactors, known_factors
from keras_dc.training.batch_norm import scale_of


def factors_of(model):
    """What the kernels that TensorFlow's converter makes of a model are products of.

    The converter folds a BatchNormalization into the kernel beside it, wherever that is.

    Args:
        model: a plain Keras or tf_keras model, or the path of a SavedModel.

    Returns:
        KnownFactors; of a path, or without BatchNormalization, there are none.
    """
    if isinstance(model, os.PathLike):
        return KnownFactors({}, {})
    layers = list(model._flatten_layers())
    norms = [layer for layer in layers if type(layer).__name__ == "BatchNormalization"]
    if not norms:
        return KnownFactors({}, {})
    variables = {id(weight): weight for layer in layers for weight in layer.weights}
    kernels = (weight for weight in variables.values() if len(weight.shape) > 1)
    return known_factors(
        map(ops.convert_to_numpy, kernels), (ops.convert_to_numpy(scale_of(norm)) for norm in norms)
    )

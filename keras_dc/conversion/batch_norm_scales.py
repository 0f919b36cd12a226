"""Candidate factors of a converted model: the codebooks and BatchNorm scales of its source."""

import os

from keras import ops

from keras_dc.compression.factoring.candidates import CandidateFactors
from keras_dc.training.batch_norm import scale_of
from keras_dc.wrapping.layer_tree import layers_within


def factors_of(model):
    """Factors that the weights of a model's `.tflite` file may be products of.

    TensorFlow's converter folds a BatchNormalization into the kernel beside it.

    Args:
        model: a plain Keras or tf_keras model, or the path of a SavedModel.

    Returns:
        CandidateFactors; none for a path, or a model without BatchNormalization.
    """
    if isinstance(model, os.PathLike):
        return CandidateFactors()
    layers = layers_within(model)
    norms = [layer for layer in layers if type(layer).__name__ == "BatchNormalization"]
    if not norms:
        return CandidateFactors()
    variables = {id(weight): weight for layer in layers for weight in layer.weights}
    kernels = (weight for weight in variables.values() if len(weight.shape) > 1)
    return CandidateFactors.of(
        map(ops.convert_to_numpy, kernels), (ops.convert_to_numpy(scale_of(norm)) for norm in norms)
    )

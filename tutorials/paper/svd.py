"""Dense layers split by their singular values: a rival of pruning and sharing."""

import keras
import numpy as np
from keras import layers


def truncated(kernel, rank):
    """The best product of two matrices of a rank (Eckart & Young 1936).

    Args:
        kernel: float array `(inputs, units)`.
        rank: int in [1, min(inputs, units)].

    Returns:
        (float array `(inputs, rank)`, float array `(rank, units)`).
    """
    left, values, right = np.linalg.svd(kernel, full_matrices=False)
    roots = np.sqrt(values[:rank])
    return left[:, :rank] * roots, roots[:, None] * right[:rank]


def split(model, ranks):
    """A network whose layers are two each, of which the first has no bias.

    Args:
        model: `keras.Sequential` of Dense layers.
        ranks: dict from names of layers to ints; other layers stay as they are.

    Returns:
        `keras.Sequential`, trainable.
    """
    stack, weights = [keras.Input(model.input_shape[1:], name="image")], []
    for layer in model.layers:
        if layer.name in ranks:
            rank = ranks[layer.name]
            stack.append(layers.Dense(rank, use_bias=False, name=f"{layer.name}_narrow"))
            weights += truncated(keras.ops.convert_to_numpy(layer.kernel), rank)
            weights.append(layer.bias)
        else:
            weights += [layer.kernel, layer.bias]
        stack.append(layers.Dense(layer.units, activation=layer.activation, name=layer.name))
    found = keras.Sequential(stack, name=f"{model.name}_svd")
    found.set_weights([keras.ops.convert_to_numpy(weight) for weight in weights])
    return found

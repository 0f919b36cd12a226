"""Less dropout for retraining: a pruned layer has less to overfit with."""

import keras
import numpy as np

from keras_dc.training.pruning import PrunedLayer
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.graphs import graph_of, nodes_of, producing_node
from keras_dc.wrapping.kernel_wrapper import find_kernels


def rescale_dropout(model):
    """`model` with `rate * sqrt(kept fraction)` in place of each dropout rate.

    Han et al. 2015, section 3.2: the fraction is that of the connections into the
    neurons that drop out, the weights of the last layer with a kernel before them.
    Call it between pruning and retraining, once.

    Args:
        model: a built Sequential or Functional model: pruned, or stripped with zeros in
            its kernels.

    Returns:
        A copy of `model`, to be compiled. Dropout after a model's input or after a
        merge of branches keeps its rate, as do the rates within recurrent layers.

    Raises:
        ValueError: if `model` is neither, or has no dropout layer.
    """
    rates = _new_rates(model)
    if not rates:
        raise ValueError(f"`model` has no Dropout layer. Received: model={model}")

    def rescaled(layer):
        if layer.name in rates:
            layer.rate = rates[layer.name]
        return layer

    return replace_layers(model, rescaled)


def _new_rates(model):
    graph = graph_of(model, "rescale_dropout")
    rates = {}
    for node in nodes_of(graph):
        layer = node.operation
        if isinstance(layer, (keras.Sequential, keras.Function)):
            rates |= _new_rates(layer)
        elif isinstance(layer, keras.layers.Dropout):
            rates[layer.name] = layer.rate * np.sqrt(_kept_before(node))
    return rates


def _kept_before(node):
    """Fraction of weights that are not pruned in the last layer before a call, or 1."""
    while len(node.input_tensors) == 1:
        node = producing_node(node.input_tensors[0])
        if isinstance(node.operation, keras.Layer) and find_kernels(node.operation):
            return _kept(node.operation)
    return 1.0


def _kept(layer):
    if isinstance(layer, PrunedLayer):
        weights = layer.current_masks()
    else:
        kernels = find_kernels(layer)
        weights = [keras.ops.convert_to_numpy(kernel.variable) for kernel in kernels]
    return sum(np.count_nonzero(w) for w in weights) / sum(w.size for w in weights)

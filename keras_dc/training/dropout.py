"""Less dropout for retraining: a pruned layer has fewer weights to overfit with."""

import keras
import numpy as np

from keras_dc.training.pruning import PrunedLayer
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.graphs import Graph
from keras_dc.wrapping.layer_tree import source_of
from keras_dc.wrapping.weights import find_kernels, host_array


def rescale_dropout(model):
    """`model` with `rate * sqrt(density)` in place of each dropout rate.

    Han et al. 2015, section 3.2. The density is that of the last layer with a kernel before
    the dropout. Call it once, between pruning and retraining.

    Args:
        model: a built Sequential or Functional model, pruned, or stripped with zeros in
            its kernels.

    Returns:
        A copy of `model`, to be compiled. Dropout right after the input of a model or after
        a merge of branches keeps its rate, and so do the rates inside recurrent layers.

    Raises:
        ValueError: if `model` is neither, or has no dropout layer.
    """
    rates = _new_rates(model)
    if not rates:
        raise ValueError(f"`model` has no Dropout layer. Received: model={model}")

    def rescaled(layer):
        original = source_of(layer)
        if original in rates:
            layer.rate = rates[original]
        return layer

    return replace_layers(model, rescaled)


def _new_rates(model):
    """The new rate of each dropout layer of `model`: dict."""
    graph = Graph(model, "rescale_dropout")
    rates = {}
    for call in graph.calls:
        layer = call.operation
        if isinstance(layer, (keras.Sequential, keras.Function)):
            rates |= _new_rates(layer)
        elif isinstance(layer, keras.layers.Dropout):
            # Not of NumPy, which would be float32 in a layer that computes in bfloat16, on JAX.
            rates[layer] = float(layer.rate * np.sqrt(_kept_before(call, graph)))
    return rates


def _kept_before(call, graph):
    """Density of the last layer with a kernel before a call, or 1 if there is none."""
    while len(call.input_tensors) == 1:
        call = graph.producer(call.input_tensors[0])
        layer = call.operation
        kernels = find_kernels(layer) if isinstance(layer, keras.Layer) else []
        if kernels:
            return _density(layer, kernels)
    return 1.0


def _density(layer, kernels):
    if isinstance(layer, PrunedLayer):
        weights = layer.current_masks()
    else:
        weights = [host_array(kernel.variable) for kernel in kernels]
    return sum(np.count_nonzero(w) for w in weights) / sum(w.size for w in weights)

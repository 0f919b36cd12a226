"""Folding batch normalization into the layer before it, or into the Dense after it.

The TFLite converter folds as well, and turns a shared kernel into one with other values in
each channel. If the normalization is folded before weights are shared, each kernel keeps
one codebook.
"""

import collections
import functools

import keras
from keras import layers, ops

from keras_dc.training.stripping import strip
from keras_dc.wrapping.cloning import copy_operation
from keras_dc.wrapping.graph_clones import clone_graph
from keras_dc.wrapping.graphs import Graph
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_state import copy_state
from keras_dc.wrapping.layer_tree import layers_of_class
from keras_dc.wrapping.live_objects import copy_by_config

# The last axis of a kernel is the output channels, except in these layers.
_TRANSPOSES = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_LAST_AXIS = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)
_FOLDABLE = (*_LAST_AXIS, *_TRANSPOSES, *_DEPTHWISE, *_SEPARABLE)


def fold_batch_norm(model):
    """`model` with BatchNormalization layers folded into the layers next to them.

    A convolution or a Dense layer followed by the normalization, with no activation in
    between, gets the kernel `kernel * s` and the bias `(bias - mean) * s + beta`, where
    `s = gamma * rsqrt(variance + epsilon)`, one value per channel. If a Dense layer follows
    the normalization, the rows of its kernel are multiplied by `s`. The kernels equal those
    that the TFLite converter makes of `model` bit for bit; outputs of `predict` agree up to
    rounding. The result is for inference, pruning and sharing: it has no statistics left to
    learn.

    Args:
        model: a built Sequential or Functional model. Of a pruned or shared one, what `strip`
            gives is folded.

    Returns:
        A new model, not compiled. The folded layers keep their names.

    Raises:
        ValueError: if `model` is neither, or cannot be cloned.
    """
    graph = Graph(model, "fold_batch_norm")
    if layers_of_class(model, KernelWrapper):
        model = strip(model)
        graph = Graph(model, "fold_batch_norm")
    folded, dropped = _plan(graph)
    copies = []

    def copy(layer):
        if isinstance(layer, (keras.Sequential, keras.Function)):
            return fold_batch_norm(layer)
        if layer in folded:
            return folded[layer]()
        new_layer = copy_operation(layer)
        if isinstance(layer, keras.Layer):
            copies.append((layer, new_layer))
        return new_layer

    if isinstance(model, keras.Sequential):
        kept = [layer for layer in model.layers if layer not in dropped]
        first = keras.Input(batch_shape=model.input_shape, dtype=model.inputs[0].dtype)
        clone = keras.Sequential([first, *map(copy, kept)], name=model.name)
    else:
        clone = _clone_functional(model, copy, dropped)
    for layer, new_layer in copies:
        # Again, for weights that a layer makes in its first call.
        copy_state(layer, new_layer)
    return clone


def _clone_functional(model, copy, dropped):
    dropped_copies = set()

    def clone_layer(layer):
        new_layer = copy(layer)
        if layer in dropped:
            dropped_copies.add(new_layer)
        return new_layer

    def call(layer, *args, **kwargs):
        return args[0] if layer in dropped_copies else layer(*args, **kwargs)

    return clone_graph(model, clone_function=clone_layer, call_function=call)


def _plan(graph):
    """What to fold.

    Returns:
        (dict from a layer to a callable that makes the layer to take its place,
        set of the BatchNormalization layers that are then left out).
    """
    num_calls = collections.Counter(call.operation for call in graph.calls)
    folded, dropped = {}, set()

    def is_free(layer):
        return num_calls[layer] == 1 and layer not in folded

    for call in graph.calls:
        norm = call.operation
        if type(norm) is not layers.BatchNormalization or num_calls[norm] != 1:
            continue
        before = graph.producer(call.input_tensors[0])
        after = graph.consumers(call.outputs[0])
        layer = before.operation
        if (
            type(layer) in _FOLDABLE
            and is_free(layer)
            and len(graph.consumers(before.outputs[0])) == 1
            and layer.activation is keras.activations.linear
            and _normalizes_channels(norm, layer, len(before.outputs[0].shape))
        ):
            folded[layer] = functools.partial(_with_norm_after, layer, norm)
        elif (
            len(after) == 1
            and after[0] is not None
            and type(after[0].operation) is layers.Dense
            and is_free(after[0].operation)
            and norm.axis in (-1, len(call.outputs[0].shape) - 1)
        ):
            dense = after[0].operation
            folded[dense] = functools.partial(_with_norm_before, dense, norm)
        else:
            continue
        dropped.add(norm)
    return folded, dropped


def _normalizes_channels(norm, layer, num_axes):
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    return norm.axis % num_axes == (1 if first else num_axes - 1)


def scale_of(norm):
    """`gamma * rsqrt(variance + epsilon)`, in the operations of TensorFlow's converter.

    Args:
        norm: a built BatchNormalization layer.

    Returns:
        Tensor `(channels,)`.
    """
    scale = ops.rsqrt(ops.convert_to_tensor(norm.moving_variance) + norm.epsilon)
    return scale if norm.gamma is None else ops.convert_to_tensor(norm.gamma) * scale


def _scale_and_shift(norm):
    """`s` and `t` of the normalization `x * s + t`: tensors `(channels,)`."""
    scale = scale_of(norm)
    shift = -norm.moving_mean * scale
    return scale, shift if norm.beta is None else norm.beta + shift


def _with_norm_after(layer, norm):
    scale, shift = _scale_and_shift(norm)
    name = "pointwise_kernel" if type(layer) in _SEPARABLE else "kernel"
    kernel = getattr(layer, name)
    if type(layer) in _TRANSPOSES:
        factors = ops.expand_dims(scale, -1)
    elif type(layer) in _DEPTHWISE:
        factors = ops.reshape(scale, kernel.shape[-2:])
    else:
        factors = scale
    bias = shift if layer.bias is None else layer.bias * scale + shift
    return _changed(layer, name, kernel * factors, bias)


def _with_norm_before(layer, norm):
    scale, shift = _scale_and_shift(norm)
    bias = ops.matmul(shift, layer.kernel)
    if layer.bias is not None:
        bias = bias + layer.bias
    return _changed(layer, "kernel", layer.kernel * ops.expand_dims(scale, -1), bias)


def _changed(layer, name, kernel, bias):
    """A copy of `layer` with another kernel and a bias, also if it had none."""
    copy = copy_by_config(layer, use_bias=True)
    copy.build_from_config(layer.get_build_config())
    for old, new in zip(layer.weights, copy.weights, strict=False):
        # Copied: on JAX, `predict` deletes the arrays of its model, shared or not.
        new.assign(ops.convert_to_numpy(old))
    getattr(copy, name).assign(kernel + 0.0)  # -0.0 becomes 0.0
    copy.bias.assign(bias)
    return copy

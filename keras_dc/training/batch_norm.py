"""Folding batch normalization into the layer before it, or into the Dense after it.

The TFLite converter folds too, and then a shared kernel has many values per channel.
What is folded before weights are shared keeps one codebook.
"""

import keras
from keras import layers, ops

from keras_dc.wrapping.cloning import clone_graph, copy_layer
from keras_dc.wrapping.graphs import consumers_of, graph_of, nodes_of, producing_node

# Where the output channels are in the kernel: the last axis, but for these.
_TRANSPOSES = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_LAST_AXIS = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)
_FOLDABLE = (*_LAST_AXIS, *_TRANSPOSES, *_DEPTHWISE, *_SEPARABLE)


def fold_batch_norm(model):
    """`model` without the BatchNormalization layers that a neighbour can do the work of.

    After a convolution or a Dense layer with no activation in between
    `kernel * s` and `(bias - mean) * s + beta`, where
    `s = gamma * rsqrt(variance + epsilon)`; before a Dense layer, `s` goes into the rows
    of its kernel. The kernels are those that the TFLite converter makes of `model`, bit
    for bit; outputs of `predict` are equal but for rounding. The result is for
    inference, or for pruning and sharing: it has no statistics left to learn.

    Args:
        model: a built Sequential or Functional model. Strip it first: wrapped layers
            are not folded into.

    Returns:
        A new model, not compiled. The folded layer keeps its name.

    Raises:
        ValueError: if `model` is neither, or cannot be cloned.
    """
    graph = graph_of(model, "fold_batch_norm")
    folded, dropped = _plan(graph)
    copies = []

    def copy(layer):
        if not isinstance(layer, keras.Layer):
            # An operation such as `x != 0`, which has no weights.
            return type(layer).from_config(layer.get_config())
        if isinstance(layer, (keras.Sequential, keras.Function)):
            return fold_batch_norm(layer)
        if id(layer) in folded:
            return folded[id(layer)]()
        copies.append((layer, copy_layer(layer)))
        return copies[-1][1]

    if isinstance(model, keras.Sequential):
        kept = [layer for layer in model.layers if id(layer) not in dropped]
        first = keras.Input(batch_shape=model.input_shape, dtype=model.inputs[0].dtype)
        clone = keras.Sequential([first, *map(copy, kept)], name=model.name)
    else:
        clone = _clone_functional(model, copy, dropped)
    for layer, new_layer in copies:
        # Weights that are made only in the first call.
        new_layer.set_weights(layer.get_weights())
    return clone


def _clone_functional(model, copy, dropped):
    dropped_copies = set()

    def clone_layer(layer):
        new_layer = copy(layer)
        if id(layer) in dropped:
            dropped_copies.add(id(new_layer))
        return new_layer

    def call(layer, *args, **kwargs):
        return args[0] if id(layer) in dropped_copies else layer(*args, **kwargs)

    return clone_graph(model, clone_function=clone_layer, call_function=call)


def _plan(graph):
    """What to fold.

    Returns:
        (dict from `id` of a layer to a callable that makes the one to take its place,
        set of the `id` of each BatchNormalization that then has nothing to do).
    """
    consumers, calls = consumers_of(graph), {}
    for node in nodes_of(graph):
        calls[id(node.operation)] = calls.get(id(node.operation), 0) + 1
    folded, dropped = {}, set()

    def is_free(node):
        """Whether nothing depends on this call as it is but its one consumer."""
        return calls[id(node.operation)] == 1 and id(node.operation) not in folded

    for node in nodes_of(graph):
        norm = node.operation
        if type(norm) is not layers.BatchNormalization or calls[id(norm)] != 1:
            continue
        before = producing_node(node.input_tensors[0])
        after = consumers[id(node.outputs[0])]
        layer = before.operation
        if (
            type(layer) in _FOLDABLE
            and is_free(before)
            and len(consumers[id(before.outputs[0])]) == 1
            and layer.activation is keras.activations.linear
            and _normalizes_channels(norm, layer, len(before.outputs[0].shape))
        ):
            folded[id(layer)] = lambda layer=layer, norm=norm: _with_norm_after(layer, norm)
        elif (
            len(after) == 1
            and after[0] is not None
            and type(after[0].operation) is layers.Dense
            and is_free(after[0])
            and norm.axis in (-1, len(node.outputs[0].shape) - 1)
        ):
            dense = after[0].operation
            folded[id(dense)] = lambda dense=dense, norm=norm: _with_norm_before(dense, norm)
        else:
            continue
        dropped.add(id(norm))
    return folded, dropped


def _normalizes_channels(norm, layer, num_axes):
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    return norm.axis % num_axes == (1 if first else num_axes - 1)


def scale_of(norm):
    """What a normalization multiplies its channels by, as TensorFlow's converter computes it.

    Args:
        norm: a built BatchNormalization layer.

    Returns:
        tensor `(channels,)`.
    """
    scale = ops.rsqrt(ops.convert_to_tensor(norm.moving_variance) + norm.epsilon)
    return scale if norm.gamma is None else ops.convert_to_tensor(norm.gamma) * scale


def _scale_and_shift(norm):
    """`s` and `t` of `x * s + t`, tensors `(channels,)`: as the converter computes them."""
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
    """A copy of `layer` with another kernel, and a bias whether it had one or not."""
    copy = type(layer).from_config({**layer.get_config(), "use_bias": True})
    copy.build_from_config(layer.get_build_config())
    for old, new in zip(layer.weights, copy.weights, strict=False):
        # By a copy: on JAX, `predict` deletes the array of the one model or the other.
        new.assign(ops.convert_to_numpy(old))
    getattr(copy, name).assign(kernel + 0.0)  # -0.0 becomes 0.0
    copy.bias.assign(bias)
    return copy

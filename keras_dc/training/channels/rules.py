"""The rule of each kind of layer: which channels are constant, needed, and tied to others.

A channel is an index of the last axis of a tensor. It is constant if it has one value, at
every place and for every input. A layer of a kind that is not listed here is `Opaque`.
"""

import numpy as np
from keras import layers

from keras_dc.training.channels.passing import Concatenated, Flattened, Merged, Opaque, Passing
from keras_dc.training.channels.weighted import (
    ELEMENTWISE,
    Depthwise,
    Normalized,
    Product,
    Separable,
)

_FUNCTIONS = (layers.ReLU, layers.LeakyReLU, layers.ELU)
# What keeps a constant as it is when it does not train.
_IDENTITIES = (
    layers.Identity, layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D,
    layers.SpatialDropout3D, layers.GaussianDropout, layers.GaussianNoise, layers.AlphaDropout,
    layers.Cropping1D, layers.Cropping2D, layers.Cropping3D,
    layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D,
    layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D,
)  # fmt: skip
# These keep a constant unless they meet the zeros around a border.
_POOLINGS = (
    layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D,
    layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
)  # fmt: skip
_ZERO_PADDINGS = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_SUMS = {
    layers.Add: np.sum,
    layers.Average: np.mean,
    layers.Maximum: np.max,
    layers.Minimum: np.min,
    layers.Multiply: np.prod,
}


def rule_of(call, *, is_alone):
    """The rule of a call of a layer.

    Args:
        call: a node of `wrapping.graphs.Graph`.
        is_alone: whether the layer is called once, with its usual arguments, and shares no
            variable with another layer.

    Returns:
        A rule, whose methods take and give an array for each input tensor of the call:
        float64 constants with NaN for channels that have none, or bool masks.
    """
    layer, inputs = call.operation, call.input_tensors
    kind = type(layer)
    is_known = is_alone and len(call.outputs) == 1 and inputs
    if not is_known or getattr(layer, "data_format", "channels_last") != "channels_last":
        return Opaque()
    if None in [tensor.shape[-1] for tensor in (*inputs, call.outputs[0]) if tensor.shape]:
        return Opaque()
    if kind in _SUMS or kind is layers.Subtract or kind is layers.Concatenate:
        return _rule_of_merge(layer, inputs)
    if len(inputs) != 1:
        return Opaque()
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        return Opaque()
    if kind in (layers.Dense, *_CONVOLUTIONS):
        is_grouped = getattr(layer, "groups", 1) != 1
        return Opaque() if is_grouped else Product(layer)
    if kind in _SEPARABLE:
        return Separable(layer)
    if kind in _DEPTHWISE:
        return Depthwise(layer) if layer.activation in ELEMENTWISE else Opaque()
    return _rule_of_passing(layer, inputs[0])


def _rule_of_merge(layer, inputs):
    ranks = {len(tensor.shape) for tensor in inputs}
    if isinstance(layer, layers.Concatenate):
        is_last = len(ranks) == 1 and layer.axis in (-1, max(ranks) - 1)
        return Concatenated() if is_last else Opaque()
    # Where shapes differ, channels may be repeated, or axes be moved.
    is_alike = len(ranks) == 1 and len({tensor.shape[-1] for tensor in inputs}) == 1
    if not is_alike:
        return Opaque()
    function = _SUMS.get(type(layer))
    return Merged(function or (lambda values, axis: values[0] - values[1]))


def _rule_of_passing(layer, tensor):
    kind, rank = type(layer), len(tensor.shape)
    if kind is layers.BatchNormalization:
        axes = np.atleast_1d(layer.axis)
        return Normalized(layer) if axes.tolist() in ([-1], [rank - 1]) else Opaque()
    if kind is layers.Activation:
        return Passing(layer.call) if layer.activation in ELEMENTWISE else Opaque()
    if kind in _FUNCTIONS:
        return Passing(layer.call)
    if kind is layers.Flatten:
        places = tensor.shape[1:-1]
        return Opaque() if None in places else Flattened(int(np.prod(places)))
    if kind in _IDENTITIES or (kind in _POOLINGS and layer.padding == "valid"):
        return Passing()
    if kind in _POOLINGS or kind in _ZERO_PADDINGS:
        return Passing(is_zero_alone=True)
    return Opaque()

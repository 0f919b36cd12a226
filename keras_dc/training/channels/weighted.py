"""Layers whose weights have an axis of channels."""

import keras
import numpy as np
from keras import layers

from keras_dc.training.channels.passing import Opaque, Passing, mapped
from keras_dc.wrapping.live_objects import copy_by_config
from keras_dc.wrapping.weights import host_array

# Functions of one number, so that a constant stays one; softmax is none.
ELEMENTWISE = [
    getattr(keras.activations, name)
    for name in (
        "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "celu", "silu", "mish",
        "sigmoid", "hard_sigmoid", "hard_silu", "log_sigmoid", "tanh", "hard_tanh", "softplus",
        "softsign", "exponential",
    )
    if hasattr(keras.activations, name)
]  # fmt: skip


class Normalized(Passing):
    """BatchNormalization, by its moving statistics."""

    has_weights = True

    def __init__(self, layer):
        self._layer = layer
        size = layer.moving_mean.shape[0]
        self._gamma = host_array(layer.gamma) if layer.scale else np.ones(size)

    def constants(self, given, sizes):
        layer = self._layer
        mean, variance = (
            np.asarray(host_array(weight), np.float64)
            for weight in (layer.moving_mean, layer.moving_variance)
        )
        values = (given[0] - mean) / np.sqrt(variance + layer.epsilon) * self._gamma
        values = np.where(self._gamma == 0, 0.0, values)
        return [values + host_array(layer.beta) if layer.center else values]

    def needs(self, given, kept):
        return [kept & (self._gamma != 0)]

    def smaller(self, shape, given, ins, outs):
        names = ["gamma"] * self._layer.scale + ["beta"] * self._layer.center
        names += ["moving_mean", "moving_variance"]
        values = {name: host_array(getattr(self._layer, name))[outs[0]] for name in names}
        return _rebuilt(self._layer, shape, values)


class Product(Opaque):
    """Dense, and convolutions that are not grouped: sums over input channels."""

    has_weights = True

    def __init__(self, layer):
        self._layer = layer
        self._is_elementwise = layer.activation in ELEMENTWISE
        self._counts_borders = _counts_borders(layer)
        # Of `(inputs, outputs)`: whether a channel enters another, and its weights' sum.
        self._uses, self._sums = self._links()

    def _links(self):
        kernel = host_array(self._layer.kernel)
        return _any_and_sum(kernel.reshape(-1, *kernel.shape[-2:]))

    def _foldable(self, values):
        """Which input channels are constants, as the layer sees them."""
        return np.isfinite(values) & ((values == 0) | (not self._counts_borders))

    def _folded(self, values, which):
        """What the constant input channels `which` add to the outputs: float64."""
        return values[which] @ self._sums[which]

    def constants(self, given, sizes):
        if not self._is_elementwise:
            return super().constants(given, sizes)
        which = self._foldable(given[0])
        bias = host_array(self._layer.bias) if self._layer.use_bias else 0.0
        values = self._folded(given[0], which) + bias
        values = np.where(self._uses[~which].any(axis=0), np.nan, values)
        return [mapped(self._layer.activation, values)]

    def needs(self, given, kept):
        return [self._uses[:, kept].any(axis=1) & ~self._foldable(given[0])]

    def tied(self, ins, outs):
        # An activation such as softmax mixes the channels.
        return ins, outs if self._is_elementwise else [np.ones_like(outs[0])]

    def smaller(self, shape, given, ins, outs):
        folded = self._folded(given[0], ~ins[0] & self._foldable(given[0]))[outs[0]]
        kernels = self._smaller_kernels(ins[0], outs[0])
        return _rebuilt(self._layer, shape, kernels, outputs=outs[0], folded=folded)

    def _smaller_kernels(self, ins, outs):
        return {"kernel": host_array(self._layer.kernel)[..., ins, :][..., outs]}


class Separable(Product):
    """SeparableConv: a depthwise convolution, then a pointwise one."""

    def _links(self):
        depthwise = host_array(self._layer.depthwise_kernel)
        uses, sums = _any_and_sum(depthwise.reshape(-1, *depthwise.shape[-2:]))
        pointwise = host_array(self._layer.pointwise_kernel).reshape(*uses.shape, -1)
        # Where a factor is zero the product is, and no sum of products of others hides one.
        links = np.einsum("im,imo->io", uses, pointwise != 0)
        return links, np.einsum("im,imo->io", sums, pointwise)

    def _smaller_kernels(self, ins, outs):
        depthwise = host_array(self._layer.depthwise_kernel)
        pointwise = host_array(self._layer.pointwise_kernel)
        rows = np.repeat(ins, depthwise.shape[-1])
        return {
            "depthwise_kernel": depthwise[..., ins, :],
            "pointwise_kernel": pointwise[..., rows, :][..., outs],
        }


class Depthwise(Opaque):
    """DepthwiseConv: each channel has `depth_multiplier` kernels of its own."""

    has_weights = True

    def __init__(self, layer):
        self._layer = layer
        kernel = host_array(layer.kernel)
        self._uses, self._sums = _any_and_sum(kernel.reshape(-1, *kernel.shape[-2:]))
        self._counts_borders = _counts_borders(layer)

    def constants(self, given, sizes):
        values = given[0][:, None]
        if self._counts_borders:
            values = np.where(values == 0, values, np.nan)
        values = np.where(self._uses, values * self._sums, 0.0).reshape(-1)
        values = values + host_array(self._layer.bias) if self._layer.use_bias else values
        return [mapped(self._layer.activation, values)]

    def needs(self, given, kept):
        return [(self._uses & kept.reshape(self._uses.shape)).any(axis=1)]

    def tied(self, ins, outs):
        mask = ins[0] | outs[0].reshape(self._uses.shape).any(axis=1)
        return [mask], [np.repeat(mask, self._uses.shape[1])]

    def smaller(self, shape, given, ins, outs):
        kernels = {"kernel": host_array(self._layer.kernel)[..., ins[0], :]}
        return _rebuilt(self._layer, shape, kernels, outputs=outs[0])


def _any_and_sum(kernel):
    """Of a kernel `(taps, inputs, outputs)`: where a tap is not zero, and the taps' float64 sum."""
    return (kernel != 0).any(axis=0), kernel.sum(axis=0, dtype=np.float64)


def _counts_borders(layer):
    """Whether zeros around a border enter the sums of a layer."""
    return getattr(layer, "padding", "valid") != "valid" and set(layer.kernel_size) != {1}


def _rebuilt(layer, shape, values, *, outputs=None, folded=0.0):
    """A layer like `layer` for inputs of another shape, with these values of its weights.

    Args:
        layer: the layer; it is not changed.
        shape: of the new layer's inputs.
        values: dict from names of weights to arrays.
        outputs: mask of the output channels that are left, None if the layer has no bias.
        folded: float64 array, what is added to the bias, or 0.0.
    """
    changes = {}
    if outputs is not None:
        size = "units" if isinstance(layer, layers.Dense) else "filters"
        if not isinstance(layer, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)):
            changes[size] = int(outputs.sum())
        changes["use_bias"] = layer.use_bias or bool(np.any(folded))
        if changes["use_bias"]:
            bias = host_array(layer.bias)[outputs] if layer.use_bias else 0.0
            values = {**values, "bias": np.asarray(bias, np.float64) + folded}
    copy = copy_by_config(layer, **changes)
    copy.build(shape)
    for name, value in values.items():
        getattr(copy, name).assign(value)
    return copy

"""How a change of an op's output comes of one of its inputs: gradients, op by op, in NumPy.

Each function takes an `Op` and the gradient of its output, and gives that of each input that is
computed: a list of arrays or None. What has no function here, in `backward_moves` or in
`backward_numbers` ends the way back.
"""

import dataclasses
from typing import Any

import numpy as np

from keras_dc.post_training.reconstruction import backward_moves, backward_numbers
from keras_dc.post_training.reconstruction.backward_moves import summed_to
from keras_dc.tflite.model_file import schema

_CODE = schema.BuiltinOperator
_ACTIVATION = schema.ActivationFunctionType


@dataclasses.dataclass(frozen=True)
class Op:
    """An op with the values of its tensors in a run.

    Attributes:
        options: the schema's options.
        inputs: list of arrays, the values of its inputs; None for one that is absent.
        output: array.
        more_outputs: tuple of arrays, where it has several.
    """

    options: Any
    inputs: list
    output: np.ndarray
    more_outputs: tuple = ()


def gradients(builtin, op, gradient, *more):
    """The gradient of each input of an op: list of arrays or None; None for an unknown op.

    Args:
        builtin: int, the schema's number of the op.
        op: Op.
        gradient: array shaped like its output.
        *more: those of its further outputs. Of several outputs some may have None.
    """
    function = _FUNCTIONS.get(builtin)
    if function is None:
        return None
    if more:
        return function(op, gradient, *more)
    activation = getattr(op.options, "fusedActivationFunction", 0)
    mask = _passes(activation, op.output)
    if mask is None:
        return None
    return function(op, gradient if mask is True else gradient * mask)


def before_activation(options, output, gradient):
    """The gradient of what an op computes before its fused activation; None if not known."""
    mask = _passes(getattr(options, "fusedActivationFunction", 0), output)
    return None if mask is None else gradient if mask is True else gradient * mask


def _passes(activation, output):
    """Where a fused activation lets changes pass: array, True for everywhere, None: unknown."""
    if activation == _ACTIVATION.NONE:
        return True
    if activation == _ACTIVATION.RELU:
        return output > 0
    if activation == _ACTIVATION.RELU6:
        return (output > 0) & (output < 6)
    if activation == _ACTIVATION.RELU_N1_TO_1:
        return np.abs(output) < 1
    if activation == _ACTIVATION.TANH:
        return 1 - np.square(output)
    return None


def _batch_matmul(op, gradient):
    first, second = (
        np.swapaxes(value, -1, -2) if is_turned else value
        for value, is_turned in zip(op.inputs, (op.options.adjX, op.options.adjY))
    )
    backs = gradient @ np.swapaxes(second, -1, -2), np.swapaxes(first, -1, -2) @ gradient
    return [
        summed_to(np.swapaxes(back, -1, -2) if is_turned else back, value.shape)
        for back, is_turned, value in zip(backs, (op.options.adjX, op.options.adjY), op.inputs)
    ]


def _fully_connected(op, gradient):
    weights = op.inputs[1]
    back = gradient.reshape(-1, weights.shape[0]) @ weights
    return [back.reshape(op.inputs[0].shape), None, None]


def _windows(op, kernel):
    """Slices of a padded input that meet each tap of a kernel: (padded shape, crop, slices)."""
    options, shape, out = op.options, op.inputs[0].shape, op.output.shape
    strides = options.strideH, options.strideW
    dilations = [getattr(options, name, 1) or 1 for name in ("dilationHFactor", "dilationWFactor")]
    before, padded = [], []
    for axis in range(2):
        reach = (out[axis + 1] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        missing = max(reach - shape[axis + 1], 0)
        begin = missing // 2 if options.padding == schema.Padding.SAME else 0
        before.append(begin)
        padded.append(max(reach, begin + shape[axis + 1]))
    slices = []
    for y in range(kernel[0]):
        for x in range(kernel[1]):
            starts = y * dilations[0], x * dilations[1]
            steps = [
                slice(start, start + (out[axis + 1] - 1) * strides[axis] + 1, strides[axis])
                for axis, start in enumerate(starts)
            ]
            slices.append((slice(None), *steps))
    crop = tuple(slice(b, b + s) for b, s in zip(before, shape[1:3]))
    return (shape[0], *padded, shape[3]), (slice(None), *crop), slices


def _conv_2d(op, gradient):
    weights = op.inputs[1]
    shape, crop, slices = _windows(op, weights.shape[1:3])
    back = np.zeros(shape, np.float32)
    channels = weights.shape[-1]
    groups = shape[-1] // channels
    taps = weights.reshape(groups, weights.shape[0] // groups, -1, channels)
    parts = np.split(gradient, groups, axis=-1)
    for tap, place in enumerate(slices):
        for group, part in enumerate(parts):
            own = slice(group * channels, (group + 1) * channels)
            back[(*place, own)] += part @ taps[group, :, tap]
    return [back[crop], None, None]


def _depthwise_conv_2d(op, gradient):
    weights, channels = op.inputs[1], op.inputs[0].shape[-1]
    shape, crop, slices = _windows(op, weights.shape[1:3])
    back = np.zeros(shape, np.float32)
    taps = weights.reshape(-1, weights.shape[-1])
    for tap, place in enumerate(slices):
        part = gradient * taps[tap]
        back[place] += part.reshape(*part.shape[:3], channels, -1).sum(axis=-1)
    return [back[crop], None, None]


def _transpose_conv(op, gradient):
    weights, values = op.inputs[1], op.inputs[2]
    options, kernel = op.options, weights.shape[1:3]
    strides = options.strideH, options.strideW
    pads, before = [(0, 0)], []
    for axis in range(2):
        reach = (values.shape[axis + 1] - 1) * strides[axis] + kernel[axis]
        missing = reach - gradient.shape[axis + 1]
        before.append(max(missing, 0) // 2)
        pads.append((before[axis], max(missing - before[axis], 0)))
    padded = np.pad(gradient, [*pads, (0, 0)])
    back = np.zeros(values.shape, np.float32)
    for y in range(kernel[0]):
        for x in range(kernel[1]):
            ends = [
                tap + (size - 1) * stride + 1
                for tap, size, stride in zip((y, x), values.shape[1:3], strides)
            ]
            part = padded[:, y : ends[0] : strides[0], x : ends[1] : strides[1]]
            back += part @ weights[:, y, x]
    return [None, None, back, *[None] * (len(op.inputs) - 3)]


def _average_pool_2d(op, gradient):
    kernel = op.options.filterHeight, op.options.filterWidth
    shape, crop, slices = _windows(op, kernel)
    inside = np.zeros(shape[1:3], np.float32)
    inside[crop[1:]] = 1
    counts = sum(inside[place[1:]] for place in slices)
    back = np.zeros(shape, np.float32)
    for place in slices:
        back[place] += gradient / counts[..., None]
    return [back[crop]]


def _max_pool_2d(op, gradient):
    kernel = op.options.filterHeight, op.options.filterWidth
    shape, crop, slices = _windows(op, kernel)
    padded = np.full(shape, -np.inf, np.float32)
    padded[crop] = op.inputs[0]
    back, left = np.zeros(shape, np.float32), np.ones(gradient.shape, bool)
    for place in slices:
        is_largest = (padded[place] == op.output) & left
        back[place] += gradient * is_largest
        left &= ~is_largest
    return [back[crop]]


def _mean(op, gradient):
    values = op.inputs[0]
    axes = tuple(int(axis) % values.ndim for axis in np.atleast_1d(op.inputs[1]))
    kept = [1 if axis in axes else size for axis, size in enumerate(values.shape)]
    count = int(np.prod([values.shape[axis] for axis in axes]))
    return [np.broadcast_to(gradient.reshape(kept) / count, values.shape), None]


def _sum(op, gradient):
    count = op.inputs[0].size / max(op.output.size, 1)
    return [_mean(op, gradient)[0] * count, None]


def _softmax(op, gradient):
    shares = op.output
    inner = np.sum(gradient * shares, axis=-1, keepdims=True)
    return [op.options.beta * shares * (gradient - inner)]


def _resize(op, gradient):
    """Of a resize that is linear along each axis: its transpose, from its response to ones."""
    weights = [
        _interpolation(size, out, op.options)
        for size, out in zip(op.inputs[0].shape[1:3], op.output.shape[1:3])
    ]
    back = np.einsum("nhwc,hy->nywc", gradient, weights[0], optimize=True)
    return [np.einsum("nywc,wx->nyxc", back, weights[1], optimize=True), None]


def _interpolation(size, out, options):
    places = np.arange(out, dtype=np.float64)
    if getattr(options, "alignCorners", False) and out > 1:
        places *= (size - 1) / (out - 1)
    elif getattr(options, "halfPixelCenters", False):
        places = (places + 0.5) * size / out - 0.5
    else:
        places *= size / out
    places = np.clip(places, 0, size - 1)
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, size - 1)
    matrix, rows = np.zeros((out, size), np.float32), np.arange(out)
    np.add.at(matrix, (rows, below), 1 - (places - below))
    np.add.at(matrix, (rows, above), places - below)
    return matrix


_FUNCTIONS = {
    **backward_moves.FUNCTIONS,
    **backward_numbers.FUNCTIONS,
    _CODE.BATCH_MATMUL: _batch_matmul,
    _CODE.FULLY_CONNECTED: _fully_connected,
    _CODE.CONV_2D: _conv_2d,
    _CODE.DEPTHWISE_CONV_2D: _depthwise_conv_2d,
    _CODE.TRANSPOSE_CONV: _transpose_conv,
    _CODE.AVERAGE_POOL_2D: _average_pool_2d,
    _CODE.MAX_POOL_2D: _max_pool_2d,
    _CODE.MEAN: _mean,
    _CODE.SUM: _sum,
    _CODE.SOFTMAX: _softmax,
    _CODE.RESIZE_BILINEAR: _resize,
}

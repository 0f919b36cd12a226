"""What a layer multiplies its weights with, at some places of its output."""

import numpy as np

from keras_dc.tflite.model_file import schema

_SAME = schema.Padding.SAME


def output_shape(layer, shape):
    """The shape of the output of a layer: tuple of int, from that of its input."""
    channels, num_inputs = layer.shape
    if layer.is_product:
        return int(np.prod(shape)) // num_inputs, channels
    if layer.size is not None:
        return shape[0], *layer.size, channels
    options = layer.options
    sizes = []
    for size, length, stride, dilation in zip(
        shape[1:3],
        layer.weights.shape[1:3],
        (options.strideH, options.strideW),
        (options.dilationHFactor or 1, options.dilationWFactor or 1),
    ):
        reach = 1 if options.padding == _SAME else (length - 1) * dilation + 1
        sizes.append((size - reach) // stride + 1)
    return shape[0], *sizes, channels


def patches(layer, values, output_shape, places):
    """What a layer multiplies its weights with, at some places of its output.

    Args:
        layer: `layers.Layer`.
        values: float32 array, its input.
        output_shape: tuple of int, of its output.
        places: int array `(n,)`, places of the output without its last axis, in C order.

    Returns:
        float32 array `(n, inputs)`, or `(n, channels, taps)` of a depthwise convolution; of a
        convolution by groups `(n, num_groups * inputs)`, those of one group after the other.
    """
    if layer.is_product:
        return values.reshape(-1, layer.shape[1])[places]
    number, row, column = np.unravel_index(places, output_shape[:3])
    kernel, met = layer.weights.shape[1:3], []
    for axis, at in enumerate((row, column)):
        size, out = values.shape[axis + 1], output_shape[axis + 1]
        met.append([_met(layer, axis, at, tap, size, out) for tap in range(kernel[axis])])
    found = []
    for rows, has_row in met[0]:
        for columns, has_column in met[1]:
            inside = has_row & has_column
            taken = values[number, rows, columns]
            found.append(np.where(inside[:, None], taken, np.float32(0)))
    if layer.is_depthwise:
        taps = np.stack(found).transpose(1, 2, 0)
        times = layer.weights.shape[-1] // taps.shape[1]
        return taps if times == 1 else np.repeat(taps, times, axis=1)
    if layer.num_groups > 1:
        taps = np.stack(found).reshape(len(found), len(places), layer.num_groups, -1)
        return taps.transpose(1, 2, 0, 3).reshape(len(places), -1)
    return np.concatenate(found, axis=1)


def _met(layer, axis, at, tap, size, out):
    """Which rows, or columns, of an input a tap of the kernel meets.

    Args:
        layer: `layers.Layer`.
        axis: 0 for rows, 1 for columns.
        at: int array, places of the output along the axis.
        tap: int.
        size: int, of the input along the axis.
        out: int, of the output.

    Returns:
        tuple of an int array, 0 where there is none, and a bool array, whether there is one.
    """
    options, length = layer.options, layer.weights.shape[axis + 1]
    stride = (options.strideH, options.strideW)[axis]
    if layer.size is not None:
        before = max((size - 1) * stride + length - out, 0) // 2
        place, rest = np.divmod(at + before - tap, stride)
        inside = (rest == 0) & (place >= 0) & (place < size)
    else:
        dilation = (options.dilationHFactor, options.dilationWFactor)[axis] or 1
        missing = max((out - 1) * stride + (length - 1) * dilation + 1 - size, 0)
        before = missing // 2 if options.padding == _SAME else 0
        place = at * stride + tap * dilation - before
        inside = (place >= 0) & (place < size)
    return np.where(inside, place, 0), inside


def multiplied(layer, inputs, rows):
    """What a layer computes of `patches` without bias and activation: `(n, outputs)`."""
    if layer.is_depthwise:
        return np.einsum("nct,ct->nc", inputs, rows)
    each = zip(np.split(inputs, layer.num_groups, axis=1), np.split(rows, layer.num_groups))
    return np.concatenate([part @ own.T for part, own in each], axis=1)

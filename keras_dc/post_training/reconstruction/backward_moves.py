"""Gradients of ops that move numbers and leave them as they are: see `backward_ops`."""

import numpy as np

from keras_dc.tflite.model_file import schema

_CODE = schema.BuiltinOperator


def summed_to(gradient, shape):
    """The gradient of what was broadcast, from a shape: array of that shape."""
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and gradient.shape[axis] != 1:
            gradient = gradient.sum(axis=axis, keepdims=True)
    return gradient


def _reshape(op, gradient):
    return [gradient.reshape(op.inputs[0].shape)] + [None] * (len(op.inputs) - 1)


def _transpose(op, gradient):
    return [np.transpose(gradient, np.argsort(op.inputs[1])), None]


def _pad(op, gradient):
    shape = op.inputs[0].shape
    crop = tuple(slice(int(b), int(b) + s) for (b, _), s in zip(op.inputs[1], shape))
    return [gradient[crop]] + [None] * (len(op.inputs) - 1)


def _concatenation(op, gradient):
    axis = op.options.axis
    edges = np.cumsum([value.shape[axis] for value in op.inputs])[:-1]
    return np.split(gradient, edges, axis=axis)


def _pack(op, gradient):
    return list(np.moveaxis(gradient, op.options.axis, 0))


def _all_gradients(op, gradients):
    """The gradient of each output, zero where there is none."""
    return [
        np.zeros_like(output) if gradient is None else gradient
        for output, gradient in zip((op.output, *op.more_outputs), gradients)
    ]


def _split(op, *gradients):
    return [None, np.concatenate(_all_gradients(op, gradients), axis=int(op.inputs[0]))]


def _split_v(op, *gradients):
    return [np.concatenate(_all_gradients(op, gradients), axis=int(op.inputs[2])), None, None]


def _unpack(op, *gradients):
    return [np.stack(_all_gradients(op, gradients), axis=op.options.axis)]


def _gather(op, gradient):
    values, indices = op.inputs
    if op.options.batchDims:
        return None
    axis, count = op.options.axis % values.ndim, indices.ndim
    back = np.zeros_like(values)
    moved = np.moveaxis(gradient, range(axis, axis + count), range(count))
    np.add.at(np.moveaxis(back, axis, 0), indices.ravel(), moved.reshape(-1, *moved.shape[count:]))
    return [back, None]


def _at(op, place, gradient):
    """The gradient of an input of which a part was taken."""
    back = np.zeros_like(op.inputs[0])
    back[place] = gradient
    return [back] + [None] * (len(op.inputs) - 1)


def _slice(op, gradient):
    begins = op.inputs[1].tolist()
    return _at(op, tuple(slice(b, b + s) for b, s in zip(begins, gradient.shape)), gradient)


def _strided_slice(op, gradient):
    options = op.options
    if options.ellipsisMask or options.newAxisMask or getattr(options, "offset", False):
        return None
    place = []
    for axis, (begin, end, stride) in enumerate(zip(*(each.tolist() for each in op.inputs[1:]))):
        bit = 1 << axis
        if options.shrinkAxisMask & bit:
            place.append(begin)
            continue
        begin = None if options.beginMask & bit else begin
        place.append(slice(begin, None if options.endMask & bit else end, stride))
    return _at(op, tuple(place), gradient)


def _dynamic_update_slice(op, gradient):
    values, update, starts = op.inputs
    place = tuple(
        slice(begin, begin + size)
        for begin, size in zip(
            np.clip(starts, 0, np.subtract(values.shape, update.shape)).tolist(), update.shape
        )
    )
    kept = gradient.copy()
    kept[place] = 0
    return [kept, gradient[place], None]


def _reverse(op, gradient):
    return [np.flip(gradient, tuple(np.atleast_1d(op.inputs[1]).tolist())), None]


def _select(op, gradient):
    condition, first, second = op.inputs
    return [
        None,
        summed_to(np.where(condition, gradient, np.float32(0)), first.shape),
        summed_to(np.where(condition, np.float32(0), gradient), second.shape),
    ]


def _broadcast_to(op, gradient):
    return [summed_to(gradient, op.inputs[0].shape), None]


def _fill(op, gradient):
    return [None, gradient.sum()]


FUNCTIONS = {
    _CODE.RESHAPE: _reshape,
    _CODE.SQUEEZE: _reshape,
    _CODE.EXPAND_DIMS: _reshape,
    _CODE.TRANSPOSE: _transpose,
    _CODE.PAD: _pad,
    _CODE.PADV2: _pad,
    _CODE.CONCATENATION: _concatenation,
    _CODE.PACK: _pack,
    _CODE.SPLIT: _split,
    _CODE.SPLIT_V: _split_v,
    _CODE.UNPACK: _unpack,
    _CODE.GATHER: _gather,
    _CODE.SLICE: _slice,
    _CODE.STRIDED_SLICE: _strided_slice,
    _CODE.DYNAMIC_UPDATE_SLICE: _dynamic_update_slice,
    _CODE.REVERSE_V2: _reverse,
    _CODE.SELECT_V2: _select,
    _CODE.BROADCAST_TO: _broadcast_to,
    _CODE.FILL: _fill,
}

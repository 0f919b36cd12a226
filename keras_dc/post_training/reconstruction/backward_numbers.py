"""Gradients of ops that compute each number by itself: see `backward_ops`."""

import numpy as np

from keras_dc.post_training.reconstruction.backward_moves import summed_to
from keras_dc.tflite.model_file import schema

_CODE = schema.BuiltinOperator


def _add(op, gradient):
    return [summed_to(gradient, value.shape) for value in op.inputs]


def _sub(op, gradient):
    first, second = op.inputs
    return [summed_to(gradient, first.shape), -summed_to(gradient, second.shape)]


def _mul(op, gradient):
    first, second = op.inputs
    return [
        summed_to(gradient * second, first.shape),
        summed_to(gradient * first, second.shape),
    ]


def _div(op, gradient):
    first, second = op.inputs
    return [
        summed_to(gradient / second, first.shape),
        summed_to(-gradient * first / np.square(second), second.shape),
    ]


def _squared_difference(op, gradient):
    first, second = op.inputs
    back = 2 * gradient * (first - second)
    return [summed_to(back, first.shape), -summed_to(back, second.shape)]


def _larger(sign):
    """The gradient of MAXIMUM, or with -1 of MINIMUM."""

    def function(op, gradient):
        first, second = op.inputs
        takes_first = sign * first >= sign * second
        return [
            summed_to(gradient * takes_first, first.shape),
            summed_to(gradient * ~takes_first, second.shape),
        ]

    return function


def _by_output(slope):
    """An op that works on each number, whose slope follows from its output."""
    return lambda op, gradient: [gradient * slope(op.output)] + [None] * (len(op.inputs) - 1)


def _by_input(slope):
    return lambda op, gradient: [gradient * slope(op.inputs[0])] + [None] * (len(op.inputs) - 1)


def _leaky_relu(op, gradient):
    return [np.where(op.inputs[0] > 0, gradient, op.options.alpha * gradient)]


def _prelu(op, gradient):
    return [np.where(op.inputs[0] > 0, gradient, op.inputs[1] * gradient), None]


def _hard_swish_slope(x):
    return np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5)).astype(np.float32)


def _gelu_slope(x):
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    slope = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
    tanh = np.tanh(inner)
    return (0.5 * (1 + tanh) + 0.5 * x * (1 - np.square(tanh)) * slope).astype(np.float32)


FUNCTIONS = {
    _CODE.ADD: _add,
    _CODE.SUB: _sub,
    _CODE.MUL: _mul,
    _CODE.DIV: _div,
    _CODE.SQUARED_DIFFERENCE: _squared_difference,
    _CODE.MAXIMUM: _larger(1),
    _CODE.MINIMUM: _larger(-1),
    _CODE.RELU: _by_output(lambda y: y > 0),
    _CODE.RELU6: _by_output(lambda y: (y > 0) & (y < 6)),
    _CODE.LOGISTIC: _by_output(lambda y: y * (1 - y)),
    _CODE.TANH: _by_output(lambda y: 1 - np.square(y)),
    _CODE.EXP: _by_output(lambda y: y),
    _CODE.SQRT: _by_output(lambda y: 0.5 / y),
    _CODE.RSQRT: _by_output(lambda y: -0.5 * y**3),
    _CODE.ELU: _by_output(lambda y: np.where(y > 0, np.float32(1), y + 1)),
    _CODE.NEG: _by_input(lambda x: np.float32(-1)),
    _CODE.SQUARE: _by_input(lambda x: 2 * x),
    _CODE.GELU: _by_input(_gelu_slope),
    _CODE.HARD_SWISH: _by_input(_hard_swish_slope),
    _CODE.LEAKY_RELU: _leaky_relu,
    _CODE.PRELU: _prelu,
}

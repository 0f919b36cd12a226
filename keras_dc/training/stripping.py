"""strip(model): a plain Keras model with the same outputs."""

import functools

import keras

from keras_dc.numerics.float16 import to_float16_exact
from keras_dc.wrapping.cloning import replace_layers, replaced_for_a_while
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.weights import find_biases, find_kernels


def strip(model, *, float16_exact=False):
    """`model` without wrappers: the kernels get the values that the wrappers computed.

    Outputs are equal bit for bit, and `.keras` files of the result load without keras_dc.

    Args:
        model: a built `keras.Model`, pruned, shared, both or neither. Sequential and
            Functional models are copied; a subclassed model is changed in place, and must be
            compiled anew.
        float16_exact: if True, kernels and biases of the wrapped layers are rounded to
            the nearest float16 numbers. Their dtype stays, and a compressed file stores
            the values in half the bytes. Outputs change by about 0.05 %.

    Returns:
        A `keras.Model`, to be compiled.

    Raises:
        ValueError: if `model` is not a built Keras model, or a value is too large
            for float16.
    """
    return replace_layers(model, functools.partial(_stripped, float16_exact=float16_exact))


def stripped_for_a_while(model):
    """`strip(model)` in a `with` block, and `model` as it was after it.

    A subclassed model, which `strip` changes in place, has its wrappers, their values and its
    compiled functions again.
    """
    return replaced_for_a_while(model, _stripped)


def _stripped(layer, *, float16_exact=False):
    if not isinstance(layer, KernelWrapper):
        return layer
    plain = layer.stripped()
    if float16_exact:
        for weight in find_kernels(plain) + find_biases(plain):
            values = keras.ops.convert_to_numpy(weight.variable)
            weight.variable.assign(to_float16_exact(values, weight.name))
    return plain

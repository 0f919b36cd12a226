"""Which layers can be wrapped: what their constraints ask for, what else works on kernels.

Constraints of Keras are functions of a whole weight. Whether one holds for a masked kernel or
for a codebook is found by trying it on random numbers.
"""

import keras
import numpy as np

from keras_dc.wrapping.layer_tree import layers_within


def is_elementwise(constraint, rank):
    """Whether a constraint changes each number by itself, whatever the shape.

    Args:
        constraint: callable from a weight to a weight.
        rank: int, the number of axes of the weight.
    """
    numbers = _random((5,) * rank).reshape(-1)
    order = np.random.default_rng(1).permutation(numbers.size)
    want = _applied(constraint, numbers)
    if want is None:
        return False
    for shape in ((5,) * rank, (-1,), (1, -1)):
        got = _applied(constraint, numbers[order].reshape(shape))
        if got is None or not np.array_equal(got.reshape(-1), want[order]):
            return False
    return np.array_equal(_applied(constraint, numbers[:3]), want[:3])


def keeps_zero(constraint):
    """Whether an elementwise constraint leaves zero as it is."""
    return not np.any(_applied(constraint, np.zeros(3, np.float32)))


def holds_when_masked(constraint, shape):
    """Whether a weight that satisfies a constraint does so with some of its values at zero."""
    small = (5,) * len(shape)
    values = _applied(constraint, _random(small))
    if values is None and np.prod(shape) < 1e6:
        # It may know the shape of its weight.
        small = tuple(shape)
        values = _applied(constraint, _random(small))
    if values is None:
        return False
    masked = values * (np.random.default_rng(2).random(small) < 0.5)
    again = _applied(constraint, masked)
    return np.allclose(again, masked, rtol=1e-4, atol=1e-6)


def _random(shape):
    return (np.random.default_rng(0).normal(size=shape) * 10).astype(np.float32)


def _applied(constraint, values):
    """`constraint(values)`, None if it takes no such weight."""
    try:
        return keras.ops.convert_to_numpy(constraint(keras.ops.convert_to_tensor(values)))
    except Exception:  # of a user's class, of any kind
        return None


def check_kernel_is_used(layer):
    """Refuse layers that do not compute with their kernel alone.

    Args:
        layer: a built `keras.Layer` or model of Keras 3.

    Raises:
        ValueError: if it, or a layer inside it, has LoRA or is quantized by Keras.
    """
    for part in layers_within(layer):
        if getattr(part, "lora_enabled", False):
            raise ValueError(
                "LoRA must be merged first: `model.save_weights(path)` writes kernels with LoRA's "
                "product added; load them into the same model made without `enable_lora`. "
                f"Received: layer={part} with LoRA"
            )
        mode = getattr(getattr(part, "dtype_policy", None), "quantization_mode", None)
        if mode is not None:
            raise ValueError(
                "A layer that Keras quantized must be dequantized first: take the model from "
                'before `quantize`, and let `keras_dc.convert(model, optimizations=["DEFAULT"])` '
                f"quantize it. Received: layer={part}, quantized to {mode}"
            )


def is_kernel_used(layer):
    """Whether `check_kernel_is_used` does not refuse a layer."""
    try:
        check_kernel_is_used(layer)
    except ValueError:
        return False
    return True


def check_writes_no_kernel(layer):
    """Refuse layers of Keras that assign to their own kernel. Raises ValueError."""
    for part in layers_within(layer):
        if isinstance(part, keras.layers.SpectralNormalization):
            raise ValueError(
                "A layer that writes its own kernel in its call cannot be pruned or shared: leave "
                "it out by `filters`, or train first and take the layer out of its "
                f"SpectralNormalization. Received: layer={part}"
            )

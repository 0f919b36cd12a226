"""Rounding weights to numbers that float16 stores exactly; they stay float32."""

from keras import ops


def round_straight_through(tensor):
    """As `to_float16_exact` for a backend tensor; the gradient passes as it is."""
    rounded = ops.cast(ops.cast(tensor, "float16"), tensor.dtype)
    return tensor + ops.stop_gradient(rounded - tensor)

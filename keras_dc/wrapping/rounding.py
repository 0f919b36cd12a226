"""Rounding weights to numbers that float16 stores exactly; they stay float32."""

import numpy as np
from keras import ops


def to_float16_exact(values, name):
    """The float16 number nearest to each value.

    Args:
        values: float array, any shape.
        name: str, whose values they are, for the error.

    Returns:
        Array shaped like `values`, of its dtype.

    Raises:
        ValueError: if a magnitude is too large for float16.
    """
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16).astype(values.dtype)
    if not np.isfinite(rounded).all():
        raise ValueError(
            f"`float16_exact` needs magnitudes below 65520. Received: {name} with largest "
            f"magnitude {np.abs(values).max()}"
        )
    return rounded


def round_straight_through(tensor):
    """As `to_float16_exact` for a backend tensor; the gradient passes as it is."""
    rounded = ops.cast(ops.cast(tensor, "float16"), tensor.dtype)
    return tensor + ops.stop_gradient(rounded - tensor)

"""Which numbers float16 holds exactly, and rounding to them."""

import numpy as np

from keras_dc.numerics.chunks import chunks
from keras_dc.numerics.finite import all_finite


def is_float16_exact(values):
    """Whether the way to float16 and back gives each element the same bits.

    Args:
        values: float array, any shape: float16, float32 or float64.

    Returns:
        bool; -0.0 is exact, and so is a NaN whose payload fits.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return all(
            chunk.astype(np.float16).astype(chunk.dtype).tobytes() == chunk.tobytes()
            for chunk in chunks(values)
        )


def to_float16_exact(values, name):
    """The float16 number nearest to each element.

    Args:
        values: float array, any shape.
        name: str, whose values they are, for the error.

    Returns:
        Array shaped like `values`, of its dtype.

    Raises:
        ValueError: if a magnitude is too large for float16, or a value is not finite.
    """
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16).astype(values.dtype)
    if not all_finite(rounded):
        raise ValueError(
            f"`float16_exact` needs magnitudes below 65520. Received: {name} with largest "
            f"magnitude {np.abs(values).max()}"
        )
    return rounded

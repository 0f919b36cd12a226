"""Zeros that are -0.0 in some channels, as BatchNorm with a negative factor leaves them.

A blob holds each -0.0 as a kept weight. Where the zeros of a channel are all -0.0 or all
0.0, a note of the former channels costs less.
"""

import dataclasses

import numpy as np


def dropped(constant, float_weight):
    """A constant with 0.0 in place of -0.0, for float weights that only enter sums of products.

    There no output depends on the sign of a zero. Where all of it follows from the channels,
    a note of them lets `expand` restore -0.0; elsewhere a note would cost more than it is
    worth, and `expand` gives 0.0.

    Args:
        constant: Constant.
        float_weight: FloatWeight of the constant, None if it is none.

    Returns:
        Constant, the same one if nothing changes.
    """
    # A sparse form stores each -0.0 as a value.
    if float_weight is None or not float_weight.is_summed or constant.sparse_form is not None:
        return constant
    if not np.signbit(constant.values[constant.values == 0]).any():
        return constant
    channels = find_channels(constant.values)
    return dataclasses.replace(constant, values=without(constant.values), negative_zeros=channels)


def find_channels(values):
    """The channels whose zeros are all -0.0, if no other channel has one.

    Args:
        values: float array.

    Returns:
        tuple `(axis, bool array)`, axis 0 or -1 and one bool for each index of it; None if
        there is no -0.0, or -0.0 and 0.0 are mixed.
    """
    if values.ndim < 2:
        return None
    is_zero = values == 0
    is_negative = is_zero & np.signbit(values)
    if not is_negative.any():
        return None
    for axis in (0, -1):
        others = tuple(range(1, values.ndim)) if axis == 0 else tuple(range(values.ndim - 1))
        num_negative = np.count_nonzero(is_negative, axis=others)
        is_alike = (num_negative == 0) | (num_negative == np.count_nonzero(is_zero, axis=others))
        if is_alike.all():
            return axis, num_negative > 0
    return None


def without(values):
    """A copy in which -0.0 is 0.0."""
    return np.where(values == 0, values.dtype.type(0), values)


def restored(values, axis, channels):
    """The inverse of `without`.

    Args:
        values: float array without -0.0.
        axis: 0 or -1.
        channels: bool array, whether the zeros of each index of `axis` become -0.0.

    Returns:
        array like `values`.

    Raises:
        ValueError: if the number of channels is another one.
    """
    if values.ndim < 2 or len(channels) != values.shape[axis]:
        raise ValueError(
            f"there must be one bool for each index of axis {axis}. "
            f"Received: {len(channels)} bools, an array shaped {values.shape}"
        )
    along = channels.reshape(-1, *[1] * (values.ndim - 1)) if axis == 0 else channels
    return np.where((values == 0) & along, values.dtype.type(-0.0), values)

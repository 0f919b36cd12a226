"""Passing over a large array without a second array of its size."""

import numpy as np

_CHUNK = 1 << 20


def chunks(values):
    """Views `(<= 2^20,)` on the elements of an array, in C order."""
    flat = np.ravel(values)
    for start in range(0, flat.size, _CHUNK):
        yield flat[start : start + _CHUNK]

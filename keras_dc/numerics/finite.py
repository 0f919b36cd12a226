"""Finding NaN and infinity, by chunks: working memory is a constant."""

import numpy as np

from keras_dc.numerics.chunks import chunks


def all_finite(values):
    """Whether no element is NaN or infinite.

    Args:
        values: array, any shape and any dtype that `np.isfinite` takes, bfloat16 of
            ml_dtypes among them.
    """
    return all(np.isfinite(chunk).all() for chunk in _any_order(values))


def count_nonfinite(values):
    """How many elements are NaN or infinite: int; `values` as in `all_finite`."""
    return sum(int(np.count_nonzero(~np.isfinite(chunk))) for chunk in _any_order(values))


def _any_order(values):
    # In the order of the memory: another one would copy a transposed array.
    return chunks(np.ravel(values, order="K"))

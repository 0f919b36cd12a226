import ml_dtypes
import numpy as np
import pytest

from keras_dc.numerics.chunks import chunks
from keras_dc.numerics.finite import all_finite, count_nonfinite

DTYPES = [np.float16, np.float32, np.float64, ml_dtypes.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_value_is_found_wherever_it_is(dtype, bad):
    values = np.zeros((3, (1 << 19) + 5), dtype)
    assert all_finite(values)
    assert count_nonfinite(values) == 0
    values[2, -1] = bad
    assert not all_finite(values)
    assert count_nonfinite(values.T) == 1


def test_nothing_is_finite():
    assert all_finite(np.zeros((0, 3), np.float32))
    assert count_nonfinite(np.float32([np.nan, 1, np.inf])) == 2


def test_chunks_cover_an_array_of_any_shape():
    array = np.arange((1 << 20) + 6).reshape(2, -1)
    parts = list(chunks(array))
    assert [part.size for part in parts] == [1 << 20, 6]
    np.testing.assert_array_equal(np.concatenate(parts), array.ravel())

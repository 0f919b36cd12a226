import numpy as np
import pytest

from keras_dc.numerics.float16 import is_float16_exact, to_float16_exact

# 2049 needs 12 bits of mantissa, float16 has 11; 2^-24 is its smallest number.
EXACT = [0.0, -0.0, 1.0, -2048.0, 2050.0, 65504.0, 2.0**-24, np.inf, np.nan]
NOT_EXACT = [2049.0, 0.1, 65520.0, 1e9, 2.0**-25]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_which_numbers_float16_holds(dtype):
    assert is_float16_exact(np.array(EXACT, dtype).reshape(3, 3))
    for value in NOT_EXACT:
        assert not is_float16_exact(np.array([1.0, value], dtype))


def test_a_nan_with_a_payload_that_float16_lacks_is_not_exact():
    assert not is_float16_exact(np.array([0x7FC00001], np.uint32).view(np.float32))


def test_values_of_float16_are_exact():
    assert is_float16_exact(np.float16(EXACT))
    assert is_float16_exact(np.zeros((0, 2), np.float32))


def test_rounding_gives_the_nearest_number_in_the_dtype_that_came():
    rounded = to_float16_exact(np.float32([[2049.0, 0.1], [-0.0, 65519.0]]), "kernel")
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(rounded, [[2048.0, 0.0999755859375], [0.0, 65504.0]])
    assert is_float16_exact(rounded)


def test_a_magnitude_too_large_for_float16_is_refused():
    with pytest.raises(ValueError, match="below 65520. Received: kernel with largest.*65520"):
        to_float16_exact(np.float32([1.0, -65520.0]), "kernel")

import numpy as np
import pytest

from keras_dc.numerics import entropy


def test_the_shannon_bound_worked_out_by_hand():
    # A quarter is kept: n H(1/4) = 24 * 0.8113 bits; two values, one bit for each of the
    # six kept; two centroids that float16 holds.
    weights = np.array([0, 0, 0, 1, 0, 2, 0, 0] * 3, np.float32)
    expected = (24 * 0.811278 + 6) / 8 + 4
    assert entropy.shannon_bytes(weights) == pytest.approx(expected, abs=1e-4)
    third = np.float32(1 / 3)
    assert entropy.shannon_bytes(weights * third) == pytest.approx(expected + 4, abs=1e-4)


def test_values_of_their_own_need_no_codebook():
    weights = np.array([0, 1.5, 2.5, 0], np.float16)
    assert entropy.shannon_bytes(weights) == pytest.approx(4 / 8 + 2 * 2)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (np.zeros(9, np.float32), 0),
        (np.ones(9, np.float32), 2),
        (np.zeros((0, 3), np.float32), 0),
        (np.array([-0.0] * 4, np.float32), 2),
        (np.full(9, 7, np.int8), 1),
        (np.full(9, 1e9, np.float32), 4),
        (np.full(9, np.nan, np.float32), 2),
    ],
)
def test_the_shannon_bound_of_odd_tensors(weights, expected):
    assert entropy.shannon_bytes(weights) == expected

import numpy as np
import pytest

from keras_dc.numerics.place_bits import place_bits


def test_a_place_costs_by_its_row_and_column():
    kept = np.array([[1, 1, 0], [0, 1, 0]])
    # Half a weight more in each: rows 2.5/4 and 1.5/4, columns 1.5/3, 2.5/3, 0.5/3, all 3.5/7.
    rows, columns = np.array([2.5, 1.5]) / 4, np.array([1.5, 2.5, 0.5]) / 3
    chance = np.minimum(np.outer(rows, columns) / 0.5, 0.9999)
    bits = place_bits(kept)
    np.testing.assert_allclose(bits, np.log2((1 - chance) / chance), rtol=1e-3)
    assert bits.dtype == np.float32
    assert bits[0, 1] == bits.min()
    assert bits[1, 2] == bits.max()


def test_the_last_axis_are_the_columns_of_a_convolution():
    kept = np.random.default_rng(0).integers(0, 2, (3, 3, 2, 5))
    np.testing.assert_array_equal(
        place_bits(kept), place_bits(kept.reshape(18, 5)).reshape(kept.shape)
    )


def test_a_vector_has_one_density():
    np.testing.assert_allclose(place_bits([1, 0, 0, 0]), [np.log2(3.5 / 1.5)] * 4, rtol=1e-6)


@pytest.mark.parametrize("fill", [np.zeros, np.ones])
def test_nothing_and_all_have_finite_bits(fill):
    bits = place_bits(fill((20, 30)))
    assert np.isfinite(bits).all()
    assert (bits > 0).all() == (fill is np.zeros)

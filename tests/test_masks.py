import numpy as np
import pytest

from keras_dc.masks import global_magnitude_masks, kept_count, magnitude_mask


def test_magnitude_mask_keeps_the_largest():
    weights = np.array([[0.1, -3.0], [2.0, -0.2]], dtype=np.float32)
    mask = magnitude_mask(weights, 0.5)
    assert mask.dtype == np.float32
    assert mask.tolist() == [[0, 1], [1, 0]]


def test_magnitude_mask_of_sparsity_zero_keeps_all():
    assert magnitude_mask(np.zeros(5), 0.0).tolist() == [1] * 5


def test_magnitude_mask_keeps_the_exact_count_among_equals():
    assert magnitude_mask(np.array([1.0, -1.0, 1.0, 1.0]), 0.5).tolist() == [1, 1, 0, 0]
    assert magnitude_mask(np.zeros(4), 0.75).tolist() == [1, 0, 0, 0]


def test_magnitude_mask_keeps_at_least_one():
    assert magnitude_mask(np.array([1.0, 3.0, 2.0]), 0.99).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("size", "sparsity", "count"), [(266200, 0.97, 7986), (10, 0.75, 2), (10, 0.0, 10), (1, 0.9, 1)]
)
def test_kept_count_rounds(size, sparsity, count):
    assert kept_count(size, sparsity) == count


def test_global_masks_share_one_threshold():
    weights = [np.array([[5.0, 1.0]]), np.array([4.0, 3.0, -6.0, 0.5])]
    masks = global_magnitude_masks(weights, 0.5, min_density=0.0)
    assert masks[0].tolist() == [[1, 0]]
    assert masks[1].tolist() == [1, 0, 1, 0]


def test_global_masks_leave_each_array_its_floor():
    small, large = np.array([0.1, 0.2, 0.3, 0.4]), np.array([5.0, 6.0, 7.0, 8.0])
    masks = global_magnitude_masks([small, large], 0.5, min_density=0.5)
    assert masks[0].tolist() == [0, 0, 1, 1]
    assert masks[1].tolist() == [0, 0, 1, 1]


def test_global_masks_keep_one_weight_of_each_array_without_floor():
    masks = global_magnitude_masks([np.array([0.1, 0.2]), np.arange(1.0, 9.0)], 0.7, min_density=0)
    assert masks[0].tolist() == [0, 1]
    assert masks[1].sum() == 2


def test_global_masks_keep_the_exact_total_when_floors_cascade():
    # The first floor takes from the second array, which then falls below its own.
    weights = [np.full(10, 0.1), np.full(10, 0.2), np.linspace(1, 2, 10)]
    masks = global_magnitude_masks(weights, 0.6, min_density=0.3)
    assert [int(mask.sum()) for mask in masks] == [3, 3, 6]


def test_global_masks_with_every_array_at_its_floor():
    weights = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    masks = global_magnitude_masks(weights, 0.5, min_density=0.5)
    assert [mask.tolist() for mask in masks] == [[0, 1], [0, 1]]


def test_global_masks_refuse_floors_above_the_budget():
    with pytest.raises(ValueError, match="Received: min_density=0.5, sparsity=0.9"):
        global_magnitude_masks([np.ones(10)], 0.9, min_density=0.5)

import numpy as np
import pytest

from keras_dc.numerics.masks import (
    block_magnitudes,
    expand_blocks,
    global_magnitude_masks,
    group_mask,
    kept_count,
    magnitude_mask,
    never_open,
    regrown_mask,
)


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


def test_what_is_pruned_stays_pruned_and_is_counted_where_a_mask_would_open():
    before = [np.float32([1, 0, 0]), np.float32([[0, 1]])]
    masks, num_opened = never_open([np.float32([1, 1, 0]), np.float32([[1, 0]])], before)
    assert [mask.tolist() for mask in masks] == [[1, 0, 0], [[0, 0]]]
    assert num_opened == 2
    assert never_open(before, before)[1] == 0


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


def test_blocks_at_the_edges_are_smaller():
    weights = np.array([[1.0, -3.0, 5.0], [2.0, 2.0, -7.0], [8.0, 0.0, 9.0]])
    assert block_magnitudes(weights, (2, 2)).tolist() == [[2.0, 6.0], [4.0, 9.0]]


@pytest.mark.parametrize("shape", [(5, 7), (4, 4), (1, 9), (3, 2, 5, 7)])
@pytest.mark.parametrize("block_size", [(1, 1), (2, 3), (4, 1), (9, 9)])
def test_expanded_blocks_have_the_shape_and_the_means(shape, block_size):
    rng = np.random.default_rng(0)
    blocks = block_magnitudes(rng.normal(size=shape), block_size)
    expanded = expand_blocks(blocks, block_size, shape)
    assert expanded.shape == shape
    np.testing.assert_allclose(block_magnitudes(expanded, block_size), blocks, rtol=1e-6)


def test_two_of_four_along_an_axis():
    weights = np.array([[1.0, -4.0, 3.0, 2.0, 5.0, 0.0, 0.0, -1.0]])
    mask = group_mask(weights, 0.5, group_size=4, axis=1)
    assert mask.dtype == np.float32
    assert mask.tolist() == [[0, 1, 1, 0, 1, 0, 0, 1]]
    np.testing.assert_array_equal(group_mask(weights.T, 0.5, group_size=4, axis=-2), mask.T)


def test_a_short_group_keeps_as_many_as_the_others():
    assert group_mask(np.arange(1.0, 7.0), 0.5, group_size=4, axis=0).tolist() == [0, 0, 1, 1, 1, 1]
    assert group_mask(np.array([1.0, 2.0, 3.0]), 0.25, group_size=4, axis=0).tolist() == [1, 1, 1]


def test_a_group_keeps_one_and_the_first_of_equals():
    assert group_mask(np.zeros(4), 0.9, group_size=4, axis=0).tolist() == [1, 0, 0, 0]


def test_regrowth_drops_the_smallest_and_grows_what_moved_most():
    weights = np.array([5.0, 0.1, 2.0, 3.0, 0.3, -9.0, 0.0, 0.2])
    mask = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    grown = regrown_mask(weights, mask, 0.5, fraction=0.25)
    assert grown.dtype == np.float32
    assert grown.tolist() == [1, 0, 1, 1, 0, 1, 0, 0]


def test_regrowth_follows_the_sparsity():
    weights, mask = np.arange(1.0, 9.0), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert regrown_mask(weights, mask, 0.75, fraction=0.5).tolist() == [0, 0, 0, 1, 0, 0, 0, 1]
    # More are wanted than are kept: all those stay, and the rest grows.
    assert regrown_mask(weights, mask, 0.25, fraction=0.1).tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert regrown_mask(weights, mask, 0.9, fraction=0.5).sum() == 1


def test_regrowth_without_pruned_weights_is_by_magnitude():
    weights = np.arange(1.0, 9.0)
    np.testing.assert_array_equal(
        regrown_mask(weights, np.ones(8), 0.5, fraction=0.3), magnitude_mask(weights, 0.5)
    )


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.9, 0.999999])
@pytest.mark.parametrize("kind", ["normal", "few values", "mostly zero", "sorted", "periodic"])
def test_masks_of_many_weights_are_those_of_a_sort(kind, sparsity):
    rng = np.random.default_rng(3)
    weights = rng.normal(size=300_000).astype(np.float32)
    if kind == "few values":
        weights = np.round(weights)
    elif kind == "mostly zero":
        weights[rng.random(weights.size) < 0.8] = 0
    elif kind == "sorted":
        weights = np.sort(weights)
    elif kind == "periodic":
        # A stride sees only the small ones.
        weights = np.where(np.arange(weights.size) % 18 == 0, 0, weights)
    mask = magnitude_mask(weights, sparsity)
    # Stable, so that of equal magnitudes the first come first.
    order = np.argsort(-np.abs(weights), kind="stable")
    expected = np.zeros(weights.size)
    expected[order[: kept_count(weights.size, sparsity)]] = 1
    np.testing.assert_array_equal(mask, expected)

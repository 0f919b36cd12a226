import numpy as np
import pytest

from keras_dc.numerics.initial_centroids import INITIALIZATIONS, initial_centroids
from keras_dc.numerics.kmeans import (
    cheapest_intervals,
    code_lengths_bits,
    lloyd,
    midpoints,
    reassign,
    share,
)
from keras_dc.numerics.value_counts import SortedValues, ValueHistogram, summarize

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=20000).astype(np.float32)


def kmeans(values, num_clusters, *, method=None, **options):
    return lloyd(summarize(values, method=method), num_clusters, **options)


def values_of(codebook, index):
    return np.append(np.float32(0), codebook)[index]


def entropy_bits(index):
    counts = np.unique(index, return_counts=True)[1]
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum())


def test_kmeans_of_three_groups_finds_their_means():
    values = [0.0, 1.0, 10.0, 12.0, 100.0]
    assert kmeans(values, 3, initialization="density").tolist() == [0.5, 11.0, 100.0]


def test_kmeans_of_one_cluster_is_the_mean():
    assert kmeans([1.0, 2.0, 6.0], 1).tolist() == [3.0]


def test_kmeans_of_few_distinct_values_finds_them():
    values = np.repeat([-2.0, 0.5, 3.0], 7)
    assert kmeans(values, 16).tolist() == [-2.0, 0.5, 3.0]


def test_kmeans_of_one_value():
    assert kmeans([4.0], 8).tolist() == [4.0]


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
def test_kmeans_stands_still(initialization):
    """Each centroid is the mean of the values nearest to it."""
    centroids = kmeans(NORMAL, 16, initialization=initialization, max_iterations=2000)
    index = np.searchsorted(midpoints(centroids), NORMAL)
    means = [NORMAL[index == i].astype(np.float64).mean() for i in range(16)]
    np.testing.assert_allclose(centroids, means, atol=1e-9)


def test_kmeans_does_not_change_its_input():
    values = np.array([3.0, 1.0, 2.0])
    kmeans(values, 2)
    assert values.tolist() == [3.0, 1.0, 2.0]


def test_linear_initialization_has_equal_steps():
    assert initial_centroids(np.array([-1.0, 0.0, 0.1, 3.0]), 5).tolist() == [-1, 0, 1, 2, 3]


def test_density_initialization_has_equal_counts():
    values = np.array([0.0, 1.0, 2.0, 3.0, 100.0, 101.0, 102.0, 103.0])
    centroids = initial_centroids(values, 4, initialization="density")
    assert centroids.tolist() == [1.0, 3.0, 101.0, 103.0]


def test_forgy_initialization_draws_values_and_repeats_with_its_seed():
    values = np.sort(NORMAL)
    first = initial_centroids(values, 8, initialization="forgy", seed=1)
    assert np.isin(first, values).all()
    np.testing.assert_array_equal(
        first, initial_centroids(values, 8, initialization="forgy", seed=1)
    )
    assert not np.array_equal(first, initial_centroids(values, 8, initialization="forgy", seed=2))


def test_forgy_initialization_of_fewer_values_than_clusters():
    assert initial_centroids(np.array([1.0, 2.0]), 8, initialization="forgy").tolist() == [1, 2]


def test_kmeans_plus_plus_prefers_the_distant_and_repeats_with_its_seed():
    values = np.sort(np.concatenate([np.zeros(1000), [1000.0, 1001.0, -1000.0]]))
    first = initial_centroids(values, 3, initialization="kmeans++", seed=1)
    assert first[0] == -1000.0
    assert first[1] == 0.0
    assert first[2] in (1000.0, 1001.0)
    again = initial_centroids(values, 3, initialization="kmeans++", seed=1)
    np.testing.assert_array_equal(first, again)


def test_kmeans_plus_plus_ends_with_the_distinct_values():
    values = np.repeat([1.0, 2.0], 5)
    assert initial_centroids(values, 8, initialization="kmeans++").tolist() == [1.0, 2.0]


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
def test_counts_stand_for_repeated_values(initialization):
    values, counts = np.array([-1.0, 0.5, 0.75, 3.0]), np.array([2, 7, 1, 3])
    options = {"initialization": initialization, "seed": 3}
    np.testing.assert_array_equal(
        initial_centroids(values, 3, counts=counts, **options),
        initial_centroids(np.repeat(values, counts), 3, **options),
    )


def test_unknown_initialization_is_refused():
    with pytest.raises(ValueError, match="Received: initialization='random'"):
        initial_centroids(np.array([1.0]), 2, initialization="random")


def test_no_clusters_are_refused():
    with pytest.raises(ValueError, match="Received: num_clusters=0"):
        kmeans([1.0], 0)


def test_code_lengths_of_powers_of_two():
    assert code_lengths_bits(np.array([4, 2, 1, 1, 0])).tolist() == [1, 2, 3, 3, np.inf]


def test_cheapest_intervals_without_costs_are_the_nearest():
    chosen, boundaries = cheapest_intervals(np.array([0.0, 1.0, 4.0]), np.zeros(3))
    assert chosen.tolist() == [0, 1, 2]
    assert boundaries.tolist() == [0.5, 2.5]


def test_cheapest_intervals_move_away_from_the_dear():
    # (w - 0)^2 = (w - 2)^2 + 2 at w = 1.5
    chosen, boundaries = cheapest_intervals(np.array([0.0, 2.0]), np.array([0.0, 2.0]))
    assert chosen.tolist() == [0, 1]
    assert boundaries.tolist() == [1.5]


def test_cheapest_intervals_leave_out_what_never_wins():
    chosen, boundaries = cheapest_intervals(np.array([0.0, 1.0, 2.0]), np.array([0.0, 9.0, 0.0]))
    assert chosen.tolist() == [0, 2]
    assert boundaries.tolist() == [1.0]


def test_cheapest_intervals_leave_out_the_infinitely_dear():
    chosen, boundaries = cheapest_intervals(np.array([0.0, 1.0]), np.array([np.inf, 3.0]))
    assert chosen.tolist() == [1]
    assert boundaries.size == 0


def test_cheapest_intervals_agree_with_trying_every_centroid():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=2000)
    for _ in range(50):
        centroids = np.unique(rng.normal(size=12))
        costs = rng.exponential(size=centroids.size)
        chosen, boundaries = cheapest_intervals(centroids, costs)
        best = ((weights[:, None] - centroids) ** 2 + costs).argmin(axis=1)
        np.testing.assert_array_equal(chosen[np.searchsorted(boundaries, weights)], best)


def test_share_takes_the_nearest_and_of_a_tie_the_lower():
    # Centroids 1 and 3: the mean of 1, 1 and of 3, 3, 3; 2 lies in the middle.
    weights = np.float32([1, 1, 3, 3, 3])
    codebook, index = share(weights, 2)
    assert codebook.tolist() == [1, 3]
    assert reassign(np.append(weights, 2.0), codebook, np.append(index, 1))[-1] == 1
    assert reassign(np.append(weights, 2.0), codebook, np.append(index, 2))[-1] == 1


def test_share_keeps_zeros_and_only_zeros():
    weights = np.array([[0.0, -1.0, 0.0], [1.0, 1e-6, 3.0]], dtype=np.float32)
    codebook, index = share(weights, 2)
    assert codebook.dtype == np.float32
    assert index.dtype == np.int32
    np.testing.assert_array_equal(index == 0, weights == 0)


def test_share_of_few_values_is_exact():
    weights = RNG.choice([0.0, -0.5, 0.25, 2.0], size=(40, 7)).astype(np.float32)
    codebook, index = share(weights, 5)
    assert codebook.tolist() == [-0.5, 0.25, 2.0, 0.0, 0.0]
    np.testing.assert_array_equal(values_of(codebook, index), weights)


def test_share_keeps_as_many_values_as_clusters_however_they_lie():
    values = np.array([-100, -1, -0.01, 1e-4, 2e-4, 3e-4, 0.5, 0.7], np.float32)
    weights = np.append(values, np.zeros(8, np.float32))[RNG.integers(0, 16, (30, 20))]
    # Linear steps leave all but two of the clusters empty.
    assert len(kmeans(weights[weights != 0], 8)) < 8
    codebook, index = share(weights, 8)
    assert codebook.tolist() == values.tolist()
    np.testing.assert_array_equal(values_of(codebook, index), weights)
    assert len(np.unique(share(weights, 7)[0])) <= 7


@pytest.mark.parametrize("rate_weight", [0.0, 0.1])
def test_share_of_zeros(rate_weight):
    codebook, index = share(np.zeros((3, 2)), 4, rate_weight=rate_weight)
    assert codebook.tolist() == [0, 0, 0, 0]
    assert index.tolist() == [[0, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize("rate_weight", [0.0, 0.1])
@pytest.mark.parametrize("weights", [[1.0], [-1.0, -1.0], [-1.0, 1.0], [0.0, 5.0]])
def test_share_of_hardly_any_weights_with_one_cluster(weights, rate_weight):
    codebook, index = share(np.array(weights), 1, rate_weight=rate_weight)
    assert np.isfinite(codebook).all()
    assert set(np.unique(index)) <= {0, 1}
    np.testing.assert_array_equal(index[np.array(weights) == 0], 0)


def test_rate_weight_trades_error_for_bits():
    weights = np.where(RNG.random(20000) < 0.9, 0, NORMAL)
    bits, errors = [], []
    for rate_weight in (0.0, 0.02, 0.1, 0.4):
        codebook, index = share(weights, 32, rate_weight=rate_weight)
        bits.append(entropy_bits(index))
        errors.append(np.mean((values_of(codebook, index) - weights) ** 2))
    assert bits == sorted(bits, reverse=True)
    assert errors == sorted(errors)
    assert bits[-1] < 0.6 * bits[0]


def test_rate_aware_sharing_beats_plain_sharing_at_equal_bits():
    weights = np.where(RNG.random(20000) < 0.9, 0, NORMAL)
    codebook, index = share(weights, 32, rate_weight=0.05)
    plain_codebook, plain_index = share(weights, 4)
    assert entropy_bits(index) < entropy_bits(plain_index)
    error = np.mean((values_of(codebook, index) - weights) ** 2)
    assert error < np.mean((values_of(plain_codebook, plain_index) - weights) ** 2)


def test_rate_aware_sharing_stands_still():
    """Codebook entries are the means of their members, the zero apart."""
    weights = np.where(RNG.random(20000) < 0.5, 0, NORMAL)
    codebook, index = share(weights, 16, rate_weight=0.05, max_iterations=5000)
    for i in np.unique(index[index > 0]):
        assert codebook[i - 1] == pytest.approx(weights[index == i].mean(), abs=1e-6)
    assert (index[weights == 0] == 0).all()


def test_rate_aware_sharing_of_a_dense_kernel():
    codebook, index = share(NORMAL, 16, rate_weight=0.02)
    assert np.unique(index).size > 4
    assert np.mean((values_of(codebook, index) - NORMAL) ** 2) < 0.1


def test_negative_rate_weight_is_refused():
    with pytest.raises(ValueError, match="Received: rate_weight=-1"):
        share(np.ones(3), 2, rate_weight=-1)


# Summaries of the values


@pytest.mark.parametrize("summary", [SortedValues, ValueHistogram])
def test_counts_and_sums_of_intervals(summary):
    values = np.array([3.0, -1.0, 2.0, 2.0, 9.0], dtype=np.float32)
    counts, sums = summary(values).counts_and_sums([0.0, 2.0, 5.0])
    assert counts.tolist() == [1, 2, 1, 1]
    assert sums.tolist() == [-1.0, 4.0, 3.0, 9.0]


def test_sums_over_blocks_are_those_of_float64():
    boundaries = np.linspace(-3.0, 3.0, 77)
    counts, sums = SortedValues(NORMAL).counts_and_sums(boundaries)
    places = np.searchsorted(boundaries, NORMAL)
    np.testing.assert_array_equal(counts, np.bincount(places, minlength=78))
    np.testing.assert_allclose(sums, np.bincount(places, NORMAL, minlength=78), rtol=1e-12)


def test_a_boundary_between_two_float32_numbers_is_compared_exactly():
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1))
    for share_of_gap in (0.3, 0.7):
        boundary = float(low) + share_of_gap * (float(high) - float(low))
        assert SortedValues([low, high]).counts_and_sums([boundary])[0].tolist() == [1, 1]


def inertia(values, centroids):
    return np.mean((values - centroids[np.searchsorted(midpoints(centroids), values)]) ** 2.0)


@pytest.mark.parametrize("initialization", ["linear", "density"])
@pytest.mark.parametrize("largest", [1.0, 100.0, 1e4])
def test_the_histogram_costs_less_than_a_thousandth_of_the_inertia(initialization, largest):
    values = RNG.normal(size=300_000).astype(np.float32)
    values[:10] *= largest
    exact, histogram = (
        inertia(values, kmeans(values, 32, initialization=initialization, method=method))
        for method in ("exact", "histogram")
    )
    assert histogram <= 1.001 * exact


def test_the_histogram_of_one_value_and_of_few():
    assert kmeans([4.0], 8, method="histogram").tolist() == [4.0]
    values = np.repeat(np.float32([-2.0, 0.5, 3.0]), 7)
    assert kmeans(values, 16, method="histogram").tolist() == [-2.0, 0.5, 3.0]


def test_method_is_chosen_by_size(monkeypatch):
    monkeypatch.setattr("keras_dc.numerics.value_counts.EXACT_LIMIT", 4)
    assert isinstance(summarize(np.ones(4)), SortedValues)
    assert isinstance(summarize(np.ones(5)), ValueHistogram)
    assert isinstance(summarize(np.ones(5), method="exact"), SortedValues)
    with pytest.raises(ValueError, match="Received: method='best'"):
        summarize(np.ones(5), method="best")


@pytest.mark.parametrize("method", ["exact", "histogram"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(method, bad):
    with pytest.raises(ValueError, match="must be finite"):
        share(np.array([1.0, bad, 2.0]), 2, method=method)


# Assignment to a codebook that stays


def test_reassign_takes_the_nearest_entry_in_use():
    codebook = np.array([3.0, -1.0, 1.0, 2.0])
    index = np.array([0, 1, 2, 3, 3])
    # 2.0 has no member: 1.9 goes to 1.0, though 2.0 is nearer.
    moved = np.array([0.7, 2.9, -2.0, 1.9, -0.5])
    assert reassign(moved, codebook, index).tolist() == [0, 1, 2, 3, 2]


def test_reassign_by_rate_prefers_the_frequent():
    codebook = np.array([1.0, 2.0])
    index = np.repeat([1, 2], [15, 1])
    weights = np.where(index == 1, 1.0, 1.6)
    assert reassign(weights, codebook, index)[-1] == 2
    assert reassign(weights, codebook, index, rate_weight=0.1)[-1] == 1


def test_reassign_by_rate_may_zero_a_weight():
    codebook, index = np.array([1.0]), np.repeat([0, 1], [63, 1])
    weights = np.where(index == 1, 0.6, 0.0)
    assert reassign(weights, codebook, index).sum() == 1
    assert reassign(weights, codebook, index, rate_weight=0.1).sum() == 0


def test_reassign_of_zeros_and_of_equal_entries():
    assert reassign(np.ones(2), np.array([5.0]), np.zeros(2, int)).tolist() == [0, 0]
    assert reassign(np.ones(2), np.array([5.0, 5.0]), np.array([1, 2])).tolist() == [1, 1]


def test_reassign_counts_the_bits_of_places():
    """A lonely weight goes, its twin in a full row stays; the histogram tells no difference."""
    index = np.zeros((40, 100), int)
    index[0] = 1
    index[20, 3] = 1
    weights = np.where(index == 1, 0.55, 0.0)
    codebook, options = np.array([1.0]), {"rate_weight": 0.075}
    assert reassign(weights, codebook, index, **options).sum() == 0
    by_place = reassign(weights, codebook, index, coder="arithmetic", **options)
    assert by_place[0].tolist() == [1] * 100
    assert by_place.sum() == 100


def test_reassign_by_place_takes_the_value_of_fewest_bits():
    index = np.repeat([0, 1, 2], [60, 15, 1]).reshape(4, 19)
    weights = np.array([0.0, 1.0, 1.6])[index]
    options = {"rate_weight": 0.05, "coder": "arithmetic"}
    found = reassign(weights, np.array([1.0, 2.0]), index, **options)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.minimum(index, 1))


def test_reassign_by_place_makes_no_zero_without_a_rate_or_without_zeros():
    index = np.array([[1, 0], [0, 0]])
    assert reassign(index * 0.1, np.array([1.0]), index, coder="arithmetic")[0, 0] == 1
    full = np.ones((2, 2), int)
    kept = reassign(full * 0.1, np.array([1.0]), full, rate_weight=9.0, coder="arithmetic")
    assert kept.all()

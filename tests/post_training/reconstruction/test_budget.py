import math

import pytest

from keras_dc.post_training.reconstruction.budget import Attempt, Budget, search

ORIGINAL, WEIGHTS = 4_000_000, 1_000_000


def made(price, *, floor=2000, error=1.0):
    """A file whose bytes and error are what theory says of fine steps."""
    bits = max(0.0, 2.0 - 0.5 * math.log2(price * WEIGHTS))
    return Attempt(
        price, bytes(int(floor + WEIGHTS * bits / 8)), error * math.sqrt(price * WEIGHTS)
    )


def search_for(make=made, **budget):
    prices = []

    def counted(price):
        prices.append(price)
        return make(price)

    lossless = Attempt(0.0, bytes(ORIGINAL), 0.0)
    found = search(counted, Budget(**budget), original_bytes=ORIGINAL, num_weights=WEIGHTS,
                   lossless=lambda: lossless)  # fmt: skip
    return found, len(prices)


@pytest.mark.parametrize("ratio", [4, 8, 12, 20])
def test_bytes_are_met_and_used(ratio):
    found, count = search_for(ratio=ratio)
    assert 0.95 * ORIGINAL / ratio <= len(found.content) <= ORIGINAL / ratio
    assert count <= 10
    same, _ = search_for(max_bytes=ORIGINAL / ratio)
    assert same.content == found.content


@pytest.mark.parametrize("error", [1e-3, 0.02, 0.3])
def test_an_error_is_met_and_used(error):
    found, count = search_for(max_error=error)
    assert 0.9 * error <= found.error <= error
    assert count <= 4


def test_the_best_is_told_where_bytes_are_too_few():
    message = r"at most 1,000 bytes .* has 2,000 bytes .* max_bytes=1000"
    with pytest.raises(ValueError, match=message):
        search_for(max_bytes=1000)


def test_an_error_below_what_few_values_allow_loses_nothing():
    def coarse(price):
        return Attempt(price, bytes(1000), max(0.01, math.sqrt(price)))

    found, _ = search_for(coarse, max_error=1e-3)
    assert found.error == 0.0


def test_the_best_is_told_where_a_metric_is_too_large():
    def bad(price):
        return Attempt(price, bytes(1000), 3.0 + price)

    with pytest.raises(ValueError, match=r"the best is off by .* max_error=0.1"):
        search(bad, Budget(max_error=0.1), original_bytes=ORIGINAL, num_weights=WEIGHTS,
               lossless=lambda: Attempt(0.0, bytes(ORIGINAL), 2.5))  # fmt: skip


@pytest.mark.parametrize(
    "budget",
    [{"ratio": 1}, {"max_error": 0}, {"max_bytes": -5}, {"ratio": math.nan}, {"max_error": "0.1"},
     {"ratio": 4, "max_error": 0.1}],
)  # fmt: skip
def test_a_budget_that_is_none_is_refused(budget):
    with pytest.raises(ValueError, match="Received: "):
        Budget(**budget)

import keras  # noqa: F401 (first: keras_dc registers its layers with it)
import numpy as np
import pytest

from keras_dc.recipe.allocation import (
    MIN_DENSITY,
    Allocation,
    CodedSizes,
    densities_by_byte,
    pattern_of,
)
from keras_dc.training import Sensitivity

SIZES = CodedSizes({"big": 10_000, "small": 1_000}, 8, factor=0.85, other_bytes=500)
EVEN = {"big": 0.1, "small": 0.1}


def scan(big, small):
    return Sensitivity(
        metric="loss",
        higher_is_better=False,
        sparsities=(0.5, 0.8, 0.95),
        baseline=1.0,
        values={"big": tuple(1 + x for x in big), "small": tuple(1 + x for x in small)},
    )


def test_a_kernel_takes_its_entropy():
    # Half the bits of the mask, at log2(9) * 0.9 bits a kept weight, and 8 centroids.
    bits = 1000 * 1.0 + 500 * 0.9 * np.log2(9)
    assert SIZES.kernel_bytes("small", 0.5) == pytest.approx(0.85 * bits / 8 + 16)


def test_a_file_that_was_made_calibrates():
    kernel_bytes = SIZES.file_bytes(EVEN) - 500 - 32
    new = SIZES.calibrated(EVEN, 2 * kernel_bytes + 32, 2 * kernel_bytes + 32 + 700)
    assert new.factor == pytest.approx(1.7, rel=1e-3)
    assert new.other_bytes == 700
    assert new.file_bytes(EVEN) == pytest.approx(2 * kernel_bytes + 732, rel=1e-3)


def test_the_global_threshold_meets_the_size():
    rng = np.random.default_rng(0)
    kernels = {"big": rng.normal(size=10_000), "small": 5 * rng.normal(size=1_000)}
    found = Allocation("global", kernels).densities(SIZES, 1500)
    assert 1450 < SIZES.file_bytes(found) <= 1500
    assert found["small"] > 5 * found["big"]


def test_bytes_go_where_they_save_most_loss():
    # A byte of "small" is worth more: it stays dense while "big" shrinks.
    found = densities_by_byte(scan([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]), SIZES, 2000)
    assert found["small"] > 0.9
    assert found["big"] < 0.3
    kernel_bytes = SIZES.file_bytes(found) - 500
    assert 1900 < kernel_bytes < 2050


def test_beyond_the_scan_densities_are_raised_to_one_power():
    # A loss above a quarter of the largest tells nothing: "small" ends at 0.5, "big" at 0.05.
    found = densities_by_byte(scan([0.1, 0.2, 0.3], [0.4, 1.0, 2.0]), SIZES, 400)
    power = np.log(found["big"]) / np.log(0.05)
    assert power > 1.0
    assert found["small"] == pytest.approx(0.5**power)
    assert 390 < SIZES.file_bytes(found) - 500 <= 400


@pytest.mark.parametrize("kernel_bytes", [1, 100, 1000, 3000, 10_000])
def test_densities_are_densities(kernel_bytes):
    found = densities_by_byte(scan([0, -0.1, np.nan], [0, np.inf, 3]), SIZES, kernel_bytes)
    assert all(MIN_DENSITY <= density <= 1.0 for density in found.values())


def test_given_densities_are_taken():
    given = {"big": 0.25}
    assert Allocation("given", {}, given=given).densities(SIZES, 1) == given


def test_patterns_find_one_layer():
    assert pattern_of("a.b") == r"^a\.b$"

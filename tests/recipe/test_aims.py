import pytest

from keras_dc.recipe.aims import Aim, aim_of, parsed_bytes


def test_half_a_point_is_the_default():
    assert aim_of() == Aim(max_loss=0.005)


def test_each_aim_is_taken():
    assert aim_of(max_loss=0) == Aim(max_loss=0.0)
    assert aim_of(max_bytes="2 KB") == Aim(max_bytes=2048)
    assert aim_of(ratio=100) == Aim(ratio=100.0)


def test_sizes():
    assert aim_of(ratio=100).size_bytes(1_043_999) == 10_439
    assert aim_of(max_bytes=77).size_bytes(1_000) == 77


@pytest.mark.parametrize(
    ("text", "size"),
    [("200 KB", 204_800), ("1.5kb", 1536), ("1,000 B", 1000), ("7", 7), ("2 MB", 2**21), (9, 9)],
)
def test_texts_are_sizes(text, size):
    assert parsed_bytes(text) == size


@pytest.mark.parametrize("size", ["200 kg", "KB", "-1 KB", "1.2.3 B", 0, -5, 1.5, True, "0 B"])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="`max_bytes` must be a whole number"):
        parsed_bytes(size)


def test_two_aims_are_refused():
    with pytest.raises(ValueError, match="Only one of .* max_loss=0.1, ratio=5"):
        aim_of(max_loss=0.1, ratio=5)


@pytest.mark.parametrize("ratio", [1.0, 0, -3, "10", True, float("inf"), float("nan")])
def test_ratios_are_above_one(ratio):
    with pytest.raises(ValueError, match="`ratio` must be a number above 1"):
        aim_of(ratio=ratio)


@pytest.mark.parametrize("loss", [-0.1, "1 %", float("nan"), True])
def test_losses_are_not_negative(loss):
    with pytest.raises(ValueError, match="`max_loss` must be a number from 0"):
        aim_of(max_loss=loss)

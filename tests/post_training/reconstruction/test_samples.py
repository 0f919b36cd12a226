import numpy as np
import pytest

from keras_dc.post_training.reconstruction.samples import runs_of
from keras_dc.runtime.sample_inputs import InputSpec


def spec(shape=(1, 4), name="x", dtype=np.float32):
    return InputSpec(name, shape, np.dtype(dtype), 0.0, 0)


def values(count, width=4, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def rows_of(runs, name="x"):
    return np.concatenate([run[name] for run in runs])


@pytest.mark.parametrize("shape", [(1, 4), (-1, 4), (8, 4)])
def test_a_quarter_is_held_back_and_nothing_is_lost(shape):
    x = values(64)
    runs = runs_of(x, [spec(shape)], 0)
    np.testing.assert_array_equal(rows_of(runs.all), x)
    assert len(rows_of(runs.held_back)) == 16
    both = np.concatenate([rows_of(runs.used), rows_of(runs.held_back)])
    np.testing.assert_array_equal(np.sort(both[:, 0]), np.sort(x[:, 0]))


def test_the_seed_says_which():
    x = values(64)
    first, again, other = (runs_of(x, [spec()], seed).held_back for seed in (0, 0, 1))
    np.testing.assert_array_equal(rows_of(first), rows_of(again))
    assert not np.array_equal(rows_of(first), rows_of(other))


def test_all_forms_are_the_same_samples(tmp_path):
    x = values(40)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x, y=np.zeros(40))
    forms = [
        x,
        [x],
        {"x": x},
        iter(np.split(x, 5)),
        lambda: iter(x[:, None]),
        tmp_path / "x.npy",
        str(tmp_path / "x.npz"),
    ]
    for form in forms:
        np.testing.assert_array_equal(rows_of(runs_of(form, [spec()], 0).all), x)


def test_several_inputs_go_together():
    x, z = values(40), values(40, 7)
    runs = runs_of({"x": x, "z": z}, [spec(), spec((1, 7), "z")], 0)
    np.testing.assert_array_equal(rows_of(runs.all, "z"), z)
    with pytest.raises(ValueError, match="as many samples"):
        runs_of({"x": x, "z": z[:-1]}, [spec(), spec((1, 7), "z")], 0)


def test_samples_of_several_shapes_stay_runs():
    pieces = [values(1, width) for width in range(3, 43)]
    runs = runs_of(iter(pieces), [spec((1, -1))], 0)
    assert [run["x"].shape[1] for run in runs.all] == list(range(3, 43))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (values(64, 5), "must be shaped"),
        (values(7), "8 at least. Received: 7"),
        (np.zeros((64, 4), np.float32), "all zero"),
        (np.full((64, 4), np.nan, np.float32), "finite"),
        (np.array([["a"] * 4] * 64), "dtype float32"),
        (iter([]), "a sample at least"),
    ],
)
def test_bad_samples_are_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        runs_of(samples, [spec()], 0)


def test_few_and_many_are_warned_of():
    with pytest.warns(UserWarning, match="Received: 20 samples"):
        runs_of(values(20), [spec()], 0)
    with pytest.warns(UserWarning, match="Received: 600 samples"):
        runs_of(values(600), [spec()], 0)


def test_what_cannot_be_held_back_is_warned_of():
    with pytest.warns(UserWarning, match="no `samples` are held back.* Received: 40 samples"):
        runs = runs_of(values(40), [spec((40, 4))], 0)
    np.testing.assert_array_equal(rows_of(runs.held_back), rows_of(runs.used))


@pytest.mark.parametrize("join", [iter, np.concatenate])
def test_samples_that_are_all_equal_are_warned_of(join):
    samples = join([values(1)] * 40)
    with pytest.warns(UserWarning, match="all equal"):
        runs_of(samples, [spec()], 0)

import numpy as np
import pytest

from keras_dc.runtime import sample_inputs
from keras_dc.runtime.sample_inputs import InputSpec


def spec(name="x", shape=(-1, 4), dtype=np.float32, scale=0.0, zero_point=0):
    return InputSpec(name, shape, np.dtype(dtype), scale, zero_point)


def random(*specs, num_rows=50, open_size=16):
    rng = np.random.default_rng(0)
    return sample_inputs.random_sample(specs, num_rows=num_rows, open_size=open_size, rng=rng)


def fitted(inputs, *specs, names=None):
    return list(sample_inputs.user_samples(inputs, specs, names=names))


def test_random_inputs_fill_what_is_open():
    sample = random(spec(shape=(-1, 3, -1)), spec("one", shape=(5,)))
    assert sample["x"].shape == (1, 3, 16)
    assert sample["one"].shape == (5,)
    assert sample["x"].dtype == np.float32
    assert 0.5 < sample["x"].std() < 1.5


def test_open_axes_are_tried_in_several_sizes_that_fit_into_memory():
    assert sample_inputs.open_sizes([spec(shape=(-1, 3))]) == [16]
    assert sample_inputs.open_sizes([spec(shape=(-1, -1))]) == [16, 64, 1, 1024]
    assert sample_inputs.open_sizes([spec(shape=(-1, -1, -1, 3))]) == [16, 64, 1, 1024]
    assert sample_inputs.open_sizes([spec(shape=(-1, -1, -1, -1, 3))]) == [16, 64, 1]


def test_random_integers_stay_in_range():
    assert set(random(spec(shape=(1000,), dtype=np.int32), num_rows=3)["x"]) == {0, 1, 2}
    assert random(spec(shape=(1000,), dtype=np.uint8), num_rows=10**6)["x"].max() <= 254
    assert set(random(spec(shape=(1000,), dtype=bool))["x"]) == {False, True}


def test_random_quantized_inputs_take_all_values():
    values = random(spec(shape=(10000,), dtype=np.int8, scale=0.1))["x"]
    assert values.dtype == np.int8
    assert (values.min(), values.max()) == (-128, 127)


def test_random_texts_are_words():
    texts = random(spec(dtype="S", shape=(-1, 500)))["x"]
    assert texts.shape == (1, 500)
    assert {b"", b"keras"} < set(texts.ravel().tolist())


def test_there_are_no_random_complex_numbers():
    with pytest.raises(ValueError, match="numbers, truth values or strings.*complex64"):
        random(spec(dtype=np.complex64))


@pytest.mark.parametrize("dtype", ["U", "S", object])
def test_texts_are_taken_in_every_form(dtype):
    texts = np.array([["red", "grün"]], object)
    given = np.char.encode(texts.astype("U")) if dtype == "S" else texts.astype(dtype)
    (sample,) = fitted(given, spec(dtype="S", shape=(-1, 2)))
    assert sample["x"].tolist() == [[b"red", "grün".encode()]]


def test_what_is_no_text_is_refused():
    with pytest.raises(
        ValueError, match="must hold strings, str or bytes. Received: object with 3"
    ):
        fitted(np.array([["red", 3]], object), spec(dtype="S", shape=(-1, 2)))


@pytest.mark.parametrize(
    "inputs",
    [
        np.ones((2, 4), np.float64),
        [np.ones((2, 4))],
        {"x": np.ones((2, 4), np.uint8)},
        iter([np.ones((2, 4))]),
        lambda: (np.ones((2, 4)) for _ in range(1)),
    ],
    ids=["array", "list", "dict", "iterator", "function"],
)
def test_one_input_may_be_given_in_many_ways(inputs):
    (sample,) = fitted(inputs, spec())
    np.testing.assert_array_equal(sample["x"], np.ones((2, 4), np.float32))
    assert sample["x"].dtype == np.float32


def test_a_list_goes_by_the_order_of_the_models_inputs():
    specs = [spec("a"), spec("z", shape=(-1,), dtype=np.int32)]
    ids, values = np.arange(3), np.ones((3, 4))
    (sample,) = fitted((ids, values), *specs, names=["z", "a"])
    assert sample["z"].tolist() == [0, 1, 2]
    assert sample["a"].shape == (3, 4)
    for names in (None, ["args_0", "z"]):
        with pytest.raises(ValueError, match=r"dict by the names \['a', 'z'\].*Received: a list"):
            fitted([values, ids], *specs, names=names)
    with pytest.raises(ValueError, match="array for each of.*Received: 1 items"):
        fitted([ids], *specs, names=["z", "a"])


def test_a_generator_gives_several_samples():
    samples = fitted((np.full((1, 4), i) for i in range(3)), spec())
    assert [sample["x"][0, 0] for sample in samples] == [0, 1, 2]
    with pytest.raises(ValueError, match="yield a sample at least. Received: none"):
        fitted(iter([]), spec())


def test_floats_for_a_quantized_input_are_quantized():
    quantized = spec(shape=(4,), dtype=np.int8, scale=0.5, zero_point=3)
    (sample,) = fitted(np.array([0.0, 1.0, -1.2, 1e6]), quantized)
    assert sample["x"].tolist() == [3, 5, 1, 127]
    (sample,) = fitted(np.array([0, 1, -1, 2]), quantized)
    assert sample["x"].tolist() == [0, 1, -1, 2]


@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_integers_that_the_dtype_does_not_hold_are_refused(scale):
    with pytest.raises(ValueError, match="from -128 to 127.*Received: uint8 from 0 to 200"):
        fitted(np.array([0, 200], np.uint8), spec(shape=(2,), dtype=np.int8, scale=scale))


@pytest.mark.parametrize("shape", [(4,), (2, 5), (0, 4), (1, 2, 4)], ids=str)
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"'x' must be shaped \(-1, 4\).*Received: \("):
        fitted(np.ones(shape), spec())


def test_what_fits_no_input_is_refused():
    with pytest.raises(ValueError, match="dtype int32. Received: float64"):
        fitted(np.ones((1, 4)), spec(dtype=np.int32))
    with pytest.raises(ValueError, match=r"for the names \['x'\]. Received: \['y'\]"):
        fitted({"y": np.ones((1, 4))}, spec())
    with pytest.raises(TypeError, match="Received: str"):
        fitted("ones", spec())
    with pytest.raises(TypeError, match="Received: ndarray"):
        fitted(np.ones((1, 4)), spec("a"), spec("b"))

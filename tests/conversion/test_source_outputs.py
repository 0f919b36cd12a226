"""The file is compared with the model that the user gave, whatever happened on the way."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.conversion import convert as convert_module
from keras_dc.conversion.input_signatures import input_signature_of
from keras_dc.conversion.source_outputs import SourceModel, in_numeric_order
from keras_dc.errors import VerificationError

RNG = np.random.default_rng(0)


def two_headed():
    keras.utils.set_random_seed(0)
    left, right = keras.Input((6,), name="left"), keras.Input((4,), name="right")
    x = layers.Concatenate()([layers.Dense(8)(left), layers.Dense(8)(right)])
    return keras.Model([left, right], [layers.Dense(3)(x), layers.Dense(12)(x)])


@pytest.fixture
def lossy_copy(monkeypatch):
    """The copy that is converted differs from the model in one weight."""

    @contextlib.contextmanager
    def plain_model(model):
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        copy.weights[0].assign(copy.weights[0] * 1.5)
        yield copy

    monkeypatch.setattr(convert_module, "plain_model", plain_model)


@pytest.mark.parametrize("settings", [{}, {"optimizations": ["DEFAULT"]}], ids=["float", "int8"])
def test_a_wrong_copy_is_found_out(lossy_copy, settings):
    message = "output of the converted model 'output_0' must agree with the original's within"
    with pytest.raises(VerificationError, match=message):
        dc.convert(two_headed(), **settings)


def test_a_wrong_copy_passes_unseen_without_verification(lossy_copy):
    assert dc.convert(two_headed(), verify=False)


def test_outputs_are_those_of_the_model():
    model = two_headed()
    source = SourceModel(model, input_signature_of(model))
    sample = {"right": RNG.normal(size=(2, 4)), "left": RNG.normal(size=(2, 6))}
    outputs = source({name: values.astype(np.float32) for name, values in sample.items()})
    want = model.predict([sample["left"], sample["right"]], verbose=0)
    assert list(outputs) == ["output_0", "output_1"]
    for name, values in zip(outputs, want):
        np.testing.assert_allclose(outputs[name], values, rtol=1e-5, atol=1e-6)


def test_a_state_goes_on_between_samples_and_the_model_keeps_its_own():
    first = keras.Input(batch_shape=(1, 3, 2), name="x")
    model = keras.Model(first, layers.GRU(4, stateful=True)(first))
    source = SourceModel(model, input_signature_of(model))
    x = RNG.normal(size=(1, 3, 2)).astype(np.float32)
    before = [np.array(variable) for variable in model.non_trainable_variables]
    results = [source({"x": x})["output_0"] for _ in range(2)]
    assert np.abs(results[0] - results[1]).max() > 1e-3
    for variable, value in zip(model.non_trainable_variables, before):
        np.testing.assert_array_equal(variable, value)
    model(x)
    np.testing.assert_allclose(model(x), results[1], rtol=1e-5, atol=1e-6)


def test_a_subclassed_model_of_two_arguments_is_compared():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(5)

        def call(self, x, scale):
            return {"y": self.dense(x) * scale}

    model = Two()
    model(np.ones((1, 9), np.float32), np.ones((1, 5), np.float32))
    compressed = dc.convert(model, input_signature=[(1, 9), (1, 5)])
    assert len(dc.expand(compressed)) > 0


def test_numbers_in_names_count_as_numbers():
    names = ["output_10", "output_2", "args_0_1", "args_0"]
    assert sorted(names, key=in_numeric_order) == ["args_0", "args_0_1", "output_2", "output_10"]

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_dc.conversion import input_signatures
from keras_dc.conversion.input_signatures import input_signature_of


class Sum(keras.Model):
    """Subclassed, with two arguments, the second a dict."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x, more, training=False):
        return self.dense(x) + self.dense(more["y"])


def functional(structure):
    a, b = keras.Input((4,), name="a"), keras.Input((None, 2), name="b", dtype="int32")
    inputs = {"list": [b, a], "dict": {"a": a, "b": b}}[structure]
    return keras.Model(inputs, layers.Dense(3)(a) + layers.Embedding(5, 3)(b)[:, 0, 0])


def described(signature):
    """The same structure with `(shape, dtype, name)` in place of each spec."""
    return keras.tree.map_structure(
        lambda spec: f"{spec.name}: {spec.dtype.name} {spec.shape}", signature
    )


def test_a_sequential_model_has_its_own():
    model = keras.Sequential([keras.Input((6, 5), batch_size=1, name="x"), layers.LSTM(4)])
    assert described(input_signature_of(model)) == ["x: float32 (1, 6, 5)"]
    assert input_signatures.input_names(model) == ["x"]


@pytest.mark.parametrize("structure", ["list", "dict"])
def test_a_functional_model_keeps_the_structure_of_its_inputs(structure):
    model = functional(structure)
    a, b = "a: float32 (None, 4)", "b: int32 (None, None, 2)"
    expected = {"list": [b, a], "dict": {"a": a, "b": b}}[structure]
    assert described(input_signature_of(model)) == [expected]
    names = {"list": ["b", "a"], "dict": ["a", "b"]}[structure]
    assert input_signatures.input_names(model) == names


@pytest.mark.parametrize("structure", ["list", "dict"])
def test_shapes_replace_those_of_the_model(structure):
    model = functional(structure)
    a, b = "a: float32 (1, 4)", "b: int32 (1, 7, 2)"
    expected = {"list": [b, a], "dict": {"a": a, "b": b}}[structure]
    given = [[(1, 7, 2), (1, 4)], ([1, 7, 2], tf.TensorSpec((1, 4)))]
    if structure == "dict":
        given = [{"a": (1, 4), "b": (1, 7, 2)}]
    for signature in given:
        assert described(input_signature_of(model, signature)) == [expected]


def test_specs_of_keras_bring_their_dtype():
    model = keras.Sequential([keras.Input((4,), name="x"), layers.Dense(3)])
    for signature in (
        keras.layers.InputSpec(shape=(2, 4), dtype="float16"),
        [keras.KerasTensor((2, 4), "float16")],
    ):
        assert described(input_signature_of(model, signature)) == ["x: float16 (2, 4)"]
    assert described(input_signature_of(model, (2, 4))) == ["x: float32 (2, 4)"]


def test_what_does_not_fit_is_refused():
    model = functional("list")
    with pytest.raises(ValueError, match=r"'a' shaped \(None, 4\). Received: \(1, 5\)"):
        input_signature_of(model, [(1, 7, 2), (1, 5)])
    with pytest.raises(ValueError, match="model's 2 inputs. Received: "):
        input_signature_of(model, (1, 4))
    with pytest.raises(ValueError, match=r"inputs \['b', 'a'\]. Received: \['a', 'c'\]"):
        input_signature_of(model, {"a": (1, 4), "c": (1, 4)})
    with pytest.raises(ValueError, match="must be a shape, a keras.InputSpec.*Received: 'x'"):
        input_signature_of(model, ["x", (1, 4)])
    with pytest.raises(ValueError, match="with shape and dtype. Received: InputSpec"):
        input_signature_of(model, [keras.layers.InputSpec(shape=(1, 7, 2)), (1, 4)])


def test_a_subclassed_model_remembers_its_call():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, inputs, mask=None):
            return self.dense(inputs["x"]) + inputs["y"][0]

    model = Net()
    model({"x": np.zeros((2, 4), np.float32), "y": (np.zeros((2, 3), np.float32),)})
    expected = {"x": "None: float32 (None, 4)", "y": ["None: float32 (None, 3)"]}
    assert described(input_signature_of(model)) == [expected]
    assert input_signatures.input_names(model) is None


def test_keras_remembers_one_argument_of_several():
    model = Sum()
    model(np.zeros((2, 4), np.float32), {"y": np.zeros((2, 4), np.float32)})
    for given in (None, (1, 4)):
        with pytest.raises(ValueError, match="each argument of the model's call: x, more. Rec"):
            input_signature_of(model, given)
    spec = "None: float32 (1, 4)"
    assert described(input_signature_of(model, [(1, 4), {"y": (1, 4)}])) == [spec, {"y": spec}]


def test_a_model_without_shapes_is_built_with_those_that_are_given():
    for make in (Sum, lambda: keras.Sequential([layers.Dense(3)])):
        with pytest.raises(ValueError, match="call it once, or convert it with an `input_sig"):
            input_signatures.build(make())
    model = Sum()
    input_signatures.build(model, [(None, 4), {"y": (None, 4)}])
    assert model.dense.kernel.shape == (4, 3)
    model = keras.Sequential([layers.Dense(3)])
    input_signatures.build(model, (None, 4))
    assert model.input_shape == (None, 4)
    weights = model.get_weights()
    input_signatures.build(model, (1, 4))
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])


def test_names_become_words():
    a, b = keras.Input((4,), name="my input"), keras.Input((4,), name="2nd.one")
    model = keras.Model([a, b], a + b)
    assert input_signatures.input_names(model) == ["my_input", "2nd_one"]

"""Functional and Sequential models whose classes have a constructor of their own."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.training.pruning import PrunedLayer
from keras_dc.wrapping.layer_tree import layers_of_class

X = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)


def array(value):
    return keras.ops.convert_to_numpy(value)


class Net(keras.Model):
    """As each backbone of KerasHub."""

    def __init__(self, units=8, **kwargs):
        inputs = keras.Input((6,), name="features")
        outputs = {"scores": layers.Dense(2, name="head")(layers.Dense(units)(inputs))}
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.units = units

    def get_config(self):
        return {"units": self.units, "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class NoConfig(keras.Model):
    def __init__(self, units=8):
        inputs = keras.Input((6,))
        super().__init__(inputs, layers.Dense(2)(layers.Dense(units)(inputs)))


class Stack(keras.Sequential):
    def __init__(self, units=8):
        super().__init__([keras.Input((6,)), layers.Dense(units), layers.Dense(2)])


class Outer(keras.Model):
    def __init__(self):
        super().__init__()
        self.net, self.head = Net(), layers.Dense(2)

    def call(self, inputs):
        return self.head(self.net(inputs)["scores"])


def outer():
    model = Outer()
    model(X)
    return model


def nested():
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Dense(2)(NoConfig()(inputs)))


MODELS = {"net": Net, "no_config": NoConfig, "stack": Stack, "outer": outer, "nested": nested}
COUNTS = {outer: 3, nested: 3}


def names_of(model):
    # Keras names an input layer of a clone after its tensor.
    return [layer.name for layer in model.layers if not isinstance(layer, layers.InputLayer)]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_they_are_wrapped_and_stripped(make):
    model = make()
    want = keras.tree.map_structure(array, model(X))
    names = names_of(model)
    for copy in (dc.prune(model, 0.0), dc.strip(model), dc.strip(dc.prune(dc.strip(model), 0.0))):
        keras.tree.map_structure(
            np.testing.assert_array_equal, keras.tree.map_structure(array, copy(X)), want
        )
        assert copy.name == model.name
        assert names_of(copy) == names
        assert getattr(copy, "output_names", None) == getattr(model, "output_names", None)
    assert len(layers_of_class(dc.prune(model, 0.5), PrunedLayer)) == (
        2 if make in (Net, NoConfig, Stack) else 3
    )


class Functional(keras.Model):
    """Can be made from inputs and outputs."""

    def train_step(self, data):
        return {"loss": 0.0}


def test_a_class_without_a_constructor_is_kept():
    inputs = keras.Input((6,))
    model = Functional(inputs, layers.Dense(2)(inputs))
    assert type(dc.prune(model, 0.5)) is Functional


class WithCall(Net):
    def call(self, inputs):
        return 2.0 * super().call(inputs)["scores"]


class StackWithCall(Stack):
    def call(self, inputs):
        return 2.0 * super().call(inputs)


@pytest.mark.parametrize("cls", [WithCall, StackWithCall])
def test_a_call_of_its_own_is_refused(cls):
    with pytest.raises(ValueError, match="a constructor and a `call` of its own"):
        dc.prune(cls(), 0.5)
    model = keras.Sequential([keras.Input((6,)), cls()])
    with pytest.raises(ValueError, match="a constructor and a `call` of its own"):
        dc.strip(model)


class WithStep(Net):
    def train_step(self, data):
        return {"loss": 0.0}


def test_a_lost_training_step_is_warned_of():
    with pytest.warns(UserWarning, match="lacks what the class overrides: train_step"):
        assert type(dc.prune(WithStep(), 0.5)) is not WithStep

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.training.pruning import PrunedLayer
from keras_dc.training.weight_sharing import SharedLayer
from keras_dc.wrapping.layer_tree import layers_of_class

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 6)).astype(np.float32)
Y = RNG.normal(size=(16, 2)).astype(np.float32)
HALF = dc.ConstantSparsity(0.5, 0)


def sequential():
    return keras.Sequential(
        [keras.Input((6,)), layers.Dense(6, activation="relu"), layers.Dense(2)]
    )


def two_outputs():
    inputs = keras.Input((6,), name="features")
    hidden = layers.Dense(5, activation="tanh", name="trunk")(inputs)
    outputs = {"a": layers.Dense(2, name="a")(hidden), "b": layers.Dense(2, name="b")(hidden)}
    return keras.Model(inputs, outputs)


def layer_called_twice():
    inputs = keras.Input((6,))
    layer = layers.Dense(6, activation="relu")
    return keras.Model(inputs, layers.Dense(2)(layer(layer(inputs))))


def nested():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.BatchNormalization()])
    inputs = keras.Input((6,))
    innermost = keras.Model(inputs, layers.Dense(6, name="deep")(inputs), name="innermost")
    return keras.Sequential([keras.Input((6,)), innermost, inner, layers.Dense(2)])


class Block(layers.Layer):
    """A layer of the user's, not registered, with layers inside."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first = layers.Dense(units, activation="relu")
        self.second = layers.Dense(units)

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build((*input_shape[:-1], self.units))

    def call(self, inputs):
        return inputs + self.second(self.first(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def with_block():
    return keras.Sequential([keras.Input((6,)), Block(6), layers.Dense(2)])


class Subclassed(keras.Model):
    """Layers as an attribute, in a list, in a dict, and a model inside."""

    def __init__(self):
        super().__init__()
        self.stem = layers.Dense(6, activation="relu", name="stem")
        self.blocks = [layers.Dense(6, name=f"block_{i}") for i in range(2)]
        self.heads = {"main": layers.Dense(2, name="main")}
        self.body = keras.Sequential([keras.Input((6,)), layers.Dense(6, name="inner")])

    def call(self, inputs):
        hidden = self.body(self.stem(inputs))
        for block in self.blocks:
            hidden = block(hidden)
        return self.heads["main"](hidden)


def subclassed():
    model = Subclassed()
    model(X)
    return model


GRAPHS = [sequential, two_outputs, layer_called_twice, nested, with_block]
COUNT = {"sequential": 2, "two_outputs": 3, "layer_called_twice": 2, "nested": 3, "with_block": 2}


def assert_equal(one, other):
    def compare(one, other):
        one, other = keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other)
        np.testing.assert_array_equal(one, other)

    keras.tree.map_structure(compare, one, other)


def train(model, **options):
    names = getattr(model, "output_names", [])
    two = names == ["a", "b"]
    y, loss = ({"a": Y, "b": Y}, {"a": "mse", "b": "mae"}) if two else (Y, "mse")
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(X, y, batch_size=4, verbose=0, **options)


@pytest.mark.parametrize("make", GRAPHS)
def test_prune_share_and_strip_a_model(make):
    model = make()
    pruned = dc.prune(model, HALF)
    assert type(pruned) is type(model)
    assert len(layers_of_class(pruned, PrunedLayer)) == COUNT[make.__name__]
    assert_equal(pruned(X), model(X))
    train(pruned, callbacks=[dc.PruningCallback()])

    shared = dc.share_weights(pruned, 8)
    assert len(layers_of_class(shared, SharedLayer)) == COUNT[make.__name__]
    train(shared)

    for wrapped in (pruned, shared):
        plain = dc.strip(wrapped)
        assert type(plain) is type(model)
        assert_equal(plain.predict(X, verbose=0), wrapped.predict(X, verbose=0))
        assert len(plain.weights) == len(model.weights)
    assert not layers_of_class(model, (PrunedLayer, SharedLayer))


@pytest.mark.parametrize("make", GRAPHS[:4])
def test_wrapped_models_load_from_files(make, tmp_path):
    pruned = dc.prune(make(), HALF)
    train(pruned, callbacks=[dc.PruningCallback()])
    for wrapped in (pruned, dc.share_weights(pruned, 8)):
        wrapped.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert_equal(loaded.predict(X, verbose=0), wrapped.predict(X, verbose=0))


def plain_function(step):
    return 0.5


@pytest.mark.parametrize("schedule", [plain_function, lambda step: 0.5])
@pytest.mark.parametrize("global_threshold", [False, True])
def test_a_schedule_that_no_file_could_keep_can_be_copied(schedule, global_threshold):
    pruned = dc.prune(sequential(), schedule, global_threshold=global_threshold)
    train(pruned, callbacks=[dc.PruningCallback()])
    again = dc.prune(dc.strip(pruned), schedule)
    train(again, callbacks=[dc.PruningCallback()])
    shared = dc.share_weights(again, 4, filters=f"^{again.layers[0].name}$")
    assert shared.layers[1].schedule is again.layers[1].schedule
    kernels = [layer.get_weights()[0] for layer in dc.strip(pruned).layers]
    assert sum(np.count_nonzero(kernel == 0) for kernel in kernels) == 24


def test_output_names_stay():
    model = two_outputs()
    assert dc.prune(model, HALF).output_names == model.output_names == ["a", "b"]


def test_the_loss_of_a_compiled_model_may_be_a_plain_function():
    model = sequential()
    model.compile("sgd", loss=lambda y, p: keras.ops.mean((y - p) ** 2))
    pruned = dc.prune(model, HALF)
    assert model.compiled
    assert not pruned.compiled


def test_frozen_layers_stay_frozen():
    model = sequential()
    model.layers[0].trainable = False
    pruned = dc.prune(model, HALF, filters=".")
    assert len(pruned.trainable_variables) == 2
    train(pruned, callbacks=[dc.PruningCallback()])
    assert len(dc.strip(pruned).trainable_variables) == 2


def test_a_subclassed_model_is_changed_in_place_and_back():
    model = subclassed()
    before = model(X)
    names = [variable.shape for variable in model.weights]
    stem = model.stem
    assert dc.prune(model, HALF) is model
    assert isinstance(model.stem, PrunedLayer)
    assert isinstance(model.blocks[1], PrunedLayer)
    assert isinstance(model.heads["main"], PrunedLayer)
    assert len(layers_of_class(model, PrunedLayer)) == 5
    assert_equal(model(X), before)
    train(model, callbacks=[dc.PruningCallback()])

    assert dc.share_weights(model, 8) is model
    assert len(layers_of_class(model, SharedLayer)) == 5
    train(model)
    outputs = model.predict(X, verbose=0)

    assert dc.strip(model) is model
    assert model.stem is stem
    assert [variable.shape for variable in model.weights] == names
    model.compile("sgd", "mse")
    assert_equal(model.predict(X, verbose=0), outputs)


def test_filters_reach_into_nested_models():
    pruned = dc.prune(nested(), HALF, filters="^deep$")
    assert [layer.name for layer in layers_of_class(pruned, PrunedLayer)] == ["deep"]


def test_a_model_without_kernel_is_refused():
    model = keras.Sequential([keras.Input((6,)), layers.BatchNormalization()])
    with pytest.raises(ValueError, match=r"Layers with a kernel: \[\]"):
        dc.prune(model, HALF)


class LateBlock(layers.Layer):
    """Makes its weights in its first call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(6)
        self.norm = layers.BatchNormalization()

    def call(self, inputs):
        return self.norm(self.dense(inputs))


def test_a_layer_that_makes_its_kernel_in_its_first_call_is_refused():
    model = keras.Sequential([keras.Input((6,)), LateBlock(), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"make its weights in `build\(\)`.*LateBlock"):
        dc.prune(model, HALF)


class LateScale(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.BatchNormalization()

    def call(self, inputs):
        return self.norm(inputs)


def test_other_weights_made_in_the_first_call_are_copied():
    model = keras.Sequential([keras.Input((6,)), LateScale(), layers.Dense(2)])
    model.layers[0].set_weights([np.full(6, float(i)) for i in (2, 3, 5, 7)])
    assert_equal(dc.prune(model, HALF)(X), model(X))

"""Subclassed models are changed in place: what was compiled goes, and all can be put back."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.training.pruning import PrunedLayer
from keras_dc.training.stripping import stripped_for_a_while
from keras_dc.training.weight_sharing import SharedLayer
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.layer_tree import layers_of_class, layers_within

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype(np.float32)
Y = RNG.normal(size=(64, 2)).astype(np.float32)


def array(value):
    return keras.ops.convert_to_numpy(value)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Dense(16, activation="relu"), layers.Dense(2)

    def call(self, inputs, training=None):
        return self.b(self.a(inputs))


class Outer(keras.Model):
    """A subclassed model inside, a graph inside, and layers in containers."""

    def __init__(self):
        super().__init__()
        self.inner = Net()
        self.graph = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
        self.blocks = [layers.Dense(4), {"last": layers.Dense(2)}]

    def call(self, inputs):
        return self.blocks[1]["last"](self.blocks[0](self.graph(self.inner(inputs))))


def trained(model):
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    return model


MODELS = {"net": Net, "outer": Outer}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_compiled_functions_are_dropped(make):
    model = trained(make())
    shared = dc.share_weights(model, 2)
    assert shared is model
    actions = [lambda: model.fit(X, Y, verbose=0), lambda: model.train_on_batch(X, Y)]
    if keras.backend.backend() != "torch":  # where Keras does not ask
        actions.append(lambda: model.evaluate(X, Y, verbose=0))
    for action in actions:
        with pytest.raises(ValueError, match=r"`compile\(\)`"):
            action()
    np.testing.assert_allclose(model.predict(X, verbose=0), array(model(X)), rtol=1e-5, atol=1e-6)
    model.compile("adam", "mse")
    loss = model.evaluate(X, Y, verbose=0)
    assert loss == pytest.approx(float(np.mean((array(model(X)) - Y) ** 2)), rel=1e-4)
    before = array(layers_of_class(model, SharedLayer)[0].codebooks[0])
    model.fit(X, Y, verbose=0)
    assert np.abs(array(layers_of_class(model, SharedLayer)[0].codebooks[0]) - before).max() > 0
    dc.strip(model)
    with pytest.raises(ValueError, match=r"`compile\(\)`"):
        model.fit(X, Y, verbose=0)
    np.testing.assert_allclose(model.predict(X, verbose=0), array(model(X)), rtol=1e-5, atol=1e-6)


def test_an_undriven_fit_of_a_used_model_is_refused():
    model = dc.prune(trained(Net()), dc.PolynomialDecay(0.0, 0.9, 0, 40))
    model.compile("adam", "mse")
    with pytest.raises(RuntimeError, match="no callback updates its state"):
        model.fit(X, Y, verbose=0)


def test_a_compiled_model_inside_is_compiled_anew():
    model = Outer()
    model(X)
    trained(model.inner)
    dc.prune(model, 0.5)
    with pytest.raises(ValueError, match=r"`compile\(\)`"):
        model.inner.fit(X, Y, verbose=0)


class Holder(keras.Model):
    """Holds a model in a container."""

    def __init__(self, inner):
        super().__init__()
        self.parts = [inner, layers.Dense(2)]

    def call(self, inputs):
        return self.parts[1](self.parts[0](inputs))


def graph_around(inner):
    inputs = keras.Input((6,))
    return keras.Model(inputs, inner(inputs))


@pytest.mark.parametrize("around", [Holder, graph_around, lambda net: Holder(graph_around(net))])
def test_models_around_a_changed_one_are_compiled_anew(around):
    inner, other = Net(), trained(Net())
    inner(X)
    model = trained(around(inner))
    shared = dc.share_weights(inner, 2)
    with pytest.raises(ValueError, match=r"`compile\(\)`"):
        model.fit(X, Y, verbose=0)
    np.testing.assert_allclose(model.predict(X, verbose=0), array(model(X)), rtol=1e-5, atol=1e-6)
    model.compile("adam", "mse")
    codebook = layers_of_class(shared, SharedLayer)[0].codebooks[0]
    before = array(codebook)
    model.fit(X, Y, verbose=0)
    assert np.abs(array(codebook) - before).max() > 0
    other.fit(X, Y, verbose=0)


def test_models_around_one_that_is_stripped_for_a_while_stay_compiled():
    inner = Net()
    inner(X)
    dc.prune(inner, dc.ConstantSparsity(0.5, 0))
    model = Holder(inner)
    model(X)
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0, callbacks=[dc.PruningCallback()])
    function = model.train_function
    with stripped_for_a_while(inner):
        assert model.train_function is None
    assert model.train_function is function
    model.fit(X, Y, verbose=0, callbacks=[dc.PruningCallback()])


def test_strip_of_a_plain_model_leaves_it_compiled():
    model = trained(Net())
    assert dc.strip(model) is model
    model.fit(X, Y, verbose=0)


def structure(model):
    """All objects that an in-place change may touch."""
    return [
        *layers_within(model),
        *(value for part in layers_within(model) for value in part._layers),
        *(getattr(model, name) for name in ("train_function", "test_function", "predict_function")),
        model.optimizer,
    ]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("wrap", ["pruned", "shared", "reassigned"])
def test_stripped_for_a_while(make, wrap):
    model = make()
    model(X)
    if wrap == "pruned":
        model, callbacks = dc.prune(model, dc.ConstantSparsity(0.5, 0)), [dc.PruningCallback()]
    elif wrap == "shared":
        model, callbacks = dc.share_weights(model, 4), []
    else:
        model = dc.share_weights(model, 4, reassign_frequency=2)
        callbacks = [dc.training.WeightSharingCallback()]
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0, callbacks=callbacks)
    want = model.predict(X, verbose=0)
    loss = model.evaluate(X, Y, verbose=0)
    objects = structure(model)
    values = [array(variable).copy() for variable in model.variables]
    flags = [variable.trainable for variable in model.variables]
    with stripped_for_a_while(model) as plain:
        assert plain is model
        assert not layers_of_class(plain, (PrunedLayer, SharedLayer))
        np.testing.assert_array_equal(plain.predict(X, verbose=0), want)
    assert all(new is old for new, old in zip(structure(model), objects, strict=True))
    for variable, value, flag in zip(model.variables, values, flags, strict=True):
        np.testing.assert_array_equal(array(variable), value)
        assert variable.trainable == flag
    assert model.evaluate(X, Y, verbose=0) == loss
    np.testing.assert_array_equal(model.predict(X, verbose=0), want)
    model.fit(X, Y, verbose=0, callbacks=callbacks)
    assert np.abs(model.predict(X, verbose=0) - want).max() > 0


def test_stripped_for_a_while_after_an_error():
    model = dc.prune(trained(Net()), 0.5)
    with pytest.raises(KeyError), stripped_for_a_while(model):
        raise KeyError
    assert len(layers_of_class(model, PrunedLayer)) == 2


def test_a_graph_is_copied_for_a_while():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    shared = dc.share_weights(model, 4)
    with stripped_for_a_while(shared) as plain:
        assert plain is not shared
        np.testing.assert_array_equal(array(plain(X)), array(shared(X)))
    assert len(layers_of_class(shared, SharedLayer)) == 1


def test_a_change_that_fails_half_way_is_taken_back():
    model = trained(Outer())
    objects = structure(model)
    flags = [variable.trainable for variable in model.variables]

    def replacement(layer):
        if layer is model.blocks[1]["last"]:
            raise KeyError
        return SharedLayer(layer, 4)

    with pytest.raises(KeyError):
        replace_layers(model, replacement)
    assert all(new is old for new, old in zip(structure(model), objects, strict=True))
    assert [variable.trainable for variable in model.variables] == flags
    model.fit(X, Y, verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="convert needs TensorFlow")
@pytest.mark.parametrize("settings", [{}, {"optimizations": ["DEFAULT"]}], ids=["float", "int8"])
def test_convert_leaves_a_subclassed_model_as_it_was(settings):
    model = Net()
    model(X)
    model = trained(dc.share_weights(model, 8))
    objects = structure(model)
    assert dc.convert(model, **settings)
    assert all(new is old for new, old in zip(structure(model), objects, strict=True))
    before = array(model.a.codebooks[0])
    model.fit(X, Y, verbose=0)
    assert np.abs(array(model.a.codebooks[0]) - before).max() > 0

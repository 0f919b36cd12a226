"""Copies carry all state of a layer, and share what no name can tell."""

import os

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_dc as dc
from keras_dc.wrapping.cloning import copy_layer

RNG = np.random.default_rng(0)
X = RNG.normal(300, 50, (64, 4)).astype(np.float32)
WORDS = np.array([["the dog"], ["a cat"]])


def array(value):
    return keras.ops.convert_to_numpy(value)


def adapted(layer, data):
    layer.adapt(data)
    return layer


class Own(layers.Layer):
    """State in an array, saved by methods of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = np.zeros(4, np.float32)

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(4,), initializer="ones", name="scale")

    def call(self, inputs):
        return inputs * self.scale + self.table

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["table"] = self.table

    def load_own_variables(self, store):
        self.table = np.array(store["table"])
        self.scale.assign(store["0"])


class Assets(layers.Layer):
    """State in a file."""

    words = "none"

    def call(self, inputs):
        return inputs + len(self.words)

    def save_assets(self, dir_path):
        with open(os.path.join(dir_path, "words.txt"), "w") as file:
            file.write(self.words)

    def load_assets(self, dir_path):
        with open(os.path.join(dir_path, "words.txt")) as file:
            self.words = file.read()


class Gained(layers.Layer):
    """State that not even a file would keep."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.terms, self._shift = 1.0, [], None

    def call(self, inputs):
        return inputs * self.factor + sum(self.terms) + self._shift


class Preprocess(layers.Layer):
    """A layer with such a layer inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.Normalization()

    def build(self, input_shape):
        if not self.norm.built:
            self.norm.build(input_shape)

    def call(self, inputs):
        return self.norm(inputs)


def own():
    layer = Own()
    layer.build((None, 4))
    layer.table += 3.0
    return layer


def assets():
    layer = Assets()
    layer.words = "seven words"
    return layer


def gained():
    layer = Gained()
    layer.factor, layer.terms, layer._shift = 2.0, [1.0, 5.0], np.full(4, 7.0, np.float32)
    return layer


def inside():
    layer = Preprocess()
    layer.norm.adapt(X)
    return layer


NUMERIC = {
    "normalization": lambda: adapted(layers.Normalization(), X),
    "normalization_of_constants": lambda: layers.Normalization(mean=[3.0] * 4, variance=[4.0] * 4),
    "normalization_inverted": lambda: adapted(layers.Normalization(invert=True), X),
    "discretization": lambda: adapted(layers.Discretization(num_bins=5), X),
    "discretization_of_constants": lambda: layers.Discretization([200.0, 300.0]),
    "own_variables": own,
    "assets": assets,
    "gained": gained,
    "inside": inside,
}


@pytest.mark.parametrize("kind", NUMERIC)
def test_a_copy_has_the_state(kind):
    model = keras.Sequential([keras.Input((4,)), NUMERIC[kind](), layers.Dense(3)])
    want = model.predict(X, verbose=0)
    for copy in (dc.prune(model, 0.0), dc.strip(model), dc.strip(dc.prune(model, 0.0))):
        np.testing.assert_array_equal(copy.predict(X, verbose=0), want)
    nested = keras.Sequential([keras.Input((4,)), model, layers.Dense(2)])
    want = nested.predict(X, verbose=0)
    np.testing.assert_array_equal(dc.prune(nested, 0.0).predict(X, verbose=0), want)
    np.testing.assert_array_equal(dc.training.fold_batch_norm(nested).predict(X, verbose=0), want)


def test_a_copy_is_a_layer_of_its_own():
    layer = own()
    copy = copy_layer(layer)
    copy.table += 1.0
    copy.scale.assign([5.0] * 4)
    np.testing.assert_array_equal(layer.table, [3.0] * 4)
    np.testing.assert_array_equal(array(layer.scale), [1.0] * 4)


class Forgets(Own):
    def load_own_variables(self, store):
        self.scale.assign(store["0"])


def test_state_that_a_class_does_not_restore_is_refused():
    layer = Forgets()
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(2)])
    layer.table += 3.0
    with pytest.raises(ValueError, match="must restore what its `save_own_variables` wrote"):
        dc.prune(model, 0.5)


def text_layers():
    words = ["the cat sat", "a dog ran", "the dog"]
    return {
        "vectorization": adapted(
            layers.TextVectorization(max_tokens=20, output_mode="count"), words
        ),
        "tf_idf": adapted(layers.TextVectorization(output_mode="tf_idf", max_tokens=9), words),
        "lookup": adapted(layers.StringLookup(), [["the dog"], ["a cat"]]),
        "lookup_multi_hot": adapted(layers.StringLookup(output_mode="multi_hot"), WORDS),
        "given_vocabulary": layers.StringLookup(vocabulary=["the dog", "x"]),
        "hashing": layers.Hashing(num_bins=11, salt=7),
    }


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="strings are TensorFlow's")
@pytest.mark.parametrize("kind", text_layers() if keras.backend.backend() == "tensorflow" else [])
def test_a_copy_has_the_vocabulary(kind):
    import tensorflow as tf

    if kind == "tf_idf" and keras.__version__.startswith("3.6."):
        pytest.skip("this Keras cannot save the layer")
    inputs = keras.Input((1,), dtype="string")
    hidden = ops.cast(text_layers()[kind](inputs), "float32")
    model = keras.Model(inputs, layers.Dense(5)(layers.Dense(4)(layers.Flatten()(hidden))))
    x = tf.constant(WORDS)
    want = model.predict(x, verbose=0)
    assert np.abs(want).max() > 0
    for copy in (dc.prune(model, 0.0), dc.strip(model), dc.training.fold_batch_norm(model)):
        np.testing.assert_array_equal(copy.predict(x, verbose=0), want)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tables are TensorFlow's")
def test_a_copy_has_the_vocabulary_of_integers():
    lookup = adapted(layers.IntegerLookup(output_mode="one_hot"), np.array([[30], [10], [30]]))
    model = keras.Sequential([keras.Input((1,), dtype="int64"), lookup, layers.Dense(2)])
    x = np.array([[10], [30], [5]])
    np.testing.assert_array_equal(
        dc.prune(model, 0.0).predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_a_copy_of_a_stateful_layer_has_its_state():
    model = keras.Sequential(
        [keras.Input(batch_shape=(1, 3, 2)), layers.LSTM(4, stateful=True), layers.Dense(1)]
    )
    x = np.ones((1, 3, 2), np.float32)
    first = array(model(x))
    copy = dc.prune(model, 0.0)
    second = array(model(x))
    assert np.abs(second - first).max() > 0
    np.testing.assert_array_equal(array(copy(x)), second)


class Frames(layers.Layer):
    """A variable that is no weight, and a metric."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = keras.metrics.Mean()

    def build(self, input_shape):
        self.total = [keras.Variable(np.zeros(4, np.float32), trainable=False)]

    def call(self, inputs):
        return inputs + self.total[0]


def test_a_copy_has_variables_in_lists_and_metrics():
    layer = Frames()
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(2)])
    layer.total[0].assign([1.0, 2.0, 3.0, 4.0])
    layer.seen.update_state([4.0])
    copy = dc.strip(model)
    np.testing.assert_array_equal(array(copy(X)), array(model(X)))
    assert float(array(copy.layers[0].seen.result())) == 4.0


def test_single_variables_stay_frozen_and_regularized():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.layers[0].bias.trainable = False
    model.layers[0].kernel.regularizer = keras.regularizers.L2(0.1)
    copy = dc.strip(model)
    assert len(copy.trainable_variables) == 1
    assert copy.layers[0].kernel.regularizer.l2 == pytest.approx(0.1)


def mish2(t):
    return t * ops.tanh(ops.softplus(t))


def relu(t):
    """Has the name of one of Keras' own."""
    return ops.minimum(t, 0.0)


def scaled(factor):
    def activation(t):
        return t * factor

    return activation


class Reg(keras.regularizers.Regularizer):
    def __call__(self, w):
        return 1e-4 * ops.sum(ops.abs(w))


class Cap(keras.constraints.Constraint):
    """Has no `get_config`."""

    def __init__(self, cap):
        self.cap = cap

    def __call__(self, w):
        return ops.clip(w, -self.cap, self.cap)


class Start(keras.initializers.Initializer):
    def __init__(self, value):
        self.value = value

    def __call__(self, shape, dtype=None):
        return ops.full(shape, self.value, dtype=dtype)


class Swish(layers.Layer):
    """A layer as an activation, and functions in a list."""

    def __init__(self, functions, **kwargs):
        super().__init__(**kwargs)
        self.functions = functions

    def call(self, inputs):
        return sum(function(inputs) for function in self.functions)

    def get_config(self):
        functions = [keras.activations.serialize(function) for function in self.functions]
        return {**super().get_config(), "functions": functions}

    @classmethod
    def from_config(cls, config):
        functions = [keras.activations.deserialize(f) for f in config.pop("functions")]
        return cls(functions, **config)


class ByName(layers.Layer):
    """Looks into its function in `get_config`."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = {"mish2": mish2}[function]

    def call(self, inputs):
        return self.function(inputs)

    def get_config(self):
        return {**super().get_config(), "function": self.function.__name__}


def recurrent(**options):
    return [layers.Reshape((2, 2)), layers.RNN(layers.GRUCell(4, **options))]


OBJECTS = {
    "activation": lambda: [layers.Dense(8, activation=mish2)],
    "closure": lambda: [layers.Dense(8, activation=scaled(3.0))],
    "two_closures": lambda: [
        layers.Dense(8, activation=scaled(3.0)),
        layers.Dense(8, activation=scaled(5.0)),
    ],
    "name_of_keras": lambda: [layers.Dense(8, activation=relu)],
    "operation": lambda: [layers.Dense(8, activation=ops.tanh)],
    "lambda": lambda: [layers.Dense(8, activation=lambda t: t * 2)],
    "lambda_of_scope": lambda: [layers.Dense(8, activation=(lambda k: lambda t: t * k)(4.0))],
    "regularizer": lambda: [layers.Dense(8, kernel_regularizer=Reg())],
    "constraint": lambda: [layers.Dense(8, kernel_constraint=Cap(10.0))],
    "initializer": lambda: [layers.Dense(8, kernel_initializer=Start(0.5))],
    "Lambda": lambda: [layers.Lambda(lambda t: t * 2), layers.Dense(8)],
    "Lambda_with_shape": lambda: [
        layers.Lambda(lambda t: t[:, :2], output_shape=lambda shape: (shape[0], 2)),
        layers.Dense(8),
    ],
    "Activation": lambda: [layers.Activation(scaled(0.1)), layers.Dense(8)],
    "recurrent": lambda: recurrent(activation=mish2, recurrent_activation=lambda t: t * 0.1),
    "list": lambda: [Swish([mish2, relu]), layers.Dense(8)],
    "by_name": lambda: [ByName("mish2"), layers.Dense(8)],
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_copy_shares_objects_of_the_user(kind):
    model = keras.Sequential([keras.Input((4,)), *OBJECTS[kind]()])
    x = X / 300 - 1
    want = model.predict(x, verbose=0)
    names = [layer.name for layer in model.layers]
    for copy in (dc.prune(model, 0.0), dc.strip(model), dc.training.fold_batch_norm(model)):
        np.testing.assert_allclose(copy.predict(x, verbose=0), want, rtol=1e-6)
        assert [layer.name for layer in copy.layers] == names
    shared = dc.share_weights(model, 8)
    np.testing.assert_allclose(
        dc.strip(shared).predict(x, verbose=0), shared.predict(x, verbose=0), rtol=1e-6
    )
    # The model has its objects back.
    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-6)


def test_a_folded_layer_has_its_objects():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.BatchNormalization(),
            layers.Dense(3, activation=scaled(2.0), kernel_regularizer=Reg()),
        ]
    )
    folded = dc.training.fold_batch_norm(model)
    assert folded.layers[0].activation is model.layers[1].activation
    np.testing.assert_allclose(
        folded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-3, atol=1e-4
    )


class Late(keras.Model):
    """A nested model whose copy has weights that only a call makes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(4)

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        return self.dense(inputs)


def test_a_nested_model_with_late_kernels_is_refused():
    model = keras.Sequential([keras.Input((4,)), Late(), layers.Dense(2)])
    for action in (lambda: dc.prune(model, 0.5), lambda: dc.strip(model)):
        with pytest.raises(ValueError, match=r"make its weights in `build\(\)`.*Late"):
            action()

"""A variable that several layers use has one mask and one codebook, and stays one."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_dc as dc
from keras_dc.training.weight_sharing import SharedLayer
from keras_dc.wrapping.layer_tree import layers_of_class

RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 30, size=(64, 5))
X = RNG.normal(size=(64, 6)).astype(np.float32)


def array(value):
    return keras.ops.convert_to_numpy(value)


@keras.saving.register_keras_serializable("tied")
class Head(layers.Layer):
    """Computes with the table of an embedding, which it holds as a layer."""

    def __init__(self, emb, **kwargs):
        super().__init__(**kwargs)
        self.emb = emb

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(30,), name="bias", initializer="zeros")

    def call(self, inputs):
        return ops.matmul(inputs, ops.transpose(self.emb.embeddings)) + self.bias

    def get_config(self):
        return {**super().get_config(), "emb": keras.saving.serialize_keras_object(self.emb)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("emb")), **config)


class TiedDense(layers.Layer):
    """The transposed kernel of another layer, whose variable it keeps itself."""

    def __init__(self, other, **kwargs):
        super().__init__(**kwargs)
        self.other = other

    def build(self, input_shape):
        if not self.other.built:
            self.other.build((None, 6))
        self.kernel = self.other.kernel
        self.bias = self.add_weight(shape=(self.kernel.shape[0],), name="bias")

    def call(self, inputs):
        return ops.matmul(inputs, ops.transpose(self.kernel)) + self.bias

    def get_config(self):
        return {**super().get_config(), "other": keras.saving.serialize_keras_object(self.other)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("other")), **config)


class LM(keras.Model):
    """The README's kind: an embedding tied to the output layer."""

    def __init__(self):
        super().__init__()
        self.emb, self.mid = layers.Embedding(30, 8), layers.Dense(8)
        self.head = Head(self.emb)

    def call(self, tokens, training=None):
        return self.head(self.mid(self.emb(tokens)))


class InTheCall(keras.Model):
    """Tied in the model's own call."""

    def __init__(self):
        super().__init__()
        self.emb, self.mid = layers.Embedding(30, 8), layers.Dense(8)

    def call(self, tokens, training=None):
        hidden = self.mid(self.emb(tokens))
        return ops.matmul(hidden, ops.transpose(self.emb.embeddings))


class Parts(keras.Model):
    """Graphs inside that share layers with each other and with the model."""

    def __init__(self):
        super().__init__()
        self.emb = layers.Embedding(30, 8)
        tokens = keras.Input((5,), dtype="int32")
        dense = layers.Dense(8)
        self.encoder = keras.Model(tokens, dense(self.emb(tokens)))
        hidden = keras.Input((5, 8))
        self.decoder = keras.Model(hidden, dense(hidden))
        self.head = Head(self.emb)

    def call(self, tokens, training=None):
        return self.head(self.decoder(self.encoder(tokens)))


def called(cls):
    model = cls()
    model(TOKENS[:1])
    return model


def functional():
    tokens = keras.Input((5,), dtype="int32")
    emb = layers.Embedding(30, 8)
    return keras.Model(tokens, Head(emb)(layers.Dense(8)(emb(tokens))))


def head_first():
    """The head is called, and so copied, before the embedding."""
    tokens = keras.Input((5,), dtype="int32")
    emb = layers.Embedding(30, 8)
    emb.build((None, 5))
    one_hot = layers.Lambda(lambda t: ops.one_hot(t % 8, 8), output_shape=(5, 8))(tokens)
    scores = Head(emb)(one_hot)
    return keras.Model(tokens, layers.Dense(30)(layers.Concatenate()([scores, emb(tokens)])))


MODELS = {
    "subclassed": lambda: called(LM),
    "in_the_call": lambda: called(InTheCall),
    "parts": lambda: called(Parts),
    "functional": functional,
    "head_first": head_first,
}
COUNTS = {"in_the_call": 1, "subclassed": 1, "parts": 1, "functional": 1, "head_first": 1}


def autoencoder():
    inputs = keras.Input((6,))
    encode = layers.Dense(4, activation="tanh")
    return keras.Model(inputs, TiedDense(encode)(encode(inputs)))


def fit(model, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(TOKENS, TOKENS, epochs=2, verbose=0, **options)


def num_weights(model):
    return [tuple(weight.shape) for weight in model.weights]


@pytest.mark.parametrize("kind", MODELS)
def test_a_tied_model_is_shared_and_stripped(kind):
    model = MODELS[kind]()
    shapes = sorted(num_weights(model))
    outputs = array(model(TOKENS))
    shared = dc.share_weights(model, 200)
    tables = [
        weight
        for layer in layers_of_class(shared, SharedLayer)
        for weight in layer.shared
        if weight.variable.shape == (30, 8)
    ]
    assert len(tables) == 1
    np.testing.assert_allclose(array(shared(TOKENS)), outputs, rtol=0.1, atol=0.1)
    fit(shared)
    got = array(shared(TOKENS))
    plain = dc.strip(shared)
    np.testing.assert_array_equal(array(plain(TOKENS)), got)
    assert sorted(num_weights(plain)) == shapes
    fit(plain)
    assert sorted(num_weights(plain)) == shapes


@pytest.mark.parametrize("kind", MODELS)
def test_a_tied_model_is_pruned_shared_and_stripped(kind):
    pruned = dc.prune(MODELS[kind](), dc.ConstantSparsity(0.5, 0))
    fit(pruned, callbacks=[dc.PruningCallback()])
    if kind in ("functional", "head_first"):
        np.testing.assert_array_equal(array(dc.strip(pruned)(TOKENS)), array(pruned(TOKENS)))
    shared = dc.share_weights(pruned, 6)
    fit(shared)
    got = array(shared(TOKENS))
    plain = dc.strip(shared)
    np.testing.assert_array_equal(array(plain(TOKENS)), got)
    table = next(weight for weight in plain.weights if weight.shape == (30, 8))
    assert np.mean(array(table) == 0) >= 0.5
    assert len(np.unique(array(table))) <= 7


def test_an_autoencoder_keeps_its_tie():
    model = autoencoder()
    assert len(model.weights) == 3
    plain = dc.strip(model)
    assert len(plain.weights) == 3
    encode, decode = plain.layers[1], plain.layers[2]
    assert decode.kernel is encode.kernel
    assert decode.other is encode
    np.testing.assert_array_equal(array(plain(X)), array(model(X)))
    shared = dc.share_weights(dc.prune(model, 0.0), 5)
    shared.compile("adam", "mse")
    shared.fit(X, X, verbose=0)
    plain = dc.strip(shared)
    np.testing.assert_array_equal(array(plain(X)), array(shared(X)))
    assert plain.layers[2].kernel is plain.layers[1].kernel
    assert len(np.unique(array(plain.layers[1].kernel))) <= 6


def test_the_gradient_is_that_of_both_uses():
    """The codebook of a tied kernel learns from both layers."""
    shared = dc.share_weights(autoencoder(), 4)
    plain = dc.strip(shared)
    kernel, codebook = array(plain.layers[1].kernel), array(shared.layers[1].codebooks[0])
    for each in (plain, shared):
        each.compile(keras.optimizers.SGD(0.1), "mse")
        each.fit(X, X, batch_size=64, verbose=0)
    steps = array(plain.layers[1].kernel) - kernel
    index = array(shared.layers[1].indices[0])
    np.testing.assert_allclose(
        array(shared.layers[1].codebooks[0]) - codebook,
        [steps[index == i + 1].sum() for i in range(4)],
        rtol=1e-3,
        atol=1e-5,
    )


@pytest.mark.parametrize("make", [functional, lambda: called(LM)], ids=["graph", "subclassed"])
@pytest.mark.parametrize("name", ["embedding", "head"])
def test_half_of_a_tie_is_refused(make, name):
    model = make()
    before = array(model(TOKENS))
    with pytest.raises(ValueError, match="select all or none.*embeddings of the layers"):
        dc.share_weights(model, 4, filters=name)
    np.testing.assert_array_equal(array(model(TOKENS)), before)
    assert not layers_of_class(model, SharedLayer)


def test_a_regularizer_counts_once():
    tokens = keras.Input((5,), dtype="int32")
    emb = layers.Embedding(30, 8, embeddings_regularizer="l2")
    model = keras.Model(tokens, Head(emb)(layers.Dense(8)(emb(tokens))))
    shared = dc.share_weights(model, 240)
    model(TOKENS)
    shared(TOKENS)
    one, two = (float(array(sum(each.losses))) for each in (model, shared))
    assert two == pytest.approx(one, rel=1e-2)


class Listed(layers.Layer):
    """Keeps the variable of another layer where no attribute shows it."""

    def __init__(self, other, **kwargs):
        super().__init__(**kwargs)
        self.other = other

    def build(self, input_shape):
        self.kernels = [self.other.kernel]

    def call(self, inputs):
        return ops.matmul(inputs, ops.transpose(self.kernels[0]))

    def get_config(self):
        return {**super().get_config(), "other": keras.saving.serialize_keras_object(self.other)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("other")), **config)


def test_a_tie_that_a_copy_would_lose_is_refused():
    inputs = keras.Input((6,))
    encode = layers.Dense(4)
    hidden = encode(inputs)
    model = keras.Model(inputs, Listed(encode)(hidden))
    with pytest.raises(ValueError, match="keeps a variable of another layer in a list"):
        dc.strip(model)


@pytest.mark.parametrize("wrap", ["pruned", "shared"])
def test_a_tied_model_loads_from_its_file(wrap, tmp_path):
    model = functional()
    if wrap == "pruned":
        wrapped = dc.prune(model, dc.ConstantSparsity(0.5, 0))
        fit(wrapped, callbacks=[dc.PruningCallback()])
    else:
        wrapped = dc.share_weights(model, 6)
        fit(wrapped)
    wrapped.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(array(loaded(TOKENS)), array(wrapped(TOKENS)))
    assert num_weights(loaded) == num_weights(wrapped)
    plain = dc.strip(loaded)
    np.testing.assert_array_equal(array(plain(TOKENS)), array(wrapped(TOKENS)))
    assert num_weights(plain) == num_weights(model)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="convert needs TensorFlow")
@pytest.mark.parametrize("kind", ["subclassed", "in_the_call", "functional"])
def test_a_tied_model_is_converted(kind):
    """`convert` compares its file with the model that it was given."""
    shared = dc.share_weights(MODELS[kind](), 6)
    fit(shared)
    before = array(shared(TOKENS))
    assert dc.convert(shared, verify_inputs=TOKENS[:1].astype(np.int32))
    np.testing.assert_array_equal(array(shared(TOKENS)), before)

"""Which weights are pruned and shared, and what is said of the others."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.dense_models import X, Y, fit

import keras_dc as dc
from keras_dc.training.pruning import PrunedLayer
from keras_dc.wrapping.weights import find_kernels


class Experts(layers.Layer):
    """Kernels in a list, a dict and a tuple of tuples, and one under another name."""

    def add(self, name):
        return self.add_weight(shape=(6, 5), name=name, initializer="glorot_uniform")

    def build(self, shape):
        self.listed = [self.add("kernel") for _ in range(2)]
        self.mapped = {"a": self.add("kernel")}
        self.nested = ((self.add("kernel"),), "word", 3)
        self.other = self.add("weight")
        self.built = True

    def call(self, x):
        kernels = [*self.listed, self.mapped["a"], self.nested[0][0], self.other]
        return sum(ops.matmul(x, kernel) for kernel in kernels)


class Telling(Experts):
    def get_prunable_weights(self):
        return [self.other, self.listed[1]]


def model_of(layer):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((6,)), layer, layers.Dense(2, name="head")])


def zeros(model):
    kernels = [weight for weight in dc.strip(model).layers[0].get_weights() if weight.ndim == 2]
    return [int(np.sum(kernel == 0)) for kernel in kernels]


@pytest.mark.filterwarnings("ignore:These weights are not known")
def test_kernels_in_containers_are_found_and_named_apart():
    layer = Experts(name="experts")
    layer.build((None, 6))
    assert [kernel.name for kernel in find_kernels(layer)] == [
        "experts/listed/0/kernel",
        "experts/listed/1/kernel",
        "experts/mapped/a/kernel",
        "experts/nested/0/0/kernel",
    ]


@pytest.mark.filterwarnings("ignore:These weights are not known")
@pytest.mark.parametrize(
    ("make", "expected"), [(Experts, [15, 15, 15, 15, 0]), (Telling, [0, 15, 0, 0, 15])]
)
def test_kernels_in_containers_are_pruned_and_shared(make, expected):
    model = model_of(make())
    pruned = dc.prune(model, dc.ConstantSparsity(0.5, 0))
    losses = fit(pruned, epochs=3, callbacks=[dc.PruningCallback()])["loss"]
    assert losses[-1] < losses[0]
    assert zeros(pruned) == expected
    plain = dc.strip(pruned)
    one, other = plain.predict(X, verbose=0), pruned.predict(X, verbose=0)
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    shared = dc.share_weights(pruned, 3)
    fit(shared)
    for kernel, count in zip(dc.strip(shared).layers[0].get_weights(), expected, strict=True):
        assert (np.unique(kernel).size <= 4) == (count > 0)
    # What the layer holds is as it was.
    inner = pruned.layers[0].layer
    variables = {id(variable) for variable in inner.variables}
    assert {id(weight) for weight in [*inner.listed, inner.mapped["a"]]} <= variables


def test_a_weight_that_no_attribute_holds_is_refused():
    class Hidden(Experts):
        def get_prunable_weights(self):
            return [keras.Variable(np.ones((2, 2)))]

    with pytest.raises(ValueError, match="get_prunable_weights.*Received: "):
        dc.prune(model_of(Hidden()), 0.5)


@pytest.mark.parametrize("wrap", [lambda m: dc.prune(m, 0.5), lambda m: dc.share_weights(m, 4)])
def test_weights_that_are_not_covered_are_named(wrap):
    with pytest.warns(
        UserWarning, match=r"get_prunable_weights.*Received: \['experts: .*weight'\]"
    ):
        wrap(model_of(Experts(name="experts")))

    class Bare(layers.Layer):
        def build(self, shape):
            self.matrix = self.add_weight(shape=(6, 6), name="matrix")

        def call(self, x):
            return ops.matmul(x, self.matrix)

    with pytest.warns(UserWarning, match=r"Received: \['bare: .*matrix'\]"):
        wrap(model_of(Bare(name="bare")))
    # Who selects layers knows that there are others.
    dc.prune(model_of(Bare()), 0.5, filters="head")


def test_small_weights_of_several_axes_are_not_worth_a_word():
    inputs = keras.Input((5, 6))
    attended = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    outputs = layers.Dense(2)(layers.PReLU()(layers.GRU(3)(attended)))
    dc.prune(keras.Model(inputs, outputs), 0.5)


@pytest.mark.filterwarnings("ignore:These weights are not known")
def test_the_logs_tell_the_sparsity_over_all_weights():
    pruned = dc.prune(model_of(Experts()), dc.ConstantSparsity(0.5, 0))
    logs = fit(pruned, callbacks=[dc.PruningCallback()])
    assert logs["sparsity"] == [0.5]
    # Of five kernels of 30, and 10 weights and 2 biases of the head: 60 and 5.
    assert logs["sparsity_of_model"] == [pytest.approx(65 / 162)]


# Fixed and frozen


class Transform(layers.Layer):
    """Has a kernel that is never trained, beside one that is."""

    def build(self, shape):
        self.fixed = self.add_weight(shape=(6, 6), name="fixed_kernel", trainable=False)
        self.kernel = self.add_weight(shape=(6, 6), name="kernel")
        self.built = True

    def call(self, x):
        return ops.matmul(ops.matmul(x, self.fixed), self.kernel)


def test_weights_that_are_never_trained_are_left_alone():
    pruned = dc.prune(model_of(Transform()), 0.5)
    assert [kernel.name.split("/")[-1] for kernel in pruned.layers[0].kernels] == ["kernel"]


def spectrogram_model(**options):
    layer = layers.STFTSpectrogram(frame_length=64, frame_step=32, fft_length=64, **options)
    return keras.Sequential(
        [keras.Input((512, 1)), layer, layers.Flatten(), layers.Dense(3, name="head")]
    )


@pytest.mark.skipif(not hasattr(layers, "STFTSpectrogram"), reason="not in this Keras")
@pytest.mark.parametrize("wrap", [lambda m: dc.prune(m, 0.8), lambda m: dc.share_weights(m, 4)])
def test_a_spectrogram_is_left_alone(wrap):
    model = spectrogram_model(trainable=False)
    before = model.layers[0].get_weights()
    plain = dc.strip(wrap(model))
    assert len(before) > 0
    for old, new in zip(before, plain.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.unique(plain.get_layer("head").get_weights()[0]).size < 340


@pytest.mark.parametrize("wrap", [lambda m, **o: dc.prune(m, 0.5, **o), dc.share_weights])
def test_frozen_layers_are_left_alone_unless_they_are_named(wrap):
    def frozen_first():
        model = model_of(layers.Dense(5, name="frozen"))
        model.layers[0].trainable = False
        return model

    assert type(wrap(frozen_first()).layers[0]) is layers.Dense
    assert type(wrap(frozen_first(), filters="frozen").layers[0]) is not layers.Dense
    model = frozen_first()
    model.trainable = False
    with pytest.raises(ValueError, match=r"Frozen layers.*\['frozen', 'head'\].*filters=None"):
        wrap(model)


def test_pruned_layers_are_shared_though_their_kernels_do_not_learn():
    shared = dc.share_weights(dc.prune(model_of(layers.Dense(5)), 0.5), 4)
    assert not any(isinstance(layer, PrunedLayer) for layer in shared.layers)
    with pytest.raises(ValueError, match="must be stripped first"):
        dc.prune(shared, 0.5)
    shared.compile("sgd", "mse")
    shared.fit(X, Y, verbose=0)

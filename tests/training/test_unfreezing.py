"""Kernels behind codebooks stay frozen, whatever is frozen and freed around them."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.wrapping.layer_tree import layers_within

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype(np.float32)
Y = RNG.normal(size=(64, 2)).astype(np.float32)


def shared(**options):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(16), layers.Dense(2)])
    return dc.share_weights(model, 8, **options)


def nested():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(16)])
    return dc.share_weights(keras.Sequential([keras.Input((6,)), inner, layers.Dense(2)]), 8)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Dense(16), layers.Dense(2)

    def call(self, inputs):
        return self.b(self.a(inputs))


def subclassed():
    model = Net()
    model(X)
    return dc.share_weights(model, 8)


def trained_names(model):
    return sorted(variable.path.split("/")[-1] for variable in model.trainable_variables)


def train(model):
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("make", [shared, nested, subclassed])
def test_toggling_trainable_frees_no_kernel(make):
    model = make()
    names = ["bias", "bias", "codebook_0", "codebook_0"]
    assert trained_names(model) == names
    model.trainable = False
    assert trained_names(model) == []
    model.trainable = True
    assert trained_names(model) == names
    model.layers[-1].trainable = False
    assert trained_names(model) == ["bias", "codebook_0"]
    model.layers[-1].trainable = True
    assert trained_names(model) == names
    train(model)
    assert len(dc.strip(model).trainable_variables) == 4


def test_biases_behind_codebooks_stay_frozen():
    model = shared(num_bias_clusters=2)
    model.trainable = False
    model.trainable = True
    assert trained_names(model) == ["codebook_0", "codebook_0", "codebook_1", "codebook_1"]


def test_weights_that_go_on_learning_do_so_again():
    model = shared(reassign_frequency=5)
    names = trained_names(model)
    model.trainable = False
    model.trainable = True
    assert trained_names(model) == names
    assert names.count("kernel") == 2


def test_a_layer_shared_while_frozen_learns_once_it_is_freed():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(16), layers.Dense(2)])
    model.layers[0].trainable = False
    # A frozen layer is left alone unless it is named.
    model = dc.share_weights(model, 8, filters=".")
    assert trained_names(model) == ["bias", "codebook_0"]
    model.layers[0].trainable = True
    assert trained_names(model) == ["bias", "bias", "codebook_0", "codebook_0"]


class Fixed(layers.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(6, 6), name="kernel", trainable=False)

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.kernel)


def test_a_kernel_that_is_never_trained_is_no_kernel():
    fixed = Fixed()
    fixed.build((None, 6))
    with pytest.raises(ValueError, match="A layer without kernel cannot be wrapped"):
        dc.training.SharedLayer(fixed, 4)


def test_a_kernel_freed_inside_its_wrapper_is_refused():
    model = shared()
    for layer in layers_within(model):
        layer.trainable = False
    for layer in layers_within(model):
        layer.trainable = True
    model.layers[0].layer.trainable = False
    model.layers[0].layer.trainable = True
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="behind the codebooks of layer 'dense"):
        model.fit(X, Y, verbose=0)


def test_copies_and_files_keep_what_is_frozen(tmp_path):
    model = shared()
    model.layers[0].trainable = False
    model.save(tmp_path / "model.keras")
    for copy in (
        dc.prune(dc.strip(model), 0.5),
        dc.strip(model),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        assert len(copy.trainable_variables) == 2

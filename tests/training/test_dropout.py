import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.wrapping.layer_tree import layers_of_class


def with_zeros(layer, kept):
    """A built layer with all but the first `kept` weights zero."""
    kernel = np.zeros(layer.kernel.shape, np.float32)
    kernel.ravel()[:kept] = 1.0
    layer.kernel.assign(kernel)


def rates(model):
    return [layer.rate for layer in layers_of_class(model, layers.Dropout)]


def test_the_rate_falls_with_the_root_of_the_kept_connections():
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dropout(0.1),
            layers.Dense(8, name="a"),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Dense(4, name="b"),
            layers.Dropout(0.4),
        ]
    )
    with_zeros(model.get_layer("a"), 16)
    with_zeros(model.get_layer("b"), 2)
    rescaled = dc.training.rescale_dropout(model)
    assert rates(rescaled) == pytest.approx([0.1, 0.5 * 0.5, 0.4 * 0.25])
    assert rates(model) == [0.1, 0.5, 0.4]


def test_a_pruned_model_is_read_by_its_masks():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8), layers.Dropout(0.5)])
    inputs = keras.Input((8,))
    hidden = layers.Dropout(0.5)(layers.Dense(8, activation="relu")(inputs))
    merged = layers.Dropout(0.5)(layers.Add()([inner(hidden), hidden]))
    model = dc.prune(keras.Model(inputs, merged), 0.75)
    model.compile("sgd", "mse")
    x = np.ones((8, 8), np.float32)
    model.fit(x, x, verbose=0, callbacks=[dc.PruningCallback()])
    rescaled = dc.training.rescale_dropout(model)
    # After the merge of two branches the rate stays.
    assert sorted(rates(rescaled)) == pytest.approx([0.25, 0.25, 0.5])
    assert sorted(rates(dc.training.rescale_dropout(dc.strip(model)))) == pytest.approx(
        [0.25, 0.25, 0.5]
    )


def test_the_new_rate_is_a_number_of_python():
    """One of NumPy is float32 to JAX, in a layer that computes in bfloat16."""
    model = keras.Sequential([keras.Input((8,)), layers.Dense(8), layers.Dropout(0.5)])
    with_zeros(model.layers[0], 16)
    [rate] = rates(dc.training.rescale_dropout(model))
    assert type(rate) is float
    assert rate == pytest.approx(0.25)


def test_the_copy_drops_at_its_new_rate():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((100,)), layers.Dense(100), layers.Dropout(0.9)])
    with_zeros(model.layers[0], 100)
    rescaled = dc.training.rescale_dropout(model)
    outputs = keras.ops.convert_to_numpy(rescaled(np.ones((100, 100)), training=True))
    # 0.9 * sqrt(0.01), of 10,000 outputs that are 1 without dropout.
    assert np.mean(outputs == 0) == pytest.approx(0.09, abs=0.015)


def test_models_without_dropout_are_refused():
    with pytest.raises(ValueError, match="has no Dropout layer"):
        dc.training.rescale_dropout(keras.Sequential([keras.Input((3,)), layers.Dense(2)]))


def test_layers_of_one_name_have_a_rate_each():
    def part(kept, name):
        model = keras.Sequential(
            [keras.Input((4,)), layers.Dense(4), layers.Dropout(0.8, name="dropout")], name=name
        )
        with_zeros(model.layers[0], kept)
        return model

    rescaled = dc.training.rescale_dropout(
        keras.Sequential([keras.Input((4,)), part(4, "one"), part(1, "two")])
    )
    assert rates(rescaled) == pytest.approx([0.8 * 0.5, 0.8 * 0.25])

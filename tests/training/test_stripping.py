import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(32, 8, 8, 2)).astype(np.float32)
LABELS = RNG.integers(0, 3, size=32)


def conv_model():
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(3, name="head"),
        ]
    )


def trained(model, *, callbacks=()):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(IMAGES, LABELS, batch_size=8, epochs=2, verbose=0, callbacks=list(callbacks))
    return model


def pruned_model():
    pruned = dc.prune(conv_model(), dc.ConstantSparsity(0.5, 0, frequency=2))
    return trained(pruned, callbacks=[dc.PruningCallback()])


def regrown_model():
    pruned = dc.prune(
        conv_model(),
        dc.ConstantSparsity(0.5, 0, frequency=2),
        straight_through=True,
        freeze_step=20,
    )
    return trained(pruned, callbacks=[dc.PruningCallback()])


def shared_model():
    return trained(dc.share_weights(conv_model(), 4))


def both_model():
    return trained(dc.share_weights(pruned_model(), 4, rate_weight=0.05))


@pytest.mark.parametrize("make", [pruned_model, regrown_model, shared_model, both_model])
def test_strip_gives_a_plain_model_with_equal_outputs(make, tmp_path):
    model = make()
    plain = dc.strip(model)
    assert [type(layer).__module__.split(".")[0] for layer in plain.layers] == ["keras"] * 5
    assert [layer.name for layer in plain.layers] == [layer.name for layer in model.layers]
    assert len(plain.trainable_variables) == 6
    np.testing.assert_array_equal(
        plain.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0)
    )
    assert b"keras_dc" not in plain.to_json().encode()


def test_strip_leaves_the_model_alone():
    model = both_model()
    before = model.get_weights()
    dc.strip(model)
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)
    trained(model)


def test_strip_writes_positive_zeros():
    plain = dc.strip(pruned_model())
    kernel = plain.get_layer("head").get_weights()[0]
    assert np.mean(kernel == 0) == 0.5
    assert not np.signbit(kernel[kernel == 0]).any()


def test_strip_of_a_plain_model_is_a_copy():
    model = conv_model()
    plain = dc.strip(model)
    assert plain is not model
    one, other = (keras.ops.convert_to_numpy(x(IMAGES)) for x in (plain, model))
    np.testing.assert_array_equal(one, other)


def test_a_stripped_model_trains_and_is_pruned_again():
    plain = trained(dc.strip(both_model()))
    assert np.unique(plain.get_layer("head").get_weights()[0]).size > 5
    dc.prune(plain, dc.ConstantSparsity(0.5, 0))


def test_float16_exact_rounds_kernels_and_biases():
    model = both_model()
    exact, plain = dc.strip(model, float16_exact=True), dc.strip(model)
    for layer, plain_layer in zip(exact.layers, plain.layers):
        for weight, plain_weight in zip(layer.get_weights(), plain_layer.get_weights()):
            assert weight.dtype == np.float32
            if "batch" not in layer.name:
                np.testing.assert_array_equal(weight, weight.astype(np.float16))
                np.testing.assert_allclose(weight, plain_weight, rtol=2**-11, atol=2**-25)
            else:
                np.testing.assert_array_equal(weight, plain_weight)


def test_float16_exact_refuses_what_float16_cannot_hold():
    model = conv_model()
    model.get_layer("head").bias.assign([0.0, -1e5, 0.0])
    with pytest.raises(ValueError, match=r"Received: head/bias with largest magnitude 100000"):
        dc.strip(dc.share_weights(model, 4), float16_exact=True)

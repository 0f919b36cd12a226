"""Models and data of other kinds: each goes the whole way."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from support import recipe_models
from support.recipe_models import QUICK, X, Y, compiled

import keras_dc as dc

IMAGES = np.random.default_rng(1).normal(size=(320, 8, 8, 1)).astype(np.float32)
BRIGHT = (IMAGES.mean(axis=(1, 2, 3)) > 0).astype(np.int32)


def two_headed():
    """Two inputs, two outputs, BatchNormalization, a depthwise layer and Dropout."""
    image = keras.Input((8, 8, 1), name="image")
    extra = keras.Input((4,), name="extra")
    x = layers.Conv2D(8, 3, use_bias=False, name="conv")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, use_bias=False, name="depthwise")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Concatenate()([x, extra])
    x = layers.Dropout(0.2, seed=1)(layers.Dense(24, activation="relu", name="joint")(x))
    outputs = [layers.Dense(2, name="kind")(x), layers.Dense(1, name="size")(x)]
    return keras.Model([image, extra], outputs, name="two_headed")


def half_square(target, output):
    return keras.ops.mean(keras.ops.square(target - output), axis=-1) / 2


def largest_error(target, output):
    return keras.ops.max(keras.ops.abs(target - output), axis=-1)


def test_several_inputs_and_outputs_own_losses_and_metrics_in_a_dataset():
    model = two_headed()
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        loss={
            "kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "size": half_square,
        },
        loss_weights={"kind": 1.0, "size": 0.5},
        metrics={"kind": "accuracy", "size": [largest_error]},
    )
    extra = IMAGES[:, 0, :4, 0]
    size = extra.sum(axis=1, keepdims=True)
    data = tf.data.Dataset.from_tensor_slices(
        ({"image": IMAGES, "extra": extra}, {"kind": BRIGHT, "size": size}, np.ones(len(IMAGES)))
    ).batch(32)
    train, validation = data.take(8), data.skip(8)
    model.fit(train, epochs=1, verbose=0, shuffle=False)
    result = dc.deep_compress(
        model,
        train.repeat(),
        validation,
        ratio=1.5,
        densities={"joint": 0.3, "conv": 0.8},
        epochs=2,
        steps_per_epoch=8,
        metric="size_largest_error",
        verbose=0,
    )
    names = [type(layer).__name__ for layer in result.model.layers]
    assert "BatchNormalization" not in names
    dropout = next(layer for layer in result.model.layers if isinstance(layer, layers.Dropout))
    assert 0.0 < dropout.rate < 0.2
    found = result.model.predict([IMAGES[256:], extra[256:]], verbose=0)
    worst = np.mean(np.abs(found[1] - size[256:]))
    assert result.metric == "size_largest_error"
    assert result.scores["compressed file"] == pytest.approx(worst, rel=1e-3)
    assert result.choices["optimizer"] == "SGD"
    assert result.choices["learning_rate"] == pytest.approx(0.05)


def test_sample_weights_count():
    model = compiled(recipe_models.classifier(), metrics=())
    model.compile(model.optimizer, model.loss, weighted_metrics=["accuracy"])
    model.fit(X[:512], Y[:512], batch_size=64, epochs=3, verbose=0)
    weights = (Y == 0).astype(np.float32)
    train = (X[:512], Y[:512], weights[:512])
    result = dc.deep_compress(model, train, (X[512:], Y[512:], weights[512:]), **QUICK)
    right = np.argmax(result.model.predict(X[512:], verbose=0), axis=1) == Y[512:]
    accuracy = np.average(right, weights=weights[512:])
    assert result.scores["compressed file"] == pytest.approx(accuracy, abs=1e-6)


def test_mixed_precision():
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(48, activation="relu", dtype=policy),
            layers.Dense(3, dtype="float32"),
        ]
    )
    compiled(model).fit(X[:512], Y[:512], batch_size=64, epochs=3, verbose=0)
    result = dc.deep_compress(model, *recipe_models.data(), **QUICK)
    assert result.scores["compressed file"] > 0.5


def test_an_untrained_model_is_trained_first_and_the_rest_is_held_out():
    model = compiled(recipe_models.classifier())
    before = model.get_weights()
    with pytest.warns(UserWarning, match="last 51 training samples are held out"):
        result = dc.deep_compress(model, (X[:512], Y[:512]), **{**QUICK, "epochs": 8})
    assert [row["stage"] for row in result.history] == ["baseline", "prune 1", "share 1"]
    assert result.history[0]["epochs"] == 2
    assert result.scores["dense"] > 0.5
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_an_untrained_model_that_stays_so_is_told():
    model = compiled(recipe_models.classifier())
    with (
        pytest.warns(UserWarning, match="looks untrained"),
        pytest.raises(ValueError, match="as small"),
    ):
        dc.deep_compress(
            model, *recipe_models.data(), baseline_epochs=0, **{**QUICK, "ratio": 1000}
        )

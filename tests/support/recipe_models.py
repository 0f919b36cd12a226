"""A problem that a small network learns in a second, for tests of the recipe."""

import keras
import numpy as np
from keras import layers

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(640, 12)).astype(np.float32)
Y = np.argmax(X @ _RNG.normal(size=(12, 3)), axis=1)
# One short attempt, nothing to compare, and no XLA, which takes seconds to compile.
QUICK = {
    "ratio": 2.0,
    "epochs": 2,
    "allocation": "global",
    "batch_size": 64,
    "jit_compile": False,
    "verbose": 0,
}


def data():
    """((x, y) to train on, (x, y) to validate with)."""
    return (X[:512], Y[:512]), (X[512:], Y[512:])


def classifier():
    """Logits of 3 classes, not compiled."""
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(48, activation="relu", name="hidden"),
            layers.Dense(3, name="logits"),
        ],
        name="classifier",
    )


def compiled(model, metrics=("accuracy",)):
    """The model, compiled with Adam, a loss of logits and metrics."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=list(metrics))
    return model


def trained_classifier():
    """The classifier after 8 epochs: some 95 % right."""
    keras.utils.set_random_seed(0)
    model = compiled(classifier())
    model.fit(X[:512], Y[:512], batch_size=64, epochs=8, verbose=0)
    return model

"""A small model of two Dense layers and its data, for the tests of training."""

import keras
import numpy as np
from keras import layers

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(64, 6)).astype(np.float32)
Y = _RNG.normal(size=(64, 2)).astype(np.float32)


def dense_model(*, dtype=None, **head_options):
    """A built model, the same at each call: "hidden" of 10 units and "head" of 2."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(10, activation="relu", dtype=dtype, name="hidden"),
            layers.Dense(2, dtype=dtype, name="head", **head_options),
        ]
    )


def fit(model, *, epochs=1, callbacks=(), learning_rate=0.01, **compile_options):
    """Train on X and Y, 8 steps an epoch, and return the logs: dict of lists.

    The model is compiled if it was not, or if there are `compile_options`; with Adam and
    the squared error unless these say otherwise.
    """
    if compile_options or not model.compiled:
        options = {"optimizer": keras.optimizers.Adam(learning_rate), "loss": "mse"}
        model.compile(**options | compile_options)
    options = {"batch_size": 8, "verbose": 0, "shuffle": False, "callbacks": list(callbacks)}
    return model.fit(X, Y, epochs=epochs, **options).history

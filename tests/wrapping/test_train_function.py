"""The guard before each training step, on whichever Keras is installed."""

import keras
import numpy as np
import pytest

from keras_dc.wrapping.train_function import guard_train_function

X, Y = np.ones((24, 3), np.float32), np.zeros((24, 1), np.float32)


class Guard(keras.callbacks.Callback):
    """Counts the steps, and refuses that of a given number."""

    def __init__(self, refused=None):
        super().__init__()
        self.refused, self.steps = refused, 0

    def on_train_begin(self, logs=None):
        guard_train_function(self.model, self.check)

    def check(self):
        self.steps += 1
        if self.steps == self.refused:
            raise RuntimeError("refused")


def compiled(**options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **options)
    return model


def fit(model, *callbacks, epochs=1):
    model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(callbacks))


@pytest.mark.parametrize(("options", "steps"), [({}, 6), ({"steps_per_execution": 3}, 2)])
def test_the_check_runs_before_each_call_of_the_compiled_function(options, steps):
    if options and keras.backend.backend() == "torch":
        pytest.skip("Keras has it not on Torch")
    guard = Guard()
    fit(compiled(**options), guard, epochs=2)
    assert guard.steps == steps


def test_a_guarded_training_is_the_same_training():
    plain, guarded = compiled(), compiled()
    fit(plain, epochs=2)
    fit(guarded, Guard(), epochs=2)
    for one, other in zip(plain.get_weights(), guarded.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_one_function_is_guarded_once_and_also_in_a_later_fit():
    model, first, second = compiled(), Guard(), Guard()
    fit(model, first)
    fit(model, second)
    fit(model)
    assert (first.steps, second.steps) == (9, 0)


def test_compiling_again_drops_the_guard():
    model, guard = compiled(), Guard()
    fit(model, guard)
    model.compile("sgd", "mse")
    fit(model)
    assert guard.steps == 3


def test_a_refused_step_leaves_the_weights_of_the_steps_before():
    model, reference = compiled(), compiled()
    with pytest.raises(RuntimeError, match="refused"):
        fit(model, Guard(refused=3))
    reference.fit(X[:16], Y[:16], batch_size=8, verbose=0, shuffle=False)
    # All samples are equal, so their order does not count.
    for one, other in zip(model.get_weights(), reference.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 2
    fit(model)


def test_a_refused_first_step_leaves_the_weights_as_they_were():
    model = compiled()
    before = model.get_weights()
    with pytest.raises(RuntimeError, match="refused"):
        fit(model, Guard(refused=1))
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)

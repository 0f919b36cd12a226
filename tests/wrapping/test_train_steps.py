"""Models whose `call` takes no `training`: their layers find out that they are trained."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.gradients import gradient

import keras_dc as dc
from keras_dc.training.weight_sharing import SharedLayer
from keras_dc.wrapping.layer_tree import layers_of_class

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 6)).astype(np.float32)
Y = RNG.normal(size=(32, 2)).astype(np.float32)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.stem = layers.Dense(4, activation="relu")
        self.rest = keras.Sequential([keras.Input((4,)), layers.Dense(2)])

    def call(self, inputs):
        return self.rest(self.stem(inputs))


class Around(keras.Model):
    """`call` takes `training` and does not hand it on."""

    def __init__(self):
        super().__init__()
        self.net = Net()

    def call(self, inputs, training=None):
        return self.net(inputs)


class WithTeacher(keras.Model):
    """Its own training step asks another model, which it does not train."""

    def __init__(self, teacher):
        super().__init__()
        self.teacher, self.student = teacher, layers.Dense(2)

    def call(self, inputs):
        return self.student(inputs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **kwargs):
        taught = ops.stop_gradient(self.teacher(x))
        return super().compute_loss(x, taught, y_pred, sample_weight, **kwargs)


def built(make):
    model = make()
    model(X)
    return model


def pruned(make=Net):
    model = dc.prune(built(make), dc.PolynomialDecay(0.0, 0.75, 0, 8, frequency=1))
    model.compile("sgd", "mse")
    return model


UNDRIVEN = "no callback updates its state"


@pytest.mark.parametrize("make", [Net, Around])
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_an_undriven_training_is_refused(make, run_eagerly):
    model = pruned(make)
    model.compile("sgd", "mse", run_eagerly=run_eagerly)
    before = [ops.convert_to_numpy(weight) for weight in model.trainable_variables]
    with pytest.raises(RuntimeError, match=UNDRIVEN):
        model.fit(X, Y, verbose=0)
    model = pruned(make)
    with pytest.raises(RuntimeError, match=UNDRIVEN):
        model.train_on_batch(X, Y)
    assert all(np.all(np.isfinite(weight)) for weight in before)


def test_undriven_reassignment_is_refused():
    model = dc.share_weights(built(Net), 4, reassign_frequency=2)
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match=UNDRIVEN):
        model.fit(X, Y, verbose=0)


def test_weights_behind_codebooks_must_not_learn_here_either():
    model = dc.share_weights(built(Net), 4)
    layer = layers_of_class(model, SharedLayer)[0].layer
    layer.trainable = False
    layer.trainable = True
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="behind the codebooks"):
        model.fit(X, Y, verbose=0)


def test_with_the_callback_it_trains_and_is_evaluated_between():
    model = pruned()
    callbacks = [
        dc.PruningCallback(),
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs=None: model.predict(X, verbose=0)
        ),
    ]
    history = model.fit(
        X, Y, batch_size=8, epochs=3, validation_data=(X, Y), callbacks=callbacks, verbose=0
    ).history
    assert history["sparsity"][-1] == pytest.approx(0.75)
    with pytest.raises(RuntimeError, match=UNDRIVEN):
        model.fit(X, Y, verbose=0)


def test_what_trains_nothing_is_no_training():
    model = pruned()
    expected = ops.convert_to_numpy(model(X))
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(np.mean((expected - Y) ** 2), rel=1e-4)
    model.test_on_batch(X, Y)
    # A saliency map.
    x = keras.Variable(X)
    assert gradient(lambda: ops.sum(model(x) ** 2), x).any()


def test_a_model_that_a_training_step_only_asks_is_not_trained():
    teacher = pruned()
    teacher.trainable = False
    model = WithTeacher(teacher)
    model(X)
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)

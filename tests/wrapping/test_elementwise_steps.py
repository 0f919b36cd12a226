import keras
import numpy as np
import pytest
from keras import layers, optimizers
from support.dense_models import X, Y

import keras_dc as dc
from keras_dc.wrapping.elementwise_steps import has_elementwise_step, is_free


class OwnAdam(type(optimizers.Adam())):
    """The same steps, by a class that is not known to be elementwise.

    On Torch `optimizers.Adam()` is of another class, which computes in another order.
    """


class OwnStep(keras.Sequential):
    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)


class OwnLoss(keras.Sequential):
    def compute_loss(self, *args, **kwargs):
        return super().compute_loss(*args, **kwargs)


def compiled(optimizer="adam", model_class=keras.Sequential):
    model = model_class([keras.Input((6,)), layers.Dense(2)])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (compiled(), True),
        (compiled(optimizers.SGD(0.1, momentum=0.9, clipvalue=1.0)), True),
        (compiled(optimizers.SGD(clipnorm=1.0)), False),
        (compiled(optimizers.Adam(global_clipnorm=1.0)), False),
        (compiled(optimizers.Lamb()), False),
        (compiled(OwnAdam()), False),
        (compiled(model_class=OwnStep), False),
        (compiled(model_class=OwnLoss), False),
    ],
)
def test_which_steps_are_elementwise(model, expected):
    assert has_elementwise_step(model) is expected


def test_penalties_and_constraints_see_weights_together():
    options = [{}, {"kernel_regularizer": "l2"}, {"kernel_constraint": "unit_norm"}]
    kernels = []
    for option in options:
        layer = layers.Dense(2, **option)
        layer.build((None, 3))
        kernels.append(layer.kernel)
    assert [is_free(kernel) for kernel in kernels] == [True, False, False]


def trained(optimizer, **layer_options):
    """A pruned model after a training, and how far its last epoch moved pruned weights."""
    keras.utils.set_random_seed(1)
    hidden = layers.Dense(10, activation="relu", name="hidden", **layer_options)
    model = keras.Sequential([keras.Input((6,)), hidden, layers.Dense(2)])
    pruned = dc.prune(model, dc.PolynomialDecay(0.2, 0.8, 0, 24, frequency=5))
    pruned.compile(optimizer, "mse")
    layer = pruned.get_layer("hidden")
    options = {"batch_size": 8, "verbose": 0, "shuffle": False}
    pruned.fit(X, Y, epochs=4, callbacks=[dc.PruningCallback()], **options)
    before = keras.ops.convert_to_numpy(layer.kernels[0].variable)
    pruned.fit(X, Y, callbacks=[dc.PruningCallback()], **options)
    moves = keras.ops.convert_to_numpy(layer.kernels[0].variable) - before
    return pruned, np.abs(moves[layer.current_masks()[0] == 0]).max()


def test_what_pruned_weights_learn_changes_nothing_that_counts():
    model, moves = trained(optimizers.Adam(0.01))
    reference, _ = trained(OwnAdam(0.01))
    assert moves > 0
    for one, other in zip(dc.strip(model).get_weights(), dc.strip(reference).get_weights()):
        np.testing.assert_array_equal(one, other)


def test_gradients_are_masked_where_a_norm_or_a_penalty_would_see_them():
    assert trained(optimizers.SGD(0.1))[1] > 0
    assert trained(optimizers.SGD(0.1, clipnorm=100.0))[1] == 0
    penalty = keras.regularizers.L2(0.0)
    assert trained(optimizers.SGD(0.1), kernel_regularizer=penalty)[1] == 0

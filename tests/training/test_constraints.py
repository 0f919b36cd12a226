"""What constraints ask for holds for pruned and shared kernels, or is refused."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_dc as dc
from keras_dc.wrapping.constraints import holds_when_masked, is_elementwise, keeps_zero

RNG = np.random.default_rng(0)
X = RNG.random((64, 6)).astype(np.float32)
Y = -RNG.random((64, 2)).astype(np.float32)


def array(value):
    return keras.ops.convert_to_numpy(value)


class Clip(keras.constraints.Constraint):
    """Elementwise, of a user's own."""

    def __init__(self, low=-0.1, high=0.1):
        self.low, self.high = low, high

    def __call__(self, w):
        return ops.clip(w, self.low, self.high)


class Frozen(keras.constraints.Constraint):
    """Holds some elements at zero, and so knows the shape of its weight."""

    def __init__(self, mask):
        self.mask = mask

    def __call__(self, w):
        return w * self.mask


MASK = np.array([[1.0, 0.0]] * 6, np.float32)
ELEMENTWISE = {
    "non_neg": keras.constraints.NonNeg(),
    "clip": Clip(),
}
WHOLE = {
    "max_norm": keras.constraints.MaxNorm(0.5),
    "unit_norm": keras.constraints.UnitNorm(),
    "min_max_norm": keras.constraints.MinMaxNorm(0.5, 0.9),
    "mask": Frozen(MASK),
}


def model_with(constraint, **options):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((6,)), layers.Dense(2, kernel_constraint=constraint, **options)]
    )


def fit(model, **options):
    model.compile(keras.optimizers.SGD(0.05), "mse")
    model.fit(X, Y, epochs=5, verbose=0, **options)
    return dc.strip(model)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_kinds_are_told_apart(rank):
    for constraint in ELEMENTWISE.values():
        assert is_elementwise(constraint, rank)
        assert keeps_zero(constraint)
    for constraint in WHOLE.values():
        assert not is_elementwise(constraint, rank)
    assert not keeps_zero(Clip(0.1, 0.2))


@pytest.mark.parametrize("kind", ELEMENTWISE)
@pytest.mark.parametrize("reassign", [None, 2])
def test_an_elementwise_constraint_holds_on_the_codebook(kind, reassign):
    constraint = ELEMENTWISE[kind]
    shared = dc.share_weights(model_with(constraint), 8, reassign_frequency=reassign)
    callbacks = [dc.training.WeightSharingCallback()] if reassign else []
    plain = fit(shared, callbacks=callbacks)
    kernel = plain.layers[0].kernel
    np.testing.assert_array_equal(array(constraint(kernel)), array(kernel))
    assert kernel.constraint is constraint


@pytest.mark.parametrize("kind", [*ELEMENTWISE, "max_norm", "mask"])
def test_a_constraint_holds_on_a_pruned_kernel(kind):
    constraint = {**ELEMENTWISE, **WHOLE}[kind]
    pruned = dc.prune(model_with(constraint), dc.ConstantSparsity(0.5, 0))
    plain = fit(pruned, callbacks=[dc.PruningCallback()])
    kernel = array(plain.layers[0].kernel)
    np.testing.assert_allclose(
        array(constraint(ops.convert_to_tensor(kernel))), kernel, rtol=1e-5, atol=1e-7
    )
    assert np.mean(kernel == 0) >= 0.5


@pytest.mark.parametrize("kind", ["unit_norm", "min_max_norm"])
def test_what_zeros_break_is_refused_for_pruning(kind):
    model = model_with(WHOLE[kind])
    with pytest.raises(ValueError, match="zeros cannot satisfy this constraint.*`filters`"):
        dc.prune(model, 0.5)
    with pytest.raises(ValueError, match="zeros cannot satisfy this constraint"):
        dc.prune(model_with(Clip(0.1, 0.2)), 0.5)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_constraint_of_a_whole_weight_is_refused_for_sharing(kind):
    model = model_with(WHOLE[kind])
    with pytest.raises(ValueError, match="looks at a whole weight.*`filters`.*kernel"):
        dc.share_weights(model, 4)
    # As the message says.
    model.layers[0].kernel_constraint = None
    model.layers[0].kernel.constraint = None
    fit(dc.share_weights(model, 4))


def test_biases_have_constraints_too():
    model = model_with(None, bias_constraint="non_neg")
    plain = fit(dc.share_weights(model, 4, num_bias_clusters=1))
    assert array(plain.layers[0].bias).min() >= 0
    model = model_with(None, bias_constraint=keras.constraints.UnitNorm())
    with pytest.raises(ValueError, match="looks at a whole weight.*bias"):
        dc.share_weights(model, 4, num_bias_clusters=1)
    dc.share_weights(model, 4)


def test_zeros_that_a_constraint_does_not_allow_are_refused():
    model = model_with(Clip(0.1, 0.2))
    dc.share_weights(model, 4)
    model.layers[0].kernel.assign(np.eye(6, 2))
    with pytest.raises(ValueError, match="Zeros stay zero"):
        dc.share_weights(model, 4)


def test_a_masked_weight_is_tried_in_its_own_shape_if_it_must():
    assert holds_when_masked(Frozen(MASK), (6, 2))
    assert not holds_when_masked(Frozen(MASK), (7, 3))


def test_spectral_normalization_is_refused():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.SpectralNormalization(layers.Dense(16)),
            layers.Dense(2, name="head"),
        ]
    )
    for wrap in (
        lambda **k: dc.prune(model, 0.5, **k),
        lambda **k: dc.share_weights(model, 8, **k),
    ):
        with pytest.raises(ValueError, match="writes its own kernel.*leave it out by `filters`"):
            wrap()
    fit(dc.share_weights(model, 4, filters="head"))


class Writes(layers.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(6, 2), name="kernel")

    def call(self, inputs, training=None):
        if training:
            self.kernel.assign(self.kernel / ops.norm(self.kernel))
        return ops.matmul(inputs, self.kernel)


def test_a_layer_of_the_user_that_writes_its_kernel_is_refused():
    shared = dc.share_weights(keras.Sequential([keras.Input((6,)), Writes()]), 4)
    shared.compile("sgd", "mse")
    with pytest.raises(ValueError, match="writes its own kernel"):
        shared.fit(X, Y, verbose=0)

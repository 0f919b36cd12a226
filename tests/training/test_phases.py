"""Masks keep their zeros and schedules go on: over compiles, files and loaded weights."""

import keras
import numpy as np
import pytest
from support.dense_models import X, Y, dense_model, fit

import keras_dc as dc
from keras_dc.training.pruning import sparsity_of

SCHEDULE = dc.PolynomialDecay(0.0, 0.8, begin_step=0, end_step=24, frequency=3)
RULES = {
    "magnitude": {},
    "global": {"global_threshold": True},
    "blocks": {"block_size": (2, 1)},
    "groups": {"group_size": 2},
    "straight_through": {"straight_through": True, "freeze_step": 27},
    "rigl": {"regrow_fraction": 0.3, "freeze_step": 27},
}


def pruned_model(rule="magnitude", schedule=SCHEDULE):
    return dc.prune(dense_model(), schedule, **RULES[rule])


def train(model, *, epochs=1, rate=0.01):
    """Trains with a new optimizer, and gives the sparsities of the epochs."""
    optimizer = keras.optimizers.Adam(rate)
    return fit(model, epochs=epochs, callbacks=[dc.PruningCallback()], optimizer=optimizer)[
        "sparsity"
    ]


def masks(model):
    return [mask for layer in model.layers for mask in layer.current_masks()]


def recompiled(model, folder):
    return model


def reloaded(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras", compile=False)


def with_weights_loaded(model, folder):
    model.save_weights(folder / "run.weights.h5")
    again = pruned_model(with_weights_loaded.rule)
    again.load_weights(folder / "run.weights.h5")
    return again


WAYS = [recompiled, reloaded, with_weights_loaded]


@pytest.mark.parametrize("next_phase", WAYS)
@pytest.mark.parametrize("rule", RULES)
def test_a_schedule_that_ended_stays_ended(rule, next_phase, tmp_path):
    with_weights_loaded.rule = rule
    model = pruned_model(rule)
    reached = train(model, epochs=4)[-1]
    before = masks(model)
    again = next_phase(model, tmp_path)
    assert train(again, epochs=2, rate=1e-4) == [reached, reached]
    for old, new in zip(before, masks(again), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("next_phase", WAYS)
@pytest.mark.parametrize("rule", RULES)
def test_a_schedule_goes_on_where_it_was(rule, next_phase, tmp_path):
    with_weights_loaded.rule = rule
    model = pruned_model(rule)
    first = train(model)
    before = masks(model)
    again = next_phase(model, tmp_path)
    later = train(again) + train(again) + train(again)
    whole = pruned_model(rule)
    expected = train(whole, epochs=4)
    # Before `freeze_step` straight-through weights cross the threshold in between.
    start = 3 if rule == "straight_through" else 0
    assert (first + later)[start:] == pytest.approx(expected[start:])
    if "freeze_step" not in RULES[rule]:
        assert all(np.all(new <= old) for old, new in zip(before, masks(again), strict=True))


def test_weights_that_load_in_a_training_keep_their_zeros():
    far = pruned_model()
    train(far, epochs=4)
    model = pruned_model()
    model.compile("sgd", "mse")
    callback = dc.PruningCallback()
    callback.set_model(model)
    callback.on_train_batch_begin(0)
    model.train_on_batch(X, Y)
    model.set_weights(far.get_weights())
    for _ in range(2):
        callback.on_train_batch_begin(0)
        model.train_on_batch(X, Y)
    with pytest.warns(UserWarning, match="asks for a sparsity below"):
        callback.on_train_batch_begin(0)
    assert sparsity_of(model.layers) == pytest.approx(0.8)


@pytest.mark.parametrize("rule", ["magnitude", "global", "blocks", "groups"])
def test_a_schedule_that_falls_opens_no_mask_and_says_so(rule):
    falling = dc.PolynomialDecay(0.75, 0.25, begin_step=0, end_step=12, frequency=4)
    model = pruned_model(rule, falling)
    with pytest.warns(UserWarning, match="asks for a sparsity below"):
        found = train(model, epochs=2)
    assert found[0] == found[1] >= 0.5


def test_kept_weights_that_are_zero_are_no_reason_to_open_a_mask():
    model = pruned_model()
    train(model)
    before = masks(model)
    for layer in model.layers:
        layer.layer.kernel.assign(layer.layer.kernel * 0.0)
    train(model, epochs=3, rate=0.0)
    assert sparsity_of(model.layers) == pytest.approx(0.8)
    assert all(np.all(new <= old) for old, new in zip(before, masks(model), strict=True))


def test_layers_that_are_pruned_later_have_a_schedule_of_their_own():
    model = dc.prune(dense_model(), SCHEDULE, filters="hidden")
    train(model, epochs=3)
    model = dc.prune(model, SCHEDULE, filters="head")
    train(model)
    assert [sparsity_of([layer]) for layer in model.layers] == pytest.approx([0.8, 0.45])
    train(model, epochs=2)
    assert [sparsity_of([layer]) for layer in model.layers] == pytest.approx([0.8, 0.8])


def test_indices_that_are_frozen_stay_frozen():
    shared = dc.share_weights(dense_model(), 4, reassign_frequency=2, freeze_step=8)
    callbacks = [dc.WeightSharingCallback()]
    fit(shared, callbacks=callbacks, epochs=2, optimizer=keras.optimizers.Adam(0.05))
    before = [keras.ops.convert_to_numpy(layer.indices[0]) for layer in shared.layers]
    fit(shared, callbacks=callbacks, epochs=2, optimizer=keras.optimizers.Adam(0.05))
    for old, layer in zip(before, shared.layers, strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(layer.indices[0]))

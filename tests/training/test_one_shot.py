"""Pruning at once by a number, and what is said if nothing, or not all, was pruned."""

import keras
import numpy as np
import pytest
from support.dense_models import X, Y, dense_model, fit

import keras_dc as dc
from keras_dc.training.pruning import sparsity_of

NEVER = dc.PolynomialDecay(0.0, 0.9, begin_step=1000, end_step=5000)


def zeros(model):
    return [int(np.sum(layer.get_weights()[0] == 0)) for layer in dc.strip(model).layers]


@pytest.mark.parametrize(
    ("schedule", "options", "expected"),
    [
        (0.9, {}, [54, 18]),
        (dc.ConstantSparsity(0.9, 0, end_step=0), {}, [54, 18]),
        ({"hidden": 0.5}, {}, [30, 0]),
        (0.5, {"group_size": 2}, [30, 10]),
        (0.5, {"straight_through": True, "freeze_step": 9}, [30, 10]),
        (0.5, {"regrow_fraction": 0.3, "freeze_step": 9}, [30, 10]),
    ],
)
def test_a_number_prunes_at_once(schedule, options, expected):
    assert zeros(dc.prune(dense_model(), schedule, **options)) == expected


def test_a_number_and_a_global_threshold():
    pruned = dc.prune(dense_model(), 0.9, global_threshold=True)
    assert sum(zeros(pruned)) == 72
    assert zeros(pruned) != [54, 18]


@pytest.mark.parametrize("callbacks", [[], [dc.PruningCallback()]])
def test_what_was_pruned_at_once_trains_with_the_callback_or_without(callbacks, tmp_path):
    pruned = dc.prune(dense_model(), 0.75)
    before = [layer.current_masks()[0] for layer in pruned.layers]
    losses = fit(pruned, epochs=3, callbacks=callbacks)["loss"]
    assert losses[-1] < losses[0]
    pruned.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    fit(loaded, callbacks=callbacks)
    for model in (pruned, loaded):
        for old, layer in zip(before, model.layers, strict=True):
            np.testing.assert_array_equal(old, layer.current_masks()[0])
        assert zeros(model) == [45, 15]


def test_pruned_weights_get_no_gradient_that_another_could_feel():
    """Without the callback nothing is known of the loop, so gradients are masked."""
    pruned = dc.prune(dense_model(), 0.75)
    kernel = pruned.layers[0].layer.kernel
    before = keras.ops.convert_to_numpy(kernel)
    fit(pruned, epochs=2)
    mask = pruned.layers[0].current_masks()[0]
    after = keras.ops.convert_to_numpy(kernel)
    np.testing.assert_array_equal(before[mask == 0], after[mask == 0])
    assert not np.array_equal(before, after)


def test_numbers_that_regrow_need_the_callback():
    pruned = dc.prune(dense_model(), 0.5, straight_through=True, freeze_step=9)
    with pytest.raises(RuntimeError, match="PruningCallback"):
        fit(pruned)


# Nothing was pruned


@pytest.mark.parametrize("schedule", [NEVER, dc.ConstantSparsity(0.5, 0), lambda step: 0.5])
@pytest.mark.parametrize("use", [dc.strip, lambda m: dc.share_weights(m, 4)])
def test_masks_that_never_moved_are_an_error(schedule, use):
    pruned = dc.prune(dense_model(), schedule)
    with pytest.raises(RuntimeError, match=r"'hidden' never moved.*Received: a schedule from"):
        use(pruned)


def test_a_schedule_that_did_not_begin_is_said_at_the_end_of_the_training():
    pruned = dc.prune(dense_model(), NEVER)
    with pytest.warns(UserWarning, match=r"had nothing to update.*8 steps.*\['hidden', 'head'\]"):
        fit(pruned, callbacks=[dc.PruningCallback()])
    with pytest.raises(RuntimeError, match="from step 1000 to sparsity 0.9, 8 steps trained"):
        dc.strip(pruned)


def test_nothing_to_prune_is_no_error():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.0, 5))
    assert zeros(pruned) == [0, 0]
    assert zeros(dc.prune(dense_model(), 0.0)) == [0, 0]
    # Of the two weights of a kernel, 0.1 are none.
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    assert zeros(dc.prune(model, dc.ConstantSparsity(0.1, 0))) == [0]


def test_masks_set_by_hand_are_masks():
    pruned = dc.prune(dense_model(), NEVER)
    for layer in pruned.layers:
        layer.set_masks([np.eye(*layer.masks[0].shape, dtype=np.float32)])
    assert zeros(pruned) == [54, 18]


# Not all was pruned


def test_a_training_that_ended_too_early_is_said():
    schedule = dc.PolynomialDecay(0.0, 0.9, begin_step=0, end_step=40, frequency=4)
    pruned = dc.prune(dense_model(), schedule)
    stop = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=2)
    fit(pruned, epochs=9, callbacks=[dc.PruningCallback(), stop])
    with pytest.warns(
        UserWarning, match=r"0.8424 of 0.9. Received: end_step=40, 24 steps"
    ) as found:
        dc.strip(pruned)
    assert len({str(warning.message) for warning in found}) == 1


def test_a_schedule_that_ends_between_two_updates_is_reached():
    schedule = dc.PolynomialDecay(0.0, 0.7, begin_step=0, end_step=14, frequency=5)
    pruned = dc.prune(dense_model(), schedule)
    fit(pruned, epochs=2, callbacks=[dc.PruningCallback()])
    assert sparsity_of(pruned.layers) == pytest.approx(0.7)
    assert zeros(pruned) == [42, 14]


def test_in_a_loop_of_ones_own_too():
    pruned = dc.prune(dense_model(), dc.PolynomialDecay(0.0, 0.9, 0, 40, frequency=4))
    pruned.compile("sgd", "mse")
    callback = dc.PruningCallback()
    callback.set_model(pruned)
    for _ in range(6):
        callback.on_train_batch_begin(0)
        pruned.train_on_batch(X, Y)
    with pytest.warns(UserWarning, match="Training ended before"):
        dc.strip(pruned)

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import dense_models
from support.dense_models import X, Y, dense_model
from support.gradients import gradient

import keras_dc as dc
from keras_dc.training.mask_rules import StraightThrough
from keras_dc.training.pruning import PrunedLayer, sparsity_of
from keras_dc.wrapping.driven_layer import LayerDriver


def fit(model, *, callbacks=None, **options):
    callbacks = [dc.PruningCallback()] if callbacks is None else callbacks
    return dense_models.fit(model, callbacks=callbacks, **options)


def outputs(model):
    return ops.convert_to_numpy(model(X))


def pruned_layers(model):
    return [layer for layer in model.layers if isinstance(layer, PrunedLayer)]


def masks(model):
    return [mask for layer in pruned_layers(model) for mask in layer.current_masks()]


def test_prune_returns_a_new_model_with_equal_outputs():
    model = dense_model()
    pruned = dc.prune(model, dc.ConstantSparsity(0.5, 0))
    assert [layer.name for layer in pruned.layers] == ["hidden", "head"]
    assert all(isinstance(layer, PrunedLayer) for layer in pruned.layers)
    assert not any(isinstance(layer, PrunedLayer) for layer in model.layers)
    np.testing.assert_array_equal(outputs(pruned), outputs(model))


def test_training_a_pruned_model_leaves_the_first_alone():
    model = dense_model()
    before = model.get_weights()
    fit(dc.prune(model, dc.ConstantSparsity(0.5, 0)))
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_constant_sparsity_is_reached_in_every_kernel():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.75, 0))
    history = fit(pruned)
    assert [int(mask.sum()) for mask in masks(pruned)] == [15, 5]
    assert history["sparsity"] == [0.75]


def test_first_masks_keep_the_largest_weights():
    model = dense_model()
    pruned = dc.prune(model, dc.ConstantSparsity(0.8, 0))
    fit(pruned, optimizer=keras.optimizers.SGD(0.0))
    kernel = np.abs(model.get_layer("hidden").get_weights()[0])
    np.testing.assert_array_equal(masks(pruned)[0], kernel >= np.sort(kernel, axis=None)[-12])


def test_polynomial_decay_moves_the_masks_step_by_step():
    pruned = dc.prune(dense_model(), dc.PolynomialDecay(0.1, 0.9, 0, 24, frequency=1))
    history = fit(pruned, epochs=4)
    # After epoch 1 of 8 steps: 0.9 - 0.8 * (1 - 8 / 24) ** 3 = 0.663 of 80 weights.
    assert history["sparsity"] == pytest.approx([0.6625, 0.875, 0.9, 0.9], abs=0.0126)


def test_nothing_is_pruned_before_begin_step():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, begin_step=12))
    assert fit(pruned, epochs=2)["sparsity"] == [0.0, 0.5]


def test_masks_stand_still_after_end_step():
    schedule = dc.ConstantSparsity(0.5, begin_step=0, end_step=3, frequency=1)
    pruned = dc.prune(dense_model(), schedule)
    fit(pruned)
    before = masks(pruned)
    fit(pruned, epochs=2)
    for old, new in zip(before, masks(pruned)):
        np.testing.assert_array_equal(old, new)


def test_pruned_weights_never_return_without_regrowth():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0, frequency=1))
    fit(pruned)
    before = masks(pruned)
    fit(pruned, epochs=3)
    for old, new in zip(before, masks(pruned)):
        np.testing.assert_array_equal(old, new)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has it not on Torch")
def test_updates_are_not_missed_by_several_steps_per_execution():
    # Updates are due at steps 1, 4, 7; the callback sees only steps 0 and 8.
    schedule = dc.ConstantSparsity(0.5, begin_step=1, end_step=7, frequency=3)
    pruned = dc.prune(dense_model(), schedule)
    assert fit(pruned, epochs=2, steps_per_execution=8, optimizer="sgd", loss="mse")[
        "sparsity"
    ] == [0.5, 0.5]


def test_schedule_counts_optimizer_updates_under_gradient_accumulation():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, begin_step=3))
    optimizer = keras.optimizers.Adam(gradient_accumulation_steps=4)
    # Eight batches an epoch are two updates.
    assert fit(pruned, epochs=2, optimizer=optimizer)["sparsity"] == [0.0, 0.5]


def test_any_callable_is_a_schedule():
    pruned = dc.prune(dense_model(), lambda step: 0.25)
    assert fit(pruned)["sparsity"] == [0.25]


def test_global_threshold_spreads_one_sparsity_over_all_kernels():
    model = dense_model()
    model.get_layer("head").kernel.assign(model.get_layer("head").kernel * 100.0)
    pruned = dc.prune(model, dc.ConstantSparsity(0.7, 0), global_threshold=True)
    fit(pruned, optimizer=keras.optimizers.SGD(0.0))
    # 24 of 80 weights stay: the 20 large ones of the head and 4 of the others.
    assert [int(mask.sum()) for mask in masks(pruned)] == [4, 20]


def test_min_density_is_the_floor_of_a_global_threshold():
    model = dense_model()
    model.get_layer("head").kernel.assign(model.get_layer("head").kernel * 100.0)
    pruned = dc.prune(model, dc.ConstantSparsity(0.7, 0), global_threshold=True, min_density=0.2)
    fit(pruned, optimizer=keras.optimizers.SGD(0.0))
    assert [int(mask.sum()) for mask in masks(pruned)] == [12, 12]


def test_filters_select_layers():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0), filters="^head")
    assert [layer.name for layer in pruned_layers(pruned)] == ["head"]
    by_list = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0), filters=["hid", "none"])
    assert [layer.name for layer in pruned_layers(by_list)] == ["hidden"]
    by_function = dc.prune(
        dense_model(), dc.ConstantSparsity(0.5, 0), filters=lambda layer: layer.units == 2
    )
    assert [layer.name for layer in pruned_layers(by_function)] == ["head"]


def test_filters_that_match_nothing_list_the_names():
    with pytest.raises(ValueError, match=r"\['hidden', 'head'\].*Received: filters='conv'"):
        dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0), filters="conv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "half"}, "Received: schedule='half'"),
        ({"min_density": 2.0}, "Received: min_density=2.0"),
        ({"straight_through": True}, "need `freeze_step`"),
        ({"freeze_step": 9}, "for `straight_through` and `regrow_fraction` only"),
        (
            {
                "schedule": dc.PolynomialDecay(0.0, 0.5, 0, 10),
                "straight_through": True,
                "freeze_step": 9,
            },
            "Received: freeze_step=9, end_step=10",
        ),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dc.prune(dense_model(), **{"schedule": dc.ConstantSparsity(0.5, 0)} | options)


def test_prune_twice_is_refused():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    with pytest.raises(ValueError, match="must be stripped first"):
        dc.prune(pruned, dc.ConstantSparsity(0.5, 0))


@pytest.mark.parametrize("global_threshold", [False, True])
def test_layers_can_be_pruned_by_different_schedules(global_threshold):
    options = {"global_threshold": global_threshold}
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.8, 0), filters="hidden", **options)
    pruned = dc.prune(pruned, dc.ConstantSparsity(0.4, 0), filters="head", **options)
    fit(pruned)
    assert [int(mask.sum()) for mask in masks(pruned)] == [12, 12]


def test_prune_refuses_what_is_no_built_model():
    with pytest.raises(ValueError, match=r"must be a keras.Model. Received: model='model'"):
        dc.prune("model", dc.ConstantSparsity(0.5, 0))
    with pytest.raises(ValueError, match="must be built"):
        dc.prune(keras.Sequential([layers.Dense(2)]), dc.ConstantSparsity(0.5, 0))


# Without the callback


def test_fit_without_callback_is_an_error():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    with pytest.raises(RuntimeError, match=r"'hidden'.*keras_dc\.PruningCallback\(\)"):
        fit(pruned, callbacks=[])


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="on JAX, Keras drops the weights of a model whose first step fails",
)
def test_fit_with_callback_works_after_the_error():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    with pytest.raises(RuntimeError, match="PruningCallback"):
        fit(pruned, callbacks=[])
    assert fit(pruned)["sparsity"] == [0.5]


def test_fit_without_callback_is_an_error_when_the_step_is_compiled_already():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    fit(pruned)
    with pytest.raises(RuntimeError, match="PruningCallback"):
        fit(pruned, callbacks=[])
    assert fit(pruned)["sparsity"] == [0.5]


def test_fit_without_callback_is_an_error_after_an_interrupted_fit():
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    callback = dc.PruningCallback()
    with pytest.raises(KeyboardInterrupt):
        fit(pruned, callbacks=[callback, Interrupt()])
    with pytest.raises(RuntimeError, match="PruningCallback"):
        fit(pruned, callbacks=[])


def test_train_on_batch_without_callback_is_an_error():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    pruned.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="PruningCallback"):
        pruned.train_on_batch(X, Y)


def test_evaluate_and_predict_need_no_callback():
    model = dense_model()
    pruned = dc.prune(model, dc.ConstantSparsity(0.5, 0))
    pruned.compile("sgd", "mse")
    pruned.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(pruned.predict(X, verbose=0), outputs(model), rtol=1e-6)


def test_callback_without_a_pruned_model_is_an_error():
    with pytest.raises(ValueError, match="PruningCallback found no PrunedLayer"):
        fit(dense_model())


def test_custom_loop_is_two_lines():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    pruned.compile("sgd", "mse")
    callback = dc.PruningCallback()
    callback.set_model(pruned)
    for _ in range(3):
        callback.on_train_batch_begin(0)
        pruned.train_on_batch(X, Y)
    assert sparsity_of(pruned_layers(pruned)) == 0.5


# Regrowth


def regrowing(model, *, sparsity=0.5, freeze_step=100, **options):
    return dc.prune(
        model,
        dc.ConstantSparsity(sparsity, 0, frequency=1),
        straight_through=True,
        freeze_step=freeze_step,
        **options,
    )


def test_straight_through_weights_return():
    pruned = regrowing(dense_model())
    fit(pruned)
    before = masks(pruned)
    fit(pruned, epochs=5)
    assert any((new > old).any() for old, new in zip(before, masks(pruned)))


def test_straight_through_masks_freeze():
    pruned = regrowing(dense_model(), freeze_step=16)
    fit(pruned, epochs=2)
    before = masks(pruned)
    assert sparsity_of(pruned_layers(pruned)) == 0.5
    fit(pruned, epochs=5)
    for old, new in zip(before, masks(pruned)):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("global_threshold", [False, True])
def test_rate_aware_masks_keep_as_many_as_the_schedule_says(global_threshold):
    options = {"rate_aware": True, "global_threshold": global_threshold}
    pruned = regrowing(dense_model(), sparsity=0.75, freeze_step=24, **options)
    callback = dc.PruningCallback()
    # By thresholds, and from step 24 on by masks.
    for _ in range(4):
        fit(pruned, callbacks=[callback])
        callback.on_train_batch_begin(0)
        assert sparsity_of(pruned_layers(pruned)) == 0.75


def test_straight_through_gradient_is_that_of_the_bare_kernel():
    pruned = regrowing(dense_model())
    callback = dc.PruningCallback()
    pruned.compile("sgd", "mse")
    callback.set_model(pruned)
    callback.on_train_batch_begin(0)
    head = pruned.get_layer("head")
    features = np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32)
    of_kernel = gradient(lambda: ops.sum(head(features, training=True)), head.layer.kernel)
    expected = np.repeat(np.sum(features, axis=0)[:, None], 2, axis=1)
    np.testing.assert_allclose(of_kernel, expected, rtol=1e-5)


def test_plain_gradient_is_masked():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    fit(pruned)
    callback = dc.PruningCallback()
    callback.set_model(pruned)
    callback.on_train_batch_begin(0)
    head = pruned.get_layer("head")
    ones = ops.ones((1, 10))
    of_kernel = gradient(lambda: ops.sum(head(ones, training=True)), head.layer.kernel)
    np.testing.assert_array_equal(of_kernel, head.current_masks()[0])


# Saving


@pytest.mark.parametrize("kind", ["plain", "straight_through", "rate_aware"])
def test_training_goes_on_from_a_file_as_if_nothing_had_happened(tmp_path, kind):
    options = {} if kind == "plain" else {"straight_through": True, "freeze_step": 30}
    options["rate_aware"] = kind == "rate_aware"
    schedule = dc.PolynomialDecay(0.1, 0.8, 0, 24, frequency=3)
    pruned = dc.prune(dense_model(), schedule, **options)
    fit(pruned, epochs=2)
    pruned.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [PrunedLayer, PrunedLayer]
    fit(pruned, epochs=2)
    fit(loaded, epochs=2)
    for one, other in zip(pruned.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_config_keeps_the_options():
    pruned = dc.prune(
        dense_model(),
        dc.PolynomialDecay(0.1, 0.8, 0, 24),
        straight_through=True,
        freeze_step=30,
        global_threshold=True,
        min_density=0.02,
    )
    layer = pruned.layers[0]
    again = PrunedLayer.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.schedule.get_config() == layer.schedule.get_config()
    rule = StraightThrough(freeze_step=30, global_threshold=True, min_density=0.02)
    assert again.rule == layer.rule == rule


@keras.saving.register_keras_serializable("test_pruning")
def a_third(step):
    return 0.3


def test_a_registered_function_is_saved_as_a_schedule(tmp_path):
    pruned = dc.prune(dense_model(), a_third)
    pruned.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert fit(loaded)["sparsity"] == [pytest.approx(0.3)]


def test_driver_must_say_what_an_update_is():
    with pytest.raises(NotImplementedError):
        LayerDriver().update([], 0)

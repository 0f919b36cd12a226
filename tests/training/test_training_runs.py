"""What happens to a model in the life of a training run, for each way of training it.

The tests say nothing of the backend, so that `KERAS_BACKEND` chooses it.
"""

import keras
import numpy as np
import pytest
from support.dense_models import X, Y, dense_model

import keras_dc as dc

KINDS = ["pruned", "straight_through", "shared"]
# Of 8 batches: the masks move at steps 0, 3, .., 24.
SCHEDULE = dc.PolynomialDecay(0.1, 0.8, 0, 24, frequency=3)

pytestmark = pytest.mark.parametrize("kind", KINDS)


def wrapped(kind, model=None):
    model = dense_model() if model is None else model
    if kind == "shared":
        return dc.share_weights(model, 4)
    options = {"straight_through": True, "freeze_step": 30} if kind == "straight_through" else {}
    return dc.prune(model, SCHEDULE, **options)


def compiled(model, **options):
    model.compile(**{"optimizer": keras.optimizers.Adam(0.01), "loss": "mse"} | options)
    return model


def drivers(kind):
    return [] if kind == "shared" else [dc.PruningCallback()]


def fit(kind, model, *, epochs=1, callbacks=None, **options):
    callbacks = drivers(kind) if callbacks is None else callbacks
    options = {"epochs": epochs, "callbacks": callbacks, "batch_size": 8} | options
    return model.fit(X, Y, verbose=0, shuffle=False, **options).history


def arrays(model):
    """The variables that a training run moves, by path."""
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.variables}


def assert_equal_models(one, other):
    for first, second in zip(arrays(one).values(), arrays(other).values(), strict=True):
        np.testing.assert_array_equal(first, second)


def outputs(model):
    return keras.ops.convert_to_numpy(model(X))


def zeros(model):
    kernels = [layer.get_weights()[0] for layer in dc.strip(model).layers]
    return [int(np.count_nonzero(kernel == 0)) for kernel in kernels]


def test_a_run_goes_on_from_a_file_as_if_nothing_had_happened(kind, tmp_path):
    model = compiled(wrapped(kind))
    # Epochs of 5 of the 8 batches: the file is written between two updates of the masks.
    fit(kind, model, steps_per_epoch=5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for run in (model, loaded):
        fit(kind, run, epochs=3)
    assert_equal_models(model, loaded)


class Crash(keras.callbacks.Callback):
    """Ends a run at the begin of an epoch, once."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("backup_first", [False, True])
def test_backup_and_restore_takes_up_a_run(kind, tmp_path, backup_first):
    whole = compiled(wrapped(kind))
    fit(kind, whole, epochs=4)

    def callbacks(*others):
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
        both = [backup, *drivers(kind)] if backup_first else [*drivers(kind), backup]
        return [*both, *others]

    first = compiled(wrapped(kind))
    with pytest.raises(KeyboardInterrupt):
        fit(kind, first, epochs=4, callbacks=callbacks(Crash(2)))
    again = compiled(wrapped(kind))
    history = fit(kind, again, epochs=4, callbacks=callbacks())
    assert len(history["loss"]) == 2
    assert_equal_models(whole, again)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(kind, dtype):
    model = compiled(wrapped(kind, dense_model(dtype=dtype)))
    losses = fit(kind, model, epochs=5)["loss"]
    assert losses[-1] < losses[0]
    assert {layer.layer.kernel.dtype for layer in model.layers} == {"float32"}
    assert keras.backend.standardize_dtype(model(X).dtype) == dtype.removeprefix("mixed_")
    np.testing.assert_array_equal(outputs(dc.strip(model)), outputs(model))
    if kind != "shared":
        assert zeros(model) == [48, 16]


def test_loss_scaling_counts_real_updates(kind):
    model = wrapped(kind)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01))
    fit(kind, compiled(model, optimizer=optimizer), epochs=4)
    assert int(optimizer.inner_optimizer.iterations) == 32
    if kind != "shared":
        assert zeros(model) == [48, 16]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has it not on Torch")
def test_several_steps_per_execution(kind):
    # The callback sees every other step, so that the masks move one step late at most.
    many = compiled(wrapped(kind), steps_per_execution=2)
    history = fit(kind, many, epochs=4)
    if kind == "shared":
        one = compiled(wrapped(kind))
        fit(kind, one, epochs=4)
        for first, second in zip(arrays(one).values(), arrays(many).values(), strict=True):
            np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)
    else:
        assert history["sparsity"][-1] == pytest.approx(0.8)
        assert zeros(many) == [48, 16]


def test_gradient_accumulation(kind):
    optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=4)
    model = compiled(wrapped(kind), optimizer=optimizer)
    losses = fit(kind, model, epochs=12)["loss"]
    assert int(optimizer.iterations) == 24
    assert losses[-1] < losses[0]
    if kind != "shared":
        assert zeros(model) == [48, 16]


def test_compiled_by_xla_or_not(kind):
    if keras.backend.backend() == "torch":
        pytest.skip("torch compiles by another compiler")
    losses = []
    for jit_compile in (False, True):
        model = compiled(wrapped(kind), jit_compile=jit_compile)
        losses.append(fit(kind, model, epochs=4)["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_run_eagerly(kind):
    model = compiled(wrapped(kind), run_eagerly=True)
    losses = fit(kind, model, epochs=4)["loss"]
    assert losses[-1] < losses[0]


def test_a_loop_of_batches_equals_fit(kind):
    fitted, looped = compiled(wrapped(kind)), compiled(wrapped(kind))
    fit(kind, fitted, epochs=4)
    callbacks = drivers(kind)
    for callback in callbacks:
        callback.set_model(looped)
    for start in [*range(0, 64, 8)] * 4:
        for callback in callbacks:
            callback.on_train_batch_begin(0)
        looped.train_on_batch(X[start : start + 8], Y[start : start + 8])
    # What pruned weights learn under their masks may differ.
    assert_equal_models(dc.strip(fitted), dc.strip(looped))


def test_clone_model_keeps_the_wrappers(kind):
    model = compiled(wrapped(kind))
    fit(kind, model)
    clone = keras.models.clone_model(model)
    assert [type(layer) for layer in clone.layers] == [type(layer) for layer in model.layers]
    # Keras clones no weights: that is the caller's second line.
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(outputs(clone), outputs(model))
    fit(kind, compiled(clone), epochs=4)
    assert not np.array_equal(outputs(clone), outputs(model))
    if kind != "shared":
        assert zeros(clone) == [48, 16]


def test_a_checkpoint_of_weights_restores_the_run(kind, tmp_path):
    model = compiled(wrapped(kind))
    fit(kind, model, epochs=2)
    model.save_weights(tmp_path / "run.weights.h5")
    again = compiled(wrapped(kind))
    again.optimizer.build(again.trainable_variables)
    again.load_weights(tmp_path / "run.weights.h5")
    for run in (model, again):
        fit(kind, run, epochs=2)
    assert_equal_models(model, again)

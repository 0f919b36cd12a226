"""What is pruned: targets by layer, blocks, N:M, and drop and grow by gradient."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.gradients import gradient

import keras_dc as dc
from keras_dc.training.mask_rules import rule_of
from keras_dc.wrapping.weights import find_kernels

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype(np.float32)
Y = RNG.normal(size=(64, 2)).astype(np.float32)


def dense_model():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(12, activation="relu", name="hidden"),
            layers.Dense(4, activation="relu", name="middle"),
            layers.Dense(2, name="head"),
        ]
    )


def fit(model, *, epochs=1, optimizer="adam"):
    if not model.compiled:
        model.compile(optimizer, "mse")
    options = {"batch_size": 8, "epochs": epochs, "verbose": 0, "shuffle": False}
    return model.fit(X, Y, callbacks=[dc.PruningCallback()], **options).history


def masks(model):
    return {
        layer.name: layer.current_masks()[0]
        for layer in model.layers
        if isinstance(layer, dc.training.PrunedLayer)
    }


# Targets by name


def test_targets_by_pattern():
    targets = {"head": 0.25, "hid|mid": dc.ConstantSparsity(0.75, begin_step=0)}
    pruned = dc.prune(dense_model(), targets)
    fit(pruned)
    sparsities = {name: 1.0 - mask.mean() for name, mask in masks(pruned).items()}
    assert sparsities == {"hidden": 0.75, "middle": 0.75, "head": 0.25}


def test_layers_without_target_are_left_alone():
    pruned = dc.prune(dense_model(), {"middle": 0.5}, filters="hidden|middle")
    assert list(masks(pruned)) == ["middle"]


def test_a_target_for_a_layer_that_is_filtered_out_is_refused():
    with pytest.raises(ValueError, match=r"pattern of `schedule`.*\['hidden'\].*pattern='head'"):
        dc.prune(dense_model(), {"hidden": 0.5, "head": 0.5}, filters="hidden")


def test_layers_with_one_schedule_share_a_global_threshold():
    model = dense_model()
    model.get_layer("middle").kernel.assign(model.get_layer("middle").kernel * 1e6)
    pruned = dc.prune(model, {"head": 0.25, ".": 0.5}, global_threshold=True)
    fit(pruned, optimizer=keras.optimizers.SGD(0.0))
    kept = {name: int(mask.sum()) for name, mask in masks(pruned).items()}
    assert kept == {"hidden": 24, "middle": 48, "head": 6}


# Structures


def test_blocks_are_pruned_as_a_whole():
    pruned = dc.prune(dense_model(), 0.5, block_size=(4, 2))
    fit(pruned)
    for name, count in {"hidden": 6, "middle": 3, "head": 1}.items():
        mask = masks(pruned)[name]
        rows, columns = mask.shape
        blocks = mask.reshape(-(-rows // 4), -1, columns // 2, 2)
        assert np.all(blocks == blocks[:, :1, :, :1])
        assert blocks[:, 0, :, 0].sum() == pytest.approx(count, abs=1)


def test_blocks_under_a_global_threshold():
    pruned = dc.prune(dense_model(), 0.5, block_size=(4, 2), global_threshold=True)
    fit(pruned)
    blocks = sum(mask[::4, ::2].sum() for mask in masks(pruned).values())
    assert blocks == round((12 + 6 + 1) / 2)


def test_two_of_four_along_the_input_axis():
    pruned = dc.prune(dense_model(), 0.5, group_size=4)
    fit(pruned)
    for mask in masks(pruned).values():
        np.testing.assert_array_equal(mask.reshape(-1, 4, mask.shape[-1]).sum(axis=1), 2)


def test_groups_thin_out_along_a_schedule():
    schedule = dc.PolynomialDecay(0.0, 0.75, 0, 8, power=1, frequency=4)
    pruned = dc.prune(dense_model(), schedule, group_size=4)
    assert fit(pruned, epochs=2)["sparsity"] == [0.75, 0.75]


@pytest.mark.parametrize(
    ("make", "shape", "input_axes"),
    [
        (lambda: layers.Dense(3), (None, 8), [-2]),
        (lambda: layers.Conv2D(3, 2), (None, 6, 6, 8), [-2]),
        (lambda: layers.Conv1DTranspose(3, 2), (None, 6, 8), [-1]),
        (lambda: layers.Conv2DTranspose(3, 2), (None, 6, 6, 8), [-1]),
        (lambda: layers.EinsumDense("abc,cde->abde", (None, 3, 2)), (None, 5, 8), [-3]),
        (lambda: layers.EinsumDense("...x,xy->...y", 4), (None, 8), [-2]),
        (lambda: layers.GRU(3), (None, 5, 8), [-2, -2]),
        (lambda: layers.Embedding(10, 8), (None, 3), [-1]),
    ],
)
def test_input_axis_of_each_kind(make, shape, input_axes):
    layer = make()
    layer.build(shape)
    kernels = find_kernels(layer)
    assert [kernel.input_axis for kernel in kernels] == input_axes
    if not isinstance(layer, layers.GRU):
        assert kernels[0].variable.shape[input_axes[0]] == 8


def test_input_axes_of_attention():
    layer = layers.MultiHeadAttention(2, 3)
    layer.build((None, 5, 8), (None, 5, 8))
    kernels = {kernel.name.split("/")[-2]: kernel for kernel in find_kernels(layer)}
    # query: (input, heads, size); output: (heads, size, outputs), summed over both.
    assert kernels["query"].input_axis == -3
    assert kernels["attention_output"].input_axis == -2


# Drop and grow


def growing(sparsity=0.75, *, freeze_step=100, frequency=4, fraction=0.4):
    schedule = dc.ConstantSparsity(sparsity, 0, frequency=frequency)
    return dc.prune(dense_model(), schedule, regrow_fraction=fraction, freeze_step=freeze_step)


@pytest.mark.parametrize("make", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_dropped_weights_are_replaced_by_others(make):
    pruned, optimizer = growing(frequency=5), make(0.03)
    found = []
    for epochs in (1, 2, 1):
        assert fit(pruned, epochs=epochs, optimizer=optimizer)["sparsity"] == [0.75] * epochs
        found.append(masks(pruned)["hidden"])
    assert any(np.any(old > new) for old, new in itertools.pairwise(found))


def test_what_grows_is_what_the_gradient_wants():
    """One SGD step from zero is the gradient times the rate: the largest grow."""
    pruned = growing(frequency=1, fraction=0.5)
    pruned.compile(keras.optimizers.SGD(0.01), "mse")
    callback = dc.PruningCallback()
    callback.set_model(pruned)
    callback.on_train_batch_begin(0)
    hidden, before = pruned.get_layer("hidden"), masks(pruned)["hidden"]
    loss = lambda: ops.mean(ops.square(pruned(X, training=True) - ops.convert_to_tensor(Y)))  # noqa: E731
    of_kernel = np.abs(gradient(loss, hidden.layer.kernel))
    pruned.train_on_batch(X, Y)
    callback.on_train_batch_begin(1)
    grown = masks(pruned)["hidden"] > before
    count = int(grown.sum())
    # Half of 24, less what half a cosine takes off in one of 100 steps.
    assert count == 11
    wanted = np.sort(of_kernel[before == 0])[-count:]
    np.testing.assert_array_equal(np.sort(of_kernel[grown]), wanted)
    kernel = ops.convert_to_numpy(hidden.layer.kernel)
    np.testing.assert_array_equal(kernel[grown], 0.0)


def test_pruned_weights_count_for_nothing_while_they_move():
    pruned = growing(frequency=5)
    fit(pruned)
    layer = pruned.get_layer("hidden")
    kernel = ops.convert_to_numpy(layer.layer.kernel)
    assert np.count_nonzero(kernel) > layer.current_masks()[0].sum()
    np.testing.assert_array_equal(
        dc.strip(pruned).predict(X, verbose=0), pruned.predict(X, verbose=0)
    )


def test_regrown_masks_freeze():
    pruned = growing(freeze_step=8)
    fit(pruned, epochs=2)
    before = masks(pruned)
    fit(pruned, epochs=3)
    for name, mask in masks(pruned).items():
        np.testing.assert_array_equal(mask, before[name])


@pytest.mark.parametrize(
    "options",
    [
        {"block_size": (4, 2)},
        {"group_size": 4},
        {"regrow_fraction": 0.3, "freeze_step": 40},
    ],
)
def test_training_goes_on_from_a_file_as_if_nothing_had_happened(tmp_path, options):
    schedule = dc.PolynomialDecay(0.25, 0.75, 0, 24, frequency=3)
    pruned = dc.prune(dense_model(), schedule, **options)
    fit(pruned, epochs=2)
    pruned.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].rule == rule_of(**options)
    fit(pruned, epochs=2)
    fit(loaded, epochs=2)
    for one, other in zip(pruned.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_size": (0, 4)}, r"Received: block_size=\(0, 4\)"),
        ({"block_size": (4,)}, r"Received: block_size=\(4,\)"),
        ({"group_size": 0}, "Received: group_size=0"),
        ({"regrow_fraction": 1.0, "freeze_step": 9}, "Received: regrow_fraction=1.0"),
        ({"regrow_fraction": 0.3}, "need `freeze_step`"),
        ({"block_size": (2, 2), "group_size": 4}, "Received: block_size, group_size"),
        ({"group_size": 4, "global_threshold": True}, "Received: global_threshold=True"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dc.prune(dense_model(), 0.5, **options)

"""Layers of one name in several nested models: each has its own row, target and tag."""

import keras
import numpy as np
import pytest
from keras import layers
from support.dense_models import X, Y, fit

import keras_dc as dc
from keras_dc.training.pruning import PrunedLayer, sparsity_of
from keras_dc.wrapping.layer_tree import layers_of_class, named_layers


def part(units, name):
    return keras.Sequential([keras.Input((6,)), layers.Dense(units, name="dense")], name=name)


def sequential():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((6,)), part(6, "one"), part(2, "two")])


class Twice(keras.Model):
    """Two layers of one name side by side, which Keras allows in subclassed models only."""

    def __init__(self):
        super().__init__()
        self.first = layers.Dense(6, name="dense")
        self.second = layers.Dense(2, name="dense")

    def call(self, x):
        return self.second(self.first(x))


def subclassed():
    keras.utils.set_random_seed(1)
    model = Twice()
    model(X)
    return model


NAMES = {sequential: ["one/dense", "two/dense"], subclassed: ["dense_1", "dense_2"]}


def sparsities(model):
    return [sparsity_of([layer]) for layer in layers_of_class(model, PrunedLayer)]


def test_names_are_short_where_they_are_unique():
    model = keras.Sequential([keras.Input((6,)), part(6, "one"), layers.Dense(2, name="head")])
    names = [name for name, layer in named_layers(model).items() if layer.weights]
    assert names == ["dense", "head"]


@pytest.mark.parametrize("make", NAMES)
def test_a_row_each(make):
    model = make()
    model.compile("sgd", "mse")
    scan = dc.training.sensitivity(model, (X, Y), sparsities=(0.5, 0.9), verbose=0)
    assert list(scan.values) == NAMES[make]
    assert scan.values[NAMES[make][0]] != scan.values[NAMES[make][1]]


@pytest.mark.parametrize("make", NAMES)
def test_a_target_each(make):
    first, second = NAMES[make]
    assert sparsities(dc.prune(make(), {f"^{first}$": 0.5, f"^{second}$": 0.75})) == [0.5, 0.75]
    shared = dc.share_weights(make(), {f"^{first}$": 5, f"^{second}$": 3})
    found = layers_of_class(shared, dc.training.SharedLayer)
    assert [layer.num_clusters for layer in found] == [5, 3]


def test_their_own_name_means_both_and_filters_take_paths():
    assert sparsities(dc.prune(sequential(), {"^dense$": 0.5})) == [0.5, 0.5]
    pruned = dc.prune(sequential(), 0.5, filters="two/")
    kinds = [type(layer) for layer in named_layers(pruned).values() if layer.weights]
    assert kinds == [layers.Dense, PrunedLayer]
    again = dc.prune(pruned, 0.75, filters="one/")
    assert sparsities(again) == [0.75, 0.5]


def test_a_tag_each(tmp_path, monkeypatch):
    pytest.importorskip("tensorboardX")
    tags = []
    callback = dc.training.CompressionTensorBoard(tmp_path)
    pruned = dc.prune(sequential(), 0.5)

    class Writer:
        def __init__(self, *args, **kwargs):
            pass

        def close(self):
            pass

        def add_scalar(self, tag, *args, **kwargs):
            tags.append(tag)

        add_image = add_scalar

    monkeypatch.setattr(callback, "_new_writer", Writer)
    fit(pruned, callbacks=[callback])
    assert tags == [
        "sparsity/one/dense", "mask/one/dense/kernel",
        "sparsity/two/dense", "mask/two/dense/kernel",
    ]  # fmt: skip


# Sensitivity as it is


def scanned(**options):
    model = sequential()
    model.compile("sgd", "mse", metrics=["mae"])
    options = {"sparsities": (0.25, 0.5, 0.9), "metric": "mae", "verbose": 0} | options
    return model, dc.training.sensitivity(model, (X, Y), **options)


def test_what_was_measured_is_a_schedule():
    model, scan = scanned(sparsities=(0.02, 0.05, 0.9))
    assert sparsities(dc.prune(model, scan)) == sparsities(dc.prune(model, scan.targets()))
    tolerance = 0.01 * scan.baseline
    assert scan.targets() == scan.targets(tolerance)
    assert scan.targets(1e9) == {"^one/dense$": 0.9, "^two/dense$": 0.9}


def test_where_nothing_is_tolerated_the_error_says_what_to_do():
    scan = dc.training.Sensitivity("accuracy", True, (0.5,), 0.9, {"a": (0.1,)})
    with pytest.raises(ValueError, match=r"larger tolerance.*Received: tolerance=0.009"):
        scan.targets()
    with pytest.raises(ValueError, match="larger tolerance"):
        dc.prune(sequential(), scan)


def test_it_prints_as_a_table():
    scan = dc.training.Sensitivity(
        "loss", False, (0.5, 0.98), 0.25, {"a": (0.26, 1.5), "bcd": (1, 2)}
    )
    assert str(scan).splitlines() == [
        "loss, 0.25 as it is",
        "pruned layer   50%  98%",
        "a             0.26  1.5",
        "bcd              1    2",
    ]


@pytest.mark.parametrize(("verbose", "shown"), [("auto", True), (1, True), (0, False)])
def test_progress_is_shown(verbose, shown, capsys):
    scanned(verbose=verbose)
    assert ("7/7" in capsys.readouterr().out) is shown


# Names of TensorFlow Model Optimization


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: dc.prune(m, pruning_schedule=0.5), "it is `schedule` here"),
        (lambda m: dc.prune(to_prune=m, schedule=0.5), "it is `model` here"),
        (lambda m: dc.prune(m, 0.5, sparsity_m_by_n=(2, 4)), "`group_size` here"),
        (lambda m: dc.prune(m, 0.5, blocksize=2), "no argument 'blocksize'"),
        (lambda m: dc.prune(m), "needs `model` and `schedule`"),
        (lambda m: dc.prune(m, dc.ConstantSparsity(0.5)), "needs `begin_step`"),
    ],
)
def test_their_names_are_told_by_ours(call, message):
    with pytest.raises(TypeError, match=message):
        call(sequential())


# NaN


@pytest.mark.parametrize(
    "wrap",
    [
        lambda m: (dc.prune(m, dc.ConstantSparsity(0.5, 2)), dc.PruningCallback()),
        lambda m: (
            dc.prune(
                m, dc.ConstantSparsity(0.5, 0, frequency=2), regrow_fraction=0.3, freeze_step=9
            ),
            dc.PruningCallback(),
        ),
        lambda m: (
            dc.prune(
                m, dc.ConstantSparsity(0.5, 0, frequency=2), straight_through=True, freeze_step=9
            ),
            dc.PruningCallback(),
        ),
        lambda m: (dc.share_weights(m, 3, reassign_frequency=2), dc.WeightSharingCallback()),
    ],
)
@pytest.mark.parametrize("own_loop", [False, True])
def test_weights_that_are_no_numbers_are_named_with_their_step(wrap, own_loop):
    wrapped, callback = wrap(sequential())
    wrapped.compile("sgd", "mse")
    nan = np.full_like(X, np.nan)
    message = r"kernels must be finite.*kernel, layer 'dense', at step [1-4]$"
    if not own_loop:
        with pytest.raises(ValueError, match=message):
            wrapped.fit(nan, Y, batch_size=8, verbose=0, callbacks=[callback])
        return
    callback.set_model(wrapped)

    def loop():
        for _ in range(6):
            callback.on_train_batch_begin(0)
            wrapped.train_on_batch(nan, Y)

    with pytest.raises(ValueError, match=message):
        loop()

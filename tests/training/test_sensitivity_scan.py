import importlib.util
import io

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype(np.float32)


def model_of_known_losses():
    """Outputs x @ diag(1, 2, 3, 4), so the loss of each pruned weight is known."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, use_bias=False, name="robust"),
            layers.Dense(4, use_bias=False, name="touchy"),
        ]
    )
    model.get_layer("robust").kernel.assign(np.eye(4))
    model.get_layer("touchy").kernel.assign(np.diag([1.0, 2.0, 3.0, 4.0]))
    model.compile("sgd", "mse", metrics=["mae"])
    return model


Y = X * np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32)


def scan(**options):
    return dc.training.sensitivity(
        model_of_known_losses(), (X, Y), **{"sparsities": (0.8125, 0.5, 0.75)} | options
    )


def test_metrics_are_those_of_the_pruned_layers():
    result = scan()
    assert result.baseline == pytest.approx(0.0, abs=1e-9)
    assert result.sparsities == (0.5, 0.75, 0.8125)
    # 12 of 16 weights are zero anyway; of 4, one more goes: the least, or the last.
    squares = np.mean(X**2, axis=0) / 4
    assert result.values["touchy"] == pytest.approx([0.0, 0.0, squares[0]], abs=1e-7)
    assert result.values["robust"] == pytest.approx([0.0, 0.0, 16 * squares[3]], abs=1e-6)


def test_the_model_is_as_before():
    model = model_of_known_losses()
    before = model.get_weights()
    dc.training.sensitivity(model, (X, Y))
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_the_model_is_as_before_after_an_error(monkeypatch):
    model = model_of_known_losses()
    evaluate, sums = model.evaluate, []

    def fails_later(*args, **kwargs):
        sums.append(float(model.get_layer("robust").get_weights()[0].sum()))
        if len(sums) == 3:
            raise OSError("disk gone")
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(model, "evaluate", fails_later)
    with pytest.raises(OSError, match="disk gone"):
        dc.training.sensitivity(model, (X, Y), sparsities=(0.875, 0.9375))
    assert sums == [4.0, 2.0, 1.0]
    assert model.get_layer("robust").get_weights()[0].sum() == 4.0


def test_targets_are_what_a_tolerance_allows():
    result = scan(metric="mae")
    assert result.targets(0.1) == {"^robust$": 0.75, "^touchy$": 0.75}
    one_lost = float(np.mean(np.abs(X[:, 0])) / 4)
    assert result.targets(one_lost * 1.01) == {"^robust$": 0.75, "^touchy$": 0.8125}
    pruned = dc.prune(model_of_known_losses(), result.targets(0.1))
    pruned.compile("sgd", "mse")
    pruned.fit(X, Y, verbose=0, callbacks=[dc.PruningCallback()])
    assert np.count_nonzero(dc.strip(pruned).layers[0].get_weights()[0]) == 4


def test_targets_stop_at_the_first_loss_that_is_too_large():
    result = dc.training.Sensitivity(
        metric="accuracy",
        higher_is_better=True,
        sparsities=(0.5, 0.7, 0.9),
        baseline=0.9,
        values={"a": (0.9, 0.8, 0.9), "b.c": (0.91, 0.89, 0.88), "d": (0.5, 0.4, float("nan"))},
    )
    assert result.loss_of("a") == pytest.approx([0.0, 0.1, 0.0])
    assert result.targets(0.015) == {"^a$": 0.5, r"^b\.c$": 0.7}


def test_filters_select_layers():
    assert list(scan(filters="touchy").values) == ["touchy"]
    assert list(scan(leave_out="last").values) == ["robust"]


def test_data_may_be_a_dataset():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    result = dc.training.sensitivity(model_of_known_losses(), data, sparsities=(0.75,))
    assert result.values["touchy"] == pytest.approx([0.0], abs=1e-7)


def test_table_has_a_line_for_each_layer():
    console = pytest.importorskip("rich.console").Console(width=80, file=io.StringIO())
    console.print(scan().table())
    text = console.file.getvalue()
    assert "robust" in text
    assert "touchy" in text
    assert "50%" in text


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
def test_plot_has_a_line_for_each_layer():
    from matplotlib.figure import Figure

    axes = scan().plot(Figure().add_subplot())
    assert [line.get_label() for line in axes.lines] == ["robust", "touchy", "as it is"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "auc"}, r"one of \['loss', 'mae'\].*Received: metric='auc'"),
        ({"sparsities": (0.5, 1.0)}, r"Received: sparsities=\(0.5, 1.0\)"),
        ({"sparsities": ()}, r"Received: sparsities=\(\)"),
        ({"filters": "conv"}, r"\['robust', 'touchy'\]"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        scan(**options)


@pytest.mark.parametrize("wrap", [lambda m: dc.prune(m, 0.5), lambda m: dc.share_weights(m, 4)])
def test_wrapped_layers_are_refused(wrap):
    model = wrap(keras.Sequential([keras.Input((3,)), layers.Dense(2)]))
    model.compile(loss="mse")
    with pytest.raises(ValueError, match="must be stripped first"):
        dc.training.sensitivity(model, (np.zeros((1, 3)), np.zeros((1, 2))))


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="Received: tolerance=-1"):
        scan().targets(-1)

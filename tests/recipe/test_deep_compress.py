"""One call from a trained model to a file; what it refuses, and what it says."""

import keras
import numpy as np
import pytest
from keras import layers
from support import recipe_models
from support.recipe_models import QUICK, X, Y, compiled

import keras_dc as dc


def outputs_of(tflite, x):
    runner = dc.Interpreter(model_content=tflite).get_signature_runner()
    (name,) = runner.get_input_details()
    return next(iter(runner(**{name: x}).values()))


def test_the_file_is_small_and_scored_as_it_is(small_run):
    _, result = small_run
    assert result.reached
    assert result.ratio >= 2.0
    logits = outputs_of(result.tflite, X[512:])
    accuracy = np.mean(np.argmax(logits, axis=1) == Y[512:])
    assert result.scores["compressed file"] == pytest.approx(accuracy, abs=1e-6)
    assert result.metric == "accuracy"


def test_the_model_is_that_of_the_file(small_run):
    _, result = small_run
    np.testing.assert_allclose(
        result.model.predict(X[512:], verbose=0), outputs_of(result.tflite, X[512:]), atol=1e-4
    )
    logs = result.model.evaluate(X[512:], Y[512:], verbose=0, return_dict=True)
    assert logs["accuracy"] == pytest.approx(result.scores["compressed file"], abs=1e-6)
    assert all(type(layer).__module__.startswith("keras.") for layer in result.model.layers)


def test_the_packed_file_unpacks_to_an_ordinary_one(small_run):
    _, result = small_run
    plain = dc.unpack(result.packed)
    assert plain == dc.expand(result.tflite)
    assert len(result.packed) < len(result.tflite)


def test_the_given_model_is_as_it_was(trained, small_run):
    (weights, config), _ = small_run
    for old, new in zip(weights, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert trained.optimizer.get_config() == config
    assert trained.compiled
    assert int(trained.optimizer.iterations) == 64


def test_the_history_has_each_stage(small_run):
    _, result = small_run
    assert [(row["stage"], row["epochs"]) for row in result.history] == [
        ("prune 1", 1),
        ("share 1", 1),
    ]
    prune, share = result.history
    assert len(prune["logs"]["loss"]) == 1
    assert set(prune["densities"]) == {"hidden", "logits"}
    assert share["size_bytes"] == len(result.tflite)
    assert share["score"] == result.scores["compressed file"]


def test_the_choices_are_told(small_run):
    _, result = small_run
    assert result.choices["allocation"] == "global"
    # Half the weights or more are kept.
    assert result.choices["num_clusters"] == 32
    # Three times that of the optimizer would be above the highest that is chosen.
    assert result.choices["learning_rate"] == pytest.approx(0.01)
    assert result.choices["given"]["epochs"] == 2
    assert "2 times smaller" in result.choices["aim"]
    assert repr(result).startswith(f"Result({len(result.tflite):,} bytes, ")


def test_the_report_is_made_of_the_run(small_run, monkeypatch):
    _, result = small_run
    calls = []
    monkeypatch.setattr(dc, "report", lambda *a, **k: calls.append((a, k)) or "made", raising=False)
    vars(result).pop("report", None)
    assert result.report == "made"
    assert result.report == "made"
    ((tflite,), options) = calls[0]
    assert len(calls) == 1
    assert tflite == result.tflite
    assert list(options["scores"]) == ["dense", "pruned", "compressed file"]
    assert options["curve"][0]["ratio"] == pytest.approx(result.ratio)
    # Constants of this size stay float, so it is not smaller here.
    assert options["int8"][4:8] == b"TFL3"
    assert {row.layer for row in options["names"].coded} == {"hidden", "logits"}
    assert len(options["original"]) == pytest.approx(result.ratio * len(result.tflite))
    vars(result).pop("report")


def test_an_aim_out_of_reach_ends_with_the_nearest_file(trained):
    with pytest.warns(UserWarning, match="The aim was not reached.*nearest file has"):
        result = dc.deep_compress(
            trained,
            *recipe_models.data(),
            **{**QUICK, "ratio": None, "allocation": None},
            max_loss=0.0,
            densities=0.02,
        )
    assert not result.reached
    assert "not reached" in repr(result)


def test_no_file_without_weights_is_so_small(trained):
    with pytest.raises(ValueError, match="no file of this model can be as small"):
        dc.deep_compress(trained, *recipe_models.data(), **{**QUICK, "ratio": 1000})


def test_it_says_what_the_epochs_buy(trained, capsys):
    with pytest.raises(ValueError, match="as small"):
        dc.deep_compress(trained, *recipe_models.data(), **{**QUICK, "ratio": 1000, "verbose": 2})
    printed = capsys.readouterr().out
    assert "What 2 epochs buy" in printed
    assert "1 pruning + 1 sharing" in printed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": None, "max_bytes": "x"}, "`max_bytes`"),
        ({"max_loss": 0.1}, "Only one of"),
        ({"epochs": 1}, "`epochs` must be an int from 2"),
        ({"batch_size": 0}, "`batch_size` must be an int from 1"),
        ({"steps_per_epoch": 3}, "`steps_per_epoch` is for datasets"),
        ({"verbose": 5}, "`verbose` must be"),
        ({"allocation": "best"}, "`allocation` must be one of"),
        ({"densities": 0.5}, "`densities` are an allocation already"),
        ({"densities": {"x": 0.5}, "allocation": None}, "pattern of `densities` selects no layer"),
        ({"densities": 0.0, "allocation": None}, "`densities` must lie in"),
        ({"rate_weight": -1.0}, "`rate_weight` must be a number from 0"),
        ({"coder": "zip"}, "coder"),
        ({"metric": "recall"}, "`metric` must be one of .*'accuracy'"),
        ({"filters": "nothing"}, "`filters` selects no layer"),
        ({"learning_rate": -1.0}, "`learning_rate` must be a number from 0"),
        ({"baseline_epochs": 1}, "`epochs` must leave one"),
    ],
)
def test_wrong_arguments_are_refused(trained, change, message):
    with pytest.raises(ValueError, match=message):
        dc.deep_compress(trained, *recipe_models.data(), **{**QUICK, **change})


def test_models_that_do_not_fit_are_refused():
    data = recipe_models.data()
    with pytest.raises(ValueError, match="compiled with a loss"):
        dc.deep_compress(recipe_models.classifier(), *data, **QUICK)
    pruned = compiled(dc.prune(recipe_models.classifier(), 0.5))
    with pytest.raises(ValueError, match=r"pruned or shared already: call `keras_dc\.strip`"):
        dc.deep_compress(pruned, *data, **QUICK)
    without = compiled(keras.Sequential([keras.Input((12,)), layers.BatchNormalization()]))
    with pytest.raises(ValueError, match="selects no layer"):
        dc.deep_compress(without, *data, **QUICK)

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    own = Own()
    own(X[:1])
    with pytest.raises(ValueError, match="Sequential or Functional"):
        dc.deep_compress(compiled(own), *data, **QUICK)


def test_nan_is_refused(trained):
    (x, y), validation = recipe_models.data()
    broken = validation[0].copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="finite loss on `validation_data`"):
        dc.deep_compress(trained, (x, y), (broken, validation[1]), **QUICK)


def test_nan_in_the_training_diverges_twice(trained):
    (x, y), validation = recipe_models.data()
    broken = x.copy()
    broken[3] = np.nan
    with (
        pytest.warns(UserWarning, match="third of its learning rate"),
        pytest.raises(ValueError, match="diverged twice"),
    ):
        dc.deep_compress(trained, (broken, y), validation, **QUICK)


def test_data_without_end_or_validation_is_refused(trained):
    train, validation = recipe_models.data()
    with pytest.raises(TypeError, match="`train_data` must be"):
        dc.deep_compress(trained, 7, validation, **{**QUICK, "batch_size": None})
    with pytest.raises(TypeError, match="read many times"):
        dc.deep_compress(trained, iter([train]), validation, **{**QUICK, "batch_size": None})
    with pytest.raises(ValueError, match="same number of samples"):
        dc.deep_compress(trained, (X, Y[:-1]), validation, **QUICK)

import keras
import pytest
from keras import layers, optimizers

from keras_dc.recipe.fitting import Rates, _is_safe_for_xla, _steps_per_execution, rates_of
from keras_dc.recipe.judging import is_higher_better
from keras_dc.wrapping.compilation import compile_arguments, optimizer_like, optimizer_of


def compiled(optimizer, **options):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(optimizer, "mse", **options)
    return model


def test_adam_prunes_three_times_as_fast_and_decays():
    rates = rates_of(compiled(optimizers.Adam(1e-3)))
    assert (rates.pruning, rates.sharing) == pytest.approx((3e-3, 1e-3))
    assert rates.weight_decay == pytest.approx(0.1)


def test_a_fast_adam_is_not_made_faster():
    assert rates_of(compiled(optimizers.AdamW(2e-3))).pruning == pytest.approx(4e-3)
    assert rates_of(compiled(optimizers.Nadam(1e-2))).pruning == pytest.approx(1e-2)


def test_sgd_keeps_its_rate_and_decays_as_much_a_step():
    rates = rates_of(compiled(optimizers.SGD(0.1)))
    assert (rates.pruning, rates.sharing) == pytest.approx((0.1, 0.1))
    assert rates.weight_decay * rates.pruning == pytest.approx(1e-4)


def test_a_schedule_counts_by_its_largest_rate():
    schedule = optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=1e-3, warmup_steps=500)
    assert rates_of(compiled(optimizers.Adam(schedule))).sharing == pytest.approx(1e-3)


def test_rates_given_are_taken():
    model = compiled(optimizers.Adam(1e-3))
    rates = rates_of(model, learning_rate=0.5, sharing_learning_rate=0.25, weight_decay=0.0)
    assert rates == Rates(0.5, 0.25, None)
    assert rates.slower(5.0) == Rates(0.1, 0.05, None)


def test_an_optimizer_is_made_anew():
    model = compiled(optimizers.Adam(1e-3, beta_1=0.8))
    model.optimizer.build(model.trainable_variables)
    new = optimizer_like(optimizer_of(model), learning_rate=0.5)
    assert new is not model.optimizer
    assert (float(new.learning_rate), new.beta_1) == (0.5, 0.8)
    assert not new.built


def test_what_scales_losses_is_taken_off():
    inner = optimizers.SGD(0.1)
    assert optimizer_of(compiled(optimizers.LossScaleOptimizer(inner))) is inner


def test_metrics_are_copied_and_losses_shared():
    def own(target, output):
        return keras.ops.subtract(target, output)

    metric = keras.metrics.MeanMetricWrapper(own, name="own")
    model = compiled("sgd", metrics=[metric, "mae"])
    first = compile_arguments(model)
    assert first["loss"] == "mse"
    copy, text = first["metrics"]
    assert copy is not metric
    assert (copy.name, text) == ("own", "mae")
    copy.update_state([2.0], [1.0])
    assert (float(copy.result()), float(metric.result())) == (1.0, 0.0)


def test_a_metric_that_cannot_be_copied_is_refused():
    class Own(keras.metrics.Mean):
        def __init__(self, needed):
            super().__init__(name="own")

    with pytest.raises(ValueError, match="cannot be copied.*metric='own'"):
        compile_arguments(compiled("sgd", metrics=[Own(1)]))


def test_steps_at_once_divide_an_epoch():
    assert [_steps_per_execution(n) for n in (469, 430, 421, 64, 1)] == [67, 43, 1, 64, 1]


def test_xla_is_for_dense_networks():
    assert _is_safe_for_xla(compiled("sgd"))
    images = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten()])
    assert not _is_safe_for_xla(images)


@pytest.mark.parametrize(
    ("metric", "is_higher"),
    [
        ("accuracy", True),
        ("sparse_categorical_accuracy", True),
        ("val_auc", True),
        ("f1_score", True),
        ("mean_io_u", None),
        ("mae", False),
        ("loss", False),
        ("root_mean_squared_error", False),
        ("false_positives", False),
        ("quality", None),
    ],
)
def test_names_tell_what_is_better(metric, is_higher):
    if is_higher is None:
        with pytest.raises(ValueError, match="give `higher_is_better`"):
            is_higher_better(metric)
    else:
        assert is_higher_better(metric) == is_higher

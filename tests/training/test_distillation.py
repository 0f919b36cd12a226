import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_dc as dc
from keras_dc.training import DistillationLoss, distillation_accuracy, distillation_targets

LABELS = np.array([2, 0, 1], np.uint8)
TEACHER = np.float32([[0.0, 1.0, 3.0], [2.0, -1.0, 0.0], [0.5, 0.0, 0.0]])
STUDENT = np.float32([[1.0, 0.0, 2.0], [1.0, 1.5, 0.0], [-1.0, 4.0, 0.0]])


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def student_of(x):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input(x.shape[1:]), layers.Dense(12, "relu", name="hidden"), layers.Dense(3)]
    )


@pytest.mark.parametrize(("weight", "temperature"), [(0.7, 2.0), (1.0, 4.0), (0.0, 1.0)])
def test_it_is_the_sum_of_both(weight, temperature):
    own = -np.log(softmax(STUDENT)[range(3), LABELS])
    theirs, ours = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    divergence = np.sum(theirs * np.log(theirs / ours), axis=1)
    expected = np.mean((1 - weight) * own + weight * temperature**2 * divergence)
    loss = DistillationLoss(weight, temperature)
    found = loss(distillation_targets(LABELS, TEACHER), ops.convert_to_tensor(STUDENT))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_its_accuracy_is_that_of_the_labels():
    targets = ops.convert_to_tensor(distillation_targets(LABELS[:, None], TEACHER))
    hits = distillation_accuracy(targets, ops.convert_to_tensor(STUDENT))
    assert ops.convert_to_numpy(hits).tolist() == [1.0, 0.0, 1.0]


def test_a_pruned_student_learns_what_the_teacher_says(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype(np.float32)
    logits = 3 * x @ rng.normal(size=(8, 3)).astype(np.float32)
    # Labels that say nothing: what is learned comes from the teacher.
    targets = distillation_targets(rng.integers(0, 3, 256), logits)
    pruned = dc.prune(student_of(x), dc.PolynomialDecay(0.0, 0.5, 0, 20, frequency=4))
    loss = DistillationLoss(weight=1.0)
    pruned.compile(keras.optimizers.Adam(0.02), loss, metrics=[distillation_accuracy])
    options = {"epochs": 15, "verbose": 0, "callbacks": [dc.PruningCallback()]}
    logs = pruned.fit(x, targets, **options).history
    assert logs["distillation_accuracy"][-1] < 0.7
    agreement = np.mean(pruned.predict(x, verbose=0).argmax(1) == logits.argmax(1))
    assert agreement > 0.9
    pruned.save(tmp_path / "student.keras")
    loaded = keras.saving.load_model(tmp_path / "student.keras")
    assert loaded.loss.get_config() == loss.get_config()
    assert loaded.evaluate(x, targets, verbose=0) == pytest.approx(
        pruned.evaluate(x, targets, verbose=0), rel=1e-5
    )


def test_the_distiller_of_keras_takes_a_pruned_student():
    distillation = pytest.importorskip("keras.distillation", reason="Keras has it from 3.12 on")
    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    y = np.arange(64) % 3
    student = dc.prune(student_of(x), dc.ConstantSparsity(0.75, 0, frequency=2))
    distiller = distillation.Distiller(
        teacher=student_of(x),
        student=student,
        distillation_losses=distillation.LogitsDistillation(temperature=2.0),
        distillation_loss_weights=1.0,
        student_loss_weight=0.5,
    )
    distiller.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    logs = distiller.fit(x, y, verbose=0, callbacks=[dc.PruningCallback()]).history
    assert logs["sparsity"] == [0.75]
    plain = dc.strip(distiller.student)
    assert np.mean(plain.get_layer("hidden").get_weights()[0] == 0) == 0.75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LABELS, TEACHER[:2]), r"Received: shapes \(3,\) and \(2, 3\)"),
        ((LABELS, LABELS), r"Received: shapes \(3,\) and \(3,\)"),
        (([0, 1, 3], TEACHER), r"integers in \[0, 3\). Received: 3"),
        (([0, 1, 0.5], TEACHER), "Received: 0.5"),
        (([0, -1, 0], TEACHER), "Received: -1"),
        ((LABELS, np.full((3, 3), np.inf)), "must be finite"),
    ],
)
def test_bad_targets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        distillation_targets(*arguments)


def test_plain_labels_are_refused():
    with pytest.raises(ValueError, match=r"`distillation_targets`.*shapes \(3, 3\) and \(3, 3\)"):
        DistillationLoss()(ops.one_hot(LABELS.astype("int32"), 3), ops.convert_to_tensor(STUDENT))


@pytest.mark.parametrize(
    "options", [{"weight": 1.5}, {"weight": -0.1}, {"temperature": 0.0}, {"temperature": -1.0}]
)
def test_bad_options_are_refused(options):
    [(name, value)] = options.items()
    with pytest.raises(ValueError, match=f"`{name}` must.*Received: {name}={value}"):
        DistillationLoss(**options)

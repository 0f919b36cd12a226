import subprocess

import numpy as np
import pytest
from support.tiny_models import Graph, lookup, mlp, quantized

import keras_dc as dc
from keras_dc.errors import ModelFormatError
from keras_dc.runtime import batches
from keras_dc.support import machine

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 20)).astype(np.float32)
CONTENT = mlp(sizes=(20, 8, 4), density=0.5).serialize()


def logits(content, x):
    return dc.Interpreter(model_content=content).get_signature_runner()(images=x)["logits"]


OUTPUTS = logits(CONTENT, X)
CLASSES = np.argmax(OUTPUTS, axis=1)
# Three of ten are wrong.
LABELS = np.where(np.arange(10) < 3, (CLASSES + 1) % 4, CLASSES)


def pairs(size=4):
    for begin in range(0, 10, size):
        yield X[begin : begin + size], LABELS[begin : begin + size]


class Sequence:
    """As keras.utils.PyDataset: batches by number, and iterating goes on for ever."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[4 * index : 4 * index + 4], LABELS[4 * index : 4 * index + 4]


@pytest.mark.parametrize(
    "data",
    [
        (X, LABELS),
        (X.astype(np.float64), LABELS[:, None]),
        (X, np.eye(4)[LABELS]),
        ({"images": X}, LABELS),
        pairs,
        list(pairs()),
        [list(pair) for pair in pairs(3)],
        Sequence(),
    ],
    ids=["arrays", "column", "one-hot", "dict", "generator", "list", "lists", "sequence"],
)
@pytest.mark.parametrize("batch_size", [None, 1, 3, 100])
def test_accuracy_of_data_in_every_form(data, batch_size):
    data = data() if data is pairs else data
    assert dc.evaluate(CONTENT, data, batch_size=batch_size) == pytest.approx(0.7)


def test_a_model_in_every_form(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(CONTENT)
    data = X, LABELS
    for model in (path, str(path), dc.compress(CONTENT), dc.Interpreter(path)):
        assert dc.evaluate(model, data) == pytest.approx(0.7)
    assert dc.evaluate(dc.compress(CONTENT), data, low_memory=True) == pytest.approx(0.7)
    assert dc.evaluate(path, data, runtime="litert", num_threads=2) == pytest.approx(0.7)


DEVICE = """
import sys
for name in ("ai_edge_litert", "flatbuffers", "tensorflow"):
    sys.modules[name] = None
import numpy as np
import keras_dc as dc
path, x, y = sys.argv[1:]
x, y = np.load(x), np.load(y)
print(dc.evaluate(path, (x, y), runtime="tflite_runtime"))
print(dc.compare_outputs(path, path, x)[0].same_class)
"""


def test_a_device_evaluates_with_numpy_and_a_runtime_alone(tmp_path):
    """In a process of its own: two runtimes do not get along in one."""
    pytest.importorskip("tflite_runtime")
    (tmp_path / "model.tflite").write_bytes(dc.compress(CONTENT))
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", LABELS)
    names = [str(tmp_path / name) for name in ("model.tflite", "x.npy", "y.npy")]
    done = subprocess.run(machine.child_command(DEVICE, *names), capture_output=True, text=True)
    assert done.stdout == "0.7\n1.0\n", done.stderr


def test_errors_of_numbers():
    targets = OUTPUTS + np.array([1, -1, 0, 2], np.float32)
    assert dc.evaluate(CONTENT, (X, targets), "mse") == pytest.approx(6 / 4, rel=1e-5)
    assert dc.evaluate(CONTENT, (X, targets), "mae") == pytest.approx(1, rel=1e-5)


def test_a_function_gets_all_outputs_at_once():
    seen = []

    def metric(outputs, y):
        seen.append((outputs, y))
        return np.float32(3)

    assert dc.evaluate(CONTENT, pairs(), metric, batch_size=2) == 3.0
    ((outputs, y),) = seen
    np.testing.assert_allclose(outputs, OUTPUTS, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y, LABELS)


def test_one_output_is_class_one_above_a_half():
    content = mlp(sizes=(20, 1), density=0.5).serialize()
    above = logits(content, X)[:, 0] > 0.5
    assert 0 < above.sum() < 10
    assert dc.evaluate(content, (X, above.astype(int))) == 1.0
    assert dc.evaluate(content, (X, ~above[:, None])) == 0.0


def test_a_model_for_so_many_examples_gets_so_many():
    graph = Graph()
    graph.output(graph.builtin("ABS", [graph.input((4, 3))], (4, 3)))
    content = graph.serialize()
    inputs = RNG.normal(size=(6, 3)).astype(np.float32)
    assert dc.evaluate(content, (inputs, np.abs(inputs)), "mae") == 0
    assert dc.evaluate(content, (inputs, np.abs(inputs)), "mae", batch_size=5) == 0


def test_quantized_inputs_and_outputs_are_numbers():
    graph = quantized()
    content = graph.serialize()
    x = RNG.normal(size=(3, 8, 8, 4)).astype(np.float32)
    steps = np.clip(np.round(x / 0.5), -128, 127).astype(np.int8)
    found = []
    for given in (x, steps):
        dc.evaluate(content, (given, np.zeros(3)), lambda outputs, y: found.append(outputs) or 0)
    assert found[0].dtype == np.float32
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], np.round(found[0] / 0.25) * 0.25)
    assert np.any(found[0])


def test_a_class_for_each_position():
    content = lookup().serialize()
    ids = RNG.integers(0, 20, size=(5, 6))
    found = []
    dc.evaluate(content, (ids, np.zeros(5)), lambda outputs, y: found.append(outputs) or 0)
    classes = np.argmax(found[0], axis=-1)
    assert dc.evaluate(content, (ids, classes)) == 1.0
    classes[:, :3] = (classes[:, :3] + 1) % 8
    assert dc.evaluate(content, (ids, classes)) == 0.5


class Endless:
    def cardinality(self):
        return np.int64(-1)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"metric": "f1"}, ValueError, "must be a function or one of 'accuracy', .*'f1'"),
        ({"batch_size": 0}, ValueError, "positive int or None. Received: batch_size=0"),
        (
            {"data": (X[:, :5], LABELS)},
            ValueError,
            r"'images' must be shaped \(-1, 20\).*\(10, 5\)",
        ),
        ({"data": (X, LABELS[:5])}, ValueError, r"target for each example.*10 examples, .*\(5,\)"),
        ({"data": (X, LABELS + 2)}, ValueError, "class numbers from 0 to 3. Received: .* to 4"),
        ({"data": (X, OUTPUTS[:, :3])}, ValueError, "targets must fit outputs shaped"),
        ({"data": (X, LABELS), "metric": "mse"}, ValueError, "targets must fit outputs shaped"),
        ({"data": X}, TypeError, r"a tuple \(x, y\).*Received: ndarray"),
        ({"data": [X, LABELS]}, TypeError, r"a tuple \(x, y\).*Received: a ndarray"),
        ({"data": [(X, LABELS, X)]}, TypeError, "Received: a tuple of 3"),
        ({"data": 3}, TypeError, "Received: int"),
        ({"data": []}, ValueError, "an example at least. Received: no batch"),
        ({"data": Endless()}, ValueError, "use `take` on a dataset that repeats"),
        ({"runtime": "onnx"}, ValueError, "Received: runtime='onnx'"),
        ({"tflite": 3}, TypeError, "a model is given as bytes.*Received: int"),
        ({"tflite": CONTENT[:200]}, ModelFormatError, "cut short"),
        ({"tflite": "/nothing.tflite"}, FileNotFoundError, "no file"),
        (
            {"tflite": dc.Interpreter(model_content=CONTENT), "num_threads": 2},
            ValueError,
            "made with its options already.*'num_threads': 2",
        ),
    ],
    ids=range(18),
)
def test_what_cannot_be_measured_is_refused(options, error, sentence):
    arguments = {"tflite": CONTENT, "data": (X, LABELS), **options}
    with pytest.raises(error, match=sentence):
        dc.evaluate(**arguments)


def test_endless_datasets_are_told_by_their_cardinality_alone():
    class Finite(Endless):
        def cardinality(self):
            return np.int64(-2)  # unknown

        def __iter__(self):
            return pairs()

    assert len(list(batches.pairs_of(Finite()))) == 3


def test_a_tf_data_pipeline():
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(4)
    assert dc.evaluate(CONTENT, dataset) == pytest.approx(0.7)
    assert dc.evaluate(CONTENT, dataset, "accuracy", batch_size=3) == pytest.approx(0.7)
    with pytest.raises(ValueError, match="use `take` on a dataset that repeats"):
        dc.evaluate(CONTENT, dataset.repeat())

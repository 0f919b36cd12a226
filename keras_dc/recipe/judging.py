"""The score of a model or of a file on the validation data, by the caller's own metrics."""

import re

import keras
import numpy as np

from keras_dc import runtime
from keras_dc.conversion.input_signatures import input_names
from keras_dc.conversion.source_outputs import in_numeric_order
from keras_dc.wrapping.compilation import compile_arguments

_LOWER = re.compile(
    r"loss|err|mse|mae|mape|msle|rmse|perplexity|entropy|divergence|distance|false_|hinge|poisson"
)
_HIGHER = re.compile(r"acc|auc|precision|recall|f1|f_?beta|iou|dice|r2|true_|similarity|at_\d")


def is_higher_better(metric):
    """Whether a metric grows as models get better, by its name.

    Args:
        metric: str.

    Raises:
        ValueError: if the name does not tell.
    """
    lower, higher = _LOWER.search(metric.lower()), _HIGHER.search(metric.lower())
    if bool(lower) == bool(higher):
        raise ValueError(
            "whether a larger value is better must be told: give `higher_is_better`. "
            f"Received: metric={metric!r}, higher_is_better=None"
        )
    return bool(higher)


class Judge:
    """Scores models and files: outputs on the validation data, and the metrics of the model.

    Args:
        model: the caller's compiled Sequential or Functional model. It is not called.
        copy: a copy of it.
        validation: `Arrays` or `Batches`.

    Attributes:
        metric: str, the name of the metric that counts.
        higher_is_better: bool.
        given_logs: dict, all metrics of the model as it was given.
    """

    def __init__(self, model, copy, validation, *, metric=None, higher_is_better=None):
        self._validation = validation
        self._inputs = input_names(model)
        self._metrics_of = _identity_like(model)
        self._metrics_of.compile("sgd", **compile_arguments(model))
        # Of a copy: a model may have a state that a call moves.
        logs = self.given_logs = self.of_model(copy)
        own = [name for name in logs if not name.endswith("loss")]
        self.metric = metric or (own[0] if own else "loss")
        if self.metric not in logs:
            raise ValueError(
                f"`metric` must be one of {sorted(logs)}, or the model compiled with it. "
                f"Received: metric={metric!r}"
            )
        if higher_is_better is None:
            higher_is_better = is_higher_better(self.metric)
        self.higher_is_better = bool(higher_is_better)

    def of_model(self, model, *, shuffled=False):
        """All metrics of a Keras model: dict from str to float.

        Args:
            model: `keras.Model` with the outputs of the caller's; wrappers are allowed.
            shuffled: whether each output is compared with the targets of another sample.
        """
        return self._logs(
            lambda x: keras.tree.map_structure(
                keras.ops.convert_to_numpy, model(x, training=False)
            ),
            shuffled=shuffled,
        )

    def of_file(self, tflite):
        """All metrics of a `.tflite` file in an interpreter: dict from str to float.

        Args:
            tflite: bytes.
        """
        return self._logs(FileProgram(tflite, self._inputs, self._metrics_of.input))

    def score(self, logs):
        """The value of the metric that counts."""
        return logs[self.metric]

    def loss_of(self, score, baseline):
        """How much worse than `baseline` a score is: float, negative if it is better."""
        return baseline - score if self.higher_is_better else score - baseline

    def _logs(self, program, *, shuffled=False):
        outputs, targets, weights = [], [], []
        for x, y, w in self._validation.batches():
            outputs.append(program(x))
            targets.append(y)
            weights.append(w)
        outputs, targets, weights = map(_joined, (outputs, targets, weights))
        if isinstance(outputs, list):
            # Keras maps weights onto targets in a dict, but not those onto a list of outputs.
            targets, weights = map(self._as_list, (targets, weights))
        if shuffled:
            order = np.random.default_rng(0).permutation(len(keras.tree.flatten(outputs)[0]))
            outputs = keras.tree.map_structure(lambda a: a[order], outputs)
        logs = self._metrics_of.evaluate(
            outputs, targets, sample_weight=weights, batch_size=1024, verbose=0, return_dict=True
        )
        return {name: float(value) for name, value in logs.items()}

    def _as_list(self, values):
        names = self._metrics_of.output_names
        is_by_name = isinstance(values, dict) and set(values) == set(names)
        return [values[name] for name in names] if is_by_name else values


class FileProgram:
    """A `.tflite` file as a function from inputs of the Keras model to its outputs.

    Args:
        tflite: bytes.
        names: list of str, the names of the model's inputs in its order.
        outputs: nested structure like the model's outputs.
    """

    def __init__(self, tflite, names, outputs):
        self._names = names
        self._structure = outputs
        interpreter = runtime.Interpreter(model_content=tflite)
        key = next(iter(interpreter.get_signature_list()))
        self._runner = interpreter.get_signature_runner(key)
        self._details = self._runner.get_input_details()
        first = next(iter(self._details.values()))
        # -1 where any number of samples will do.
        self._batch = int(first["shape_signature"][0]) if len(first["shape_signature"]) else 1

    def __call__(self, x):
        flat = self._flat_inputs(x)
        count = len(flat[0])
        size = count if self._batch < 1 else self._batch
        parts = [self._run([a[i : i + size] for a in flat]) for i in range(0, count, size)]
        joined = [np.concatenate(column) for column in zip(*parts)]
        return keras.tree.pack_sequence_as(self._structure, joined)

    def _flat_inputs(self, x):
        if isinstance(x, dict) and set(self._names) == set(x):
            values = [x[name] for name in self._names]
        else:
            values = keras.tree.flatten(x)
        names = self._names
        if set(names) != set(self._details):
            names = sorted(self._details, key=in_numeric_order)
        self._order = names
        return [
            np.asarray(value).astype(self._details[name]["dtype"], copy=False)
            for name, value in zip(names, values, strict=True)
        ]

    def _run(self, values):
        found = self._runner(**dict(zip(self._order, values, strict=True)))
        if isinstance(self._structure, dict) and set(found) == set(self._structure):
            return [found[name] for name in sorted(found)]
        return [found[name] for name in sorted(found, key=in_numeric_order)]


def _identity_like(model):
    """A model from the outputs of `model` to themselves, which has its output names."""
    if isinstance(model, keras.Sequential):
        # Its one output has a name that appears nowhere.
        structure, names = model.outputs[0], iter(["output"])
    else:
        structure, names = model.output, iter(model.output_names)

    def like(tensor):
        return keras.Input((*tensor.shape[1:],), dtype=keras.backend.floatx())

    inputs = keras.tree.map_structure(like, structure)
    flat = keras.tree.flatten(inputs)
    outputs = [keras.layers.Identity(name=next(names), dtype="float32")(tensor) for tensor in flat]
    return keras.Model(inputs, keras.tree.pack_sequence_as(inputs, outputs))


def _joined(parts):
    if all(leaf is None for leaf in keras.tree.flatten(parts[0])):
        return None
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)

"""`evaluate`: how good a `.tflite` file is on data, in the interpreter."""

import numpy as np

from keras_dc.runtime.batches import Batcher, pairs_of
from keras_dc.runtime.program import Program

_THRESHOLD = 0.5


def evaluate(
    tflite,
    data,
    metric="accuracy",
    *,
    batch_size=None,
    runtime=None,
    num_threads=None,
    low_memory=False,
):
    """Measure a metric of a TFLite model, run in an installed runtime.

    NumPy and a runtime are enough. Floats for quantized inputs are quantized, and quantized
    outputs count as the numbers that they stand for.

    Args:
        tflite: bytes of a `.tflite` model, compressed or not; the path of a file; or what
            `keras_dc.Interpreter` gave.
        data: a tuple `(x, y)` of arrays, with the examples along the first axis; or a
            dataset, generator or list of such pairs, each a batch. A model with several inputs
            takes dicts by name as `x`.
        metric: "accuracy", the fraction of examples whose largest output is that of their class;
            `y` holds class numbers, or vectors as long as the outputs, whose largest value
            counts. An output of one number is class 1 above 0.5. "mse", the mean square
            error; "mae", the mean absolute error. Or a function `metric(outputs, y) -> float`
            of all examples; several outputs are a dict by name.
        batch_size: int, examples at once; None: as many as the model is made for, or 64 where
            it takes any number.
        runtime: see `keras_dc.Interpreter`.
        num_threads: see `keras_dc.Interpreter`.
        low_memory: see `keras_dc.Interpreter`.

    Returns:
        float.

    Raises:
        TypeError: if `data` holds no pairs, or an argument is of another type.
        ValueError: if `metric` is unknown, data do not fit the model or its outputs, or an
            interpreter and options of one are given; as ModelFormatError if the file is no
            whole TFLite model.
        RuntimeError: if the runtime cannot run the model.
        FileNotFoundError, IsADirectoryError: if there is no file at the path.
        ImportError: if the runtime is not installed, or none is.
    """
    if not callable(metric) and metric not in _SCORES:
        raise ValueError(
            f"`metric` must be a function or one of {', '.join(map(repr, _SCORES))}. "
            f"Received: metric={metric!r}"
        )
    program = Program.main(tflite, runtime=runtime, num_threads=num_threads, low_memory=low_memory)
    batcher = Batcher([program.inputs], batch_size)
    if not callable(metric) and len(program.output_names) != 1:
        raise ValueError(
            f"the metric {metric!r} is for a model with one output; give a function of all. "
            f"Received: outputs {program.output_names}"
        )
    runs = (
        (_outputs_of(program, batcher, x, targets), targets)
        for x, targets in map(_with_arrays, pairs_of(data))
    )
    if callable(metric):
        outputs, targets = zip(*runs)
        return float(metric(_joined(outputs), _joined(targets)))
    total, count = 0.0, 0
    for outputs, targets in runs:
        scores = _SCORES[metric](outputs, targets)
        total, count = total + float(np.sum(scores)), count + len(scores)
    return total / count


def _with_arrays(pair):
    x, targets = pair
    if isinstance(targets, dict):
        return x, {name: np.asarray(values) for name, values in targets.items()}
    return x, np.asarray(targets)


def _outputs_of(program, batcher, x, targets):
    """The outputs for all examples of `x`: an array, or a dict of several by name."""
    pieces = []
    for (sample,), count in batcher.batches(x):
        outputs = program.numbers(sample)
        size = len(next(iter(sample.values())))
        for name, values in outputs.items():
            if not values.ndim or len(values) != size:
                raise ValueError(
                    f"the first axis of the output {name!r} must be that of the batch, {size} "
                    f"examples; try another `batch_size`. Received: shape {values.shape}"
                )
        pieces.append({name: values[:count] for name, values in outputs.items()})
    joined = _joined(pieces)
    num_examples = len(next(iter(joined.values())))
    for values in targets.values() if isinstance(targets, dict) else [targets]:
        if not values.ndim or len(values) != num_examples:
            raise ValueError(
                "`data` must hold a target for each example. Received: "
                f"{num_examples} examples, targets shaped {values.shape}"
            )
    return next(iter(joined.values())) if len(joined) == 1 else joined


def _joined(pieces):
    """Arrays, or dicts of such, along their first axis."""
    if isinstance(pieces[0], dict):
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return np.concatenate(pieces)


def _hits(outputs, targets):
    """The fraction of right classes in each example: float array `(examples,)`."""
    num_classes = outputs.shape[-1] if outputs.ndim > 1 else 1
    if num_classes == 1:
        found = outputs.reshape(len(outputs), -1) > _THRESHOLD
        if targets.size != found.size:
            raise _no_targets(outputs, targets)
        return np.mean(found == (targets.reshape(found.shape) > _THRESHOLD), axis=1)
    found = np.argmax(outputs, axis=-1)
    if targets.shape == outputs.shape:
        targets = np.argmax(targets, axis=-1)
    elif targets.size != found.size:
        raise _no_targets(outputs, targets)
    elif targets.min() < 0 or targets.max() >= num_classes:
        raise ValueError(
            f"targets must be class numbers from 0 to {num_classes - 1}. Received: numbers from "
            f"{targets.min()} to {targets.max()}"
        )
    is_right = found == targets.reshape(found.shape)
    return np.mean(is_right.reshape(len(is_right), -1), axis=1)


def _differences(outputs, targets):
    if targets.size != outputs.size:
        raise _no_targets(outputs, targets)
    outputs = outputs.astype(np.float64)
    return (outputs - targets.reshape(outputs.shape)).reshape(len(outputs), -1)


def _no_targets(outputs, targets):
    return ValueError(
        f"targets must fit outputs shaped {outputs.shape}. Received: targets shaped {targets.shape}"
    )


# From outputs and targets to a score of each example.
_SCORES = {
    "accuracy": _hits,
    "mse": lambda outputs, targets: np.mean(_differences(outputs, targets) ** 2, axis=1),
    "mae": lambda outputs, targets: np.mean(np.abs(_differences(outputs, targets)), axis=1),
}

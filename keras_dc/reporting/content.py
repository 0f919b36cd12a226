"""All that a report tells, before it is laid out in any form."""

import dataclasses
import math
import numbers
from typing import Any

import numpy as np

from keras_dc.reporting.files import FileFigures


@dataclasses.dataclass(frozen=True)
class Content:
    """What was measured and what was given; what is missing is None or empty.

    Attributes:
        title: str.
        tensors: tuple of TensorFigures, the coded tensors in the order of the file.
        file: FileFigures of the compressed file.
        rivals: tuple of FileFigures of the other files, with their zips; the first is the one
            that the ratio compares with.
        same_weights: FileFigures of what `expand` gives, one of `rivals`.
        num_rest_bytes: int, what the file takes beside the blobs: the graph, and constants
            that are not coded.
        histograms: dict from the place of a tensor to `(label, Histogram)` of the weights that
            it was before; only of those that are known.
        int8: FileFigures of the int8 file, or None.
        metric: str, what the scores are.
        scores: dict from a label to a float.
        sensitivity: keras_dc.training.Sensitivity or None.
        curve: tuple of dicts "ratio", "score" and "label".
        benchmark: Benchmark or None.
        choices: dict, JSON-able.
        notes: tuple of str, what a reader should know.
    """

    title: str
    tensors: tuple
    file: FileFigures
    rivals: tuple
    same_weights: FileFigures
    num_rest_bytes: int
    histograms: dict
    int8: FileFigures | None = None
    metric: str = "accuracy"
    scores: dict = dataclasses.field(default_factory=dict)
    sensitivity: Any = None
    curve: tuple = ()
    benchmark: Any = None
    choices: dict = dataclasses.field(default_factory=dict)
    notes: tuple = ()

    @property
    def ratio(self):
        """How many times smaller the file is than the first rival."""
        return self.rivals[0].size_bytes / self.file.size_bytes

    @property
    def original_weight_bytes(self):
        """Bytes of the coded tensors before."""
        return sum(figures.row.original_bytes for figures in self.tensors)

    @property
    def weight_bytes(self):
        """Bytes of all blobs."""
        return sum(figures.row.blob_bytes for figures in self.tensors)

    @property
    def shannon_bytes(self):
        """The Shannon bound of all coded tensors."""
        return sum(figures.shannon_bytes for figures in self.tensors)

    @property
    def benchmark_rows(self):
        """The rows of the benchmark, a list that is empty without one."""
        return [] if self.benchmark is None else list(self.benchmark.rows)


def checked_scores(scores):
    """A dict from str to float, of what the caller gave."""
    if scores is None:
        return {}
    _check(isinstance(scores, dict), "`scores` must be a dict from labels to numbers", scores)
    for label, value in scores.items():
        _check(is_number(value), "`scores` must be a dict from labels to numbers", {label: value})
    return {str(label): float(value) for label, value in scores.items()}


def checked_curve(curve):
    """A tuple of dicts with the keys "ratio", "score" and "label"."""
    points = []
    for point in curve or ():
        is_point = isinstance(point, dict) and all(
            is_number(point.get(key)) for key in ("ratio", "score")
        )
        _check(is_point, '`curve` must be dicts with numbers "ratio" and "score"', point)
        ratio, score = float(point["ratio"]), float(point["score"])
        points.append({"ratio": ratio, "score": score, "label": str(point.get("label", ""))})
    return tuple(points)


def checked_parts(sensitivity, benchmark, choices):
    """Refuse parts that lack what the report reads."""
    wanted = ("metric", "sparsities", "baseline", "values")
    _check(
        sensitivity is None or all(hasattr(sensitivity, name) for name in wanted),
        "`sensitivity` must be what `keras_dc.training.sensitivity` returns",
        sensitivity,
    )
    _check(
        benchmark is None or hasattr(benchmark, "rows"),
        "`benchmark` must be what `keras_dc.benchmark` returns",
        benchmark,
    )
    _check(choices is None or isinstance(choices, dict), "`choices` must be a dict", choices)


def _check(condition, expected, received):
    if not condition:
        raise ValueError(f"{expected}. Received: {received!r}")


def is_number(value):
    """Whether a value is a real number, NumPy's scalars included, and no bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def jsonable(value):
    """Nested settings or figures as JSON has them.

    Args:
        value: dict, list, tuple, array, number, str, bool, None; anything else becomes its str.

    Returns:
        The same of dict, list, int, float, str, bool and None. Numbers that are not finite,
        which JSON lacks, become None.
    """
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    return str(value)

"""What several settings of `compress` make of a file."""

import dataclasses
from typing import Any

from keras_dc.compression.expand import expand
from keras_dc.post_training.compress import compress
from keras_dc.runtime.compare_outputs import compare_outputs
from keras_dc.runtime.evaluate import evaluate
from keras_dc.support import progress, zips
from keras_dc.tflite import model_file

# From lossless to what only training can repair.
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"num_clusters": 256},
    {"num_clusters": 32},
    {"num_clusters": 16},
    {"sparsity": 0.2, "num_clusters": 16},
    {"sparsity": 0.4, "num_clusters": 16},
    {"sparsity": 0.6, "num_clusters": 16},
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one setting makes of a file.

    Attributes:
        settings: dict, arguments of `compress`.
        size_bytes: of the compressed file.
        zip_name: the best zip of the same weights, such as "xz -9e".
        zip_bytes: its size.
        weight_error: root mean square error over root mean square of the weights, in the
            tensor where it is the most.
        output_error: likewise of the outputs, for the output where it is the most; None
            without samples.
        same_class: fraction of vectors of outputs whose largest value stays where it is; None
            without samples, or where outputs are single numbers.
        accuracy: None without labels.
    """

    settings: dict
    size_bytes: int
    zip_name: str
    zip_bytes: int
    weight_error: float
    output_error: float | None = None
    same_class: float | None = None
    accuracy: float | None = None


def explore(tflite, settings=SETTINGS, *, samples=None, labels=None, coder="huffman", **options):
    """Compress a file by each of several settings.

    Args:
        tflite: bytes of a `.tflite` model that is not compressed, or the path of a file.
        settings: iterable of dicts, arguments of `compress`.
        samples: inputs to run the model on, see `compare_outputs`; None: it is not run.
        labels: array, the targets of `samples`; None: no accuracy is measured.
        coder: see `compress`.
        **options: `runtime`, `num_threads` of `keras_dc.Interpreter`.

    Yields:
        Outcome of each setting, in order.

    Raises:
        What `compress`, and with samples `compare_outputs` and `evaluate`, raise.
    """
    content = model_file.read(tflite)
    for setting in settings:
        small, report = compress(content, return_report=True, coder=coder, **setting)
        sizes = zips.zip_sizes(expand(small))
        best = min(sizes, key=sizes.__getitem__)
        ran = {}
        if samples is not None:
            progress.tell("running")
            changes = compare_outputs(content, small, samples, **options)
            same = [change.same_class for change in changes if change.same_class is not None]
            ran["output_error"] = max(change.relative_error for change in changes)
            ran["same_class"] = min(same, default=None)
        if labels is not None:
            ran["accuracy"] = evaluate(small, (samples, labels), **options)
        error = max((row.relative_error for row in report), default=0.0)
        yield Outcome(dict(setting), len(small), best, sizes[best], error, **ran)

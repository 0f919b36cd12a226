"""What `deep_compress` returns."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras

import keras_dc
from keras_dc.support.atomic_files import write_atomically


@dataclasses.dataclass(frozen=True, repr=False)
class Result:
    """A compressed model, and how it came about.

    Attributes:
        model: plain `keras.Model`, compiled with the losses and metrics of the one given. The
            file was made of it.
        tflite: bytes of the compressed `.tflite` file; `keras_dc.Interpreter` runs it.
        packed: bytes that `keras_dc.unpack` turns into an ordinary `.tflite` file, which runs in
            any runtime.
        history: tuple of dicts in the order of the stages: "stage", "epochs", "logs" (dict from
            a log's name to its values by epoch), and what came of it: "score" on the validation
            data, "densities", "num_clusters", "size_bytes".
        scores: dict of floats, the metric of "dense", "pruned" and "compressed file".
        metric: str, the name of that metric.
        ratio: float, how many times smaller than the float file `tflite` is.
        reached: bool, whether the aim was reached.
        choices: dict of what was chosen, by the caller or by the recipe.
    """

    model: keras.Model
    tflite: bytes
    packed: bytes
    history: tuple
    scores: dict
    metric: str
    ratio: float
    reached: bool
    choices: dict
    _report_arguments: Callable

    @functools.cached_property
    def report(self) -> Any:
        """A `CompressionReport` of the run, see `keras_dc.report`; made when it is first read."""
        return keras_dc.report(self.tflite, **self._report_arguments())

    def save(self, filepath):
        """Write the `.tflite` file, whole or not at all.

        Args:
            filepath: path.
        """
        write_atomically(filepath, self.tflite)

    def __repr__(self):
        scores = ", ".join(f"{name} {score:.4g}" for name, score in self.scores.items())
        return (
            f"Result({len(self.tflite):,} bytes, {self.ratio:.1f} times smaller; {self.metric}: "
            f"{scores}{'' if self.reached else '; the aim was not reached'})"
        )

"""`compare_outputs`: how far the outputs of a file are from those of another."""

import dataclasses

import numpy as np

from keras_dc.runtime.batches import Batcher
from keras_dc.runtime.program import Program, first_random_run
from keras_dc.runtime.sample_inputs import fitted


@dataclasses.dataclass(frozen=True)
class OutputChange:
    """How far an output moved.

    Attributes:
        name: of the output.
        relative_error: root mean square of the difference over root mean square of the
            first model's output; 0.01 is 1 %.
        largest_error: largest difference over the largest absolute output of the first model.
        same_class: fraction of the vectors along the last axis whose largest value stands at
            the same place; None where an output has a single number.
        num_values: numbers that were compared.
    """

    name: str
    relative_error: float
    largest_error: float
    same_class: float | None
    num_values: int


def compare_outputs(
    first, second, samples=None, *, batch_size=None, runtime=None, num_threads=None
):
    """Run two TFLite models on the same inputs, and compare what comes out.

    NumPy and a runtime are enough.

    Args:
        first: bytes of a `.tflite` model or the path of a file, such as the original.
        second: the same of the model to compare with it, such as the compressed one. Its
            inputs and outputs must have the same names.
        samples: an array with the examples along the first axis, or a dict of such by name
            for a model with several inputs. None: one random example, which tells little of a
            trained model.
        batch_size: see `keras_dc.evaluate`.
        runtime: see `keras_dc.Interpreter`.
        num_threads: see `keras_dc.Interpreter`.

    Returns:
        list of OutputChange, one for each output. Quantized outputs count as the numbers that
        they stand for, and NaN equals NaN.

    Raises:
        TypeError, ValueError: if samples do not fit the model, or the models have other inputs
            or outputs; as ModelFormatError if a file is no whole TFLite model.
        RuntimeError: if the runtime cannot run a model.
        FileNotFoundError, IsADirectoryError: if there is no file at a path.
        ImportError: if the runtime is not installed, or none is.
    """
    options = {"runtime": runtime, "num_threads": num_threads}
    programs = [Program.main(each, **options) for each in (first, second)]
    for what, values in [
        ("inputs", [sorted(spec.name for spec in program.inputs) for program in programs]),
        ("outputs", [sorted(program.output_names) for program in programs]),
    ]:
        if values[0] != values[1]:
            raise ValueError(
                f"the models must have the same {what}. Received: {values[0]} and {values[1]}"
            )
    sums = {name: OutputSums(name) for name in programs[0].output_names}
    for each in _samples(first, programs, samples, batch_size, options):
        want, got = (program.numbers(sample) for program, sample in zip(programs, each))
        for name, values in want.items():
            sums[name].add(values, got[name])
    return [each.result() for each in sums.values()]


def _samples(first, programs, samples, batch_size, options):
    """Yield a batch for each of the programs."""
    models = [program.inputs for program in programs]
    if samples is None:
        try:
            sample, _ = first_random_run(lambda: Program.main(first, **options))
        except RuntimeError as error:
            raise RuntimeError(
                f"the runtime cannot run the model on random inputs; give `samples`: {error}"
            ) from error
        numbers = programs[0].dequantized(sample)
        yield [fitted(numbers, specs) for specs in models]
        return
    # Whatever fills a batch is an example, too.
    for each, _ in Batcher(models, batch_size).batches(samples):
        yield each


class OutputSums:
    """What is summed of an output over the batches: `add` each, then `result`."""

    def __init__(self, name):
        self.name = name
        self.square, self.square_difference = 0.0, 0.0
        self.largest, self.largest_difference = 0.0, 0.0
        self.count = self.same = self.vectors = 0

    def add(self, want, got):
        if want.shape != got.shape:
            raise ValueError(
                f"the output {self.name!r} of both models must have one shape. Received: "
                f"{want.shape} and {got.shape}"
            )
        if want.dtype.kind in "SUO":
            want, got = np.zeros(want.shape), (want != got).astype(np.float64)
        want, got = want.astype(np.float64), got.astype(np.float64)
        is_equal = (want == got) | (np.isnan(want) & np.isnan(got))
        # NaN or an infinity in one of the two alone is an infinite difference.
        with np.errstate(invalid="ignore"):
            distance = np.where(
                is_equal, 0, np.nan_to_num(np.abs(want - got), nan=np.inf, posinf=np.inf)
            )
        finite = np.where(np.isfinite(want), want, 0)
        self.square += float(np.sum(finite**2))
        self.square_difference += float(np.sum(distance**2))
        self.largest = max(self.largest, float(np.max(np.abs(finite), initial=0)))
        self.largest_difference = max(self.largest_difference, float(np.max(distance, initial=0)))
        self.count += want.size
        if want.ndim and want.shape[-1] > 1:
            same = np.argmax(want, axis=-1) == np.argmax(got, axis=-1)
            self.same, self.vectors = self.same + int(np.sum(same)), self.vectors + same.size

    def result(self):
        return OutputChange(
            self.name,
            _ratio(self.square_difference, self.square) ** 0.5,
            _ratio(self.largest_difference, self.largest),
            self.same / self.vectors if self.vectors else None,
            self.count,
        )


def _ratio(part, whole):
    """`part / whole`; of nothing, 0 is no part and all else infinitely much."""
    if whole:
        return part / whole
    return np.inf if part else 0.0

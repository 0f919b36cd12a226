"""How far a file's outputs are from those of the model it was made of, on samples held back."""

import numpy as np

from keras_dc.runtime.compare_outputs import OutputSums
from keras_dc.runtime.program import Program


class Judge:
    """Compares files with the model that they were made of.

    Args:
        content: bytes of the model.
        runs: `samples.Runs`.
        metric: None, or the user's function of the outputs of all samples: an array, or a dict of
            arrays by name.
        **options: of `keras_dc.Interpreter`.

    Raises:
        RuntimeError, ValueError: if no runtime here runs the model on the samples.
    """

    def __init__(self, content, runs, metric, **options):
        self._runs, self._metric, self._options = runs, metric, options
        program = Program.main(content, **options)
        self._expected = [program.numbers(run) for run in runs.held_back]

    def changes(self, compressed):
        """How far outputs moved on the samples held back: list of OutputChange."""
        program = Program.main(compressed, **self._options)
        sums = {name: OutputSums(name) for name in program.output_names}
        for run, want in zip(self._runs.held_back, self._expected):
            got = program.numbers(run)
            for name, values in want.items():
                sums[name].add(values, got[name])
        return [each.result() for each in sums.values()]

    def error(self, compressed, changes):
        """What `max_error` bounds: the largest relative error, or what the metric says: float."""
        if self._metric is None:
            return max((change.relative_error for change in changes), default=0.0)
        program = Program.main(compressed, **self._options)
        pieces = [program.numbers(run) for run in self._runs.all]
        joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
        found = self._metric(next(iter(joined.values())) if len(joined) == 1 else joined)
        try:
            error = float(found)
        except (TypeError, ValueError):
            error = np.nan
        if not np.isfinite(error):
            raise ValueError(f"`metric` must give a finite number. Received: {found!r}")
        return error

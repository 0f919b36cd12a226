"""What a run says: lines, a bar for each stage, the time left."""

import contextlib
import time

import keras

# Steps of a training are timed for so long before its length is told.
_TIMED_SECONDS = 2.0


class Reporter:
    """Prints lines and bars, or nothing.

    Args:
        verbose: "auto" or 1: lines and bars; 2: lines alone; 0: nothing.
    """

    def __init__(self, verbose):
        if verbose not in ("auto", 0, 1, 2, True, False):
            raise ValueError(
                "`verbose` must be 'auto', 0 (nothing), 1 (bars) or 2 (lines). "
                f"Received: verbose={verbose!r}"
            )
        self._has_lines = bool(verbose)
        self._has_bars = verbose in ("auto", 1)
        self._console = None
        self._ms_per_step = None
        self.epochs_left = 0
        self.steps_per_epoch = None

    @property
    def keras_verbose(self):
        """What Keras' own bars take as `verbose`: int."""
        return int(self._has_bars)

    def say(self, text):
        """Print a line."""
        if self._has_lines:
            self._rich_console().print(text, highlight=False, markup=False)

    def table(self, title, rows):
        """Print (name, value) rows."""
        if self._has_lines:
            from rich.table import Table  # only needed here

            table = Table(title=title, show_header=False)
            for name, value in rows:
                table.add_row(str(name), str(value))
            self._rich_console().print(table)

    @contextlib.contextmanager
    def stage(self, title, total):
        """A bar for a stage of `total` units; yields `advance(done, text)`."""
        if not self._has_bars or not total:
            yield lambda done, text="": None
            return
        from rich import progress  # only needed here

        bar = progress.Progress(
            progress.TextColumn(f"{title:<14}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.description}"),
            console=self._rich_console(),
        )
        with bar:
            task = bar.add_task("", total=total)

            def advance(done, text=""):
                bar.update(task, completed=done, description=text)

            yield advance

    def time_a_step(self, milliseconds):
        """Say once how long all epochs will take."""
        if self._ms_per_step is None and self.steps_per_epoch:
            self._ms_per_step = milliseconds
            seconds = self.epochs_left * self.steps_per_epoch * milliseconds / 1000
            self.say(
                f"A step takes {milliseconds:.2g} ms: {self.epochs_left} epochs of "
                f"{self.steps_per_epoch} steps are about {_duration(seconds)}."
            )

    def _rich_console(self):
        if self._console is None:
            from rich.console import Console  # only needed here

            self._console = Console()
        return self._console


class StageBar(keras.callbacks.Callback):
    """Moves the bar of a stage, and times its first steps.

    Args:
        reporter: `Reporter`.
        advance: what `Reporter.stage` yields.
        steps_before: int, steps of the stage made before this call of `fit`.
    """

    def __init__(self, reporter, advance, steps_before):
        super().__init__()
        self._reporter = reporter
        self._advance = advance
        self._before = steps_before
        self._start = None
        self._text = ""

    def on_train_batch_end(self, batch, logs=None):
        # The first execution compiles.
        now = time.monotonic()
        if self._start is None:
            self._start, self._first = now, batch
        elif now - self._start > _TIMED_SECONDS:
            steps = batch - self._first
            self._reporter.time_a_step(1000 * (now - self._start) / steps)
        self._advance(self._before + batch + 1, self._text)

    def on_epoch_end(self, epoch, logs=None):
        if self._start is not None and (steps := self.params.get("steps") or 0) > self._first + 1:
            elapsed = time.monotonic() - self._start
            self._reporter.time_a_step(1000 * elapsed / (steps - self._first - 1))
        self._text = "  ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())


def _duration(seconds):
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"

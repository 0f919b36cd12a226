"""The terminal: tables and text on stdout, progress on stderr, and what runtimes print."""

import contextlib
import dataclasses
import os
import sys
import warnings

from keras_dc.support import progress

# Wide enough for every table where nobody looks at the width.
_WIDTH_OF_A_FILE = 500


def show(*parts):
    """Print str and Tables to stdout."""
    if all(isinstance(part, str) for part in parts):
        print(*parts, sep="\n")
        return
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False)
    for part in parts:
        console.print(part)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table, made by rich when it is shown.

    Attributes:
        headings: list of str.
        rows: list of lists of str.
        title: str or None.
        num_left: int, how many of the first columns are aligned to the left.
    """

    headings: list[str]
    rows: list[list[str]]
    title: str | None = None
    num_left: int = 1

    def __rich__(self):
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        made = Table(title=self.title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
        for place, heading in enumerate(self.headings):
            made.add_column(heading, justify="left" if place < self.num_left else "right")
        for row in self.rows:
            made.add_row(*map(Text, row))
        return made


@contextlib.contextmanager
def progress_shown(*, is_hidden):
    """Show the progress of what happens inside as a bar on stderr, if a person sees it."""
    if is_hidden or not sys.stderr.isatty():
        yield
        return
    bars: list = []

    def listen(what, done, total):
        if not bars:
            bars.append(_bar())
            bars[0].start()
            bars[0].add_task("")
        bars[0].update(bars[0].task_ids[0], description=what, completed=done, total=total or None)

    try:
        with progress.told_to(listen):
            yield
    finally:
        for bar in bars:
            bar.stop()


def _bar():
    from rich import progress as bars
    from rich.console import Console

    return bars.Progress(
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )


@contextlib.contextmanager
def quiet_runtimes(is_loud):
    """Keep to errors and warnings of ours: runtimes and TensorFlow print pages to stderr.

    Args:
        is_loud: bool, whether to let them.
    """
    if is_loud:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.showwarning = _show_warning
        try:
            number = sys.stderr.fileno()
        except (AttributeError, OSError, ValueError):
            number = None  # not a file: a test's
        if number is not None:
            stack.enter_context(_without_native_stderr(number))
        yield


@contextlib.contextmanager
def _without_native_stderr(number):
    """Python's stderr stays; what C++ writes to it goes nowhere."""
    sys.stderr.flush()
    before, kept = sys.stderr, os.dup(number)
    with open(os.devnull, "w") as nowhere, os.fdopen(kept, "w", buffering=1) as ours:
        os.dup2(nowhere.fileno(), number)
        sys.stderr = ours
        try:
            yield
        finally:
            ours.flush()
            os.dup2(kept, number)
            sys.stderr = before


def _show_warning(message, category, filename, lineno, file=None, line=None):
    if issubclass(category, UserWarning):
        print(f"keras-dc: warning: {one_line(message)}", file=sys.stderr)


def one_line(text):
    """A message without line breaks."""
    return " ".join(str(text).split())

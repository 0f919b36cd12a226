"""What every numbered tutorial needs: its length, its folder, its tables and pictures."""

import argparse
import os
import pathlib
import re
import sys

from rich.console import Console
from rich.table import Table

SHORT = "KERAS_DC_TUTORIAL_SHORT"
OUTPUT = "KERAS_DC_TUTORIAL_OUTPUT"


class Run:
    """One run of a tutorial, as a script or as a notebook.

    A script takes `--short` and `--output FOLDER`; a notebook, which has no arguments, reads the
    environment variables KERAS_DC_TUTORIAL_SHORT=1 and KERAS_DC_TUTORIAL_OUTPUT=FOLDER. Scripts
    know these as well.

    Args:
        name: str, the tutorial's file name without `.py`.

    Attributes:
        short: bool, whether to train on little data for few epochs: to see it run, not to learn.
        folder: pathlib.Path, for the files and the pictures; it is made.
    """

    def __init__(self, name):
        self.in_notebook = "ipykernel" in sys.modules
        parser = argparse.ArgumentParser(prog=f"{name}.py")
        parser.add_argument(
            "--short",
            action="store_true",
            default=os.environ.get(SHORT, "") not in ("", "0"),
            help="train on little data for few epochs",
        )
        parser.add_argument(
            "--output",
            type=pathlib.Path,
            default=pathlib.Path(os.environ.get(OUTPUT) or f"tutorial_output/{name}"),
            metavar="FOLDER",
            help="for the files and the pictures; tutorial_output/NAME if left out",
        )
        arguments = parser.parse_args([] if self.in_notebook else None)
        self.short, self.folder = arguments.short, arguments.output
        self.folder.mkdir(parents=True, exist_ok=True)

    def pick(self, full, short):
        """`full`, or `short` in a short run."""
        return short if self.short else full

    def show(self, figure, name):
        """Save a picture in the folder; a notebook shows it, too.

        Args:
            figure: `matplotlib.figure.Figure`.
            name: str, of the file; what is no letter, digit or minus in it becomes "_".
        """
        path = self.folder / (re.sub(r"[^\w-]+", "_", name) + ".png")
        figure.savefig(path, dpi=120, bbox_inches="tight")
        if self.in_notebook:
            from IPython import display  # of notebooks alone

            display.display(display.Image(filename=path))
        else:
            print(f"Picture: {path}")

    def table(self, title, rows):
        """Print a table.

        Args:
            title: str.
            rows: list of dicts from headings to texts or numbers; ints are printed with commas,
                floats with two places. All have the keys of the first.
        """
        table = Table(title=title, title_justify="left")
        for heading, value in rows[0].items():
            is_text = isinstance(value, str)
            table.add_column(heading, justify="left" if is_text else "right", no_wrap=is_text)
        for row in rows:
            table.add_row(*map(_text, row.values()))
        Console(width=None if self.in_notebook else 100).print(table)


def _text(value):
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)

"""A JSON file of runs that are done once."""

import json
import os
import pathlib

from lib import machine


class ResultsFile:
    """Figures of runs by their names, `{"runs": {name: figures}}`.

    Args:
        path: pathlib.Path of the JSON file; it need not exist.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)

    @property
    def runs(self):
        """The figures of all runs so far: dict of dicts."""
        return json.loads(self.path.read_text())["runs"] if self.path.exists() else {}

    def add(self, name, measure):
        """Add a run, unless it is there.

        Args:
            name: str.
            measure: function of no arguments that returns a dict of figures.
        """
        if name in self.runs:
            return
        figures = {
            **measure(),
            "cpu": machine.cpu_name(),
            "versions": machine.versions(),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps({"runs": {**self.runs, name: figures}}, indent=1) + "\n")
        os.replace(part, self.path)
        print(name, json.dumps(figures), flush=True)

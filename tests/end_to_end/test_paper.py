"""The committed results of tutorials/paper are what the project promises."""

import json
import pathlib

RESULTS = pathlib.Path(__file__).parents[2] / "tutorials" / "paper" / "results"


def test_lenet_300_100_beats_the_paper_with_every_seed():
    figures = json.loads((RESULTS / "lenet_300_100.json").read_text())
    assert len(figures["runs"]) >= 3
    assert figures["worst_error_percent"] == max(run["error_percent"] for run in figures["runs"])
    for run in figures["runs"]:
        assert run["error_percent"] <= 1.65
        assert run["kept_percent"] <= 3.0
        assert run["ratio"] > 3 * figures["paper"]["ratio"]

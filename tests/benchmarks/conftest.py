"""Scripts as they are run, with tiny layers in place of their own."""

import importlib
import json
import pathlib
import sys

import pytest

BENCHMARKS = pathlib.Path(__file__).parent


@pytest.fixture
def figures_of(monkeypatch, capsys):
    """Runs a script with tiny layers in place of its own; its figures as a dict."""

    def run(name, *args, **constants):
        module = importlib.import_module(name)
        for key, value in constants.items():
            place, _, constant = key.rpartition("__")
            target = importlib.import_module(place) if place else module
            assert hasattr(target, constant)
            monkeypatch.setattr(target, constant, value)
        monkeypatch.setattr(sys, "argv", [name, *args])
        module.main()
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """Scripts import one another as they do when they are run."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

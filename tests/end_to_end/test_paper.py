"""The committed results of tutorials/paper: what they promise, and that they hang together."""

import json
import pathlib

import pytest
from lib import mnist
from paper import deep_compress, lenet_300_100, package_files, real_models, recipes, result_tables

SIZES = pathlib.Path(__file__).parents[2] / "docs" / "sizes.md"
LENET = json.loads(lenet_300_100.RESULTS.read_text())
REAL_MODELS = json.loads(real_models.RESULTS.read_text())
ONE_CALL = json.loads(deep_compress.RESULTS.read_text())["runs"]


def test_lenet_300_100_beats_the_paper_with_every_seed():
    assert len(LENET["runs"]) >= 3
    for run in LENET["runs"]:
        assert run["error_percent"] <= 1.65
        assert run["kept_percent"] <= 3.0
        assert run["ratio"] > 3 * LENET["paper"]["ratio"]


def test_the_figures_of_lenet_300_100_hang_together():
    runs = LENET["runs"]
    assert LENET["paper"] == lenet_300_100.PAPER
    assert LENET["worst_error_percent"] == max(run["error_percent"] for run in runs)
    assert LENET["worst_kept_percent"] == max(run["kept_percent"] for run in runs)
    for run in runs:
        assert run["ratio"] == round(run["float_bytes"] / run["compressed_bytes"], 1)


def test_the_docs_have_the_figures_of_lenet_300_100():
    page = " ".join(SIZES.read_text().split())
    runs = LENET["runs"]
    errors = [f"{run['error_percent']:.2f}" for run in runs]
    ratios = [f"{run['ratio']:.1f}" for run in runs]
    kept = {f"{run['kept_percent']:.1f}" for run in runs}
    assert f"Three seeds of the quickstart's recipe keep {' '.join(kept)} % of the wei" in page
    assert f"weights: {listed(errors)} % error at {listed(ratios)} times" in page
    paper = LENET["paper"]
    assert (
        f"The paper keeps {paper['kept_percent']:.0f} %: {paper['error_percent']} % error at "
        f"{paper['ratio']:.0f} times" in page
    )


def listed(words):
    return f"{', '.join(words[:-1])} and {words[-1]}"


def test_a_short_run_gives_figures_of_the_same_kind():
    """The float file is as large however short the training; how much is kept is asked for,
    but weights of units without effect go, too.
    """
    whole = mnist.load().flattened()
    little = mnist.Mnist(
        whole.x_train[:4288], whole.y_train[:4288], whole.x_test[:500], whole.y_test[:500]
    )
    figures = lenet_300_100.run(little, 0, epochs={"dense": 1, "pruned": 2, "shared": 1})
    committed = LENET["runs"][0]
    assert list(figures) == list(committed)
    assert figures["float_bytes"] == committed["float_bytes"]
    assert figures["kept_percent"] == pytest.approx(committed["kept_percent"], rel=0.1)
    assert figures["compressed_bytes"] == pytest.approx(committed["compressed_bytes"], rel=0.2)
    assert figures["ratio"] == round(figures["float_bytes"] / figures["compressed_bytes"], 1)
    assert 0 < figures["dense_error_percent"] < 30
    assert 0 < figures["error_percent"] < 40


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

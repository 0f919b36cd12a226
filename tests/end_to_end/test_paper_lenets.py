"""The paper's LeNets and figures 6 to 8: the committed runs hang together, and run anew."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from lib import lenet_300_100, mnist
from paper import (
    drawings,
    figure_drawings,
    figure_points,
    figures_6_to_8,
    lenet_page,
    lenet_stages,
    lenet_tables,
    paper_tables,
    svd,
)
from paper.sizes import interpreter_error

import keras_dc as dc

RUNS = lenet_tables.load()
FIGURES = json.loads(figures_6_to_8.RESULTS.read_text())
MEANS = figure_points.means(FIGURES)
EACH = [(network, run["seed"]) for network, runs in RUNS.items() for run in runs]
SHORT = dataclasses.replace(
    lenet_stages.RECIPES["LeNet-300-100"], dense_epochs=1, pruning_epochs=1, sharing_epochs=1
)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def little():
    return mnist.load().first(4288, 500).flattened()


@pytest.mark.parametrize(("network", "seed"), EACH)
def test_sizes_follow_from_the_committed_file(network, seed):
    run = RUNS[network][seed]
    measured = lenet_tables.measure(tflite_of(network, seed))
    assert measured["kernels"] == run["kernels"]
    assert measured["layers"] == run["layers"]
    for name, size in measured["files"].items():
        assert size == run["files"][name]
    assert run["files"].keys() == measured["files"].keys() | set(lenet_page.ZIPS)


def tflite_of(network, seed):
    return lenet_tables.path_of(network, seed).with_suffix(".tflite").read_bytes()


@pytest.mark.parametrize(("network", "seed"), EACH)
def test_the_committed_file_has_the_committed_error(network, seed):
    """Another processor may round an image at the edge of two digits the other way."""
    data = mnist.load()
    found = interpreter_error(tflite_of(network, seed), data.x_test, data.y_test)
    errors = RUNS[network][seed]["error_percent"]
    assert found == pytest.approx(errors["file"], abs=0.02)
    assert errors["file"] == pytest.approx(errors["P+Q"], abs=0.02)


@pytest.mark.parametrize("network", RUNS)
def test_error_and_ratio_are_not_worse_than_the_papers(network):
    paper, runs = paper_tables.NETWORKS[network], RUNS[network]
    assert len(runs) == len(lenet_tables.SEEDS)
    assert mean(run["error_percent"]["file"] for run in runs) <= paper.error
    for run in runs:
        errors, kernels = run["error_percent"], run["kernels"]
        assert run["float_bytes"] / run["files"]["arithmetic"] >= paper.ratio
        # The paper counts neither biases nor the graph.
        assert kernels["float32"] / kernels["huffman"] >= paper.ratio
        assert errors["P+Q"] <= errors["P"] + 0.03


@pytest.mark.parametrize("network", RUNS)
def test_layers_keep_and_quantize_what_the_paper_does(network):
    recipe = lenet_stages.RECIPES[network]
    for run in RUNS[network]:
        assert run["settings"] == dataclasses.asdict(recipe)
        for layer, paper, (name, density) in zip(
            run["layers"], paper_tables.LAYERS[network], recipe.densities.items(), strict=True
        ):
            assert paper.layer == name
            assert paper.kept_percent == pytest.approx(100 * density)
            assert 100 * layer["kept"] / layer["weights"] == pytest.approx(100 * density, abs=0.1)
            if layer["index_bits"]:
                assert layer["index_bits"][0] <= recipe.bits[name]


def test_every_point_is_there_once_with_every_seed():
    asked = figures_6_to_8.points()
    seeds = figures_6_to_8.SEEDS
    assert sorted(FIGURES["dense"]) == [str(seed) for seed in seeds]
    assert len(FIGURES["points"]) == len(asked) * len(seeds)
    for seed in seeds:
        assert all(figures_6_to_8.is_done(FIGURES, point, seed) for point in asked)


def test_the_page_has_the_committed_figures():
    page = lenet_page.PAGE.read_text()
    assert lenet_page.in_page(page, RUNS, FIGURES) == page


def test_pictures_have_a_line_for_each_method():
    """Their bytes differ between versions of matplotlib; what they show does not."""
    series = {
        6: figure_points.size_series(),
        7: figure_points.bit_series(),
        8: figure_points.initialization_series(),
    }
    drawn = figure_drawings.all_figures(FIGURES)
    assert len(drawn) == len(series) * len(drawings.THEMES)
    for name, content in drawn.items():
        committed = (lenet_page.DOCS / name).read_text()
        number = int(pathlib.Path(name).name[len("figure_")])
        for label in series[number]:
            for svg in (content, committed):
                assert f">{label}<" in svg, (name, label)


def test_what_the_page_says_of_bounds_holds():
    for run in (run for runs in RUNS.values() for run in runs):
        for layer in run["layers"]:
            if layer["weights"] > 20_000:
                for bits in (layer["index_bits"], layer["gap_bits"]):
                    assert bits[2] <= bits[1] < bits[2] + 0.1
                assert layer["stage_bytes"]["P+Q+H"] < 1.01 * layer["shannon_bytes"]
        kernels = run["kernels"]
        assert kernels["arithmetic"] < kernels["shannon"]


def test_the_page_counts_the_empty_pixels_and_units():
    kernel = lenet_tables.kernel_values(dc.expand(tflite_of("LeNet-300-100", 0)))[0]
    pixels, units = (np.sum(~kernel.any(axis)) for axis in (0, 1))
    page = " ".join(lenet_page.PAGE.read_text().split())
    assert f"{pixels} of the 784 pixels and {units} of the 300 units of fc1 have no weight" in page


def test_both_beat_each_alone():
    """For each point of one alone there is one of both that is no larger and no worse."""
    series = figure_points.size_series()
    both = [MEANS[point] for point in series["pruned and quantized"]]
    for alone in ("pruned", "quantized", "SVD"):
        for one in (MEANS[point] for point in series[alone]):
            rivals = [mean.error for mean in both if mean.percent <= one.percent]
            assert not rivals or min(rivals) <= one.error + 0.1, (alone, one)


def test_a_pruned_kernel_is_easier_to_quantize():
    dense, pruned = ([MEANS[point] for point in s] for s in figure_points.bit_series().values())
    for without, after in zip(dense, pruned, strict=True):
        assert after.moved < 0.6 * without.moved
    assert dense[0].untrained > 80
    assert pruned[0].untrained < 5
    assert dense[0].error - dense[-1].error == pytest.approx(6, abs=0.5)
    assert pruned[0].error - pruned[-1].error == pytest.approx(0.25, abs=0.05)
    assert pruned[1].error - pruned[-1].error < 0.1


def test_with_one_bit_all_initializations_end_alike():
    sizes = {}
    for row in FIGURES["points"]:
        if row["pruning_epochs"] and row["bits"] == 1:
            sizes.setdefault(row["seed"], set()).add((row["file_bytes"], row["error_percent"]))
    assert all(len(found) == 1 for found in sizes.values())


def test_initializations_differ_before_training_and_not_after_it():
    def of(bits, key):
        return {
            name: getattr(MEANS[figures_6_to_8.well_pruned(bits, name)], key)
            for name in figures_6_to_8.INITIALIZATIONS
        }

    untrained = of(2, "untrained")
    ranked = sorted(untrained, key=untrained.get)
    assert ranked[0] == "density"
    assert ranked[-1] == "forgy"
    for bits in figures_6_to_8.BITS_OF_INITIALIZATIONS:
        errors = of(bits, "error").values()
        assert max(errors) - min(errors) < 0.1


def test_a_short_run_gives_figures_of_the_same_kind(little):
    figures, tflite = lenet_tables.run("LeNet-300-100", SHORT, little, 0)
    committed = RUNS["LeNet-300-100"][0]
    assert figures.keys() == committed.keys()
    assert figures["float_bytes"] == committed["float_bytes"]
    assert len(tflite) == figures["files"]["arithmetic"]
    for layer, other in zip(figures["layers"], committed["layers"], strict=True):
        assert layer.keys() == other.keys()
        assert layer["kept"] == pytest.approx(other["kept"], abs=2)
    assert figures["error_percent"]["file"] == figures["error_percent"]["P+Q"] < 60


def test_points_are_made_once(little, tmp_path, capsys, monkeypatch):
    asked = [
        figures_6_to_8.Point(scale=1),
        figures_6_to_8.Point(scale=1, bits=2, initialization="forgy"),
        figures_6_to_8.Point(ranks=0.1),
    ]
    path = tmp_path / "points.json"
    made = {"recipe": SHORT, "epochs": 2, "asked": asked}
    figures_6_to_8.run(path, little, [0], **made)
    results = json.loads(path.read_text())
    pruned, both, split = results["points"]
    assert both["file_bytes"] < pruned["file_bytes"] < results["float_bytes"] / 10
    assert split["file_bytes"] == split["float_bytes"] < results["float_bytes"] / 8
    assert both["untrained_error_percent"] > 0
    assert pruned["untrained_error_percent"] is None
    assert pruned.keys() == FIGURES["points"][0].keys()

    monkeypatch.setattr(figures_6_to_8, "Networks", None)
    figures_6_to_8.run(path, little, [0], **made)
    assert json.loads(path.read_text()) == results
    assert len(capsys.readouterr().out.splitlines()) == len(asked)


def test_gaps_count_fillers():
    """Gaps of 2 bits: 0, 1 and 2 zeros before a weight, and 3 zeros without one."""
    values = np.float32([[1, 0, 0, 2], [0, 0, 0, 0], [0, 0, 3, 4]])
    assert lenet_tables.gap_symbols(values, 2).tolist() == [3, 0, 1, 2]
    by_column = lenet_tables.gap_symbols(values, 2, column_major=True)
    assert by_column.tolist() == [2, 2, 0, 2]


def test_a_full_rank_changes_no_output():
    model = lenet_300_100.build()
    whole = svd.split(model, {"fc2": 100})
    assert [layer.name for layer in whole.layers] == ["fc1", "fc2_narrow", "fc2", "fc3"]
    images = np.random.default_rng(0).random((4, 784), np.float32)
    np.testing.assert_allclose(whole(images), model(images), atol=1e-5)


def test_the_truncated_product_lacks_the_smaller_singular_values():
    left, right = svd.truncated(np.diag([3.0, 1.0, 2.0]), 2)
    np.testing.assert_allclose(left @ right, np.diag([3.0, 0.0, 2.0]), atol=1e-12)

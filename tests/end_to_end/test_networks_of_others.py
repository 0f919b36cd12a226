"""HED and CREPE: short runs of small stand-ins, and what the committed results promise."""

import dataclasses
import json
import math
import sys
import zipfile

import keras
import numpy as np
import pytest
from lib import crepe as crepe_lib
from lib import edge_pictures, tones
from lib import hed as hed_lib
from lib.tutorial import OUTPUT
from paper import (
    architectures,
    crepe,
    crepe_judge,
    crepe_training,
    hed,
    kept_files,
    kept_models,
    later_densities,
    network_speeds,
    others_tables,
    recipes,
    whole_files,
)

BLOCKS = ((8, 8), (16,))
FILTERS = (16, 8, 8, 8, 8, 16)
SHORT = crepe_training.Settings(
    density=0.3, epochs=(2, 1), steps=2, batch_size=4, update_frequency=2, dtype="float32"
)


def committed(module):
    return json.loads(module.RESULTS.read_text())["runs"]


def shape_of(figures):
    """Names and types of nested figures."""
    if isinstance(figures, dict):
        return {name: shape_of(value) for name, value in figures.items()}
    return type(figures)


def same_kind(figures, run, *, leave=("cpu", "versions")):
    """Whether figures have the names and the types of committed ones."""
    made = json.loads(json.dumps(figures))
    run = {name: value for name, value in run.items() if name not in leave}
    if "versions" in made and "versions" in run:
        # What is not installed has no version.
        assert made["versions"].keys() == run["versions"].keys()
        run["versions"] = made["versions"]
    return shape_of(made) == shape_of(run)


@pytest.fixture(autouse=True)
def output(monkeypatch, tmp_path):
    monkeypatch.setenv(OUTPUT, str(tmp_path / "output"))


@pytest.fixture(scope="module")
def edges():
    """A small HED and its judge."""
    keras.utils.set_random_seed(0)
    model = hed_lib.network(32, BLOCKS, batch_size=1)
    model.get_layer("fuse").set_weights([np.full((1, 1, 2, 1), 0.01), np.zeros(1)])
    pictures = edge_pictures.drawn(2, 32, np.random.default_rng(0))
    return model, hed.Judge(model, {"drawn": pictures, "photographs": pictures[:, ::-1]})


@pytest.fixture(scope="module")
def hearing():
    """A small CREPE with statistics that are not all alike."""
    keras.utils.set_random_seed(0)
    model = crepe_lib.network(FILTERS)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    return model


def test_pages_have_the_committed_figures():
    for module in (others_tables, later_densities):
        page = module.PAGE.read_text()
        tables = [page] if module is others_tables else [page, committed(module)]
        assert module.in_page(*tables) == page
    assert others_tables.PAGE.read_text().count("<!-- /") == 7


def test_all_runs_are_there():
    assert sorted(committed(hed)) == sorted(hed.names())
    for settings in hed.RUNS:
        assert committed(hed)[settings.name]["settings"] == dataclasses.asdict(settings)
    cases = [(name, clusters) for name in later_densities.GOALS for clusters in ("paper", 16, 8)]
    runs = committed(later_densities).values()
    assert [(run["network"], run["num_clusters"]) for run in runs] == cases


def test_figures_hang_together():
    runs = committed(hed)
    for run in runs.values():
        if "compressed_bytes" in run:
            assert run["float_bytes"] == runs["original"]["bytes"]
            assert run["int8_bytes"] == runs["int8"]["bytes"]
            assert run["ratio"] == round(run["float_bytes"] / run["compressed_bytes"], 1)
            assert run["packed_bytes"] < min(run["zip_bytes"].values(), default=math.inf)


def test_one_threshold_keeps_more_edges_than_one_density():
    runs = committed(hed)
    alike, together = (
        runs[f"32 clusters, 50 % pruned{how}"]["agreement"] for how in ("", " by one threshold")
    )
    for collection in ("drawn", "photographs"):
        assert alike[collection]["edges_percent"] < together[collection]["edges_percent"]


def test_a_short_run_of_hed(edges):
    model, judge = edges
    settings = hed.Settings(8, 0.5, True)
    figures = hed.run(model, judge, settings)
    run = committed(hed)["32 clusters, 50 % pruned by one threshold"]
    names = {"kept_percent": None, "zip_bytes": None}
    assert same_kind(figures | names, run | names)
    file = kept_files.path_of("hed", settings.name).read_bytes()
    assert len(file) == figures["compressed_bytes"]
    assert 0 < figures["agreement"]["drawn"]["difference_percent"] < 50
    kept, kernels = figures["kept_percent"], whole_files.kernels_of(model)
    blocks = [name for name in kernels if name.startswith("block")]
    mean = np.average([kept[name] for name in blocks], weights=[kernels[n].size for n in blocks])
    assert mean == pytest.approx(50, abs=0.1)
    assert len({kept[name] for name in blocks}) > 1
    assert kept["dsn1"] == kept["fuse"] == 100


def test_the_original_agrees_with_itself(edges):
    model, judge = edges
    assert hed.small(model, hed.RUNS[0]) is model
    found = judge.agreement(judge.files["original"])
    assert found["drawn"] == {"edges_percent": 100.0, "difference_percent": 0.0}


def test_agreement_counts_pixels():
    expected, found = np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1))
    expected[0, 0] = 1.0
    found[0, 0, 0] = 0.6
    assert hed._nearness(found, expected) == {"edges_percent": 66.67, "difference_percent": 35.0}


def test_crepe_retrained_hears_more_tones_than_before():
    runs = committed(crepe)
    small = [run for name, run in runs.items() if name.startswith("density")]
    assert len(small) == len(crepe.DENSITIES)
    before = runs["original"]["right_percent"]["50"]
    assert all(run["right_percent"]["50"] > before for run in small)
    ratios = [run["ratio"] for run in small]
    assert ratios == sorted(ratios)
    assert ratios[0] > 60
    assert all(run["as_original_percent"]["recordings"]["50"] > 95 for run in small[:3])


def test_balancing_changes_no_answer(hearing):
    frames = tones.draw(4, np.random.default_rng(0)).frames
    before = hearing.predict(frames, verbose=0)
    balanced = crepe_training.balanced(hearing, 0.3)
    np.testing.assert_allclose(balanced.predict(frames, verbose=0), before, atol=2e-5)
    old, new = (whole_files.kernels_of(model)["conv2"] for model in (hearing, balanced))
    assert not np.allclose(old, new)


def test_a_short_run_of_crepe(hearing, monkeypatch, tmp_path):
    """Trained by one process, judged by the same command without `--train-only`."""
    monkeypatch.setattr(crepe_lib, "load", lambda path, size="full", batch_size=None: hearing)
    monkeypatch.setattr(crepe, "UNTRAINED", ())
    monkeypatch.setattr(crepe_judge, "SURE", 0.0)
    monkeypatch.setattr(crepe_judge, "COUNT", 3)
    sounds = np.random.default_rng(0).integers(-999, 999, 2 * 1000).astype(np.int16)
    names = {"digit": [0, 1], "speaker": ["a", "b"], "index": [0, 0]}
    np.savez(tmp_path / "fsdd.npz", samples=sounds, offsets=[0, 1000, 2000], **names)
    settings = [
        f"{name}={json.dumps(value)}"
        for name, value in dataclasses.asdict(SHORT).items()
        if name != "density"
    ]
    arguments = ["crepe", "--densities", "0.3", "--output", str(tmp_path / "crepe.json")]
    arguments += ["--recordings", str(tmp_path / "fsdd.npz"), "--weights", "none.npz"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--set", *settings, "--train-only"])
    crepe.main()
    assert not (tmp_path / "crepe.json").exists()
    monkeypatch.setattr(sys, "argv", [*arguments, "--set", *settings])
    crepe.main()
    runs = json.loads((tmp_path / "crepe.json").read_text())["runs"]
    assert list(runs)[:2] == ["original", "int8"]
    assert runs["original"]["as_original_percent"]["tones"] == {"50": 100.0, "25": 100.0}
    (trained,) = list(runs.values())[2:]
    kernels = whole_files.kernels_of(hearing)
    assert trained["num_weights"] == sum(kernel.size for kernel in kernels.values())
    assert trained["training"]["settings"] == json.loads(json.dumps(dataclasses.asdict(SHORT)))
    assert trained["weights_ratio"] > 8
    assert trained["ratio"] == round(trained["float_bytes"] / trained["compressed_bytes"], 1)
    assert set(trained["as_original_percent"]) == {"tones", "recordings"}


def test_crepe_without_training_keeps_what_it_is_told(hearing):
    kernels = whole_files.kernels_of(crepe_training.untrained(hearing, 8, 0.5))
    for kernel in kernels.values():
        assert len(np.unique(kernel[kernel != 0])) <= 8
    kept = sum(map(np.count_nonzero, kernels.values()))
    assert kept / sum(kernel.size for kernel in kernels.values()) == pytest.approx(0.5, abs=0.01)
    dense = whole_files.kernels_of(crepe_training.untrained(hearing, 8, 1.0))
    assert all(np.count_nonzero(kernel) == kernel.size for kernel in dense.values())


def test_tones_keep_what_they_are_taught(hearing):
    batches = crepe_training.TaughtTones(hearing, SHORT, 0)
    taught = {}
    for _ in range(5):
        for frames, targets in (batches[number] for number in range(len(batches))):
            assert frames.shape == (SHORT.batch_size, crepe_lib.FRAME)
            for frame, target in zip(frames, targets, strict=True):
                np.testing.assert_array_equal(taught.setdefault(frame.tobytes(), target), target)
        batches.on_epoch_end()
    per_epoch = SHORT.steps * SHORT.batch_size
    assert per_epoch < len(taught) <= SHORT.drawn_epochs * per_epoch


def test_training_fits_into_minutes(hearing, monkeypatch, capsys):
    """Preparing takes a second, the first epoch 5 and the next 4: 47 of 60 seconds are left."""

    def fit(model, batches, epochs, *arguments):
        for epoch in range(epochs):
            arguments[-1].on_epoch_end(epoch, {})

    times = iter([0.0, 1.0, 6.0, 10.0])
    monkeypatch.setattr(crepe_training, "fit", fit)
    monkeypatch.setattr(crepe_training.time, "monotonic", lambda: next(times))
    settings = crepe_training.within(1.0, hearing, None, crepe_training.Settings(0.1))
    assert settings.epochs == (int(36 * 47 / 4 / 48), int(12 * 47 / 4 / 48)) == (8, 2)
    assert capsys.readouterr().out == "5.0 and 4.0 seconds an epoch: (8, 2) epochs\n"


def test_kept_models_are_deflated(tmp_path):
    def train():
        model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(100)])
        model.layers[0].kernel.assign(np.zeros((100, 100)))
        return model, {"settings": {"density": 0.5}}

    model, figures = kept_models.kept(tmp_path / "net.keras", train)
    assert figures["settings"] == {"density": 0.5}
    assert (tmp_path / "net.keras").stat().st_size < 10000
    assert zipfile.ZipFile(tmp_path / "net.keras").testzip() is None
    again, same = kept_models.kept(tmp_path / "net.keras", None)
    assert same == figures
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_speeds_are_of_both_files(edges, monkeypatch, tmp_path):
    _, judge = edges
    for name, file in judge.files.items():
        kept_files.keep("hed", name, file)
    monkeypatch.setattr(network_speeds, "SECONDS", 0.05)
    path = tmp_path / "speeds.json"
    arguments = ["network_speeds", "hed", "--runs", "int8", "--output", str(path)]
    monkeypatch.setattr(sys, "argv", arguments)
    network_speeds.main()
    ((name, figures),) = json.loads(path.read_text())["runs"].items()
    assert name == "hed: int8"
    p50 = [figures[one]["p50_ms"] for one in ("original", "file")]
    assert figures["times_as_fast"] == pytest.approx(p50[0] / p50[1], abs=1e-3)
    for run in committed(network_speeds).values():
        assert same_kind(figures, run, leave=())


def test_densities_are_scaled_by_one_factor():
    found = later_densities.scaled({"a": 10, "b": 40}, {"a": 900, "b": 100}, 2.6)
    assert found == pytest.approx({"a": 2.0, "b": 8.0})


def test_entropy_of_four_values_is_two_bits():
    kernel = np.repeat([0.0, 1.0, 2.0, 3.0], 100)
    assert later_densities.entropy_bytes([kernel, np.zeros(9)]) == 100


def test_a_small_alexnet_is_weighed():
    recipe = dataclasses.replace(
        recipes.RECIPES["AlexNet"],
        build=lambda: architectures.alexnet(input_size=67, width=0.1, num_classes=10),
    )
    figures = later_densities.figures(recipe, later_densities.percents("AlexNet"), 8, 10.0)
    run = committed(later_densities)["AlexNet, 8 clusters"]
    assert same_kind({"network": "", "seed": 0, **figures}, run)
    assert figures["total_kept_percent"] == pytest.approx(10, abs=0.05)


def test_goals_are_reached_with_few_centroids():
    for run in committed(later_densities).values():
        goal = later_densities.GOALS[run["network"]]
        percent = later_densities.KEPT_PERCENT[run["network"]]
        assert run["total_kept_percent"] == percent
        assert run["entropy_bytes"] < run["arithmetic_bytes"] < run["huffman_bytes"]
        assert run["num_clusters"] == "paper" or run["ratio"] >= goal
        assert run["ratio"] == round(run["float_bytes"] / run["arithmetic_bytes"], 1)

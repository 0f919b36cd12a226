"""Fashion-MNIST and the price of blocks: committed files and figures, and short runs."""

import dataclasses
import json
import os
import pathlib
import statistics

import keras
import numpy as np
import pytest
from keras import layers
from lib import fashion_mnist as images
from lib import mnist
from paper import (
    blocks,
    fashion_mnist,
    fashion_networks,
    fashion_speeds,
    fashion_tables,
    fashion_training,
    kept_models,
)
from paper.sizes import interpreter_error

import keras_dc as dc

RUNS = fashion_tables.runs()


def name_of(run):
    return fashion_mnist.run_name(run["network"], run["density"], run["seed"])


@pytest.fixture(scope="module")
def test_images():
    home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    cache = home / "datasets" / "fashion-mnist"
    if not os.environ.get(images.FOLDER_VARIABLE) and not any(cache.glob("t10k-images*")):
        pytest.skip(f"Fashion-MNIST is not here: {images.FOLDER_VARIABLE} names no folder")
    data = images.load()
    return data.x_test[..., None], data.y_test


@pytest.mark.parametrize("run", RUNS, ids=name_of)
def test_a_committed_file_has_its_error(run, test_images):
    content = (fashion_mnist.RESULTS / f"{name_of(run)}.tflite").read_bytes()
    error_percent = run["small_error_percent"]["test"]
    # Processors sum in other orders: one image in 10,000 may fall on the other side.
    assert interpreter_error(content, *test_images) == pytest.approx(error_percent, abs=0.015)


def test_committed_files_have_their_sizes():
    files = {path.stem: path for path in fashion_mnist.RESULTS.glob("*.tflite")}
    assert files.keys() == {name_of(run) for run in RUNS}
    for run in RUNS:
        path = files[name_of(run)]
        assert path.stat().st_size == run["compressed_bytes"]
        assert len(dc.pack(path)) == run["packed_bytes"]
        coded = [row for row in dc.inspect(path) if len(row.shape) > 1]
        assert sum(row.blob_bytes for row in coded) == run["weights_bytes"]
        assert run["ratio"] == round(run["float_bytes"] / run["compressed_bytes"], 1)
        settings = fashion_mnist.small_settings(run["network"], run["density"])
        assert run["settings"] == json.loads(json.dumps(dataclasses.asdict(settings)))


def test_figures_are_those_that_are_told():
    """What the page says of each network in words."""
    told = {"vgg": (82.3, 0.03), "mobilenet": (18.4, -0.06), "inception": (43.6, -0.05)}
    for network, (ratio, loss) in told.items():
        group = [run for run in RUNS if run["network"] == network]
        assert [run["seed"] for run in group] == list(fashion_mnist.SEEDS)
        assert statistics.mean(run["ratio"] for run in group) == pytest.approx(ratio, abs=0.06)
        dense, small = (
            statistics.mean(run[f"{kind}_error_percent"]["test"] for run in group)
            for kind in ("dense", "small")
        )
        assert small - dense == pytest.approx(loss, abs=0.006)
        # What dense networks are asked for: 93.5 % are right.
        assert dense < 6.5


def test_the_page_tells_how_settings_were_chosen():
    path = fashion_mnist.RESULTS.with_name("fashion_choices.json")
    runs = list(json.loads(path.read_text())["runs"].values())
    page = " ".join(fashion_tables.PAGE.read_text().split())
    tried = [run for run in runs if run["judged_by"] == "validation"]
    for run in tried:
        assert f"{run['error_percent']:.2f} %" in page
    best = min(tried, key=lambda run: run["error_percent"])
    chosen = fashion_training.SMALL["vgg"]
    assert (chosen.learning_rate, chosen.weight_decay) == (
        best["learning_rate"],
        best["weight_decay"],
    )
    first = [run for run in runs if run["judged_by"] == "test"]
    assert [run["seed"] for run in first] == list(fashion_mnist.SEEDS)
    loss = statistics.mean(run["error_percent"] - run["dense_error_percent"] for run in first)
    assert f"lost {loss:.2f} points" in page


def test_the_page_has_the_committed_figures():
    page = fashion_tables.PAGE.read_text()
    assert fashion_tables.in_page(page) == page
    assert fashion_tables.speed_runs().keys() == {
        fashion_mnist.run_name(network, densities[0], 0)
        for network, densities in fashion_mnist.DENSITIES.items()
    }
    for group in fashion_tables.block_runs().values():
        assert [run["seed"] for run in group] == list(blocks.SEEDS)
        assert all(run["settings"] == dataclasses.asdict(blocks.Settings()) for run in group)


def tiny():
    """Of the kinds of layers that the networks have."""
    image = keras.Input(fashion_networks.SHAPE, name="image")
    x = layers.DepthwiseConv2D(3, 4, depth_multiplier=2, use_bias=False)(image)
    x = layers.Conv2D(12, 1, use_bias=False)(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.Flatten()(layers.ReLU()(layers.BatchNormalization()(x)))
    return keras.Model(image, layers.Dense(10)(layers.Dropout(0.1)(x)), name="tiny")


def test_views_are_the_images_mirrored_and_moved():
    images = np.zeros((3, 6, 8), np.float32)
    images[:, 2, 3] = [0.2, 0.6, 1.0]
    views = fashion_training.Views(images)
    places = set()
    for number in range(fashion_training.NUM_VIEWS):
        view = views.view(number, np.array([2, 0]))
        [[y, x]] = np.argwhere(view[0])
        assert (view[0, y, x], view[1, y, x]) == (255, 51)
        assert np.count_nonzero(view) == 2
        places.add((y, x))
    # 5 rows; 5 columns round that of the image, and 5 round that of its mirror image.
    assert places == {(y, x) for y in range(5) for x in range(1, 7)}
    assert fashion_training.NUM_VIEWS == 50
    numbers = np.array([7, 49, 12])
    for row, made in enumerate(views.views(numbers)):
        np.testing.assert_array_equal(made, views.view(numbers[row], np.array([row]))[0])


def test_targets_are_those_of_the_view():
    images = np.zeros((10, 6, 8), np.float32)
    images[:, 2, 3] = np.arange(1, 11) / 255
    views = fashion_training.Views(images)
    numbers = np.arange(fashion_training.NUM_VIEWS)
    # What a teacher says is the place of the bright pixel.
    places = np.stack([views.view(n, np.arange(10)).reshape(10, -1).argmax(1) for n in numbers])
    logits = np.stack([places, places + 100], axis=-1).astype(np.float16)
    labels = np.arange(10, dtype=np.uint8) % 2
    batches = fashion_training.ViewBatches(views, labels, 4, seed=0, logits=logits)
    assert len(batches) == 2
    orders = []
    for _ in range(3):
        x, targets = (np.concatenate(parts) for parts in zip(batches[0], batches[1]))
        assert x.shape == (8, 6, 8, 1)
        assert x.dtype == np.float32
        rows = np.rint(255 * x.max(axis=(1, 2, 3))).astype(int) - 1
        assert len(set(rows)) == 8
        np.testing.assert_array_equal(targets[:, 0], labels[rows])
        np.testing.assert_array_equal(targets[:, 1], x.reshape(8, -1).argmax(1))
        np.testing.assert_array_equal(targets[:, 2], targets[:, 1] + 100)
        orders.append((tuple(rows), tuple(targets[:, 1])))
        batches.on_epoch_end()
    assert len(set(orders)) == 3


def test_a_teacher_is_asked_about_every_view():
    images = np.random.default_rng(0).random((5, 28, 28), np.float32)
    views = fashion_training.Views(images)
    model = tiny()
    logits = fashion_training.logits_of(model, views, batch_size=2)
    assert logits.shape == (fashion_training.NUM_VIEWS, 5, 10)
    view = views.view(33, np.arange(5))[..., None].astype(np.float32) / 255
    np.testing.assert_allclose(logits[33], model(view), atol=2e-3)


@pytest.mark.parametrize(
    ("network", "weights"), [("vgg", 2_422_960), ("mobilenet", 595_776), ("inception", 567_232)]
)
def test_networks_have_the_size_that_is_told(network, weights):
    model = fashion_networks.NETWORKS[network]()
    kernels = [weight for weight in model.trainable_weights if weight.name == "kernel"]
    assert sum(np.prod(kernel.shape) for kernel in kernels) == weights
    assert model.output_shape == (None, 10)


TINY = fashion_training.Small(
    "tiny", 0.3, epochs=1, sharing_epochs=1, teachers=("tiny",), batch_size=40, dtype="float32"
)
DATA = mnist.load().first(240, 1)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    """Of short runs of a tiny network, which share a dense one."""
    dense = fashion_training.Dense(epochs=1, batch_size=40, dtype="float32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fashion_networks.NETWORKS, "tiny", tiny)
        yield fashion_mnist.Runner(DATA, tmp_path_factory.mktemp("work"), 200, dense)


def kept_files(runner):
    """Names and times of what a runner has made."""
    return {
        path.name: path.stat().st_mtime_ns
        for path in runner._folder.iterdir()
        if path.suffix != ".lock"
    }


def test_a_short_run(runner, tmp_path):
    count, test = fashion_mnist.parts(DATA, validate=True)
    assert count == 200
    np.testing.assert_array_equal(test[1], DATA.y_train[200:])
    figures, tflite = fashion_mnist.judge(runner, TINY, "tiny_run", 0, test)
    assert figures["num_weights"] == 9 * 2 + 2 * 12 + 10 * 12 * 7 * 7
    # Depthwise kernels keep half; sharing prunes a little more.
    assert 10 < figures["kept_percent"] <= 31
    assert figures["compressed_bytes"] == len(tflite) < figures["float_bytes"] / 2
    for name in ("dense", "small", "int8", "small_int8"):
        assert 0 <= figures[f"{name}_error_percent"]["test"] <= 95
    assert figures.keys() == RUNS[0].keys()
    fashion_mnist.write(tmp_path, "one", figures, tflite)
    assert json.loads((tmp_path / "one.json").read_text()) == json.loads(json.dumps(figures))
    # What takes long is done once.
    made = kept_files(runner)
    assert made.keys() >= {
        "dense_tiny_200_seed0.keras",
        "dense_tiny_200_seed0.json",
        "logits_tiny_200_seed0.npy",
        "tiny_run.keras",
        "tiny_run.json",
    }
    runner.small(TINY, "tiny_run", 0)
    runner.logits("tiny", 0)
    assert kept_files(runner) == made


def test_a_short_run_without_teachers(runner, monkeypatch):
    monkeypatch.setattr(runner, "logits", None)
    alone = dataclasses.replace(TINY, teachers=())
    plain, training = runner.small(alone, "alone", 0)
    assert {"device", "backend", "seconds", "versions"} == training.keys()
    assert all(layer.dtype_policy.name == "float32" for layer in plain.layers)


def test_files_of_all_kinds_are_timed(runner, tmp_path):
    dense, _ = runner.dense("tiny", 0)
    _, test = fashion_mnist.parts(DATA, validate=True)
    makers = fashion_speeds.makers_of(dense, dense, test[0][:5])
    few = {kind: makers[kind] for kind in ("float32", "int8", "small int8")}
    files = fashion_speeds.prepared(tmp_path, "tiny", few, test)
    figures = fashion_speeds.figures(files, test[0][:1], seconds=0.05)
    assert figures["rows"].keys() == few.keys()
    for kind, row in figures["rows"].items():
        assert (
            row["size_bytes"] == (tmp_path / f"tiny_{kind.replace(' ', '_')}.tflite").stat().st_size
        )
        assert min(row["p50_ms"]) > 0
        assert 0 <= row["error_percent"] <= 95
    assert len(figures["rows"]["float32"]["p50_ms"]) == 2
    # Weights and activations of int8: a quarter, but for the graph.
    assert figures["rows"]["int8"]["size_bytes"] < figures["rows"]["float32"]["size_bytes"] / 2
    assert makers.keys() == fashion_tables.KINDS.keys()


def test_a_kept_model_is_without_its_optimizer(tmp_path):
    model = tiny()
    model.compile("adam", "mse")
    x = np.zeros((4, 28, 28, 1), np.float32)
    model.fit(x, np.zeros((4, 10)), verbose=0)
    kept, _ = kept_models.kept(tmp_path / "kept.keras", lambda: model)
    assert not keras.saving.load_model(tmp_path / "kept.keras").compiled
    for one, other in zip(kept.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_short_run_of_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "DENSITIES", (0.25,))
    data = mnist.load().first(240, 1)
    learned, test = blocks.parts(data, validate=True)
    assert len(learned.x_train) == 200
    settings = blocks.Settings(dense_epochs=1, epochs=1, batch_size=50)
    runner = blocks.Runner("small", learned, settings, 0, tmp_path)
    runner.train()
    figures = runner.figures(test)
    rows = figures["rows"]
    assert rows.keys() == {"dense", "unstructured_0.25", "blocks_0.25"}
    assert rows["dense"]["kept_percent"] == 100
    for name in ("unstructured_0.25", "blocks_0.25"):
        assert rows[name]["kept_percent"] == pytest.approx(25, abs=0.1)
        assert rows[name]["bytes"] < rows["dense"]["bytes"] / 2
    first, *kernels = (
        layer.kernel.numpy() for layer in runner.pruned("blocks", 0.25).layers if layer.weights
    )
    assert np.all(first)
    for kernel in kernels:
        of_blocks = kernel.reshape(-1, 4, kernel.shape[-1]) != 0
        np.testing.assert_array_equal(of_blocks.any(axis=1), of_blocks.all(axis=1))

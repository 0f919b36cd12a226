"""The committed files of the smallest LeNets do what their figures say; a short run makes such."""

import dataclasses
import json

import numpy as np
import pytest
from lib import augmentation, mnist
from paper import mnist_frontier, mnist_images, mnist_tables, mnist_training
from paper.sizes import interpreter_error

import keras_dc as dc

RUNS = mnist_tables.runs()
POINTS = mnist_tables.points(RUNS)


def name_of(run):
    return mnist_frontier.run_name(run["network"], run["recipe"], run["density"], run["seed"])


@pytest.fixture(scope="module")
def test_images():
    data = mnist.load()
    return data.x_test, data.y_test


@pytest.mark.parametrize("run", RUNS, ids=name_of)
def test_a_committed_file_has_its_size_and_its_error(run, test_images):
    path = mnist_frontier.RESULTS / f"{name_of(run)}.tflite"
    assert path.stat().st_size == run["compressed_bytes"]
    assert interpreter_error(path.read_bytes(), *test_images) == pytest.approx(
        run["error_percent"], abs=0.005
    )
    assert run["judged_by"] == "test"
    assert run["ratio"] == round(run["float_bytes"] / run["compressed_bytes"], 1)
    rows = [row for row in dc.inspect(path) if row.role == "weights"]
    assert sum(row.blob.num_kept for row in rows) == run["kept_weights"]
    assert sum(row.blob_bytes for row in rows) == run["kernel_bytes"]
    assert len(dc.pack(path)) == run["packed_bytes"]


def test_every_file_has_its_figures():
    files = {path.stem for path in mnist_frontier.RESULTS.glob("*.tflite")}
    assert files == {name_of(run) for run in RUNS}
    for run in RUNS:
        recipe = mnist_training.RECIPES[run["network"], run["recipe"]]
        settings = dataclasses.asdict(dataclasses.replace(recipe, density=run["density"]))
        assert run["settings"] == settings


def best(network, most_error_percent, least_seeds=5):
    """The largest ratio of the points of enough seeds whose mean error is low enough."""
    return max(
        mnist_tables.ratio(group)
        for (of, _, _), group in POINTS.items()
        if of == network
        and len(group) >= least_seeds
        and mnist_tables.mean_error(group) <= most_error_percent
    )


@pytest.mark.parametrize(
    ("network", "most_error_percent", "ratio"),
    [("lenet_300_100", 1.58, 280), ("lenet_300_100", 1.25, 220), ("lenet_5", 0.74, 550)],
)
def test_five_seeds_reach(network, most_error_percent, ratio):
    assert best(network, most_error_percent) >= ratio


def test_the_page_has_the_table():
    page = (mnist_tables.DOCS / mnist_tables.PAGE).read_text()
    assert "\n".join(mnist_tables.table(RUNS)) in page


def test_a_short_run_gives_figures_of_the_same_kind(tmp_path, monkeypatch):
    whole = mnist.load()
    little = mnist.Mnist(
        whole.x_train[:1500], whole.y_train[:1500], whole.x_test[:300], whole.y_test[:300]
    )
    monkeypatch.setattr(mnist_images, "VALIDATION", 300)
    teachers = mnist_images.Teachers(count=2, filters=(4, 8), units=20, epochs=1, copies=1)
    monkeypatch.setattr(mnist_images, "TEACHERS", teachers)
    recipe = dataclasses.replace(
        mnist_training.RECIPES["lenet_300_100", "R1"],
        density=0.026, epochs=2, sharing_epochs=1, copies=2,
    )  # fmt: skip
    images = mnist_images.Images(little, tmp_path / "work")
    plain, training = mnist_frontier.trained(tmp_path / "one.keras", recipe, images, 0)
    figures, tflite = mnist_frontier.judged("R1", recipe, images, 0, plain, training)
    assert figures.keys() == RUNS[0].keys()
    assert 0 < figures["error_percent"] < 90
    assert figures["ratio"] > 100
    mnist_frontier.write(tmp_path, "one", figures, tflite)
    assert json.loads((tmp_path / "one.json").read_text()) == figures
    assert (tmp_path / "one.tflite").read_bytes() == tflite
    # What takes long is made once.
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").iterdir()}
    assert len([path for path in made if path.suffix == ".keras"]) == 2
    images.targets("wide", "lenet_300_100", 2)
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_copies_are_the_images_moved_a_little():
    images = mnist.load().x_train[:200]
    first = augmentation.augmented_copies(images, augmentation.LEVELS[1], 2, seed=0)
    again = augmentation.augmented_copies(images, augmentation.LEVELS[1], 2, seed=0)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    # As much ink, and close to where it was.
    assert first.mean() == pytest.approx(255 * images.mean(), rel=0.03)
    for one, other in zip(first[0] / 255, images):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.45
    still = augmentation.Level(shift=0, degrees=0, log_scale=0, shear=0)
    [same] = augmentation.augmented_copies(images, still, 1, seed=0)
    np.testing.assert_allclose(same / 255, images, atol=0.003)


def test_copies_take_turns():
    copies = np.arange(12, dtype=np.uint8).reshape(3, 4, 1) * 10
    targets = np.arange(12).reshape(3, 4)
    batches = augmentation.CopiesInTurn(copies, targets, 3, seed=0)
    assert len(batches) == 2
    for turn in (0, 1, 2, 0):
        x, y = (np.concatenate(parts) for parts in zip(batches[0], batches[1]))
        assert sorted(y) == targets[turn].tolist()
        np.testing.assert_allclose(x[:, 0], y * 10 / 255)
        batches.on_epoch_end()

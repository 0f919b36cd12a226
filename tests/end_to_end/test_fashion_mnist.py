"""Fashion-MNIST and the price of blocks: short runs of what the committed results come from."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import layers
from lib import mnist
from paper import blocks, fashion_mnist, fashion_networks, fashion_training, kept_models


def tiny():
    """Of the kinds of layers that the networks have."""
    image = keras.Input(fashion_networks.SHAPE, name="image")
    x = layers.Conv2D(8, 3, 4, use_bias=False)(image)
    x = layers.DepthwiseConv2D(3, use_bias=False)(layers.ReLU()(layers.BatchNormalization()(x)))
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
    ("network", "weights"), [("vgg", 1_178_400), ("mobilenet", 269_184), ("inception", 567_232)]
)
def test_networks_have_the_size_that_is_told(network, weights):
    model = fashion_networks.NETWORKS[network]()
    kernels = [weight for weight in model.trainable_weights if weight.name == "kernel"]
    assert sum(np.prod(kernel.shape) for kernel in kernels) == weights
    assert model.output_shape == (None, 10)


@pytest.fixture
def short(monkeypatch):
    """Settings of a short run of a tiny network with one teacher."""
    monkeypatch.setitem(fashion_networks.NETWORKS, "tiny", tiny)
    options = {"epochs": 2, "batch_size": 40, "dtype": "float32"}
    small = fashion_training.Small("tiny", 0.3, sharing_epochs=2, teachers=("tiny",), **options)
    return fashion_training.Dense(**options), small


def test_a_short_run(short, tmp_path):
    dense_settings, settings = short
    data = mnist.load().first(240, 30)
    count, test = fashion_mnist.parts(data, validate=True)
    assert count == 200
    np.testing.assert_array_equal(test[1], data.y_train[200:])
    runner = fashion_mnist.Runner(data, tmp_path / "work", count, dense_settings)
    figures, tflite = fashion_mnist.judge(runner, settings, "tiny_run", 0, test)
    assert figures["num_weights"] == 8 * 9 + 8 * 9 + 8 * 12 + 10 * 12 * 25
    # Depthwise kernels keep half; sharing prunes a little more.
    assert 10 < figures["kept_percent"] <= 31
    assert figures["compressed_bytes"] == len(tflite) < figures["float_bytes"] / 2
    for name in ("dense", "small", "int8", "small_int8"):
        assert 0 <= figures[f"{name}_error_percent"]["test"] <= 95
    fashion_mnist.write(tmp_path, "one", figures, tflite)
    assert json.loads((tmp_path / "one.json").read_text()) == json.loads(json.dumps(figures))
    # What takes long is done once.
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").iterdir()}
    assert {path.name for path in made} == {
        "dense_tiny_200_seed0.keras",
        "dense_tiny_200_seed0.json",
        "logits_tiny_200_seed0.npy",
        "tiny_run.keras",
        "tiny_run.json",
    }
    runner.small(settings, "tiny_run", 0)
    runner.logits("tiny", 0)
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_a_short_run_without_teachers(short, tmp_path):
    data = mnist.load().first(80, 1)
    dense_settings, settings = short
    runner = fashion_mnist.Runner(data, tmp_path, 80, dense_settings)
    alone = dataclasses.replace(settings, teachers=(), epochs=1, sharing_epochs=1)
    plain, training = runner.small(alone, "alone", 1)
    assert not list(tmp_path.glob("logits*"))
    assert {"device", "backend", "seconds", "versions"} == training.keys()
    assert all(layer.dtype_policy.name == "float32" for layer in plain.layers)


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

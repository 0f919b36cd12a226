import sys
import zlib

import keras
import numpy as np
import pytest

import keras_dc as dc
from keras_dc.training.tensorboard import mask_image, png

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 6)).astype(np.float32)
Y = RNG.normal(size=(32, 2)).astype(np.float32)


def dense_model():
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(10, name="hidden"), keras.layers.Dense(2, name="head")]
    return keras.Sequential([keras.Input((6,)), *layers])


def fit(model, *callbacks):
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=list(callbacks))


def events(folder):
    """Summaries by tag: lists of (step, value)."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing import event_file_loader

    found = {}
    for path in sorted(folder.glob("events*")):
        for event in event_file_loader.LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value))
    return found


def test_a_pruned_model_shows_sparsities_and_masks(tmp_path):
    pytest.importorskip("tensorboard")
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.75, 0))
    fit(pruned, dc.PruningCallback(), dc.training.CompressionTensorBoard(tmp_path))
    found = events(tmp_path)
    assert sorted(found) == [
        "mask/head/kernel", "mask/hidden/kernel", "sparsity/head", "sparsity/hidden",
    ]  # fmt: skip
    assert [(step, value.simple_value) for step, value in found["sparsity/head"]] == [
        (0, 0.75),
        (1, 0.75),
    ]
    image = found["mask/hidden/kernel"][0][1].image
    assert (image.height, image.width) == (6, 10)
    assert image.encoded_image_string.startswith(b"\x89PNG")


def test_a_shared_model_shows_entropies_and_codebooks(tmp_path):
    pytest.importorskip("tensorboard")
    shared = dc.share_weights(dense_model(), 4)
    fit(shared, dc.training.CompressionTensorBoard(tmp_path, images=False))
    found = events(tmp_path)
    assert sorted(found) == [
        "codebook/head/kernel", "codebook/hidden/kernel", "entropy_bits/head",
        "entropy_bits/hidden", "sparsity/head", "sparsity/hidden",
    ]  # fmt: skip
    histogram = found["codebook/hidden/kernel"][1][1].histo
    codebook = keras.ops.convert_to_numpy(shared.get_layer("hidden").codebooks[0])
    assert histogram.num == sum(histogram.bucket) == 4
    assert histogram.sum == pytest.approx(codebook.sum(), rel=1e-6)
    assert (histogram.min, histogram.max) == (codebook.min(), codebook.max())
    assert 0 < found["entropy_bits/hidden"][0][1].simple_value <= 2


def test_without_tensorboard_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(ImportError, match=r"keras-dc\[tensorboard\]"):
        dc.training.CompressionTensorBoard(tmp_path)


def test_a_small_mask_is_shown_as_it_is():
    mask = np.float32([[1, 0], [0, 0], [1, 1]])
    np.testing.assert_array_equal(mask_image(mask), [[255, 0], [0, 0], [255, 255]])


def test_a_large_mask_is_averaged():
    # Blocks of two rows and two columns; the last column stands alone.
    mask = np.float32([[1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(mask_image(mask, largest_side=2), [[128, 128], [0, 255]])


def test_a_convolutions_mask_has_its_filters_as_columns():
    assert mask_image(np.ones((3, 3, 4, 8))).shape == (36, 8)
    assert mask_image(np.ones(5)).shape == (1, 5)


def test_png_holds_the_pixels():
    picture = np.uint8([[0, 128, 255], [1, 2, 3]])
    content = png(picture)
    assert content[16:24] == bytes([0, 0, 0, 3, 0, 0, 0, 2])
    start = content.index(b"IDAT") + 4
    size = int.from_bytes(content[start - 8 : start - 4], "big")
    rows = zlib.decompress(content[start : start + size])
    assert rows == bytes([0, 0, 128, 255, 0, 1, 2, 3])

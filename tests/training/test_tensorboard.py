import io
import sys

import keras
import numpy as np
import pytest
from support.dense_models import X, Y, dense_model

import keras_dc as dc
from keras_dc.training.tensorboard import mask_image
from keras_dc.training.weight_sharing import entropy_bits_of


def fit(model, *callbacks):
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=list(callbacks))


def read(folder):
    """What TensorBoard itself reads from the event files."""
    pytest.importorskip("tensorboardX")
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    # 0: of each tag all events.
    guidance = {"scalars": 0, "images": 0, "histograms": 0}
    found = event_accumulator.EventAccumulator(str(folder), size_guidance=guidance)
    return found.Reload()


def scalars(found, tag):
    return [(event.step, event.value) for event in found.Scalars(tag)]


def test_a_pruned_model_shows_sparsities_and_masks(tmp_path):
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.75, 0))
    fit(pruned, dc.PruningCallback(), dc.training.CompressionTensorBoard(tmp_path))
    found = read(tmp_path)
    assert found.Tags()["scalars"] == ["sparsity/hidden", "sparsity/head"]
    assert found.Tags()["images"] == ["mask/hidden/kernel", "mask/head/kernel"]
    assert scalars(found, "sparsity/head") == [(0, 0.75), (1, 0.75)]
    image = found.Images("mask/hidden/kernel")[1]
    assert (image.step, image.height, image.width) == (1, 6, 10)
    pillow = pytest.importorskip("PIL.Image")
    picture = pillow.open(io.BytesIO(image.encoded_image_string)).convert("L")
    np.testing.assert_array_equal(picture, 255 * pruned.get_layer("hidden").current_masks()[0])


def test_a_shared_model_shows_entropies_and_codebooks(tmp_path):
    shared = dc.share_weights(dense_model(), 4)
    fit(shared, dc.training.CompressionTensorBoard(tmp_path, images=False))
    found = read(tmp_path)
    assert sorted(found.Tags()["scalars"]) == [
        "entropy_bits/head", "entropy_bits/hidden", "sparsity/head", "sparsity/hidden",
    ]  # fmt: skip
    assert found.Tags()["images"] == []
    assert found.Tags()["histograms"] == ["codebook/hidden/kernel", "codebook/head/kernel"]
    event = found.Histograms("codebook/hidden/kernel")[1]
    histogram = event.histogram_value
    codebook = keras.ops.convert_to_numpy(shared.get_layer("hidden").codebooks[0])
    assert event.step == 1
    assert histogram.num == sum(histogram.bucket) == 4
    assert histogram.sum == pytest.approx(codebook.sum(), rel=1e-6)
    assert (histogram.min, histogram.max) == (codebook.min(), codebook.max())
    bits = entropy_bits_of([shared.get_layer("hidden")])
    assert scalars(found, "entropy_bits/hidden") == [
        (0, pytest.approx(bits)),
        (1, pytest.approx(bits)),
    ]


def test_a_second_training_adds_to_the_first(tmp_path):
    pytest.importorskip("tensorboardX")
    model, callback = (
        dc.share_weights(dense_model(), 4),
        dc.training.CompressionTensorBoard(tmp_path),
    )
    fit(model, callback)
    fit(model, callback)
    assert [step for step, _ in scalars(read(tmp_path), "sparsity/head")] == [0, 1, 0, 1]


def test_no_file_is_made_before_there_is_something_to_write(tmp_path):
    pytest.importorskip("tensorboardX")
    dc.training.CompressionTensorBoard(tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_without_tensorboardx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
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

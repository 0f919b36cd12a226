"""Re-assignment over tensors: that of NumPy."""

import keras
import numpy as np
import pytest
from keras import ops
from support import dense_models

import keras_dc as dc
from keras_dc.numerics import kmeans
from keras_dc.training import device_assignment
from keras_dc.training.weight_sharing import entropy_bits_of
from keras_dc.wrapping import weights as weights_module

RNG = np.random.default_rng(0)
# On a grid, so that many weights lie just between two centroids, and many have moved to zero.
GRID = (RNG.integers(-40, 41, (60, 50)) / 16).astype(np.float32)
NORMAL = RNG.normal(size=(60, 50)).astype(np.float32)


# In no order. The fifth has no members, the sixth is the first again.
CODEBOOK = np.float32([1.5, -1.5, 0.5, -0.5, 2.0, 1.5, 0.1])


def problem(weights, dtype="float32"):
    """Weights as NumPy and as Keras have them, and the indices of others that they were."""
    index = RNG.choice([0, 1, 2, 3, 4, 6, 7], weights.shape, p=[0.4] + 6 * [0.1])
    tensor = ops.convert_to_tensor(weights, dtype=dtype)
    return ops.convert_to_numpy(tensor), tensor, CODEBOOK, index.astype(np.int32)


def both(weights, tensor, codebook, index, **options):
    expected = kmeans.reassign(weights, codebook, index, **options)
    found = device_assignment.reassign(tensor, codebook, ops.convert_to_tensor(index), **options)
    assert keras.backend.standardize_dtype(found.dtype) == "int32"
    return expected, ops.convert_to_numpy(found)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("weights", [GRID, NORMAL])
def test_nearest_centroids_are_those_of_numpy(weights, dtype):
    given = problem(weights, dtype)
    expected, found = both(*given, rate_weight=0.0, coder="huffman")
    np.testing.assert_array_equal(found, expected)
    assert np.any(found != given[-1])


@pytest.mark.parametrize("shape", [(60, 50), (3000,), (3, 4, 10, 25)])
@pytest.mark.parametrize("coder", ["huffman", "arithmetic"])
def test_cheapest_centroids_are_those_of_numpy(coder, shape):
    given = problem(NORMAL.reshape(shape))
    expected, found = both(*given, rate_weight=0.02, coder=coder)
    np.testing.assert_array_equal(found, expected)
    nearest = kmeans.reassign(given[0], given[2], given[3])
    assert np.count_nonzero(found) < np.count_nonzero(nearest)


def test_zeros_alone_stay_zeros():
    weights, index = np.ones((2, 3), np.float32), np.zeros((2, 3), np.int32)
    tensor = ops.convert_to_tensor(weights)
    for coder in ("huffman", "arithmetic"):
        options = {"rate_weight": 0.1, "coder": coder}
        _, found = both(weights, tensor, np.ones(2, np.float32), index, **options)
        assert not found.any()


@pytest.mark.parametrize(
    "options",
    [{}, {"rate_weight": 0.02}, {"rate_weight": 0.02, "coder": "arithmetic"}],
    ids=["nearest", "huffman", "arithmetic"],
)
def test_trainings_re_assigned_on_the_device_and_by_numpy_are_the_same(options, monkeypatch):
    if keras.backend.backend() == "tensorflow":
        pytest.skip("on TensorFlow NumPy assigns the weights, also on a GPU")
    results = []
    for on_device in (False, True):
        monkeypatch.setattr(weights_module, "_is_on_accelerator", lambda _, at=on_device: at)
        pruned = dc.strip(dc.prune(dense_models.dense_model(), 0.3))
        model = dc.share_weights(
            pruned, 4, num_bias_clusters=2, reassign_frequency=2, freeze_step=12, **options
        )
        logs = dense_models.fit(
            model, callbacks=[dc.WeightSharingCallback()], epochs=2, learning_rate=0.03
        )
        indices = [ops.convert_to_numpy(i) for layer in model.layers for i in layer.indices]
        results.append((indices, dc.strip(model).get_weights(), logs["entropy_bits"]))
        assert entropy_bits_of(model.layers) == logs["entropy_bits"][-1]
    for one, other in zip(*results, strict=True):
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first, second)

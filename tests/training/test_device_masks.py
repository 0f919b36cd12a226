"""Masks over tensors: those of NumPy, bit by bit."""

import keras
import numpy as np
import pytest
from keras import ops
from support import dense_models

import keras_dc as dc
from keras_dc.numerics import masks as host_masks
from keras_dc.training import device_masks
from keras_dc.training.pruning import PrunedLayer
from keras_dc.wrapping import weights as weights_module
from keras_dc.wrapping.layer_tree import layers_of_class

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(37, 29)).astype(np.float32)
# Few magnitudes, so that nearly all are equal to others.
TIES = RNG.integers(-3, 4, (37, 29)).astype(np.float32)
MASK = (RNG.random((37, 29)) < 0.6).astype(np.float32)
EXTREME = np.float32([[0.0, -0.0, 1e-38, -(2.0**-126), 3e38, -3e38, 1.0, np.nextafter(1, 2)]])
WEIGHTS = {
    "normal": NORMAL,
    "ties": TIES,
    "zeros": np.zeros((5, 3), np.float32),
    "extreme": EXTREME,
    "one": np.float32([[-2.0]]),
    "bfloat16": NORMAL,
}
SPARSITIES = [0.0, 0.3, 0.5, 0.9, 0.99999]


def both(function, *arrays, dtype="float32", **options):
    """A function of both modules: (of NumPy arrays, of tensors as a NumPy array)."""
    if dtype == "bfloat16":
        # As NumPy gets them from Keras.
        arrays = [ops.convert_to_numpy(ops.cast(a, dtype)) for a in arrays]
    tensors = [ops.convert_to_tensor(a, dtype=dtype) for a in arrays]
    expected = getattr(host_masks, function)(*arrays, **options)
    found = getattr(device_masks, function)(*tensors, **options)
    return expected, ops.convert_to_numpy(ops.cast(found, "float32"))


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("kind", WEIGHTS)
def test_layer_wise_mask(kind, sparsity):
    dtype = "bfloat16" if kind == "bfloat16" else "float32"
    expected, found = both("magnitude_mask", WEIGHTS[kind], sparsity=sparsity, dtype=dtype)
    np.testing.assert_array_equal(found, expected)
    assert found.sum() == host_masks.kept_count(expected.size, sparsity)


@pytest.mark.parametrize("weights", [NORMAL, TIES])
@pytest.mark.parametrize("min_density", [0.0, 0.05])
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
def test_global_masks(weights, min_density, sparsity):
    # The second is all below the others, so that it is left at `min_density`.
    arrays = [weights, np.round(1e-3 * NORMAL[:4, :5], 4), 2 * TIES[0]]
    options = {"sparsity": sparsity, "min_density": min_density}
    expected = host_masks.global_magnitude_masks(arrays, **options)
    tensors = [ops.convert_to_tensor(a) for a in arrays]
    found = device_masks.global_magnitude_masks(tensors, **options)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), other)


def test_all_arrays_at_the_minimum_density():
    arrays = [np.ones((2, 2), np.float32), np.ones(4, np.float32)]
    tensors = [ops.convert_to_tensor(a) for a in arrays]
    with pytest.raises(ValueError, match="`min_density` keeps 8 weights, the sparsity only 4"):
        device_masks.global_magnitude_masks(tensors, 0.5, min_density=1.0)
    for mask in device_masks.global_magnitude_masks(tensors, 0.5, min_density=0.5):
        np.testing.assert_array_equal(np.ravel(ops.convert_to_numpy(mask)), [1, 1, 0, 0])


@pytest.mark.parametrize("weights", [TIES, np.stack([TIES, TIES[::-1]])])
@pytest.mark.parametrize("block_size", [(1, 1), (2, 4), (4, 1), (64, 2)])
def test_blocks(weights, block_size):
    expected, found = both("block_magnitudes", weights, block_size=block_size)
    # Means of 64 rows, of which there are 37, are rounded.
    np.testing.assert_allclose(found, expected, rtol=0 if block_size[0] < 5 else 1e-6)
    options = {"block_size": block_size, "shape": weights.shape}
    expected, found = both("expand_blocks", expected, **options)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("weights", [NORMAL, TIES])
@pytest.mark.parametrize(("group_size", "axis"), [(4, -2), (3, -1), (1, -2), (64, -1)])
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
def test_groups(weights, group_size, axis, sparsity):
    options = {"sparsity": sparsity, "group_size": group_size, "axis": axis}
    expected, found = both("group_mask", weights, **options)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("weights", [NORMAL, TIES])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
def test_regrown_mask(weights, fraction, sparsity):
    options = {"sparsity": sparsity, "fraction": fraction}
    expected, found = both("regrown_mask", weights, MASK, **options)
    np.testing.assert_array_equal(found, expected)


def test_a_kept_zero_comes_before_a_pruned_weight():
    expected, found = both("kept_magnitudes", TIES, MASK)
    np.testing.assert_array_equal(found, expected)
    assert found[(TIES == 0) & (MASK == 1)].min() > 0


def test_masks_that_never_open():
    masks = [MASK, np.roll(MASK, 1)]
    before = [np.roll(MASK, 2), MASK]
    expected = host_masks.never_open(masks, before)
    tensors = [[ops.convert_to_tensor(mask) for mask in some] for some in (masks, before)]
    found = device_masks.never_open(*tensors)
    assert int(found[1]) == expected[1] > 0
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), other)


def test_least_kept_magnitude():
    expected, found = both("least_kept", NORMAL, MASK)
    assert found == expected


RULES = {
    "layer_wise": {},
    "global": {"global_threshold": True},
    "blocks": {"block_size": (2, 2)},
    "groups": {"group_size": 4},
    "straight_through": {"straight_through": True, "freeze_step": 8},
    "regrow": {"regrow_fraction": 0.3, "freeze_step": 8},
    "rate_aware": {"rate_aware": True},
}


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Where the weights lie seems to be no host: call it, and tensors are worked on there."""
    if keras.backend.backend() == "tensorflow":
        pytest.skip("on TensorFlow NumPy makes the masks, also on a GPU")

    def set_it(value):
        monkeypatch.setattr(weights_module, "_is_on_accelerator", lambda _: value)

    return set_it


@pytest.mark.parametrize("name", RULES)
def test_trainings_with_masks_from_tensors_and_from_numpy_are_the_same(name, as_on_a_gpu):
    results = []
    for on_device in (False, True):
        as_on_a_gpu(on_device)
        keras.utils.set_random_seed(0)
        schedule = dc.PolynomialDecay(0.2, 0.7, 0, 6, frequency=2)
        model = dc.prune(dense_models.dense_model(), schedule, **RULES[name])
        history = dense_models.fit(model, callbacks=[dc.PruningCallback()], epochs=3)
        masks = [m for layer in layers_of_class(model, PrunedLayer) for m in layer.current_masks()]
        logs = history["sparsity"], history["sparsity_of_model"]
        results.append((masks, dc.strip(model).get_weights(), logs))
    (masks, weights, logs), (others, other_weights, other_logs) = results
    assert 0 < sum(mask.sum() for mask in masks) < sum(mask.size for mask in masks)
    for one, other in zip(masks + weights, others + other_weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert logs == other_logs


def test_nan_is_found_on_the_device(as_on_a_gpu):
    as_on_a_gpu(True)
    model = dc.prune(dense_models.dense_model(), dc.ConstantSparsity(0.5, 0))
    kernel = model.get_layer("hidden").layer.kernel
    kernel.assign(ops.full(kernel.shape, np.nan))
    with pytest.raises(ValueError, match="kernels must be finite"):
        dense_models.fit(model, callbacks=[dc.PruningCallback()], epochs=1)

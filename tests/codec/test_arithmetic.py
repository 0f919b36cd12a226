"""Blobs that `recode` writes again with the arithmetic coder."""

import numpy as np
import pytest
from support import reference_decoder
from support.tensors import (
    ARITHMETIC_TENSORS,
    ODD_TENSORS,
    PLANE_TENSORS,
    VALUE_DTYPES,
    VALUE_TENSORS,
    bits_of,
    scaled_trained,
    trained_mask,
)

from keras_dc import codec

TENSORS = {**ODD_TENSORS, **PLANE_TENSORS, **ARITHMETIC_TENSORS, **VALUE_TENSORS}
# The document's decoder takes seconds for these.
LARGE = {"256_centroids", "256_values_with_zero", "many_streams", "four_streams"}


@pytest.mark.parametrize("mask_model", [True, False])
@pytest.mark.parametrize("name", TENSORS)
def test_recoded_blobs_round_trip(name, mask_model):
    tensor = TENSORS[name]
    blob = codec.encode(tensor, dtype=VALUE_DTYPES.get(name))
    recoded = codec.recode(blob, mask_model=mask_model)
    assert len(recoded) <= len(blob)
    assert codec.decode(recoded).tobytes() == tensor.tobytes()
    if name not in LARGE:
        np.testing.assert_array_equal(
            reference_decoder.decode(recoded), bits_of(tensor), strict=True
        )
    assert codec.recode(recoded, mask_model=mask_model) == recoded


@pytest.mark.parametrize("mask_model", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"axis": 0},
        {"axis": -1},
        {"axis": 0, "dtype": np.int8},
        {"axis": -1, "precision": np.float64},
    ],
)
def test_scaled_blobs_are_recoded_too(options, mask_model):
    tensor, parts = scaled_trained(**options)
    recoded = codec.recode(codec.encode_scaled(tensor, **parts), mask_model=mask_model)
    assert codec.inspect(recoded).coder == "arithmetic"
    assert codec.inspect(recoded).scale_axis == options["axis"]
    np.testing.assert_array_equal(codec.decode(recoded), tensor)
    np.testing.assert_array_equal(reference_decoder.decode(recoded), bits_of(tensor))


@pytest.mark.parametrize("name", ["dense_32_values", "dense_int8_with_a_period", "dense_int4"])
def test_dense_tensors_of_like_neighbours_get_much_smaller(name):
    blob = codec.encode(VALUE_TENSORS[name], dtype=VALUE_DTYPES.get(name))
    recoded = codec.recode(blob)
    assert codec.inspect(recoded).coder == "arithmetic"
    assert len(recoded) < 0.9 * len(blob)


def test_large_tensors_are_coded_in_several_streams():
    tensor = np.tile(np.array([1, 2], np.float32), (24, 12000))
    tensor[11] = 0
    for mask_model in (True, False):
        recoded = codec.recode(codec.encode(tensor), mask_model=mask_model)
        assert codec.inspect(recoded).num_streams > 1
        assert codec.decode(recoded).tobytes() == tensor.tobytes()


def test_the_arithmetic_coder_exploits_what_a_trained_mask_has():
    tensor = np.abs(np.sign(trained_mask(300)))
    recoded = codec.recode(codec.encode(tensor))
    density = np.mean(tensor != 0)
    independent = -tensor.size * (density * np.log2(density) + (1 - density) * np.log2(1 - density))
    assert len(recoded) < 0.85 * independent / 8


@pytest.mark.parametrize("density", [0.02, 0.09, 0.3])
def test_gaps_of_an_independent_mask_take_the_shannon_bound(density):
    mask = np.random.default_rng(5).random((400, 1000)) < density
    blob = codec.encode(mask.astype(np.float32))
    recoded = codec.recode(blob, mask_model=False)
    drawn = np.mean(mask)
    shares = np.array([drawn, 1 - drawn])
    bound = -mask.size * (shares * np.log2(shares)).sum() / 8
    for one in (recoded, codec.recode(blob)):
        assert len(one) <= 1.01 * bound + 40


def test_entries_of_a_recoded_blob_are_the_same():
    blob = codec.encode(trained_mask())
    first = codec.decode_entries(blob)
    centroids = codec.decode(blob)[codec.decode(blob) != 0]
    for mask_model in (True, False):
        second = codec.decode_entries(codec.recode(blob, mask_model=mask_model))
        np.testing.assert_array_equal(first.row_begin, second.row_begin)
        np.testing.assert_array_equal(first.columns, second.columns)
        # Centroids ascend, which they need not in a Huffman blob.
        np.testing.assert_array_equal(np.unique(centroids)[second.indices], centroids)

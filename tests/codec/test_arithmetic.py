"""Blobs that `recode` writes again with the arithmetic coder."""

import numpy as np
import pytest
from support import reference_decoder
from support.tensors import ODD_TENSORS, bits_of, trained_mask

from keras_dc import codec


@pytest.mark.parametrize("name", ODD_TENSORS)
def test_recoded_blobs_round_trip(name):
    tensor = ODD_TENSORS[name]
    blob = codec.encode(tensor)
    recoded = codec.recode(blob)
    assert len(recoded) <= len(blob)
    assert codec.decode(recoded).tobytes() == tensor.tobytes()
    np.testing.assert_array_equal(reference_decoder.decode(recoded), bits_of(tensor), strict=True)
    assert codec.recode(recoded) == recoded


@pytest.mark.parametrize("axis", [0, -1])
def test_scaled_blobs_are_recoded_too(axis):
    tensor = trained_mask()
    scales = np.random.default_rng(1).uniform(1, 2, tensor.shape[axis]).astype(np.float32)
    tensor = tensor * (scales[:, None] if axis == 0 else scales)
    blob = codec.encode_scaled(
        tensor, codebook=np.array([-0.5, -0.25, 0.25, 0.5]), scales=scales, axis=axis
    )
    recoded = codec.recode(blob)
    assert codec.inspect(recoded).coder == "arithmetic"
    assert codec.inspect(recoded).scale_axis == axis
    np.testing.assert_array_equal(codec.decode(recoded), tensor)
    np.testing.assert_array_equal(reference_decoder.decode(recoded), bits_of(tensor))


def test_the_arithmetic_coder_exploits_what_a_trained_mask_has():
    tensor = trained_mask()
    blob = codec.encode(tensor)
    recoded = codec.recode(blob)
    assert codec.inspect(recoded).coder == "arithmetic"
    positions = codec.inspect(blob).gap_bytes + codec.inspect(blob).table_bytes
    assert codec.inspect(recoded).gap_bytes < 0.9 * positions
    density = np.mean(tensor != 0)
    independent = -tensor.size * (density * np.log2(density) + (1 - density) * np.log2(1 - density))
    assert codec.inspect(recoded).gap_bytes < 0.8 * independent / 8
    np.testing.assert_array_equal(reference_decoder.decode(recoded), bits_of(tensor))


def test_entries_of_a_recoded_blob_are_the_same():
    blob = codec.encode(trained_mask())
    first, second = codec.decode_entries(blob), codec.decode_entries(codec.recode(blob))
    np.testing.assert_array_equal(first.row_begin, second.row_begin)
    np.testing.assert_array_equal(first.columns, second.columns)
    np.testing.assert_array_equal(first.indices, second.indices)

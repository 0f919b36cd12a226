"""Blobs that are cut, flipped or mutated: refused, or decoded without harm."""

import numpy as np
import pytest
from support import reference_decoder
from support.blobs import outcome_of_mutant, sealed
from support.tensors import ODD_TENSORS, trained_mask

from keras_dc import codec, errors


@pytest.mark.parametrize("name", ["many_streams", "conv_kernel", "one_row", "dense_noise"])
def test_every_cut_is_refused(name):
    blob = codec.encode(ODD_TENSORS[name])
    for size in {*range(40), *range(40, len(blob), len(blob) // 50 + 1)} - {len(blob)}:
        with pytest.raises(errors.CodecError):
            codec.decode(blob[:size])


@pytest.mark.parametrize("name", ["256_centroids", "conv_kernel", "one_row", "int8"])
def test_a_flipped_bit_is_refused(name):
    blob = bytearray(codec.encode(ODD_TENSORS[name]))
    for byte in range(0, len(blob), len(blob) // 100 + 1):
        blob[byte] ^= 1 << byte % 8
        with pytest.raises(errors.CodecError):
            codec.decode(bytes(blob))
        blob[byte] ^= 1 << byte % 8


@pytest.mark.parametrize("mask_model", [True, False])
def test_every_cut_of_a_recoded_blob_is_refused(mask_model):
    blob = codec.recode(codec.encode(trained_mask()), mask_model=mask_model)
    for size in range(len(blob)):
        with pytest.raises(errors.CodecError):
            codec.decode(blob[:size])


def test_a_cut_behind_a_right_checksum_is_refused_or_is_a_whole_blob():
    """Zeros follow a stream, so that a shorter one may be the whole stream of another tensor."""
    blob = codec.recode(codec.encode(trained_mask(40)))
    body = blob[:-4]
    outcomes = []
    for size in range(20, len(body), 5):
        cut = sealed(body[:size])
        try:
            expected = reference_decoder.decode(cut)
        except AssertionError:
            expected = None
        if expected is None:
            with pytest.raises(errors.CodecError):
                codec.decode(cut)
        else:
            np.testing.assert_array_equal(codec.decode(cut).view(np.uint32), expected)
        outcomes.append(expected is None)
    assert any(outcomes)


def test_mutations_behind_a_right_checksum_do_no_harm():
    rng = np.random.default_rng(5)
    outcomes = set()
    blobs = [
        codec.encode(ODD_TENSORS[name])
        for name in ["empty_columns", "conv_kernel", "one_row", "very_sparse", "two_centroids"]
    ]
    recoded = [
        codec.recode(codec.encode(trained_mask()), mask_model=mask) for mask in (True, False)
    ]
    for blob in [*blobs, *recoded]:
        for _ in range(400):
            mutant = np.frombuffer(blob[4:-4], np.uint8).copy()
            for _ in range(rng.integers(1, 4)):
                # Half of the changes hit the header and the tables.
                end = mutant.size if rng.random() < 0.5 else 40
                mutant[rng.integers(0, end)] = rng.integers(0, 256)
            outcomes.add(outcome_of_mutant(blob, mutant))
    assert outcomes - {"too large"} == {"decoded", "refused"}

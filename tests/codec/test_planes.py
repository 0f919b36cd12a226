"""Numbers coded by byte planes, and lines of two classes (FORMAT.md, 4)."""

import dataclasses
import itertools

import numpy as np
import pytest
from support import reference_decoder
from support.blobs import PLANES_EXAMPLE, PLANES_EXAMPLE_BLOB, outcome_of_mutant, sealed
from support.tensors import (
    PLANE_TENSORS,
    SCALED_ROWS,
    bits_of,
    half_dead,
    noise,
    scaled_rows,
    trained_mask,
)

from keras_dc import codec, errors
from keras_dc.numerics import entropy


@pytest.mark.parametrize("name", PLANE_TENSORS)
def test_planes_round_trip(name):
    tensor = PLANE_TENSORS[name]
    blob = codec.encode(tensor)
    info = codec.inspect(blob)
    assert info.value_planes
    assert info.line_classes == name.startswith("dead")
    assert info.column_major == (name == "dead_columns")
    assert bool(info.num_centroids) == (name == "codebook")
    assert info.num_streams == (4 if name == "four_streams" else 1)
    parts = ["header", "codebook", "scale", "table", "index", "gap"]
    assert sum(getattr(info, f"{part}_bytes") for part in parts) == len(blob)
    decoded = codec.decode(blob)
    assert (decoded.dtype, decoded.shape) == (tensor.dtype, tensor.shape)
    assert decoded.tobytes() == tensor.tobytes()
    np.testing.assert_array_equal(reference_decoder.decode(blob), bits_of(tensor), strict=True)


def test_bfloat16_has_planes():
    patterns = (noise((50, 60)).view(np.uint32) >> 16).astype("u2")
    blob = codec.encode(patterns, dtype="bfloat16")
    assert codec.inspect(blob).value_planes
    np.testing.assert_array_equal(codec.decode(blob), patterns)


def test_decodes_the_hand_made_planes():
    np.testing.assert_array_equal(codec.decode(PLANES_EXAMPLE_BLOB), PLANES_EXAMPLE, strict=True)
    decoded = reference_decoder.decode(PLANES_EXAMPLE_BLOB)
    np.testing.assert_array_equal(decoded, PLANES_EXAMPLE.view(np.uint16), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_planes_take_what_their_bytes_tell(dtype):
    tensor = noise((200, 300), dtype=dtype)
    size = len(codec.encode(tensor))
    assert size < 0.92 * tensor.nbytes
    assert entropy.shannon_bytes(tensor) < size < 1.01 * entropy.shannon_bytes(tensor)


def test_few_numbers_stay_as_they_are():
    tensor = noise((12,))
    assert not codec.inspect(codec.encode(tensor)).value_planes
    assert len(codec.encode(tensor)) == 12 + tensor.nbytes


def test_what_is_dead_is_coded_apart():
    tensor = half_dead((200, 300))
    alive = np.abs(tensor).max(axis=1) > 0.1
    blob = codec.encode(tensor)
    apart = [codec.encode(tensor[alive]), codec.encode(tensor[~alive])]
    assert codec.inspect(blob).line_classes
    assert not codec.inspect(apart[0]).line_classes
    # Three dead values alone take a codebook, which is a little less than two planes.
    assert len(blob) <= 1.03 * sum(map(len, apart))
    assert len(blob) < 0.9 * entropy.shannon_bytes(tensor)


@pytest.mark.parametrize("channels", [300, 3000])
def test_scales_have_planes(channels):
    parts = scaled_rows(channels)
    blob = codec.encode_scaled(**parts)
    info = codec.inspect(blob)
    assert (info.scale_planes, info.scale_axis) == (True, 0)
    # Between 1 and 2 the first byte is the same, which takes a table of some bytes.
    assert info.scale_bytes <= 3 * channels + 16
    for same in (blob, codec.recode(blob)):
        np.testing.assert_array_equal(codec.decode(same), parts["values"], strict=True)
        np.testing.assert_array_equal(reference_decoder.decode(same), bits_of(parts["values"]))


def test_values_with_gaps_keep_planes_when_recoded():
    mask = trained_mask()
    tensor = np.where(mask != 0, noise(mask.shape), np.float32(0))
    blob = codec.recode(codec.encode(tensor))
    assert codec.inspect(blob).coder == "arithmetic"
    assert codec.inspect(blob).value_planes
    np.testing.assert_array_equal(codec.decode(blob), tensor)
    np.testing.assert_array_equal(reference_decoder.decode(blob), bits_of(tensor), strict=True)


@pytest.mark.parametrize("name", ["float16", "dead_columns", "with_gaps", "codebook"])
def test_every_cut_of_planes_is_refused(name):
    body = codec.encode(PLANE_TENSORS[name])[:-4]
    for size in range(5, len(body), 11):
        with pytest.raises(errors.CodecError):
            codec.decode(sealed(body[:size]))


def test_mutated_planes_do_no_harm():
    rng = np.random.default_rng(5)
    outcomes = set()
    blobs = [
        codec.encode(PLANE_TENSORS[name]) for name in ("dead_rows", "dead_columns", "with_gaps")
    ]
    for blob, _ in itertools.product([*blobs, codec.encode_scaled(**SCALED_ROWS)], range(400)):
        mutant = np.frombuffer(blob[4:-4], np.uint8).copy()
        mutant[rng.integers(0, 60)] = rng.integers(0, 256)
        outcomes.add(outcome_of_mutant(blob, mutant))
    assert outcomes - {"too large"} == {"decoded", "refused"}


def test_info_tells_of_planes():
    flags = ("value_planes", "line_classes", "scale_planes")
    info = dataclasses.asdict(codec.inspect(PLANES_EXAMPLE_BLOB))
    assert [info[flag] for flag in flags] == [True, False, False]
    info = dataclasses.asdict(codec.inspect(codec.encode_scaled(**SCALED_ROWS)))
    assert [info[flag] for flag in flags] == [False, False, True]

"""Numbers coded by byte planes, and lines of two classes (FORMAT.md, 4)."""

import dataclasses
import itertools
import zlib

import numpy as np
import pytest
from codec.test_codec import bits_of, outcome_of_mutant, sparse, trained_mask
from support import reference_decoder

from keras_dc import codec, errors
from keras_dc.numerics import entropy


def noise(shape, *, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def half_dead(shape, *, seed=0):
    """float16 noise of which every other row or so is as good as zero."""
    rng = np.random.default_rng(seed)
    alive = rng.random(shape[0]) < 0.5
    tiny = rng.choice(np.array([0.0, 6e-8, -6e-8]), size=shape)
    return np.where(alive[:, None], rng.normal(size=shape), tiny).astype(np.float16)


def half_dead_int8(shape, *, seed=0):
    rng = np.random.default_rng(seed)
    alive = rng.random(shape[0]) < 0.5
    values = np.where(alive[:, None], rng.integers(-40, 40, shape), rng.integers(0, 2, shape))
    return values.astype(np.int8)


TENSORS = {
    "float32": noise((50, 60)),
    "float16": noise((50, 60), dtype=np.float16),
    "float16_in_float32": noise((50, 60), dtype=np.float16).astype(np.float32),
    "with_gaps": np.where(noise((60, 70), seed=1) > 0.8, noise((60, 70)), np.float32(0)),
    "vector": noise((700,)),
    "codebook": sparse((90, 90), density=0.4, num_centroids=250),
    "four_streams": np.where(
        noise((128, 130), seed=1) > 2, noise((128, 130), dtype=np.float16), np.float16(1)
    ),
    "dead_rows": half_dead((37, 64)),
    "dead_columns": np.ascontiguousarray(half_dead((37, 64)).T),
    "dead_rows_of_int8": half_dead_int8((20, 60)),
    "dead_rows_of_float32": half_dead((37, 64)).astype(np.float32).reshape(37, 4, 4, 4),
}


def scaled(channels):
    rng = np.random.default_rng(2)
    codebook = np.array([-1.5, -0.5, 0.5, 1.5])
    scales = rng.uniform(1, 2, channels).astype(np.float32)
    products = rng.choice(codebook, (channels, 9)) * scales[:, None]
    return {
        "values": np.where(rng.random((channels, 9)) < 0.4, products, 0).astype(np.float32),
        "codebook": codebook,
        "scales": scales,
        "axis": 0,
    }


SCALED = scaled(300)


def bits(*parts):
    """Bytes of a bit stream; strings have their first bit first, pairs are (number, bits)."""
    written = [p if isinstance(p, str) else f"{p[0]:0{p[1]}b}"[::-1] for p in parts]
    stream = "".join(written)
    return bytes(int(stream[i : i + 8][::-1], 2) for i in range(0, len(stream), 8))


# 1, 2, 1 and 1.5 in float16 are 3C00, 4000, 3C00 and 3E00: of the higher bytes 3C has the
# code 0, 3E 10 and 40 11. The lower bytes stand as they are.
HAND_MADE_VALUES = np.array([1, 2, 1, 1.5], np.float16)
_TABLE = bits(
    (13, 4),
    *("000001", (60 - 32, 5)),  # 00 to 3B have no code
    *("1" * 23 + "0", "1"),  # 12 less: 3C has 1 bit
    *("1" * 22 + "0", "1"),  # 12 more: 3D has none
    *("1" * 21 + "0", "1"),  # 11 less: 3E has 2 bits
    *("1" * 20 + "0", "1"),  # 11 more: 3F has none
    *("1" * 21 + "0", "1"),  # 11 less: 40 has 2 bits
    *("1" * 20 + "0", "00000001", (191 - 128, 7)),  # 11 more: 41 to FF have none
)
_BODY = (
    b"KDC\x01\x01\x00\x11\x04"  # float16, rank 1 by planes, 4 values
    + b"\x01"  # the plane of the higher bytes is coded
    + _TABLE
    + b"\x01"  # its stream has 1 byte
    + bits("0", "11", "0", "10")
    + bytes(4)
)
HAND_MADE = _BODY + zlib.crc32(_BODY).to_bytes(4, "little")


@pytest.mark.parametrize("name", TENSORS)
def test_planes_round_trip(name):
    tensor = TENSORS[name]
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
    np.testing.assert_array_equal(codec.decode(HAND_MADE), HAND_MADE_VALUES, strict=True)
    decoded = reference_decoder.decode(HAND_MADE)
    np.testing.assert_array_equal(decoded, HAND_MADE_VALUES.view(np.uint16), strict=True)


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
    parts = scaled(channels)
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
    body = codec.encode(TENSORS[name])[:-4]
    for size in range(5, len(body), 11):
        with pytest.raises(errors.CodecError):
            codec.decode(body[:size] + zlib.crc32(body[:size]).to_bytes(4, "little"))


def test_mutated_planes_do_no_harm():
    rng = np.random.default_rng(5)
    outcomes = set()
    blobs = [codec.encode(TENSORS[name]) for name in ("dead_rows", "dead_columns", "with_gaps")]
    for blob, _ in itertools.product([*blobs, codec.encode_scaled(**SCALED)], range(400)):
        mutant = np.frombuffer(blob[4:-4], np.uint8).copy()
        mutant[rng.integers(0, 60)] = rng.integers(0, 256)
        outcomes.add(outcome_of_mutant(blob, mutant))
    assert outcomes - {"too large"} == {"decoded", "refused"}


def test_info_tells_of_planes():
    flags = ("value_planes", "line_classes", "scale_planes")
    info = dataclasses.asdict(codec.inspect(HAND_MADE))
    assert [info[flag] for flag in flags] == [True, False, False]
    info = dataclasses.asdict(codec.inspect(codec.encode_scaled(**SCALED)))
    assert [info[flag] for flag in flags] == [False, False, True]

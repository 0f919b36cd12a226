"""What is encoded decodes to the same bits, here and in the decoder written from FORMAT.md."""

import concurrent.futures
import gc
import json
import os
import pathlib
import subprocess
import sys
import zlib

import numpy as np
import pytest
from support import decoded_digests, reference_decoder
from support.blobs import TESTS
from support.tensors import EIGHT_STREAMS, ODD_TENSORS, bits_of, sparse

from keras_dc import codec, errors
from keras_dc.codec import library


@pytest.mark.parametrize("name", ODD_TENSORS)
def test_round_trip_is_bit_exact(name):
    tensor = ODD_TENSORS[name]
    decoded = codec.decode(codec.encode(tensor))
    assert decoded.dtype == tensor.dtype
    assert decoded.shape == tensor.shape
    assert decoded.tobytes() == tensor.tobytes()


@pytest.mark.parametrize("name", ODD_TENSORS)
def test_the_documents_decoder_agrees(name):
    tensor = ODD_TENSORS[name]
    np.testing.assert_array_equal(
        reference_decoder.decode(codec.encode(tensor)), bits_of(tensor), strict=True
    )


def test_bfloat16_patterns_round_trip():
    patterns = (sparse((40, 50), density=0.2, num_centroids=9).view(np.uint32) >> 16).astype("u2")
    blob = codec.encode(patterns, dtype="bfloat16")
    assert codec.inspect(blob).dtype == "bfloat16"
    np.testing.assert_array_equal(codec.decode(blob), patterns)


def test_int4_values_round_trip():
    values = sparse((40, 51), density=0.4, num_centroids=9, dtype=np.int8) % 16 - 8
    values = np.where(values == -8, 0, values).astype(np.int8)
    for blob in (
        codec.encode(values, dtype="int4"),
        codec.recode(codec.encode(values, dtype="int4")),
    ):
        assert codec.inspect(blob).dtype == "int4"
        np.testing.assert_array_equal(codec.decode(blob), values, strict=True)
        np.testing.assert_array_equal(reference_decoder.decode(blob), bits_of(values))
    with pytest.raises(errors.CodecError):
        codec.encode(np.array([8], np.int8), dtype="int4")


def test_large_tensors_have_eight_streams_of_a_kind():
    blob = codec.encode(EIGHT_STREAMS)
    assert codec.inspect(blob).num_streams == 8
    np.testing.assert_array_equal(codec.decode(blob), EIGHT_STREAMS)
    np.testing.assert_array_equal(reference_decoder.decode(blob), bits_of(EIGHT_STREAMS))


@pytest.mark.parametrize("isa", ["portable", "avx2"])
def test_all_instruction_sets_code_alike(isa):
    printed = subprocess.run(
        [sys.executable, "-m", "support.decoded_digests"],
        env={**os.environ, "KERAS_DC_ISA": isa},
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(printed) == decoded_digests.decoded_digests()


@pytest.mark.parametrize("size", [0, 1, 15, 40, *range(60, 100), 127, 128, 129, 1000])
def test_the_checksum_is_zlibs(size):
    blob = codec.encode(np.random.default_rng(size).integers(-128, 128, size, np.int8))
    assert int.from_bytes(blob[-4:], "little") == zlib.crc32(blob[:-4])


def test_threads_encode_and_decode_at_once():
    tensors = [sparse((100, 200), density=0.2, num_centroids=9, seed=seed) for seed in range(16)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        blobs = list(pool.map(codec.encode, tensors))
        decoded = list(pool.map(codec.decode, blobs))
    for tensor, result in zip(tensors, decoded):
        np.testing.assert_array_equal(result, tensor)


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 2), np.float64), np.zeros((2, 2), np.int32), np.zeros((1,) * 9, np.float32)],
    ids=["float64", "int32", "9_dimensions"],
)
def test_encode_refuses_what_it_cannot_code(values):
    with pytest.raises(errors.CodecError, match="Received: dtype="):
        codec.encode(values)


@pytest.mark.parametrize("shape", [(0, 3), (5,), (70, 90)])
def test_a_blob_can_be_left_where_the_library_wrote_it(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    view = codec.encode(values, copy=False)
    assert isinstance(view, memoryview)
    assert view.readonly
    assert view == codec.encode(values)
    # Its memory is free only when nothing looks at it.
    part = view[4:]
    del view
    gc.collect()
    assert part == codec.encode(values)[4:]
    np.testing.assert_array_equal(codec.decode(codec.encode(values, copy=False)), values)


def test_values_with_a_zero_here_and_there_come_back():
    """Of so many values gaps are not tried, and classes neither."""
    values = np.random.default_rng(0).normal(size=(2900, 2900)).astype(np.float32)
    values[:, 7] = values[11] = 0.0
    blob = codec.encode(values)
    assert codec.inspect(blob).gap_bits == 0
    np.testing.assert_array_equal(codec.decode(blob), values)


def test_the_library_path_exists():
    assert pathlib.Path(library.op_library_path()).is_absolute()
    assert pathlib.Path(library.op_library_path()).is_file()


@pytest.mark.parametrize("zero_point", [-128, -1, 5, 127])
def test_weights_at_the_zero_point_are_not_kept(zero_point):
    rng = np.random.default_rng(0)
    values = rng.integers(-128, 128, (60, 40)).astype(np.int8)
    values[rng.random(values.shape) < 0.8] = zero_point
    blob = codec.encode(values, zero_point=zero_point)
    assert len(blob) < 0.8 * len(codec.encode(values))
    assert codec.inspect(blob).num_kept == np.count_nonzero(values != zero_point)
    for coded in (blob, codec.recode(blob)):
        assert codec.inspect(coded).zero_point == zero_point
        np.testing.assert_array_equal(codec.decode(coded), values)


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", 128), ("int8", -129), ("float32", 1)])
def test_a_zero_point_is_an_int8(dtype, zero_point):
    with pytest.raises(errors.CodecError, match="argument"):
        codec.encode(np.ones(9, dtype), zero_point=zero_point)

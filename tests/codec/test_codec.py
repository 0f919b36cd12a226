import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import zlib

import numpy as np
import pytest
from support import reference_decoder

from keras_dc import codec, errors
from keras_dc.codec import library

GOLDEN = pathlib.Path(__file__).parents[1].joinpath("golden")
GOLDEN_ERRORS = pathlib.Path(__file__).parents[1].joinpath("golden_errors")
GOLDEN_DIGESTS = json.loads((GOLDEN / "digests.json").read_text())

# The example of FORMAT.md, section 10, worked out by hand.
EXAMPLE_BLOB = bytes.fromhex(
    "4B444301 20 03 02 02 08 04 02 01 0038 0034 21 4200 01 02 F602 8E352A89".replace(" ", "")
)
EXAMPLE = np.array(
    [[0, 0.5, 0, 0, 0.25, 0, 0, 0], [0, 0, 0, 0, 0.5, 0.5, 0, 0]],
    np.float32,
)


def sparse(shape, *, density, num_centroids, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=num_centroids) * 40
    values = codebook[rng.integers(0, num_centroids, size=shape)]
    return np.where(rng.random(shape) < density, values, 0).astype(dtype)


def bits_of(array):
    return array.reshape(-1).view(f"u{array.itemsize}").reshape(array.shape)


def digest(array):
    """Shape and bits of a tensor, in short."""
    return f"{list(array.shape)} {hashlib.sha256(array.tobytes()).hexdigest()}"


ODD_TENSORS = {
    "all_zero": np.zeros((5, 7), np.float32),
    "one_value_everywhere": np.full((5, 7), 2.5, np.float32),
    "one_kept": np.eye(1, 900, 700, dtype=np.float32),
    "only_the_last_kept": np.eye(1, 900, 899, dtype=np.float32),
    "one_weight": np.array([[3.0]], np.float32),
    "one_zero_weight": np.array([[0.0]], np.float32),
    "scalar": np.array(1.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "no_columns": np.zeros((3, 0), np.float32),
    "one_row": sparse((1, 3000), density=0.1, num_centroids=9),
    "one_column": sparse((3000, 1), density=0.1, num_centroids=9),
    "vector": sparse((3000,), density=0.1, num_centroids=9),
    "two_centroids": sparse((40, 50), density=0.3, num_centroids=2),
    "256_centroids": sparse((300, 300), density=0.5, num_centroids=256),
    "257_values": np.arange(1, 258, dtype=np.float32).repeat(9).reshape(9, 257),
    "256_values_with_zero": np.arange(256, dtype=np.float32).repeat(90).reshape(90, 256),
    "dense_noise": np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32),
    "negative_zero_and_nans": np.array([-0.0, 0.0, np.nan, -np.nan, np.inf, 0, 0, 0], np.float32),
    "float32_subnormals": np.array([[0, 1e-45, 0, -1e-40, 6e-8, 6e-5]] * 9, np.float32),
    "empty_columns": np.pad(sparse((60, 20), density=0.4, num_centroids=7), ((0, 0), (40, 20))),
    "very_sparse": sparse((300, 784), density=0.002, num_centroids=15),
    "many_streams": sparse((200, 450), density=0.3, num_centroids=31),
    "8_dimensions": sparse((2, 1, 3, 2, 1, 2, 3, 2), density=0.5, num_centroids=5),
    "conv_kernel": sparse((16, 3, 3, 8), density=0.3, num_centroids=200),
    "float16": sparse((50, 60), density=0.1, num_centroids=31, dtype=np.float16),
    "int8": sparse((50, 60), density=0.2, num_centroids=99, dtype=np.int8),
    "int8_all_values": np.arange(256, dtype=np.uint8).view(np.int8).reshape(16, 16),
}


# As many kept weights as are coded in eight streams of a kind.
EIGHT_STREAMS = sparse((330, 400), density=0.52, num_centroids=2)


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


def decoded_digests():
    """Digests of what tensors of many kinds decode to, and of their blobs."""
    tensors = [
        *ODD_TENSORS.values(),
        EIGHT_STREAMS,
        sparse((50, 3000), density=0.4, num_centroids=200),
        sparse((30, 9000), density=0.04, num_centroids=31),
        *(np.arange(1, size, dtype=np.int8) for size in range(120)),
    ]
    digests = []
    for tensor in tensors:
        blob = codec.encode(tensor)
        digests += [zlib.crc32(blob), digest(codec.decode(blob))]
        if codec.inspect(blob).num_centroids:
            entries = codec.decode_entries(blob)
            digests += map(digest, (entries.row_begin, entries.columns, entries.indices))
    return digests


@pytest.mark.parametrize(
    ("num_dense", "num_sparse", "gap"), [(5000, 200, 20000), (20000, 100, 30000), (3000, 300, 5000)]
)
def test_entries_are_right_where_fillers_crowd_at_one_end(num_dense, num_sparse, gap):
    # Columns are written where gap symbols lie: dense weights first catch up with them.
    weights = np.zeros(num_dense + num_sparse * (gap + 1), np.float32)
    weights[:num_dense] = 1
    weights[num_dense + gap :: gap + 1] = 0.5
    for row in (weights, weights[::-1]):
        blob = codec.encode(row[np.newaxis])
        assert codec.inspect(blob).num_fillers > num_sparse
        entries = codec.decode_entries(blob)
        np.testing.assert_array_equal(entries.columns, np.flatnonzero(row))
        assert entries.row_begin.tolist() == [0, num_dense + num_sparse]


@pytest.mark.parametrize("isa", ["portable", "avx2"])
def test_all_instruction_sets_code_alike(isa):
    printed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json; from codec import test_codec; "
            "print(json.dumps(test_codec.decoded_digests()))",
        ],
        env={**os.environ, "KERAS_DC_ISA": isa},
        cwd=pathlib.Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(printed) == decoded_digests()


@pytest.mark.parametrize("size", [0, 1, 15, 40, *range(60, 100), 127, 128, 129, 1000])
def test_the_checksum_is_zlibs(size):
    blob = codec.encode(np.random.default_rng(size).integers(-128, 128, size, np.int8))
    assert int.from_bytes(blob[-4:], "little") == zlib.crc32(blob[:-4])


def test_column_order_is_taken_where_columns_are_empty():
    assert codec.inspect(codec.encode(ODD_TENSORS["empty_columns"])).column_major


def test_decodes_the_hand_made_blob():
    np.testing.assert_array_equal(codec.decode(EXAMPLE_BLOB), EXAMPLE, strict=True)


def test_inspects_the_hand_made_blob():
    assert codec.inspect(EXAMPLE_BLOB) == codec.BlobInfo(
        dtype="float32",
        shape=(2, 8),
        num_kept=4,
        num_fillers=2,
        num_centroids=2,
        gap_bits=2,
        column_major=False,
        num_streams=1,
        header_bytes=17,
        codebook_bytes=4,
        table_bytes=3,
        index_bytes=1,
        gap_bytes=2,
        scale_axis=None,
        wide=False,
        scale_bytes=0,
        coder="huffman",
        value_planes=False,
        line_classes=False,
        scale_planes=False,
    )


@pytest.mark.parametrize("name", ["many_streams", "conv_kernel", "all_zero", "dense_noise"])
def test_the_parts_add_up_to_the_blob(name):
    blob = codec.encode(ODD_TENSORS[name])
    info = codec.inspect(blob)
    parts = ["header", "codebook", "scale", "table", "index", "gap"]
    assert sum(getattr(info, f"{part}_bytes") for part in parts) == len(blob)


def scaled(shape, *, axis, dtype=np.float32, precision=np.float32, seed=4):
    """A tensor as `encode_scaled` takes it: values, codebook, scales."""
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=15).astype(precision)
    scales = rng.uniform(0.5, 2, size=shape[axis]).astype(precision)
    scales *= 1 if dtype == np.float32 else 30
    along = [1] * len(shape)
    along[axis] = -1
    products = codebook[rng.integers(0, 15, shape)].astype(float) * scales.reshape(along)
    if dtype == np.int8:
        products = np.rint(products)
    values = np.where(rng.random(shape) < 0.2, products, 0).astype(dtype)
    return values, {"codebook": codebook, "scales": scales, "axis": axis}


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
@pytest.mark.parametrize(
    ("shape", "axis"), [((64, 300), 0), ((64, 3, 3, 9), 0), ((1, 5, 5, 70), -1), ((40, 80), -1)]
)
def test_scaled_tensors_round_trip(shape, axis, dtype, precision):
    values, parts = scaled(shape, axis=axis, dtype=dtype, precision=precision)
    blob = codec.encode_scaled(values, **parts)
    info = codec.inspect(blob)
    assert (info.scale_axis, info.wide) == (axis, precision == np.float64)
    scale_bytes = shape[axis] * np.dtype(precision).itemsize
    assert info.scale_bytes < scale_bytes if info.scale_planes else info.scale_bytes == scale_bytes
    assert info.num_centroids <= 15
    np.testing.assert_array_equal(codec.decode(blob), values, strict=True)
    np.testing.assert_array_equal(reference_decoder.decode(blob), bits_of(values))


@pytest.mark.parametrize(
    "name", ["many_streams", "empty_columns", "conv_kernel", "vector", "256_values_with_zero"]
)
def test_entries_are_the_kept_weights(name):
    tensor = ODD_TENSORS[name]
    matrix = tensor.reshape(tensor.shape[0] if tensor.ndim > 1 else 1, -1)
    blob = codec.encode(tensor)
    entries = codec.decode_entries(blob)
    again = codec.decode_entries(blob, out=entries)
    rows = np.repeat(np.arange(len(matrix)), np.diff(again.row_begin.astype(int)))
    kept = matrix[rows, again.columns]
    if codec.inspect(blob).gap_bits:
        np.testing.assert_array_equal(kept, matrix[matrix != 0])
    else:
        np.testing.assert_array_equal(kept, matrix.ravel())
    # One value for each centroid.
    pairs = set(zip(entries.indices.tolist(), kept.tolist()))
    assert len(pairs) == len({index for index, _ in pairs}) == codec.inspect(blob).num_centroids


def test_entries_need_a_codebook():
    with pytest.raises(errors.CodecError):
        codec.decode_entries(codec.encode(ODD_TENSORS["dense_noise"]))


@pytest.mark.parametrize("name", ["row_begin", "columns", "indices"])
@pytest.mark.parametrize("change", [lambda a: a[:-1], lambda a: np.append(a, a[:1]), np.int64])
@pytest.mark.parametrize("tensor", ["many_streams", "empty_columns"])
def test_entries_must_fit_what_they_are_written_to(name, change, tensor):
    blob = codec.encode(ODD_TENSORS[tensor])
    entries = codec.decode_entries(blob)
    out = dataclasses.replace(entries, **{name: change(getattr(entries, name))})
    with pytest.raises(errors.CodecError, match="Received: "):
        codec.decode_entries(blob, out=out)


@pytest.mark.parametrize("step", [-1, 1])
def test_entries_must_be_as_many_as_the_blob_has(step):
    blob = codec.encode(ODD_TENSORS["many_streams"])
    entries = codec.decode_entries(blob)
    size = entries.indices.size + step
    out = codec.Entries(entries.row_begin, np.zeros(size, np.uint32), np.zeros(size, np.uint8))
    with pytest.raises(errors.CodecError, match="status 3"):
        codec.decode_entries(blob, out=out)


def test_the_documents_decoder_refuses_a_trailing_filler_too():
    blob = (GOLDEN_ERRORS / "13-trailing_filler.blob").read_bytes()
    with pytest.raises(AssertionError):
        reference_decoder.decode(blob)


def trained_mask(rows=120, side=14, seed=0):
    """A matrix as a trained first layer has it: dead rows, kept weights in the middle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    center = rng.normal(size=(rows, 2)) * 2
    near = np.exp(-((y - center[:, :1, None]) ** 2 + (x - center[:, 1:, None]) ** 2) / 6)
    alive = (rng.random(rows) < 0.6)[:, None, None]
    mask = rng.random(near.shape) < 0.5 * near * alive
    values = rng.choice([-0.5, -0.25, 0.25, 0.5], size=near.shape)
    return np.where(mask, values, 0).astype(np.float32).reshape(rows, -1)


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


def test_every_cut_of_a_recoded_blob_is_refused():
    blob = codec.recode(codec.encode(trained_mask()))
    body = blob[:-4]
    for size in range(20, len(body), 7):
        with pytest.raises(errors.CodecError):
            codec.decode(body[:size] + zlib.crc32(body[:size]).to_bytes(4, "little"))


def test_scales_beat_a_plain_code_where_channels_differ():
    values, parts = scaled((64, 3, 3, 64), axis=0)
    assert len(codec.encode_scaled(values, **parts)) < 0.4 * len(codec.encode(values))


def test_negative_and_odd_scales_round_trip():
    codebook = np.array([0.5, -3.0, 1e-3, 65504.0])
    scales = np.array([-1.0, 1e30, 3e-42, 0.1], np.float32)
    values = (scales[:, None].astype(float) * codebook).astype(np.float32)
    blob = codec.encode_scaled(values, codebook=codebook, scales=scales, axis=0)
    np.testing.assert_array_equal(codec.decode(blob), values)
    np.testing.assert_array_equal(reference_decoder.decode(blob), bits_of(values))


def test_a_weight_that_is_no_product_is_refused():
    values, parts = scaled((8, 30), axis=0)
    values[3, 4] = 0.123
    with pytest.raises(errors.CodecError):
        codec.encode_scaled(values, **parts)


@pytest.mark.parametrize(
    "change",
    [{"axis": 1}, {"scales": np.ones(7)}, {"codebook": np.ones(257)}, {"codebook": np.ones(0)}],
    ids=str,
)
def test_scaled_arguments_must_fit(change):
    values, parts = scaled((8, 30), axis=0)
    with pytest.raises(errors.CodecError, match="expected .*Received: "):
        codec.encode_scaled(values, **(parts | change))


def test_all_zero_and_one_symbol_cost_a_header():
    assert len(codec.encode(np.zeros((1000, 1000), np.float32))) <= 20
    assert len(codec.encode(np.ones((1000, 1000), np.float32))) <= 20


def test_noise_grows_by_a_header_at_most():
    tensor = ODD_TENSORS["dense_noise"]
    assert len(codec.encode(tensor)) <= tensor.nbytes + 16


@pytest.mark.parametrize("num_centroids", [31, 255])
@pytest.mark.parametrize("density", [0.04, 0.09, 0.25])
def test_blob_is_within_two_percent_of_the_shannon_bound(density, num_centroids):
    rng = np.random.default_rng(3)
    codebook = np.sort(rng.normal(size=num_centroids)).astype(np.float32)
    bell = rng.normal(num_centroids / 2, num_centroids / 6, size=(400, 1000))
    indices = np.clip(bell, 0, num_centroids - 1).astype(int)
    mask = rng.random(indices.shape) < density
    blob = codec.encode(np.where(mask, codebook[indices], np.float32(0)))

    def entropy(counts):
        shares = counts[counts > 0] / counts.sum()
        return -(shares * np.log2(shares)).sum()

    used = np.bincount(indices[mask])
    bits = mask.size * entropy(np.bincount(mask.ravel())) + mask.sum() * entropy(used)
    assert len(blob) <= 1.02 * (bits / 8 + 4 * np.count_nonzero(used))


def test_small_layers_have_small_headers():
    for shape, density in [((300, 784), 0.03), ((100, 300), 0.05), ((10, 100), 0.2)]:
        info = codec.inspect(codec.encode(sparse(shape, density=density, num_centroids=31)))
        assert info.header_bytes + info.table_bytes < 64


@pytest.mark.parametrize("name", GOLDEN_DIGESTS)
def test_golden_blobs_decode_for_ever(name):
    blob = (GOLDEN / f"{name}.blob").read_bytes()
    assert digest(codec.decode(blob)) == GOLDEN_DIGESTS[name]
    assert digest(reference_decoder.decode(blob)) == GOLDEN_DIGESTS[name]


@pytest.mark.parametrize("path", sorted(GOLDEN_ERRORS.glob("*.blob")), ids=lambda path: path.stem)
def test_golden_errors_are_refused_for_ever(path):
    status = int(path.stem.split("-")[0])
    with pytest.raises(errors.CodecError, match=rf"Received: status {status}$"):
        codec.decode(path.read_bytes())


def test_there_is_a_golden_error_for_each_refusal():
    refusals = {int(path.stem.split("-")[0]) for path in GOLDEN_ERRORS.glob("*.blob")}
    assert refusals == set(range(4, 14))


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


def outcome_of_mutant(blob, mutant):
    """What becomes of a blob with other bytes between its version and a checksum that is right."""
    body = blob[:4] + mutant.tobytes()
    whole = body + zlib.crc32(body).to_bytes(4, "little")
    try:
        if np.prod(codec.inspect(whole).shape, dtype=float) > 1e7:
            return "too large"
        codec.decode(whole)
    except errors.CodecError:
        return "refused"
    return "decoded"


def test_mutations_behind_a_right_checksum_do_no_harm():
    rng = np.random.default_rng(5)
    outcomes = set()
    blobs = [
        codec.encode(ODD_TENSORS[name])
        for name in ["empty_columns", "conv_kernel", "one_row", "very_sparse", "two_centroids"]
    ]
    for blob in [*blobs, codec.recode(codec.encode(trained_mask()))]:
        for _ in range(400):
            mutant = np.frombuffer(blob[4:-4], np.uint8).copy()
            for _ in range(rng.integers(1, 4)):
                # Half of the changes hit the header and the tables.
                end = mutant.size if rng.random() < 0.5 else 40
                mutant[rng.integers(0, end)] = rng.integers(0, 256)
            outcomes.add(outcome_of_mutant(blob, mutant))
    assert outcomes - {"too large"} == {"decoded", "refused"}


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


def test_the_library_path_exists():
    assert pathlib.Path(library.op_library_path()).is_absolute()
    assert pathlib.Path(library.op_library_path()).is_file()

"""Write the golden files of format version 1.

    python tests/make_golden.py

Run once for a version. Later versions of the library must decode what stands in
golden/ and refuse what stands in golden_errors/; a new version adds files.
"""

import json
import pathlib
import zlib

import numpy as np
import test_codec

from keras_dc import codec

GOLDEN = [
    "all_zero", "one_value_everywhere", "only_the_last_kept", "scalar", "empty", "one_row",
    "vector", "256_centroids", "dense_noise", "negative_zero_and_nans", "empty_columns",
    "very_sparse", "many_streams", "conv_kernel", "float16", "int8",
]  # fmt: skip


def sealed(body):
    """`body` with its checksum."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def changed(body, position, value):
    return body[:position] + bytes([value]) + body[position + 1 :]


def bad_blobs():
    """For each refusal, blobs that are right but for one thing; keys begin with the status."""
    body = test_codec.EXAMPLE_BLOB[:-4]
    shape_end, index_table, gap_table, streams = 9, 16, 17, 20
    arithmetic = codec.recode(codec.encode(test_codec.trained_mask(20, 8)))[:-4]
    int4 = codec.encode(np.array([1, -8, 7], np.int8), dtype="int4")[:-4]
    raw = codec.encode(np.arange(1, 9, dtype=np.float32) / 3)[:-4]
    return {
        "4-other_magic": sealed(b"KDX" + body[3:]),
        "5-version_2": sealed(changed(body, 3, 2)),
        "6-checksum": body + b"\0\0\0\0",
        "7-no_version": body[:3],
        "7-no_checksum": body[:6],
        "7-half_a_header": sealed(body[:10]),
        "7-half_a_codebook": sealed(body[:14]),
        "7-no_gap_table": sealed(body[:17]),
        "7-no_streams": sealed(body[:19]),
        "7-stream_longer_than_the_blob": sealed(changed(body, 19, 9)),
        "8-bytes_behind_the_values": sealed(raw + b"\0"),
        "9-unknown_dtype": sealed(changed(body, 4, 0x27)),
        "9-int4_out_of_range": sealed(int4[:-1] + b"\x08"),
        "9-gap_bits_9": sealed(changed(body, 4, 0x90)),
        "9-gaps_with_the_arithmetic_coder": sealed(changed(body, 5, 0x83)),
        "9-streams_with_the_arithmetic_coder": sealed(changed(arithmetic, 5, 0x87)),
        "7-no_mask_stream": sealed(arithmetic[:24]),
        "12-arithmetic_ending": sealed(arithmetic + b"\1"),
        "13-arithmetic_too_few_kept": sealed(changed(arithmetic, 10, arithmetic[10] + 1)),
        "9-wide_without_scales": sealed(changed(body, 5, 0x41)),
        "9-wide_float16": sealed(changed(body, 5, 0x53)),
        "9-scale_axis_3": sealed(changed(body, 5, 0x31)),
        "9-scales_without_codebook": sealed(changed(body, 5, 0x10)),
        "9-scales_of_float16": sealed(changed(changed(body, 4, 0x21), 5, 0x11)),
        "9-scales_of_a_vector": sealed(body[:5] + b"\x13\x01\x10" + body[9:]),
        "7-half_the_scales": sealed(changed(body, 5, 0x13)[:18]),
        "9-float16_storage_of_int8": sealed(changed(body, 4, 0x23)),
        "9-rank_9": sealed(changed(body, 6, 9)),
        "9-overlong_varint": sealed(body[:8] + b"\x88\x00" + body[9:]),
        "9-more_kept_than_weights": sealed(changed(body, shape_end, 17)),
        "9-more_fillers_than_zeros": sealed(changed(body, shape_end + 1, 13)),
        "10-too_many_weights": sealed(body[:7] + b"\xff\xff\xff\xff\x07\x02" + body[9:]),
        "11-length_0": sealed(changed(body, index_table, 0x20)),
        "11-length_14": sealed(changed(body, index_table, 0x2E)),
        "11-incomplete_code": sealed(changed(body, index_table, 0x22)),
        "11-run_over_the_alphabet": sealed(changed(body, index_table, 0x61)),
        "11-bits_behind_the_table": sealed(changed(body, gap_table + 1, 0x80)),
        "12-stream_too_short": sealed(body[:-1]),
        "12-stream_too_long": sealed(body + b"\0"),
        "12-bits_behind_the_symbols": sealed(changed(body, streams, 0x12)),
        "13-too_few_kept": sealed(changed(body, streams + 1, 0xFE)),
        "13-too_many_kept": sealed(changed(body, streams + 1, 0xB6)),
        "13-trailing_filler": sealed(body[:-2] + b"\xb6\x0c"),
        "13-outside": sealed(changed(changed(body, 7, 1), 8, 13)),
    }


def main():
    tests = pathlib.Path(__file__).parent
    tensors = {f"v1-{name}": test_codec.ODD_TENSORS[name] for name in GOLDEN}
    blobs = {name: codec.encode(tensor) for name, tensor in tensors.items()}
    tensors["v1-eight_streams"] = test_codec.EIGHT_STREAMS
    blobs["v1-eight_streams"] = codec.encode(test_codec.EIGHT_STREAMS)
    for name, options in [
        ("scaled_rows", {"axis": 0}),
        ("scaled_last_axis", {"axis": -1}),
        ("scaled_int8", {"axis": 0, "dtype": np.int8}),
        ("scaled_wide", {"axis": 0, "precision": np.float64}),
    ]:
        tensor, parts = test_codec.scaled((12, 5, 5, 10), **options)
        tensors[f"v1-{name}"] = tensor
        blobs[f"v1-{name}"] = codec.encode_scaled(tensor, **parts)
    for name in ["empty_columns", "negative_zero_and_nans", "one_kept"]:
        tensors[f"v1-arithmetic_{name}"] = test_codec.ODD_TENSORS[name]
        blobs[f"v1-arithmetic_{name}"] = codec.recode(codec.encode(test_codec.ODD_TENSORS[name]))
    tensors["v1-arithmetic_trained"] = test_codec.trained_mask()
    blobs["v1-arithmetic_trained"] = codec.recode(codec.encode(test_codec.trained_mask()))
    tensors["v1-int4"] = test_codec.ODD_TENSORS["int8"] % 16 - 8
    blobs["v1-int4"] = codec.encode(tensors["v1-int4"], dtype="int4")
    tensors["v1-by_hand"], blobs["v1-by_hand"] = test_codec.EXAMPLE, test_codec.EXAMPLE_BLOB
    for name, blob in blobs.items():
        (tests / "golden" / f"{name}.blob").write_bytes(blob)
    digests = {name: test_codec.digest(tensor) for name, tensor in tensors.items()}
    (tests / "golden" / "digests.json").write_text(json.dumps(digests, indent=1) + "\n")
    for name, blob in bad_blobs().items():
        (tests / "golden_errors" / f"{name}.blob").write_bytes(blob)


if __name__ == "__main__":
    main()

"""Write the golden files of format version 1 that are not there yet.

    cd tests && python -m golden.make_golden

See README.md beside this file.
"""

import json

import numpy as np
from support.blobs import (
    ARITHMETIC_EXAMPLES,
    EXAMPLE,
    EXAMPLE_BLOB,
    GOLDEN,
    GOLDEN_ERRORS,
    PLANES_EXAMPLE,
    PLANES_EXAMPLE_BLOB,
    changed,
    sealed,
)
from support.tensors import (
    ARITHMETIC_TENSORS,
    EIGHT_STREAMS,
    ODD_TENSORS,
    PLANE_TENSORS,
    SCALED_ROWS,
    VALUE_DTYPES,
    VALUE_TENSORS,
    ZERO_POINT_TENSOR,
    digest,
    scaled,
    scaled_trained,
    smooth,
)

from keras_dc import codec

DIGESTS = GOLDEN / "digests.json"
# Of the odd tensors, those that are golden.
TENSOR_NAMES = [
    "all_zero", "one_value_everywhere", "only_the_last_kept", "scalar", "empty", "one_row",
    "vector", "256_centroids", "dense_noise", "negative_zero_and_nans", "empty_columns",
    "very_sparse", "many_streams", "conv_kernel", "float16", "int8",
]  # fmt: skip
SCALED_KINDS = {
    "rows": {"axis": 0},
    "last_axis": {"axis": -1},
    "int8": {"axis": 0, "dtype": np.int8},
    "wide": {"axis": 0, "precision": np.float64},
}


def good_blobs():
    """By name, blobs of every kind and the tensors that they decode to."""
    found = {name: (ODD_TENSORS[name], codec.encode(ODD_TENSORS[name])) for name in TENSOR_NAMES}
    found["eight_streams"] = EIGHT_STREAMS, codec.encode(EIGHT_STREAMS)
    for name, options in SCALED_KINDS.items():
        tensor, parts = scaled((12, 5, 5, 10), **options)
        found[f"scaled_{name}"] = tensor, codec.encode_scaled(tensor, **parts)
    int4 = ODD_TENSORS["int8"] % 16 - 8
    found["int4"] = int4, codec.encode(int4, dtype="int4")
    found["zero_point"] = ZERO_POINT_TENSOR, codec.encode(ZERO_POINT_TENSOR, zero_point=-3)
    found["by_hand"] = EXAMPLE, EXAMPLE_BLOB
    for name, tensor in PLANE_TENSORS.items():
        found[f"planes_{name}"] = tensor, codec.encode(tensor)
    found["planes_of_scales"] = SCALED_ROWS["values"], codec.encode_scaled(**SCALED_ROWS)
    found["planes_by_hand"] = PLANES_EXAMPLE, PLANES_EXAMPLE_BLOB
    return found | {f"arithmetic_{name}": pair for name, pair in arithmetic_blobs().items()}


def arithmetic_blobs():
    """By name, blobs of the arithmetic coder and their tensors."""
    coded = {}
    for name, tensor in ARITHMETIC_TENSORS.items():
        coded[f"mask_{name}"] = tensor, codec.encode(tensor), True
        coded[f"gaps_{name}"] = tensor, codec.encode(tensor), False
    for name, tensor in VALUE_TENSORS.items():
        coded[name] = tensor, codec.encode(tensor, dtype=VALUE_DTYPES.get(name)), True
    for name in ("sparse_float32", "bfloat16"):
        coded[f"gaps_{name}"] = *coded[name][:2], False
    for name, options in SCALED_KINDS.items():
        tensor, parts = scaled_trained(**options)
        coded[f"scaled_{name}"] = tensor, codec.encode_scaled(tensor, **parts), True
    from_zero = codec.encode(ZERO_POINT_TENSOR, zero_point=-3)
    coded["zero_point"] = ZERO_POINT_TENSOR, from_zero, True
    coded["scales_by_planes"] = SCALED_ROWS["values"], codec.encode_scaled(**SCALED_ROWS), True
    found = dict(ARITHMETIC_EXAMPLES)
    for name, (tensor, blob, mask_model) in coded.items():
        recoded = codec.recode(blob, mask_model=mask_model)
        if recoded != blob:  # where the other positions save anything
            found[name] = tensor, recoded
    return found


def bad_blobs():
    """For each refusal, blobs that are right but for one thing; keys begin with the status."""
    body = EXAMPLE_BLOB[:-4]
    shape_end, index_table, gap_table, streams = 9, 16, 17, 20
    int4 = codec.encode(np.array([1, -8, 7], np.int8), dtype="int4")[:-4]
    zero_point = codec.encode(ZERO_POINT_TENSOR, zero_point=-3)[:-4]
    raw = codec.encode(np.arange(1, 9, dtype=np.float32) / 3)[:-4]
    return (
        _bad_planes()
        | _bad_arithmetic()
        | {
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
            "7-no_zero_point": sealed(zero_point[:9]),
            "9-zero_point_0": sealed(changed(zero_point, 9, 0)),
            "9-unknown_dtype": sealed(changed(body, 4, 0x27)),
            "9-int4_out_of_range": sealed(int4[:-1] + b"\x08"),
            "9-gap_bits_9": sealed(changed(body, 4, 0x90)),
            "9-gaps_with_the_arithmetic_coder": sealed(changed(body, 5, 0x83)),
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
    )


def _bad_planes():
    planes = PLANES_EXAMPLE_BLOB[:-4]
    rank, coded, table, stream = 6, 8, 9, 30
    classes = codec.encode(PLANE_TENSORS["dead_rows"])[:-4]
    classes_begin = 7 + 2
    return {
        "7-no_planes": sealed(planes[:coded]),
        "7-half_a_plane_table": sealed(planes[: table + 9]),
        "7-no_plane_streams": sealed(planes[:stream]),
        "7-half_a_plane": sealed(planes[:-2]),
        "7-half_the_line_classes": sealed(classes[: classes_begin + 2]),
        "8-bytes_behind_the_planes": sealed(planes + b"\0"),
        "9-planes_of_int4": sealed(changed(planes, 4, 4)),
        "9-planes_of_nothing": sealed(changed(planes[: coded + 1], 7, 0)),
        "9-no_plane_is_coded": sealed(changed(planes, coded, 0)),
        "9-more_planes_than_bytes": sealed(changed(planes, coded, 5)),
        "9-scale_planes_without_scales": sealed(changed(planes, rank, 0x31)),
        "9-highest_bit_of_the_rank": sealed(changed(planes, rank, 0x91)),
        "9-overlong_plane_size": sealed(planes[:stream] + b"\x81\x00" + planes[stream + 1 :]),
        "9-line_classes_of_a_vector": sealed(changed(planes, rank, 0x51)),
        "9-line_classes_without_planes": sealed(changed(classes, rank, 0x42)),
        "9-line_classes_of_a_codebook": sealed(changed(classes, 5, classes[5] | 1)),
        "9-line_classes_with_gaps": sealed(changed(classes, 4, classes[4] | 0x20)),
        "9-all_lines_of_one_class": sealed(
            classes[:classes_begin] + bytes(5) + classes[classes_begin + 5 :]
        ),
        "9-bits_behind_the_line_classes": sealed(
            changed(classes, classes_begin + 4, classes[classes_begin + 4] | 0x80)
        ),
        "11-incomplete_plane_code": sealed(changed(planes, table, planes[table] ^ 1)),
        "12-plane_stream_too_long": sealed(
            changed(planes[: stream + 2] + b"\0" + planes[stream + 2 :], stream, 2)
        ),
        "12-bits_behind_a_plane": sealed(changed(planes, stream + 1, 0x96)),
    }


def _bad_arithmetic():
    gaps, mask, scalar, empty = (
        ARITHMETIC_EXAMPLES[name][1][:-4]
        for name in ("two_streams_of_gaps", "two_streams_of_a_mask", "scalar", "empty")
    )
    rank, kept, model, period, order, shares, sizes = 6, 9, 10, 11, 13, 16, 17
    blob = codec.recode(codec.encode(smooth((20, 30), num_values=3)))
    three = blob[:-4]
    without_stream = three[: -codec.inspect(blob).index_bytes]
    # A vector of 2, all kept, of 1.0 and 2.0 as float16: 11 bits tell how far 2.0 is from 1.0.
    # Its stream has no bytes.
    ascending = bytes.fromhex("4B444301 00 83 01 02 02 00 00 01 0A 00BC FF07".replace(" ", ""))
    numbers = 12
    return {
        "7-arithmetic_no_model": sealed(gaps[:model]),
        "7-arithmetic_no_period": sealed(gaps[:period]),
        "7-arithmetic_half_a_centroid": sealed(gaps[: order + 2]),
        "7-arithmetic_half_a_codebook": sealed(ascending[: numbers + 3]),
        "7-arithmetic_half_a_value": sealed(scalar[:-1]),
        "7-arithmetic_no_kept_of_a_stream": sealed(gaps[:shares]),
        "7-arithmetic_no_stream_size": sealed(gaps[:sizes]),
        "7-arithmetic_stream_longer_than_the_blob": sealed(changed(gaps, sizes, 9)),
        "9-arithmetic_bit_1_of_the_model": sealed(changed(gaps, model, 0x02)),
        "9-arithmetic_bit_3_of_the_model": sealed(changed(gaps, model, 0x08)),
        "9-arithmetic_planes_of_a_codebook": sealed(changed(gaps, model, 0x10)),
        "9-arithmetic_third_plane_of_float16": sealed(
            bytes.fromhex("4B44430101800001" + "4000" + "3E00")
        ),
        "9-arithmetic_int8_without_codebook": sealed(
            bytes.fromhex("4B4443010380010101" + "0000" + "05")
        ),
        "9-arithmetic_int4_out_of_range": sealed(
            bytes.fromhex("4B4443010481010101" + "000000" + "0088")
        ),
        "9-arithmetic_value_planes": sealed(changed(gaps, rank, 0x12)),
        "9-arithmetic_line_classes": sealed(changed(gaps, rank, 0x42)),
        "9-arithmetic_period_of_a_line": sealed(changed(gaps, period, 4)),
        "9-arithmetic_overlong_period": sealed(gaps[:period] + b"\x80" + gaps[period:]),
        "9-arithmetic_more_kept_than_weights": sealed(changed(gaps, kept, 9)),
        "9-arithmetic_more_kept_of_a_stream_than_weights": sealed(changed(gaps, shares, 5)),
        "9-arithmetic_more_kept_of_a_stream_than_left": sealed(changed(gaps, kept, 3)),
        "9-arithmetic_more_kept_of_the_last_stream_than_weights": sealed(changed(gaps, shares, 2)),
        "9-arithmetic_order_of_all_bits": sealed(changed(ascending, numbers, 16)),
        "9-arithmetic_numbers_over_all_bits": sealed(
            ascending[: numbers + 1] + b"\xff\xff" + ascending[numbers + 3 :]
        ),
        "9-arithmetic_bits_behind_the_numbers": sealed(changed(ascending, numbers + 4, 0x0F)),
        "9-arithmetic_step_of_too_many_bits": sealed(ascending[: numbers + 3] + bytes(20) + b"\1"),
        "12-arithmetic_index_of_all_centroids": sealed(without_stream),
        "12-arithmetic_gap_outside": sealed(gaps[:sizes] + b"\0" + gaps[sizes + 2 :]),
        "12-arithmetic_zero_behind_the_ending": sealed(gaps + b"\0"),
        "12-arithmetic_longer_ending": sealed(gaps + b"\1"),
        "12-arithmetic_longer_ending_of_the_first_stream": sealed(
            gaps[:sizes] + b"\2" + gaps[sizes + 1 : -1] + b"\1" + gaps[-1:]
        ),
        "12-arithmetic_longer_ending_of_a_mask": sealed(mask + b"\1"),
        "12-arithmetic_bytes_behind_the_ending": sealed(gaps + bytes(20) + b"\1"),
        "12-arithmetic_other_ending": sealed(changed(gaps, len(gaps) - 1, gaps[-1] + 1)),
        "12-arithmetic_stream_of_no_lines": sealed(empty + b"\1"),
        "12-arithmetic_stream_of_values_not_coded": sealed(scalar + b"\1"),
        "13-arithmetic_nothing_is_live": sealed(mask[:sizes] + b"\1\xff" + mask[sizes + 1 :]),
    }


def main():
    digests = json.loads(DIGESTS.read_text())
    for name, (tensor, blob) in good_blobs().items():
        if f"v1-{name}" not in digests:
            (GOLDEN / f"v1-{name}.blob").write_bytes(blob)
            digests[f"v1-{name}"] = digest(tensor)
    DIGESTS.write_text(json.dumps(digests, indent=1) + "\n")
    for name, blob in bad_blobs().items():
        path = GOLDEN_ERRORS / f"{name}.blob"
        if not path.exists():
            path.write_bytes(blob)


if __name__ == "__main__":
    main()

"""Golden blobs decode for ever, golden errors are refused for ever."""

import json
import re

import numpy as np
import pytest
from support import reference_decoder
from support.blobs import EXAMPLE, EXAMPLE_BLOB, GOLDEN, GOLDEN_ERRORS, TESTS
from support.tensors import digest

from keras_dc import codec, errors

FORMAT = TESTS.parent / "tflite_ops"
STATUSES = dict(
    re.findall(r"(KDC_\w+) = (\d+),", (FORMAT / "include/keras_dc/codec.h").read_text())
)
# The status of each blob that is refused, from the table of the folder's README.
STATUS_NAMES = dict(
    re.findall(
        r"^\| `(.+?)` \| .+ \| `(KDC_\w+)` \|$", (GOLDEN_ERRORS / "README.md").read_text(), re.M
    )
)
GOLDEN_DIGESTS = json.loads((GOLDEN / "digests.json").read_text())


def test_decodes_the_hand_made_blob():
    np.testing.assert_array_equal(codec.decode(EXAMPLE_BLOB), EXAMPLE, strict=True)


def test_decode_with_info_is_inspect_and_decode():
    info, values = codec.decode_with_info(EXAMPLE_BLOB)
    assert info == codec.inspect(EXAMPLE_BLOB)
    np.testing.assert_array_equal(values, EXAMPLE, strict=True)


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
        zero_point=0,
    )


@pytest.mark.parametrize("name", GOLDEN_DIGESTS)
def test_golden_blobs_decode_for_ever(name):
    blob = (GOLDEN / f"{name}.blob").read_bytes()
    assert digest(codec.decode(blob)) == GOLDEN_DIGESTS[name]
    assert digest(reference_decoder.decode(blob)) == GOLDEN_DIGESTS[name]


@pytest.mark.parametrize("name", STATUS_NAMES)
def test_golden_errors_are_refused_for_ever(name):
    status = STATUSES[STATUS_NAMES[name]]
    assert name.split("-")[0] == status
    with pytest.raises(errors.CodecError, match=rf"Received: status {status}$"):
        codec.decode((GOLDEN_ERRORS / f"{name}.blob").read_bytes())


def test_the_table_of_golden_errors_names_every_file():
    assert set(STATUS_NAMES) == {path.stem for path in GOLDEN_ERRORS.glob("*.blob")}


def test_there_is_a_golden_error_for_each_refusal():
    """For each status in the table of FORMAT.md, section 8."""
    section = (FORMAT / "FORMAT.md").read_text().partition("## 8.")[2].partition("## 9.")[0]
    assert set(STATUS_NAMES.values()) == set(re.findall(r"KDC_\w+", section))


def test_the_documents_decoder_refuses_a_trailing_filler_too():
    blob = (GOLDEN_ERRORS / "13-trailing_filler.blob").read_bytes()
    with pytest.raises(AssertionError):
        reference_decoder.decode(blob)

"""Several blobs in the bytes of one tensor: FORMAT.md, section 11."""

import numpy as np
import pytest

from keras_dc import errors
from keras_dc.codec import bundles

BLOBS = [b"first", b"", bytes(300)]
BUNDLE = b"KDB\x01" + b"\x05first" + b"\x00" + b"\xac\x02" + bytes(300)


def test_a_bundle_by_hand():
    assert bundles.join(BLOBS) == BUNDLE
    assert [bundles.blob_at(BUNDLE, place) for place in range(3)] == BLOBS
    assert bundles.blob_at(np.frombuffer(BUNDLE, np.uint8), 2) == bytes(300)
    assert bundles.join([]) == b"KDB\x01"


@pytest.mark.parametrize(("data", "expected"), [
    (BUNDLE, True), (b"KDB\x01", True), (b"KDC\x01", False), (b"KDB\x02", False), (b"KDB", False),
])  # fmt: skip
def test_what_is_a_bundle(data, expected):
    assert bundles.is_bundle(data) is expected
    assert bundles.is_bundle(np.frombuffer(data, np.uint8)) is expected


@pytest.mark.parametrize(("bundle", "place", "end"), [
    (BUNDLE, 3, 3),
    (BUNDLE[:-1], 2, 2),
    (BUNDLE[:11], 2, 2),
    (b"KDB\x01", 0, 0),
    (b"KDB\x01\x80\x00", 0, 0),
    (b"KDB\x01\xff\xff\xff\xff\xff", 0, 0),
])  # fmt: skip
def test_a_place_without_a_blob_is_refused(bundle, place, end):
    with pytest.raises(errors.CodecError, match=f"at place {place}.*end at place {end}"):
        bundles.blob_at(bundle, place)

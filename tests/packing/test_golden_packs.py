"""Golden packed files unpack for ever, golden errors are refused for ever."""

import hashlib
import json
import pathlib
import re

import pytest
from support import reference_unpacker
from support.reference_byte_model import DICTIONARY, DICTIONARY_SHA256

from keras_dc import errors
from keras_dc.codec import packs

TESTS = pathlib.Path(__file__).parents[1]
FOLDER = TESTS / "golden_packs"
OPS = TESTS.parent / "tflite_ops"
DIGESTS = json.loads((FOLDER / "digests.json").read_text())
README = (FOLDER / "README.md").read_text()
STATUS_NAMES = dict(re.findall(r"^\| `(.+?)` \| .+ \| `(KDC_\w+)` \|$", README, re.M))
STATUSES = dict(re.findall(r"(KDC_\w+) = (\d+),", (OPS / "include/keras_dc/codec.h").read_text()))


def read(name):
    """A packed file, and its base or None."""
    packed = (FOLDER / f"{name}.kdc").read_bytes()
    is_patch = packed[4:5] in (b"\1", b"\3")
    return packed, (FOLDER / "base.bin").read_bytes() if is_patch else None


@pytest.mark.parametrize("name", DIGESTS)
def test_golden_packs_unpack_for_ever(name):
    packed, base = read(name)
    unpacked = packs.unpack(packed, base=base)
    assert hashlib.sha256(unpacked).hexdigest() == DIGESTS[name]


@pytest.mark.parametrize("name", DIGESTS)
def test_the_document_says_what_the_library_reads(name):
    packed, base = read(name)
    assert hashlib.sha256(reference_unpacker.unpack(packed, base)).hexdigest() == DIGESTS[name]


@pytest.mark.parametrize("name", STATUS_NAMES)
def test_golden_errors_are_refused_for_ever(name):
    status = STATUSES[STATUS_NAMES[name]]
    assert name.split("-")[0] == status
    packed, base = read(f"errors/{name}")
    with pytest.raises(errors.CodecError, match=rf"Received: status {status}$"):
        packs.unpack(packed, base=None if status == "14" else base)


def test_the_table_of_golden_errors_names_every_file():
    assert set(STATUS_NAMES) == {path.stem for path in (FOLDER / "errors").glob("*.kdc")}


def test_there_is_a_golden_error_for_each_refusal():
    """For each status in the table of PACK.md, section 5."""
    section = (OPS / "PACK.md").read_text().partition("## 5.")[2].partition("## 6.")[0]
    assert set(STATUS_NAMES.values()) == set(re.findall(r"KDC_\w+", section))


def test_the_example_of_the_document_is_golden():
    section = (OPS / "PACK.md").read_text().partition("## 6.")[2].partition("```")[2]
    digits = re.findall(r"^((?:[0-9A-F]{2} )*[0-9A-F]{2})(?:  |$)", section, re.M)
    assert bytes.fromhex(" ".join(digits)) == read("v1-by_hand")[0]


def test_the_dictionary_is_that_of_the_document_and_of_the_library():
    content = DICTIONARY.read_bytes()
    assert hashlib.sha256(content).hexdigest() == DICTIONARY_SHA256
    assert DICTIONARY_SHA256 in (OPS / "PACK.md").read_text()
    source = (OPS / "src/bytes/dictionary_bytes.cc").read_text()
    assert bytes(int(number, 16) for number in re.findall(r"0x(\w\w),", source)) == content

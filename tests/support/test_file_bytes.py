import copy
import pickle

import numpy as np
import pytest
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc.support.file_bytes import FileBytes

MADE = FileBytes(b"TFL3" * 1856, "compressed .tflite")


def test_the_repr_is_a_line():
    assert repr(MADE) == str(MADE) == f"{MADE}" == "<compressed .tflite, 7,424 bytes>"
    assert repr([MADE]) == "[<compressed .tflite, 7,424 bytes>]"


def test_it_behaves_as_bytes():
    plain = b"TFL3" * 1856
    assert plain == MADE
    assert hash(plain) == hash(MADE)
    assert {plain: 1}[MADE] == 1
    assert MADE[:4] == b"TFL3"
    assert np.frombuffer(MADE, np.uint8).size == len(plain) == len(MADE)
    for other in (MADE[:], MADE + b"", copy.deepcopy(MADE), pickle.loads(pickle.dumps(MADE))):
        assert type(other) is bytes


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_read_without_the_package(protocol):
    pickled = pickle.dumps(MADE, protocol)
    assert b"keras_dc" not in pickled
    assert pickle.loads(pickled) == MADE


def test_every_call_that_gives_a_file_says_what_it_is():
    content = mlp(sizes=(50, 20, 10)).serialize()
    small, report = dc.compress(content, return_report=True)
    packed, patch = dc.pack(content), dc.pack(small, base=content)
    assert len(report) > 0
    found = [small, dc.compress(content), dc.expand(small), packed, patch, dc.unpack(packed)]
    kinds = ["compressed .tflite"] * 2 + [".tflite", "packed file", "patch", "unpacked file"]
    assert [each.kind for each in found] == kinds
    assert [repr(each) for each in found] == [
        f"<{kind}, {len(each):,} bytes>" for kind, each in zip(kinds, found)
    ]
    assert dc.unpack(packed) == content

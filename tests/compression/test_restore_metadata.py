import json
import zlib

import numpy as np
import pytest
from support.tiny_models import mlp, schema

from keras_dc.compression import restore_metadata
from keras_dc.compression.restore_metadata import DENSIFY, DEQUANTIZE, Note, Step
from keras_dc.tflite.dense_and_sparse import SparseForm

CSR = SparseForm((0, 2, 1), (1,), (4,), ((0, 0, 0), (1, 2, 3), (0, 0, 0)))


def model_with(text):
    """A model whose notes are these bytes."""
    model = mlp().model
    restore_metadata.write_notes(model, {(0, 1): Note(steps=(Step(DENSIFY, 1, 2),))})
    model.buffers[model.metadata[0].buffer].data = np.frombuffer(text, np.uint8)
    return model


def test_notes_come_back():
    model = mlp().model
    model.metadata = [schema.MetadataT(b"mine", 0)]
    given = {
        (0, 3): Note(CSR, None, (Step(DENSIFY, 1, 98),)),
        (1, 2**20): Note(CSR, None, (Step(DENSIFY, 1, 98, (7, 3)),)),
        (1, 5): Note(None, None, (Step(DEQUANTIZE, 3, 0, (7, 3)),)),
        (1, 6): Note(None, None, (Step(DEQUANTIZE, 2, 69),)),
        (1, 7): Note(CSR, None, (Step(DENSIFY, 1, 98, (7, 3)), Step(DEQUANTIZE, 3, 0, (8, 4)))),
        (1, 8): Note(CSR, None, (Step(DENSIFY, 1, 98, (7, 3)), Step(DEQUANTIZE, 3, 69))),
        (2, 0): Note(negative_zeros=(-1, np.arange(37) % 3 == 0)),
    }
    restore_metadata.write_notes(model, given)
    taken = restore_metadata.take_notes(model)
    assert list(taken) == list(given)
    for place in list(given)[:-1]:
        assert taken[place] == given[place]
    axis, channels = taken[2, 0].negative_zeros
    assert axis == -1
    np.testing.assert_array_equal(channels, np.arange(37) % 3 == 0)
    assert [entry.name for entry in model.metadata] == [b"mine"]
    assert restore_metadata.take_notes(model) == {}


def test_nothing_is_written_where_there_is_nothing_to_note():
    model = mlp().model
    restore_metadata.write_notes(model, {})
    assert model.metadata is None


# As they were before DEQUANTIZE had a place in them.
OLD = [0, 1, [1, 2], [[0, 1], [], [], [[0, 0, 0], [1, 3, 3]]], [0, 3, "a0"], [4, 2]]
GOOD = [*OLD, [3, 69, 5, 3]]


def changed(place, value):
    row = json.loads(json.dumps(GOOD))
    target = row
    for index in place[:-1]:
        target = target[index]
    target[place[-1]] = value
    return zlib.compress(json.dumps([row]).encode())


@pytest.mark.parametrize("row", [OLD, GOOD], ids=len)
def test_a_good_row_is_read(row):
    taken = restore_metadata.take_notes(model_with(zlib.compress(json.dumps([row]).encode())))
    steps = Step(DENSIFY, 1, 2, (4, 2)), Step(DEQUANTIZE, 3, 69, (5, 3))
    assert taken[0, 1].steps == steps[: len(row) - 5]
    np.testing.assert_array_equal(taken[0, 1].negative_zeros[1], [True, False, True])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no zlib",
        zlib.compress(b"no json"),
        zlib.compress(b"[1]"),
        zlib.compress(b"[[0, 1]]"),
        zlib.compress(b"[" * 100_000),
        changed([0], "first"),
        changed([1], float("inf")),
        changed([2], [1]),
        changed([3], 7),
        changed([3, 0, 0], None),
        changed([3, 3, 1], [2, 3, 3]),
        changed([3, 3, 1], [1, 3, 4]),
        changed([4, 0], 1),
        changed([4, 1], 2**40),
        changed([4, 1], -5),
        changed([4, 2], "xy"),
        changed([5], [1]),
        changed([2], None),
        changed([5], None),
        changed([6], [3]),
        changed([6], [3, 69, 5]),
        changed([6], [3, 69, 5, 3, 1]),
        changed([6], 3),
    ],
    ids=lambda text: str(zlib.crc32(text)),
)
def test_what_compress_does_not_write_is_refused(text):
    with pytest.raises(ValueError, match="KERAS_DC_NOTES must be as `compress` writes it. Receiv"):
        restore_metadata.take_notes(model_with(text))

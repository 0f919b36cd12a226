"""`decode_entries`: row starts, columns and cluster indices of the kept weights."""

import dataclasses

import numpy as np
import pytest
from support.tensors import ODD_TENSORS

from keras_dc import codec, errors


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

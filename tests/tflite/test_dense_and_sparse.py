"""TFLite's sparse format: a dense tensor and its sparse form are each other's inverse."""

import numpy as np
import pytest
from support.sparse_models import DENSE, csr
from support.tiny_models import sparse

from keras_dc.tflite import dense_and_sparse
from keras_dc.tflite.dense_and_sparse import SparseForm, SparseFormError

FORMS = {
    "csr": ((6, 10), SparseForm((0, 1), (), (), (DENSE, csr()))),
    "rows_of_bytes": (
        (6, 10),
        SparseForm((0, 1), (), (), (csr(1), csr(2, 1))),
    ),
    "columns_first": ((6, 10), SparseForm((1, 0), (), (), (DENSE, csr()))),
    "blocks_1x4": ((6, 12), SparseForm((0, 1, 2), (1,), (4,), (DENSE, csr(), DENSE))),
    "blocks_2x3": (
        (6, 12),
        SparseForm((0, 1, 2, 3), (0, 1), (2, 3), (DENSE, csr(), DENSE, DENSE)),
    ),
    "blocks_turned_round": (
        (6, 12),
        SparseForm((1, 0, 3, 2), (1, 0), (3, 2), (csr(2, 2), csr(), DENSE, DENSE)),
    ),
    "convolution": (
        (5, 3, 3, 8),
        SparseForm((0, 1, 2, 3), (), (), (DENSE, DENSE, DENSE, csr())),
    ),
    "all_dense": ((6, 10), SparseForm((0, 1), (), (), (DENSE, DENSE))),
}


@pytest.mark.parametrize("name", FORMS)
def test_dense_and_sparse_are_each_others_inverse(name):
    shape, form = FORMS[name]
    dense = sparse(shape, density=0.3)
    dense[2] = 0
    sparsity, leaves = dense_and_sparse.to_sparse(form, dense)
    assert leaves.size >= np.count_nonzero(dense)
    found, again = dense_and_sparse.canonical_dense(sparsity, leaves, shape)
    np.testing.assert_array_equal(again, dense)
    assert found == form


def test_a_matrix_worked_out_by_hand():
    shape, form = (2, 6), SparseForm((0, 1, 2), (1,), (2,), (DENSE, csr(), DENSE))
    dense = np.array([[0, 0, 1, 0, 0, 2], [0, 0, 0, 0, 0, 0]], np.float32)
    sparsity, leaves = dense_and_sparse.to_sparse(form, dense)
    np.testing.assert_array_equal(leaves, [1, 0, 0, 2])
    rows, columns, block = sparsity.dimMetadata
    assert (rows.denseSize, block.denseSize) == (2, 2)
    np.testing.assert_array_equal(columns.arraySegments.values, [0, 2, 2])
    np.testing.assert_array_equal(columns.arrayIndices.values, [1, 2])
    assert columns.arrayIndices.values.dtype == np.uint8
    assert dense_and_sparse.size_bytes(sparsity) == 5
    np.testing.assert_array_equal(dense_and_sparse.to_dense(sparsity, leaves, shape), dense)


def broken(change):
    """The message with which a right sparse constant is refused after `change` edited it."""
    dense = sparse((6, 10), density=0.3)
    sparsity, leaves = dense_and_sparse.to_sparse(FORMS["csr"][1], dense)
    leaves = change(sparsity, sparsity.dimMetadata[1], leaves)
    with pytest.raises(SparseFormError) as error:
        dense_and_sparse.canonical_dense(sparsity, leaves, dense.shape)
    return str(error.value)


def test_what_contradicts_itself_is_refused():
    def shorter(_, __, leaves):
        return leaves[:-1]

    def index_outside(_, level, leaves):
        level.arrayIndices.values[0] = 10
        return leaves

    def segments_fall(_, level, leaves):
        level.arraySegments.values[1] = 200
        return leaves

    def no_indices(_, level, leaves):
        level.arrayIndices = None
        return leaves

    def unknown_kind(_, level, leaves):
        level.format = 7
        return leaves

    def twice(sparsity, _, leaves):
        sparsity.traversalOrder = np.array([0, 0], np.int32)
        return leaves

    def too_few_levels(sparsity, _, leaves):
        sparsity.dimMetadata = sparsity.dimMetadata[:1]
        return leaves

    def explicit_zero(_, __, leaves):
        leaves[0] = 0
        return leaves

    assert "and its buffer holds" in broken(shorter)
    assert "outside it" in broken(index_outside)
    assert "do not ascend" in broken(segments_fall)
    assert "lacks its segments" in broken(no_indices)
    assert "neither dense nor compressed" in broken(unknown_kind)
    assert "each dimension once" in broken(twice)
    assert "differ in number" in broken(too_few_levels)
    assert "written again" in broken(explicit_zero)


def test_a_form_that_does_not_fit_is_refused():
    with pytest.raises(SparseFormError, match="do not divide"):
        dense_and_sparse.to_sparse(FORMS["blocks_1x4"][1], np.ones((6, 10), np.float32))
    wide = SparseForm((0, 1), (), (), (DENSE, csr()))
    with pytest.raises(SparseFormError, match="too large for its type"):
        dense_and_sparse.to_sparse(wide, np.ones((2, 300), np.float32))

import numpy as np
import pytest
from tiny_models import conv_net, mlp, sparse

import keras_dc as dc
from keras_dc import codec, report


def test_a_row_for_each_blob():
    rows = dc.inspect(dc.compress(mlp().serialize(), strip_names=False))
    assert [row.name for row in rows] == ["w0", "w1", "w2"]
    assert [row.blob.shape for row in rows] == [(300, 784), (100, 300), (10, 100)]
    for layer, row in enumerate(rows):
        weights = sparse(row.blob.shape, seed=layer)
        assert row.op == "KerasDcFullyConnected"
        assert row.num_weights == weights.size
        assert row.original_bytes == weights.nbytes
        assert row.density == np.count_nonzero(weights) / weights.size
        assert row.blob_bytes == len(codec.encode(weights))
        assert row.index_bits[0] == 4
        assert 3 < row.index_bits[1] <= 4.2
        assert row.gap_bits[1] < row.gap_bits[0] or row.gap_bits[0] == 1


def test_a_stripped_tensor_goes_by_its_ops_output():
    rows = dc.inspect(dc.compress(mlp().serialize()))
    assert [row.name for row in rows] == ["", "", "y2"]


def test_a_kernel_of_two_readers_is_one_row():
    rows = dc.inspect(dc.compress(conv_net().serialize(), strip_names=False))
    assert [(row.name, row.op) for row in rows] == [("kernel", "KerasDcConv2D")]


def test_an_ordinary_model_has_no_rows():
    assert dc.inspect(mlp().serialize()) == []


def test_the_shannon_bound_worked_out_by_hand():
    # A quarter is kept: n H(1/4) = 8 * 0.8113 bits; two values, one bit for each of the
    # two kept; two float32 centroids.
    weights = np.array([0, 0, 0, 1, 0, 2, 0, 0], np.float32)
    assert report.shannon_bytes(weights) == pytest.approx((8 * 0.811278 + 2) / 8 + 8, abs=1e-4)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (np.zeros(9, np.float32), 0),
        (np.ones(9, np.float32), 4),
        (np.zeros((0, 3), np.float32), 0),
        (np.array([-0.0] * 4, np.float32), 4),
    ],
)
def test_the_shannon_bound_of_odd_tensors(weights, expected):
    assert report.shannon_bytes(weights) == expected

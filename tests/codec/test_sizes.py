"""How large a blob is, and what its parts are."""

import numpy as np
import pytest
from support.tensors import ODD_TENSORS, sparse

from keras_dc import codec


@pytest.mark.parametrize("name", ["many_streams", "conv_kernel", "all_zero", "dense_noise"])
def test_the_parts_add_up_to_the_blob(name):
    blob = codec.encode(ODD_TENSORS[name])
    info = codec.inspect(blob)
    parts = ["header", "codebook", "scale", "table", "index", "gap"]
    assert sum(getattr(info, f"{part}_bytes") for part in parts) == len(blob)


def test_column_order_is_taken_where_columns_are_empty():
    assert codec.inspect(codec.encode(ODD_TENSORS["empty_columns"])).column_major


def test_all_zero_and_one_symbol_cost_a_header():
    assert len(codec.encode(np.zeros((1000, 1000), np.float32))) <= 20
    assert len(codec.encode(np.ones((1000, 1000), np.float32))) <= 20


def test_noise_grows_by_a_header_at_most():
    tensor = ODD_TENSORS["dense_noise"]
    assert len(codec.encode(tensor)) <= tensor.nbytes + 16


@pytest.mark.parametrize("num_centroids", [31, 255])
@pytest.mark.parametrize("density", [0.04, 0.09, 0.25])
def test_blob_is_within_two_percent_of_the_shannon_bound(density, num_centroids):
    rng = np.random.default_rng(3)
    codebook = np.sort(rng.normal(size=num_centroids)).astype(np.float32)
    bell = rng.normal(num_centroids / 2, num_centroids / 6, size=(400, 1000))
    indices = np.clip(bell, 0, num_centroids - 1).astype(int)
    mask = rng.random(indices.shape) < density
    blob = codec.encode(np.where(mask, codebook[indices], np.float32(0)))

    def entropy(counts):
        shares = counts[counts > 0] / counts.sum()
        return -(shares * np.log2(shares)).sum()

    used = np.bincount(indices[mask])
    bits = mask.size * entropy(np.bincount(mask.ravel())) + mask.sum() * entropy(used)
    assert len(blob) <= 1.02 * (bits / 8 + 4 * np.count_nonzero(used))


def test_small_layers_have_small_headers():
    for shape, density in [((300, 784), 0.03), ((100, 300), 0.05), ((10, 100), 0.2)]:
        info = codec.inspect(codec.encode(sparse(shape, density=density, num_centroids=31)))
        assert info.header_bytes + info.table_bytes < 64

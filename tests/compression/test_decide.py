"""A constant is coded only where that makes the file smaller, however small the model."""

import numpy as np
import pytest
from support.sparse_models import DENSE, add_sparse_constant, csr
from support.tiny_models import Graph, schema, sparse

import keras_dc as dc
from keras_dc.tflite.dense_and_sparse import SparseForm


def fused(units):
    graph = Graph()
    weights = graph.constant(sparse((units, 16), density=0.3, seed=units), "weights")
    graph.output(graph.fully_connected(graph.input((1, 16)), weights, None))
    return graph


def with_negative_zeros(units):
    graph = Graph()
    signs = np.resize(np.float32([1, -1]), (units, 1))
    weights = sparse((units, 16), density=0.3, seed=units) * signs
    x = graph.input((1, 16))
    graph.output(graph.fully_connected(x, graph.constant(weights, "weights"), None))
    return graph


def decoded(units):
    graph = Graph()
    table = graph.constant(sparse((units, 16), density=0.3, seed=units), "table")
    x = graph.input((6,), dtype=np.int32)
    graph.output(graph.builtin("GATHER", [table, x], (6, 16), options=schema.GatherOptionsT()))
    return graph


def densified(units):
    graph = Graph()
    x = graph.input((1, 16))
    form = SparseForm((0, 1), (), (), (DENSE, csr(2, 3)))
    stored = add_sparse_constant(graph, sparse((units, 16), density=0.3, seed=units), form, "w")
    dense = graph.builtin("DENSIFY", [stored], (units, 16), options=schema.DensifyOptionsT())
    graph.output(graph.fully_connected(x, dense, None))
    return graph


# What is built, and from how many units of 16 weights on its overhead is less than the saving.
SMALLEST = {fused: 2, decoded: 4, with_negative_zeros: 6, densified: 16}


@pytest.mark.parametrize("build", SMALLEST)
def test_coding_takes_less_than_it_saves(build):
    for units in (2, 3, 4, 6, 9, 16, 25):
        original = build(units).serialize()
        compressed, untouched = dc.compress(original), dc.compress(original, min_saving=0.9999)
        assert dc.inspect(untouched) == []
        if units >= SMALLEST[build]:
            assert len(dc.inspect(compressed)) == 1
            assert len(compressed) < len(untouched)
        else:
            assert compressed == untouched

"""Small blobs lie together; each op finds its own, in every runtime."""

import numpy as np
import pytest
from support import runtime_process
from support.inspection import outputs
from support.tiny_models import Graph, schema, sparse

import keras_dc as dc
from keras_dc import errors
from keras_dc.codec import bundles
from keras_dc.compression import bundling, custom_ops, decide
from keras_dc.tflite import diff, model_file
from keras_dc.tflite.graph import Graph as GraphIndex


def few_values(size, seed):
    return np.random.default_rng(seed).choice(np.float32([-1, 0.25, 0.5, 2]), size)


def layers(count=3, units=24, density=0.2):
    """Dense layers of few bytes, each with a bias that is coded."""
    graph = Graph()
    y = graph.input((1, units))
    for i in range(count):
        weights = graph.constant(sparse((units, units), density=density, seed=i), f"w{i}")
        y = graph.fully_connected(y, weights, graph.constant(few_values(units, i), f"b{i}"))
    graph.output(y)
    return graph


def kinds():
    """A convolution, a dense layer and a table that is looked up."""
    graph = Graph()
    x = graph.input((1, 4, 4, 8))
    kernel = graph.constant(sparse((8, 3, 3, 8), density=0.2), "kernel")
    y = graph.conv_2d(x, kernel, graph.constant(few_values(8, 1), "bias"), shape=(1, 4, 4, 8))
    weights = graph.constant(sparse((16, 128), density=0.2, seed=1), "weights")
    graph.output(graph.fully_connected(y, weights, graph.constant(few_values(16, 2), "bias2")))
    ids = graph.input((6,), name="ids", dtype=np.int32)
    table = graph.constant(sparse((40, 16), density=0.3, seed=2), "table")
    graph.output(graph.builtin("GATHER", [table, ids], (6, 16), options=schema.GatherOptionsT()))
    return graph


def places(content):
    """Place of each blob by the op that reads it, in order."""
    graph = GraphIndex(model_file.parse(content))
    return [custom_ops.stored_blob(graph, *blob)[:2] for blob in custom_ops.blobs_of(graph)]


def test_all_small_blobs_are_one_bundle():
    compressed = dc.compress(layers().serialize())
    ((buffer, _), *_) = found = places(compressed)
    assert found == [(buffer, place) for place in range(6)]
    model = model_file.parse(compressed)
    assert bundles.is_bundle(model.buffers[buffer].data)
    assert len(model.buffers) == 2
    rows = dc.inspect(compressed)
    assert [row.shape for row in rows] == [(24, 24), (24,)] * 3
    assert sum(row.blob_bytes + 1 + (row.blob_bytes > 127) for row in rows) + 4 == len(
        model.buffers[buffer].data
    )


@pytest.mark.parametrize("make", [layers, kinds])
def test_a_bundled_model_comes_back_and_computes_the_same(make):
    original = make().serialize()
    compressed = dc.compress(original)
    assert {place for _, place in places(compressed)} > {0, 1}
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    assert dc.compress(compressed) == compressed
    for got, want in zip(outputs(compressed), outputs(original)):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_every_runtime_reads_from_a_bundle(process):
    compressed = dc.compress(layers().serialize())
    x = np.random.default_rng(0).normal(size=(1, 24)).astype(np.float32)
    [[y]] = process(runtime_process.run, compressed, [x])
    [[expected]] = process(runtime_process.run_plain, dc.expand(compressed), [x])
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_a_large_blob_is_alone(monkeypatch):
    monkeypatch.setattr(bundling, "MOST_BLOB_BYTES", 200)
    content = dc.compress(layers(density=0.4).serialize())
    found = places(content)
    assert [place for _, place in found] == [None, 0, None, 1, None, 2]
    assert len({buffer for buffer, _ in found}) == 4
    original = layers(density=0.4).serialize()
    np.testing.assert_allclose(outputs(content), outputs(original), rtol=1e-4)


def test_a_lone_blob_is_no_bundle():
    graph = Graph()
    weights = graph.constant(sparse((24, 24), density=0.2), "w")
    graph.output(graph.fully_connected(graph.input((1, 24)), weights, None))
    assert places(dc.compress(graph.serialize())) == [(1, None)]


def test_a_bundle_is_full_with_256_blobs():
    original = layers(count=130, units=8).serialize()
    compressed = dc.compress(original)
    found = places(compressed)
    assert len(found) == 260
    assert [place for _, place in found] == [*range(256), *range(4)]
    assert len({buffer for buffer, _ in found}) == 2
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    np.testing.assert_allclose(outputs(compressed), outputs(original), rtol=1e-3)


def test_a_bias_joins_where_it_would_not_pay_alone(monkeypatch):
    graph = Graph()
    weights = graph.constant(sparse((10, 40), density=0.2), "w")
    bias = graph.constant(few_values(10, 0), "b")
    graph.output(graph.fully_connected(graph.input((1, 40)), weights, bias))
    original = graph.serialize()
    compressed, report = dc.compress(original, return_report=True)
    assert [row.name for row in report.coded] == ["w", "b"]
    assert len(report.coded[1].content) + 16 >= report.coded[1].original_bytes
    monkeypatch.setattr(decide, "_JOINING_OVERHEAD_BYTES", 16)
    assert len(dc.inspect(dc.compress(original))) == 1
    assert len(compressed) < len(dc.compress(original))


@pytest.mark.parametrize("place", [6, 255])
def test_a_place_without_a_blob_is_refused(place):
    model = model_file.parse(dc.compress(layers().serialize()))
    model.subgraphs[0].operators[1].customOptions = np.array([0, 0, 0, place], np.uint8)
    content = model_file.serialize(model)
    reason = f"a bundle must hold a blob at place {place}.*Received"
    with pytest.raises(errors.CodecError, match=reason):
        dc.inspect(content)
    with pytest.raises(errors.CompressionError, match=reason):
        dc.expand(content)

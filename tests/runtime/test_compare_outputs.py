import math

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import Graph, lookup, mlp, quantized

import keras_dc as dc

X = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


def scaled(factor):
    """`x * factor`, each number of the last axis by its own."""
    graph = Graph()
    factors = graph.constant(np.broadcast_to(factor, 3).astype(np.float32), "factors")
    options = schema.MulOptionsT()
    graph.output(graph.builtin("MUL", [graph.input((-1, 3)), factors], (-1, 3), options=options))
    return graph.serialize()


def test_a_file_equals_itself():
    content = mlp(sizes=(20, 8, 4)).serialize()
    (change,) = dc.compare_outputs(content, content)
    assert change == type(change)("logits", 0.0, 0.0, 1.0, 4)


def test_how_far_outputs_move_is_relative():
    (change,) = dc.compare_outputs(scaled(1.0), scaled([1.0, 1.0, -1.0]), X)
    assert change.name == "y0"
    assert change.num_values == 30
    moved = X[:, 2] * 2
    assert change.relative_error == pytest.approx(np.sqrt(np.sum(moved**2) / np.sum(X**2)))
    assert change.largest_error == pytest.approx(np.abs(moved).max() / np.abs(X).max())
    same = np.argmax(X, axis=1) == np.argmax(X * [1, 1, -1], axis=1)
    assert 0 < same.mean() < 1
    assert change.same_class == pytest.approx(same.mean())


def test_nan_equals_nan_and_nothing_else():
    x = X.copy()
    x[0, 0] = np.nan
    (change,) = dc.compare_outputs(scaled(2.0), scaled(2.0), x)
    assert change.relative_error == change.largest_error == 0
    (change,) = dc.compare_outputs(scaled(0.0), scaled(np.inf), X)
    assert math.isinf(change.relative_error)
    (change,) = dc.compare_outputs(scaled(0.0), scaled(0.0), X)
    assert change.relative_error == 0


def test_compression_without_loss_moves_outputs_by_rounding_alone():
    # Integers by one step from XNNPACK's, of 128.
    for graph, most in ((mlp(sizes=(20, 8, 4)), 1e-5), (quantized(), 1 / 128), (lookup(), 1e-5)):
        content = graph.serialize()
        for change in dc.compare_outputs(content, dc.compress(content)):
            assert change.largest_error <= most


def test_other_models_are_refused():
    with pytest.raises(ValueError, match="the same inputs. Received: .*'images'.*'ids'"):
        dc.compare_outputs(mlp(sizes=(20, 4)).serialize(), lookup().serialize())
    with pytest.raises(ValueError, match=r"'x' must be shaped \(-1, 3\).*\(10, 2\)"):
        dc.compare_outputs(scaled(1.0), scaled(1.0), X[:, :2])

import pytest
from support.tiny_models import lookup, mlp

from keras_dc.tflite.graph import Graph
from keras_dc.tflite.lookup_tables import table_rows


@pytest.mark.parametrize(("axis", "rows"), [(0, 20), (1, 8)])
def test_the_smallest_table_bounds_the_indices(axis, rows):
    assert table_rows(Graph(lookup(axis).model)) == rows


def test_what_is_no_table_bounds_nothing():
    assert table_rows(Graph(mlp().model)) == 2
    graph = lookup()
    graph.subgraph.operators[0].inputs = [0, 1]
    assert table_rows(Graph(graph.model)) == 2

"""The constant tables of a model that are looked up by index."""

import numpy as np

from keras_dc.tflite.graph import TensorRef

_LOOKUPS = {  # name of the op: positions of the table and of the indices
    "GATHER": (0, 1),
    "EMBEDDING_LOOKUP": (1, 0),
}


def table_rows(graph):
    """Number of rows of the smallest constant table that a model looks up by index.

    Args:
        graph: `tflite.graph.Graph`.

    Returns:
        int; 2 if there is no such table: 0 and 1 are in range wherever integers are
        expected.
    """
    rows = []
    for op in graph.ops:
        operator = graph.operator(op)
        places = _LOOKUPS.get(graph.op_name(op))
        if places is None or len(operator.inputs) < 2:
            continue
        table, indices = (TensorRef(op.subgraph, int(operator.inputs[place])) for place in places)
        shape, axis = graph.tensor(table).shape, getattr(operator.builtinOptions, "axis", 0)
        is_table = graph.data(table) is not None and graph.data(indices) is None
        if is_table and np.size(shape) > axis:
            rows.append(int(shape[axis]))
    return min(rows, default=2)

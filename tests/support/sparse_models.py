"""Models with constants in TFLite's sparse format, read through DENSIFY or directly."""

import numpy as np
from support.tiny_models import Graph, schema, sparse

from keras_dc.tflite import dense_and_sparse
from keras_dc.tflite.dense_and_sparse import SparseForm

DENSE = (0, 0, 0)


def csr(segments=3, indices=3):
    """A level in CSR; the numbers of its two index types are the schema's."""
    return (1, segments, indices)


def add_sparse_constant(graph, dense, form, name):
    """Adds a constant that is stored sparse; returns its index."""
    sparsity, leaves = dense_and_sparse.to_sparse(form, dense)
    index = graph.tensor(dense.shape, name, dtype=dense.dtype, buffer=graph.buffer(leaves))
    graph.subgraph.tensors[index].sparsity = sparsity
    return index


def densified(dtype=np.float32, density=0.1):
    """CONV_2D whose kernel comes from DENSIFY, as in MediaPipe's graphs."""
    graph = Graph()
    # A float16 kernel of fewer weights is not fused.
    channels = 64 if dtype == np.float16 else 16
    shape = 32, 3, 3, channels
    x = graph.input((-1, 8, 8, channels))
    form = SparseForm((0, 1, 2, 3), (), (), (DENSE, DENSE, DENSE, csr(2, 3)))
    stored = add_sparse_constant(graph, sparse(shape, dtype=dtype, density=density), form, "stored")
    kernel = graph.tensor(shape, "kernel", dtype=dtype)
    graph.operator(schema.BuiltinOperator.DENSIFY, [stored], [kernel],
                   schema.BuiltinOptions.DensifyOptions, schema.DensifyOptionsT())  # fmt: skip
    if dtype == np.float16:
        wide = graph.tensor(shape, "wide")
        graph.operator(schema.BuiltinOperator.DEQUANTIZE, [kernel], [wide],
                       schema.BuiltinOptions.DequantizeOptions,
                       schema.DequantizeOptionsT(), version=3)  # fmt: skip
        kernel = wide
    bias = graph.constant(np.linspace(-1, 1, 32, dtype=np.float32), "bias")
    graph.output(graph.conv_2d(x, kernel, bias, shape=(-1, 8, 8, 32)))
    return graph


def densified_and_dense():
    """`densified`, too dense for a fused op."""
    return densified(density=0.6)


def densified_twice(second_units=24):
    """Two layers with a DENSIFY each, in the order of TensorFlow's converter."""
    graph = Graph()
    x = graph.input((1, 32))
    form = SparseForm((0, 1), (), (), (DENSE, csr(2, 3)))
    kernels = []
    for number, shape in enumerate([(48, 32), (second_units, 48)]):
        stored = add_sparse_constant(graph, sparse(shape), form, f"stored{number}")
        kernels.append(graph.tensor(shape, f"kernel{number}"))
        graph.operator(schema.BuiltinOperator.DENSIFY, [stored], kernels[-1:])
    for number, kernel in enumerate(kernels):
        x = graph.fully_connected(x, kernel, None, name=f"y{number}")
    graph.output(x)
    return graph


def densified_float16():
    return densified(np.float16)


def densified_float16_and_dense():
    return densified(np.float16, density=0.6)


def densified_float16_table():
    """GATHER from a table that comes from DENSIFY and DEQUANTIZE."""
    graph = Graph()
    x = graph.input((6,), dtype=np.int32)
    form = SparseForm((0, 1), (), (), (DENSE, csr(2, 3)))
    dense = sparse((64, 64), dtype=np.float16, density=0.3)
    table = add_sparse_constant(graph, dense, form, "stored")
    table = graph.builtin("DENSIFY", [table], (64, 64), dtype=np.float16)
    table = graph.builtin("DEQUANTIZE", [table], (64, 64), version=3)
    graph.output(graph.builtin("GATHER", [table, x], (6, 64), options=schema.GatherOptionsT()))
    return graph


def densified_float16_twice():
    """Two layers with a DENSIFY and a DEQUANTIZE each, whose blobs lie in one bundle."""
    graph = Graph()
    x = graph.input((1, 64))
    form = SparseForm((0, 1), (), (), (DENSE, csr(2, 3)))
    for number in range(2):
        dense = sparse((64, 64), dtype=np.float16, density=0.3, seed=number)
        kernel = add_sparse_constant(graph, dense, form, f"stored{number}")
        kernel = graph.builtin("DENSIFY", [kernel], (64, 64), dtype=np.float16)
        kernel = graph.builtin("DEQUANTIZE", [kernel], (64, 64), version=3)
        x = graph.fully_connected(x, kernel, None, name=f"y{number}")
    graph.output(x)
    return graph


def read_directly(density=0.1):
    """FULLY_CONNECTED that reads sparse weights, in blocks of 1x4."""
    graph = Graph()
    x = graph.input((-1, 64))
    shape, form = (
        (48, 64),
        SparseForm((0, 1, 2), (1,), (4,), (DENSE, csr(2, 3), DENSE)),
    )
    weights = add_sparse_constant(graph, sparse(shape, density=density), form, "weights")
    bias = graph.constant(np.linspace(-1, 1, 48, dtype=np.float32), "bias")
    graph.output(graph.fully_connected(x, weights, bias))
    # Runtimes look for sparsity from this version on.
    graph.model.operatorCodes[-1].version = 8
    return graph


def read_directly_by_a_builtin_op():
    return read_directly(density=0.6)

"""Models with float16 constants behind DEQUANTIZE, as TensorFlow's converter writes them."""

import numpy as np
from support.tiny_models import Graph, schema, sparse


def float16_constant(graph, values, name="w"):
    return graph.constant(values.astype(np.float16), name)


def widened(graph, stored, *, version=3):
    """Adds a DEQUANTIZE; returns the float32 tensor that it makes."""
    shape = graph.subgraph.tensors[stored].shape
    options = schema.DequantizeOptionsT()
    return graph.builtin("DEQUANTIZE", [stored], shape, options=options, version=version)


def layers(density=0.1, units=(512, 256), input_size=128):
    """Two FULLY_CONNECTED; weights and biases are float16, and the DEQUANTIZEs come first."""
    graph = Graph()
    x = graph.input((-1, input_size))
    sizes = [input_size, *units]
    wide = []
    for layer, count in enumerate(units):
        weights = sparse((count, sizes[layer]), density=density, seed=layer)
        biases = sparse((count,), density=0.5, num_centroids=3, seed=layer)
        for values in (weights, biases):
            stored = float16_constant(graph, values, f"w{layer}")
            wide.append(widened(graph, stored))
    for layer in range(len(units)):
        x = graph.fully_connected(x, *wide[2 * layer : 2 * layer + 2], name=f"y{layer}")
    graph.output(x)
    return graph


def dense_layers():
    """`layers` that are too dense for a fused op."""
    return layers(density=0.8)


def convolution(filters=128):
    graph = Graph()
    x = graph.input((1, 8, 8, 16))
    kernel = widened(graph, float16_constant(graph, sparse((filters, 3, 3, 16), density=0.2)))
    biases = np.resize([1.5, 0, 0, -0.25], filters)
    bias = widened(graph, float16_constant(graph, biases, "bias"))
    graph.output(graph.conv_2d(x, kernel, bias, activation=1, shape=(1, 8, 8, filters)))
    return graph


def small_convolution():
    """A convolution that XNNPACK computes faster from decoded weights."""
    return convolution(filters=96)


def read_by_two_ops():
    """One DEQUANTIZE whose weights two layers read."""
    graph = Graph()
    x = graph.input((1, 64))
    weights = widened(graph, float16_constant(graph, sparse((64, 64))))
    for name in ("a", "b"):
        x = graph.fully_connected(x, weights, None, name=name)
    graph.output(x)
    return graph


def dequantized_twice():
    """Two DEQUANTIZEs of one tensor, a layer behind each."""
    graph = Graph()
    x = graph.input((1, 64))
    stored = float16_constant(graph, sparse((64, 64)))
    for name in ("a", "b"):
        x = graph.fully_connected(x, widened(graph, stored), None, name=name)
    graph.output(x)
    return graph


def two_tensors_of_one_buffer():
    """Tied weights: two tensors of one buffer, each with a DEQUANTIZE and a layer."""
    graph = Graph()
    x = graph.input((1, 64))
    first = float16_constant(graph, sparse((64, 64)))
    buffer = graph.subgraph.tensors[first].buffer
    second = graph.tensor((64, 64), "w2", dtype=np.float16, buffer=buffer)
    for name, stored in (("a", first), ("b", second)):
        x = graph.fully_connected(x, widened(graph, stored), None, name=name)
    graph.output(x)
    return graph


def two_signatures():
    """Two subgraphs that read the same float16 weights."""
    graph = Graph()
    buffer = None
    for number, name in enumerate((b"encode", b"classify")):
        if number:
            graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], name))
        x = graph.input((1, 64))
        if buffer is None:
            stored = float16_constant(graph, sparse((48, 64), density=0.2))
            buffer = graph.subgraph.tensors[stored].buffer
        else:
            stored = graph.tensor((48, 64), "w", dtype=np.float16, buffer=buffer)
        y = graph.fully_connected(x, widened(graph, stored), None, activation=number)
        graph.output(y)
        entry = schema.SignatureDefT(
            [schema.TensorMapT(b"x", x)], [schema.TensorMapT(b"y", y)], name, number
        )
        graph.model.signatureDefs = [*(graph.model.signatureDefs or ()), entry]
    return graph


def put_out():
    """The widened weights are an output of the graph, too."""
    graph = Graph()
    x = graph.input((1, 64))
    weights = widened(graph, float16_constant(graph, sparse((48, 64))))
    graph.output(graph.fully_connected(x, weights, None))
    graph.output(weights)
    return graph


def read_as_float16_too():
    """A DEQUANTIZE and a CAST read the constant."""
    graph = Graph()
    x = graph.input((48, 64))
    stored = float16_constant(graph, sparse((48, 64)))
    wide = widened(graph, stored)
    cast = graph.builtin("CAST", [stored], (48, 64), options=schema.CastOptionsT())
    y = graph.builtin("ADD", [x, wide], (48, 64), options=schema.AddOptionsT())
    graph.output(graph.builtin("MUL", [y, cast], (48, 64), options=schema.MulOptionsT()))
    return graph


def embedding():
    """GATHER from a float16 table."""
    graph = Graph()
    x = graph.input((6,), dtype=np.int32)
    table = widened(graph, float16_constant(graph, sparse((50, 24), density=0.3)))
    graph.output(graph.builtin("GATHER", [table, x], (6, 24), options=schema.GatherOptionsT()))
    return graph


def small_bias():
    """A bias that does not pay to be coded stays behind its DEQUANTIZE."""
    graph = Graph()
    x = graph.input((1, 64))
    weights = widened(graph, float16_constant(graph, sparse((9, 64), density=0.3)))
    biases = np.random.default_rng(1).normal(size=9)
    bias = widened(graph, float16_constant(graph, biases, "bias"), version=2)
    graph.output(graph.fully_connected(x, weights, bias))
    return graph

"""Every op that reads a constant: compressed, run, compared with the original, restored."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.inspection import outputs
from support.tiny_models import Graph, sparse

import keras_dc as dc
from keras_dc import runtime
from keras_dc.compression import custom_ops
from keras_dc.tflite import diff, model_file

CODE = schema.BuiltinOperator


def quantize(graph, index, scales, axis=0):
    graph.subgraph.tensors[index].quantization = schema.QuantizationParametersT(
        scale=np.array(scales, np.float32),
        zeroPoint=np.zeros(len(scales), np.int64),
        quantizedDimension=axis,
    )


def depthwise():
    graph = Graph()
    x = graph.input((1, 8, 8, 32))
    kernel = graph.constant(sparse((1, 5, 5, 32), density=0.3), "kernel")
    bias = graph.constant(np.linspace(-1, 1, 32, dtype=np.float32), "bias")
    options = schema.DepthwiseConv2DOptionsT(0, 1, 1, 1)
    graph.output(
        graph.builtin("DEPTHWISE_CONV_2D", [x, kernel, bias], (1, 8, 8, 32), options=options)
    )
    return graph


def transposed_convolution():
    graph = Graph()
    x = graph.input((1, 4, 4, 8))
    shape = graph.constant(np.array([1, 8, 8, 16], np.int32), "shape")
    kernel = graph.constant(sparse((16, 3, 3, 8), density=0.2), "kernel")
    options = schema.TransposeConvOptionsT(0, 2, 2)
    graph.output(
        graph.builtin("TRANSPOSE_CONV", [shape, kernel, x], (1, 8, 8, 16), options=options)
    )
    return graph


def convolution_3d():
    graph = Graph()
    x = graph.input((1, 4, 5, 6, 3))
    kernel = graph.constant(sparse((2, 3, 3, 3, 16), density=0.2), "kernel")
    bias = graph.constant(np.linspace(-1, 1, 16, dtype=np.float32), "bias")
    options = schema.Conv3DOptionsT(0, 1, 1, 1, 0, 1, 1, 1)
    graph.output(graph.builtin("CONV_3D", [x, kernel, bias], (1, 4, 5, 6, 16), options=options))
    return graph


def batch_matmul():
    graph = Graph()
    x = graph.input((2, 7, 24))
    matrices = graph.constant(sparse((2, 24, 20), density=0.2), "matrices")
    options = schema.BatchMatMulOptionsT()
    graph.output(graph.builtin("BATCH_MATMUL", [x, matrices], (2, 7, 20), options=options))
    return graph


def embedding():
    graph = Graph()
    x = graph.input((6,), dtype=np.int32)
    table = graph.constant(sparse((50, 24), density=0.2), "table")
    graph.output(graph.builtin("GATHER", [table, x], (6, 24), options=schema.GatherOptionsT()))
    return graph


def prelu():
    graph = Graph()
    x = graph.input((1, 8, 8, 16))
    alpha = graph.constant(sparse((8, 8, 16), density=0.5), "alpha")
    graph.output(graph.builtin("PRELU", [x, alpha], (1, 8, 8, 16)))
    return graph


def int8_convolution():
    """Full integer, a scale for each output channel."""
    graph = Graph()
    x = graph.input((1, 8, 8, 8), dtype=np.int8)
    kernel = graph.constant(sparse((16, 3, 3, 8), density=0.3, dtype=np.int8), "kernel")
    bias = graph.constant(np.arange(16, dtype=np.int32) * 9, "bias")
    options = schema.Conv2DOptionsT(0, 1, 1)
    y = graph.builtin("CONV_2D", [x, kernel, bias], (1, 8, 8, 16), options=options, version=3,
            dtype=np.int8)  # fmt: skip
    scales = np.linspace(0.01, 0.03, 16)
    for index, values in ((x, [0.5]), (kernel, scales), (bias, scales / 2), (y, [0.25])):
        quantize(graph, index, values)
    graph.output(y)
    return graph


def int8_depthwise():
    """The scales run along the last dimension."""
    graph = Graph()
    x = graph.input((1, 8, 8, 32), dtype=np.int8)
    kernel = graph.constant(sparse((1, 5, 5, 32), density=0.3, dtype=np.int8), "kernel")
    bias = graph.constant(np.arange(32, dtype=np.int32) * 9, "bias")
    options = schema.DepthwiseConv2DOptionsT(0, 1, 1, 1)
    y = graph.builtin("DEPTHWISE_CONV_2D", [x, kernel, bias], (1, 8, 8, 32), options=options,
            version=3, dtype=np.int8)  # fmt: skip
    scales = np.linspace(0.01, 0.03, 32)
    for index, values, axis in ((x, [0.5], 0), (kernel, scales, 3), (bias, scales / 2, 0)):
        quantize(graph, index, values, axis)
    quantize(graph, y, [0.25])
    graph.output(y)
    return graph


def dynamic_range():
    """Float inputs, int8 weights."""
    graph = Graph()
    x = graph.input((1, 64))
    weights = graph.constant(sparse((48, 64), density=0.1, dtype=np.int8), "weights")
    quantize(graph, weights, [0.02])
    graph.output(graph.fully_connected(x, weights, None))
    graph.model.operatorCodes[0].version = 3
    return graph


def float16_behind_dequantize():
    graph = Graph()
    x = graph.input((1, 8, 8, 8))
    kernel = graph.constant(sparse((16, 3, 3, 8), density=0.2, dtype=np.float16), "kernel")
    bias = graph.constant(np.linspace(-1, 1, 16, dtype=np.float32), "bias")
    wide = graph.builtin("DEQUANTIZE", [kernel], (16, 3, 3, 8), version=3,
               options=schema.DequantizeOptionsT())  # fmt: skip
    graph.output(graph.conv_2d(x, wide, bias, shape=(1, 8, 8, 16)))
    return graph


def loop():
    """WHILE i < 3, x = relu(x A) B: its body has the constants."""
    graph = Graph()
    i, x = graph.input((), dtype=np.int32), graph.input((1, 64))
    i_end, x_end = graph.tensor((), "i_end", dtype=np.int32), graph.tensor((1, 64), "x_end")
    graph.operator(CODE.WHILE, [i, x], [i_end, x_end], schema.BuiltinOptions.WhileOptions,
                   schema.WhileOptionsT(1, 2))  # fmt: skip
    graph.output(i_end)
    graph.output(x_end)

    graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], b"condition"))
    i, x = graph.input((), "i", np.int32), graph.input((1, 64))
    limit = graph.constant(np.array(3, np.int32), "limit")
    goes_on = graph.builtin("LESS", [i, limit], (), options=schema.LessOptionsT(), dtype=np.int32)
    graph.subgraph.tensors[goes_on].type = schema.TensorType.BOOL
    graph.output(goes_on)

    graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], b"body"))
    i, x = graph.input((), "i", np.int32), graph.input((1, 64))
    one = graph.constant(np.array(1, np.int32), "one")
    following = graph.builtin("ADD", [i, one], (), options=schema.AddOptionsT(), dtype=np.int32)
    first = graph.constant(sparse((48, 64), density=0.2), "first")
    second = graph.constant(sparse((64, 48), density=0.8, seed=1), "second")
    y = graph.fully_connected(x, first, None, activation=1)
    graph.output(following)
    graph.output(graph.fully_connected(y, second, None, name="z"))
    return graph


def two_signatures():
    """Two subgraphs that begin with the same weights, in one buffer; one adds a layer."""
    graph = Graph()
    shared = None
    for number, name in enumerate((b"encode", b"classify")):
        if number:
            graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], name))
        x = graph.input((1, 64))
        if shared is None:
            weights = graph.constant(sparse((48, 64), density=0.2), "weights")
            shared = graph.subgraph.tensors[weights].buffer
        else:
            weights = graph.tensor((48, 64), "weights", buffer=shared)
        y = graph.fully_connected(x, weights, None)
        if number:
            y = graph.fully_connected(y, graph.constant(sparse((20, 48)), "head"), None, name="z")
        graph.output(y)
        entry = schema.SignatureDefT(
            [schema.TensorMapT(b"x", x)], [schema.TensorMapT(b"y", y)], name, number
        )
        graph.model.signatureDefs = [*(graph.model.signatureDefs or ()), entry]
    return graph


def decoded_in_two_subgraphs():
    """As `two_signatures`, with weights that pay to decode only."""
    graph = two_signatures()
    values = sparse((48, 64), density=0.8)
    graph.model.buffers[1].data = values.reshape(-1).view(np.uint8)
    return graph


GRAPHS = {
    depthwise: [custom_ops.DECODE],
    transposed_convolution: [custom_ops.DECODE],
    convolution_3d: [custom_ops.DECODE],
    batch_matmul: [custom_ops.DECODE],
    embedding: [custom_ops.DECODE],
    prelu: [custom_ops.DECODE],
    int8_convolution: [custom_ops.DECODE],
    int8_depthwise: [custom_ops.DECODE],
    dynamic_range: [custom_ops.FULLY_CONNECTED],
    float16_behind_dequantize: [custom_ops.DECODE],
    loop: [custom_ops.FULLY_CONNECTED, custom_ops.DECODE],
    two_signatures: [custom_ops.FULLY_CONNECTED, custom_ops.FULLY_CONNECTED],
    decoded_in_two_subgraphs: [custom_ops.DECODE, custom_ops.FULLY_CONNECTED],
}


def results(content):
    """What the model computes, or where it has signatures, what each of them does."""
    interpreter = runtime.Interpreter(model_content=content, runtime="litert")
    signatures = interpreter.get_signature_list()
    x = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    runs = [interpreter.get_signature_runner(name)(x=x)["y"] for name in sorted(signatures)]
    return runs or outputs(content)


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_it_is_coded_computes_the_same_and_comes_back(build):
    original = build().serialize()
    compressed = dc.compress(original)
    rows = dc.inspect(compressed)
    assert [row.op for row in rows if len(row.shape) > 1] == GRAPHS[build]
    assert len(compressed) < len(original)
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    for got, expected in zip(results(compressed), results(original), strict=True):
        assert np.count_nonzero(expected)
        if build is dynamic_range:
            # XNNPACK quantizes the input in another way.
            np.testing.assert_allclose(got, expected, atol=0.02 * np.abs(expected).max())
        elif custom_ops.FULLY_CONNECTED in GRAPHS[build]:
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
        else:
            # After KerasDcDecode the built-in op computes: the bits are equal.
            np.testing.assert_array_equal(got, expected)


def test_weights_at_the_zero_point_count_as_zeros():
    graph = Graph()
    x = graph.input((6,), dtype=np.int32)
    values = sparse((200, 24), density=0.1, dtype=np.int8)
    num_kept = np.count_nonzero(values)
    table = graph.constant(values - np.int8(5), "table")
    y = graph.builtin("GATHER", [table, x], (6, 24), options=schema.GatherOptionsT(), dtype=np.int8)
    graph.output(y)
    for index in (table, y):
        graph.subgraph.tensors[index].quantization = schema.QuantizationParametersT(
            scale=np.float32([0.5]), zeroPoint=np.int64([-5])
        )
    original = graph.serialize()
    compressed, report = dc.compress(original, return_report=True)
    (row,) = report.coded
    assert row.blob.zero_point == -5
    assert row.blob.num_kept == num_kept
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    np.testing.assert_array_equal(outputs(compressed), outputs(original))

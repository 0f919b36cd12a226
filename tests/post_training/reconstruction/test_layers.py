import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.dense_nets import mobile_net, pictures, weights
from support.recurrent_nets import shared_net, tied_net
from support.tiny_models import Graph, lookup, mixed_readers, two_subgraphs

from keras_dc.compression import lossless
from keras_dc.post_training.reconstruction import layers as layers_of
from keras_dc.post_training.reconstruction import patches as patches_of
from keras_dc.post_training.reconstruction.parts import Part


def source_of(graph):
    return lossless.Source.of(graph.serialize())


def one_op(name, kernel, options, shape):
    graph = Graph()
    x = graph.input(shape)
    channels = kernel.shape[-1] if name == "DEPTHWISE_CONV_2D" else len(kernel)
    bias = graph.constant(np.zeros(channels, np.float32), "bias")
    y = graph.builtin(name, [x, graph.constant(kernel, "kernel"), bias], (1,), options=options)
    graph.output(y)
    return source_of(graph)


def convolution(padding, stride, dilation, kernel=(6, 3, 5, 4), groups=1):
    options = schema.Conv2DOptionsT(padding, stride[1], stride[0], 0, dilation[1], dilation[0])
    return one_op("CONV_2D", weights(kernel, 60, 0), options, (2, 9, 11, groups * kernel[-1]))


def depthwise(padding, stride, dilation, times=1):
    options = schema.DepthwiseConv2DOptionsT(
        padding, stride[1], stride[0], times, 0, dilation[1], dilation[0]
    )
    kernel = weights((1, 3, 4, 5 * times), 12, 0)
    return one_op("DEPTHWISE_CONV_2D", kernel, options, (2, 9, 11, 5))


def transposed(padding, stride, size, kernel=(6, 3, 4, 5)):
    graph = Graph()
    shape = graph.constant(np.array([2, *size, kernel[0]], np.int32), "shape")
    x = graph.input((2, 5, 4, kernel[-1]))
    inputs = [shape, graph.constant(weights(kernel, 60, 0), "kernel"), x]
    options = schema.TransposeConvOptionsT(padding, stride[1], stride[0])
    graph.output(graph.builtin("TRANSPOSE_CONV", inputs, (2, *size, kernel[0]), options=options))
    return source_of(graph)


TRANSPOSED = [
    transposed(0, (2, 2), (10, 8)),
    transposed(0, (1, 3), (5, 12)),
    transposed(1, (2, 3), (11, 13)),
]


def dense():
    options = schema.FullyConnectedOptionsT(0)
    return one_op("FULLY_CONNECTED", weights((7, 12), 12, 0), options, (5, 12))


def batch_matmul(*, is_turned):
    graph, kernel = Graph(), weights((12, 7), 12, 0)
    table = graph.constant(kernel.T if is_turned else kernel, "kernel")
    options = schema.BatchMatMulOptionsT(adjY=is_turned)
    x = graph.input((5, 12))
    graph.output(graph.builtin("BATCH_MATMUL", [x, table], (5, 7), options=options))
    return source_of(graph)


SHAPES = [
    (padding, stride, dilation)
    for padding in (0, 1)
    for stride, dilation in (((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (2, 1)))
]


@pytest.mark.parametrize(
    "source",
    [dense(), depthwise(0, (2, 2), (1, 1), times=2)]
    + [convolution(*shape) for shape in SHAPES]
    + [depthwise(*shape) for shape in SHAPES]
    + [convolution(0, (2, 1), (1, 1), groups=g, kernel=(6, 3, 5, 4)) for g in (2, 3)]
    + [batch_matmul(is_turned=True), batch_matmul(is_turned=False)]
    + TRANSPOSED,
)
def test_patches_times_rows_are_what_the_op_computes(source):
    [layer], others = layers_of.find_layers(source)
    assert others == {}
    shape = tuple(source.graph.model.subgraphs[0].tensors[layer.input].shape)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    want = Part(source.graph, [layer.input], [layer.output])({layer.input: x})[layer.output]
    shape = patches_of.output_shape(layer, x.shape)
    assert shape == want.shape
    places = np.arange(int(np.prod(shape[:-1])))
    got = patches_of.multiplied(layer, patches_of.patches(layer, x, shape, places), layer.rows())
    np.testing.assert_allclose(got.reshape(want.shape), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "source",
    [dense(), convolution(*SHAPES[0]), depthwise(*SHAPES[0]), batch_matmul(is_turned=False)],
)
def test_rows_and_back(source):
    [layer], _ = layers_of.find_layers(source)
    np.testing.assert_array_equal(layer.shaped(layer.rows()), layer.weights.values)


def test_layers_stand_in_the_order_of_the_graph_with_their_bias():
    layers, others = layers_of.find_layers(source_of(mobile_net()))
    assert [layer.weights.shape for layer in layers] == [
        (24, 3, 3, 3), (1, 3, 3, 24), (48, 1, 1, 24), (30, 48)]  # fmt: skip
    assert [layer.bias.shape for layer in layers] == [(24,), (24,), (48,), (30,)]
    assert others == {}


def test_weights_behind_dequantize_are_a_layer_of_half_precision():
    layers, others = layers_of.find_layers(source_of(mobile_net(dtype=np.float16)))
    assert [layer.weights.dtype for layer in layers] == ["float16"] * 4
    assert layers[1].shaped(layers[1].rows()).dtype == np.float16
    assert others == {}


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (mixed_readers(), "ADD has no second-order support"),
        (lookup(), "GATHER has no second-order support"),
        (two_subgraphs(), "it is in a subgraph that samples do not run"),
    ],
)
def test_what_has_no_second_moment_says_why(graph, reason):
    _, others = layers_of.find_layers(source_of(graph))
    assert reason in set(others.values())


def test_ops_that_read_the_same_weights_are_uses_of_one_layer():
    [layer, last], others = layers_of.find_layers(source_of(shared_net()))
    assert [use.op.operator for use in layer.uses] == [0, 1, 2]
    # They read the same bias, too.
    assert [use.bias.shape for use in layer.uses] == [(40,)] * 3
    assert (last.uses, others) == ((last,), {})


def test_a_bias_that_other_layers_read_stays():
    graph = shared_net()
    graph.subgraph.operators[2].inputs[1] = graph.constant(weights((40, 40), 40, 5), "another")
    layers, _ = layers_of.find_layers(source_of(graph))
    assert [[use.bias for use in layer.uses] for layer in layers] == [[None] * 2, [None], [None]]


def test_a_table_that_is_looked_up_and_multiplied_is_a_layer():
    [table, inner], others = layers_of.find_layers(source_of(tied_net()))
    assert [use.is_lookup for use in table.uses] == [True, False]
    assert (table.shape, inner.shape, others) == ((60, 16), (16, 16), {})


def test_a_part_computes_what_the_whole_does():
    source, x = source_of(mobile_net()), pictures(1)
    graph, outputs = source.graph, list(source.graph.model.subgraphs[0].outputs)
    layers, _ = layers_of.find_layers(source)
    whole = Part(graph, [0], [*(layer.output for layer in layers), *outputs])({0: x})
    inner = layers[1].output
    rest = Part(graph, [inner], outputs)({inner: whole[inner]})
    np.testing.assert_allclose(rest[outputs[0]], whole[outputs[0]], rtol=1e-5)
    zeros = np.zeros(layers[0].weights.size_bytes, np.uint8)
    changed = Part(graph, [0], [inner], {layers[0].weights.buffer: zeros})({0: x})
    assert not np.allclose(changed[inner], whole[inner])
    # What is given is not computed again.
    assert Part(graph, [0], [0])({0: x})[0] is x

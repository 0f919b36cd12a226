"""Which op reads a coded constant: a fused one, KerasDcDecode, or the built-in as before."""

import numpy as np
import pytest
from support.inspection import operators
from support.tiny_models import (
    Graph,
    conv_net,
    mixed_readers,
    mlp,
    quantized,
    shared_weights,
    sparse,
)

import keras_dc as dc
from keras_dc.compression import custom_ops, report
from keras_dc.tflite import diff, model_file
from keras_dc.tflite.graph import Graph as GraphIndex


def test_fully_connected_layers_are_fused():
    assert operators(dc.compress(mlp().serialize())) == [custom_ops.FULLY_CONNECTED] * 3


def test_sparse_convolutions_are_fused():
    assert operators(dc.compress(conv_net().serialize())) == [custom_ops.CONV_2D] * 2


def test_a_dense_kernel_is_decoded_once_for_all_its_readers():
    compressed = dc.compress(conv_net(density=0.8).serialize())
    assert operators(compressed) == [custom_ops.DECODE, "CONV_2D", "CONV_2D"]


def test_other_ops_read_a_decoded_kernel():
    graph = quantized()
    graph.subgraph.operators[0].builtinOptions.fusedActivationFunction = 4  # TANH
    compressed = dc.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.DECODE, "CONV_2D"]


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (5, 0)])
def test_fused_convolutions_keep_their_options(stride, padding, dilation):
    graph = conv_net()
    options = graph.subgraph.operators[0].builtinOptions
    options.strideH, options.strideW, options.padding = stride, stride + 1, padding
    options.dilationHFactor, options.dilationWFactor = dilation, dilation + 1
    graph.model.operatorCodes[0].version = 5
    compressed = dc.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.CONV_2D] * 2
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(graph.model, expanded) == []


def test_kernels_that_reach_far_are_not_fused():
    graph = conv_net()
    options = graph.subgraph.operators[0].builtinOptions
    height, width = graph.subgraph.tensors[graph.subgraph.operators[0].inputs[1]].shape[1:3]
    options.dilationHFactor, options.dilationWFactor = 256 // height, 256 // width
    assert operators(dc.compress(graph.serialize())) == [custom_ops.CONV_2D] * 2
    options.dilationHFactor, options.dilationWFactor = 256 // height, 260 // width + 1
    assert operators(dc.compress(graph.serialize())) == [
        custom_ops.DECODE,
        "CONV_2D",
        "CONV_2D",
    ]


def test_grouped_convolutions_are_not_fused():
    graph = Graph()
    x = graph.input((-1, 8, 8, 8))
    kernel = graph.constant(sparse((8, 3, 3, 4), density=0.2), "kernel")
    bias = graph.constant(np.linspace(-1, 1, 8, dtype=np.float32), "bias")
    graph.output(graph.conv_2d(x, kernel, bias, shape=(-1, 8, 8, 8)))
    assert operators(dc.compress(graph.serialize())) == [custom_ops.DECODE, "CONV_2D"]


def test_a_kernel_with_another_reader_is_not_fused():
    compressed = dc.compress(mixed_readers().serialize())
    assert operators(compressed) == [custom_ops.DECODE, "FULLY_CONNECTED", "ADD"]


def test_a_buffer_of_two_tensors_is_coded_once():
    model = model_file.parse(dc.compress(shared_weights().serialize()))
    blobs = [ref.tensor for _, ref in custom_ops.blobs_of(GraphIndex(model))]
    assert len(set(blobs)) == 2
    assert len({model.subgraphs[0].tensors[index].buffer for index in blobs}) == 1


def test_tensors_of_one_buffer_but_two_shapes_are_left_alone():
    graph = Graph()
    x = graph.input((-1, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    other = graph.tensor((32, 128), "other", buffer=graph.subgraph.tensors[weights].buffer)
    graph.output(graph.fully_connected(x, weights, None))
    z = graph.input((-1, 128), "z")
    graph.output(graph.fully_connected(z, other, None))
    assert operators(dc.compress(graph.serialize())) == ["FULLY_CONNECTED"] * 2


def test_a_buffer_with_a_tensor_that_nobody_reads_is_left_alone():
    graph = mlp(sizes=(64, 64))
    graph.tensor((64, 64), "unread", buffer=graph.subgraph.tensors[1].buffer)
    assert operators(dc.compress(graph.serialize())) == ["FULLY_CONNECTED"]


def test_what_does_not_pay_stays_as_it_is():
    graph = Graph()
    x = graph.input((-1, 64))
    # Every byte is random; of other noise the exponents are not.
    noise = np.frombuffer(np.random.default_rng(0).bytes(64 * 64 * 4), np.float32)
    graph.output(graph.fully_connected(x, graph.constant(noise.reshape(64, 64), "w"), None))
    assert operators(dc.compress(graph.serialize())) == ["FULLY_CONNECTED"]


def test_noise_is_coded_by_byte_planes():
    graph = Graph()
    x = graph.input((-1, 64))
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    graph.output(graph.fully_connected(x, graph.constant(noise, "w"), None))
    compressed = dc.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.DECODE, "FULLY_CONNECTED"]
    assert len(compressed) < 0.9 * len(graph.serialize())
    (row,) = report.inspect(compressed)
    assert row.coding == "huffman, no codebook, planes"


def test_a_constant_that_is_an_output_is_left_alone():
    graph = mlp()
    graph.subgraph.outputs.append(1)
    compressed, found = dc.compress(graph.serialize(), return_report=True)
    # The bias of the first layer is decoded, its weights are as they were.
    fused = [custom_ops.FULLY_CONNECTED] * 2
    assert operators(compressed) == [custom_ops.DECODE, "FULLY_CONNECTED", *fused]
    assert found.left[0].name == "w0"
    assert found.left[0].reason == "an input or output of the graph"


@pytest.mark.parametrize(
    "options",
    [
        {"weightsFormat": 1},
        {"fusedActivationFunction": 5},
        {"quantizedBiasType": 2},
    ],
    ids=str,
)
def test_options_that_the_fused_op_lacks_keep_the_builtin_op(options):
    graph = mlp(sizes=(64, 64))
    vars(graph.subgraph.operators[0].builtinOptions).update(options)
    compressed = dc.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.DECODE, "FULLY_CONNECTED"]


@pytest.mark.parametrize("version", [1, 12])
@pytest.mark.parametrize("activation", [0, 1, 2, 3, 4])
def test_fused_options_are_kept(activation, version):
    graph = Graph()
    x = graph.input((-1, 4, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    y = graph.fully_connected(x, weights, None, activation=activation, keep_num_dims=True)
    graph.subgraph.operators[0].builtinOptions.asymmetricQuantizeInputs = activation % 2 == 1
    graph.model.operatorCodes[0].version = version
    graph.output(y)
    compressed = dc.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.FULLY_CONNECTED]
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(graph.model, expanded) == []

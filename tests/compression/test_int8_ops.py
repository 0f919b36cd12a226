"""Which layers of int8 weights are fused, what leaves the graph, and that all of it comes back."""

import dataclasses

import numpy as np
import pytest
from support.inspection import operators
from support.int8_models import LAYERS, Layer, always_fused, quantize
from support.tiny_models import schema

import keras_dc as dc
from keras_dc import codec, errors
from keras_dc.compression import custom_ops, int8_ops
from keras_dc.tflite import diff, model_file
from keras_dc.tflite.graph import Graph

pytestmark = pytest.mark.usefixtures(always_fused.__name__)
CONVOLUTION = Layer((12, 3, 3, 8), block=4)


def expanded(content):
    return model_file.parse(dc.expand(content))


@pytest.mark.parametrize("coder", ["huffman", "arithmetic"])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_they_are_fused_and_come_back(layer, coder):
    graph = layer.graph()
    content = dc.compress(graph.serialize(), coder=coder)
    name = custom_ops.CONV_2D if layer.is_convolution else custom_ops.FULLY_CONNECTED
    assert operators(content) == [name]
    assert diff.differences(graph.model, expanded(content)) == []


def test_scales_of_channels_become_a_blob_and_those_of_the_bias_go():
    layer = Layer((300, 64))
    content = dc.compress(layer.serialize())
    # 24 bytes of scales and zero points for each channel were in the graph.
    parsed = model_file.parse(content)
    held = [tensor.quantization for tensor in parsed.subgraphs[0].tensors]
    assert [q is not None and q.scale is not None for q in held] == [
        True,
        False,
        False,
        True,
        False,
    ]
    rest = len(content) - sum(row.blob_bytes for row in dc.inspect(content))
    assert rest < 300 * (4 + 4) + 700  # bias, scales, graph


def test_a_single_scale_stays_with_the_weights():
    layer = Layer((30, 64), per_channel=False)
    parsed = model_file.parse(dc.compress(layer.serialize()))
    (operator,) = parsed.subgraphs[0].operators
    assert len(operator.inputs) == 3
    assert parsed.subgraphs[0].tensors[operator.inputs[1]].quantization.scale is not None


def test_minima_and_maxima_stay():
    graph = CONVOLUTION.graph()
    for tensor in graph.subgraph.tensors[1:3]:
        tensor.quantization.min = np.linspace(-1, 0, 12, dtype=np.float32)
        tensor.quantization.max = np.linspace(0, 1, 12, dtype=np.float32)
    content = dc.compress(graph.serialize())
    assert operators(content) == [custom_ops.CONV_2D]
    assert diff.differences(graph.model, expanded(content)) == []


def test_a_bias_with_other_scales_keeps_them():
    graph = CONVOLUTION.graph()
    graph.subgraph.tensors[2].quantization.scale[3] *= np.float32(1 + 2**-20)
    content = dc.compress(graph.serialize())
    parsed = model_file.parse(content)
    assert parsed.subgraphs[0].tensors[2].quantization.scale is not None
    assert diff.differences(graph.model, expanded(content)) == []


def test_two_layers_may_share_their_weights():
    graph = Layer((64, 64), has_bias=False).graph()
    (first,) = graph.subgraph.operators
    (y,) = first.outputs
    graph.subgraph.outputs = [
        graph.builtin("FULLY_CONNECTED", [y, 1], (-1, 64), options=first.builtinOptions,
                      version=9, dtype=np.int8)
    ]  # fmt: skip
    quantize(graph, graph.subgraph.outputs[0], [3.0], [4])
    content = dc.compress(graph.serialize())
    assert operators(content) == [custom_ops.FULLY_CONNECTED] * 2
    parsed = model_file.parse(content)
    first, second = parsed.subgraphs[0].operators
    assert first.inputs[3] == second.inputs[3]
    assert diff.differences(graph.model, expanded(content)) == []


def _with_tanh(graph):
    graph.subgraph.operators[0].builtinOptions.fusedActivationFunction = 4


def _with_zero_points(graph):
    graph.subgraph.tensors[1].quantization.zeroPoint[5] = 1


def _along_another_axis(graph):
    graph.subgraph.tensors[1].quantization.quantizedDimension = 3


def _without_scales(graph):
    graph.subgraph.tensors[1].quantization = None


def _with_a_bias_of_16_bits(graph):
    graph.subgraph.tensors[2].type = schema.TensorType.INT16


def _with_a_tiny_output_scale(graph):
    graph.subgraph.tensors[3].quantization.scale[0] = 1e-30


def _with_an_int16_output(graph):
    graph.subgraph.tensors[3].type = schema.TensorType.INT16


@pytest.mark.parametrize(
    "change",
    [
        _with_tanh,
        _with_zero_points,
        _along_another_axis,
        _without_scales,
        _with_a_bias_of_16_bits,
        _with_a_tiny_output_scale,
        _with_an_int16_output,
    ],
)
def test_what_the_ops_do_not_compute_is_decoded(change):
    graph = dataclasses.replace(CONVOLUTION, shape=(12, 5, 5, 8)).graph()
    change(graph)
    content = dc.compress(graph.serialize())
    assert operators(content) == [custom_ops.DECODE, "CONV_2D"]
    assert diff.differences(graph.model, expanded(content)) == []


def test_expand_refuses_scales_that_are_no_blob():
    model = model_file.parse(dc.compress(CONVOLUTION.serialize()))
    (operator,) = model.subgraphs[0].operators
    operator.inputs = np.array([*operator.inputs[:3], 0], np.int32)
    with pytest.raises(errors.CompressionError, match="the scales must be a blob"):
        dc.expand(model_file.serialize(model))


def test_expand_refuses_scales_of_another_number():
    model = model_file.parse(dc.compress(CONVOLUTION.serialize()))
    graph = Graph(model)
    scales = graph.tensor(custom_ops.scales_of(graph, graph.ops[0]))
    blob = np.frombuffer(codec.encode(np.ones(11, np.float32)), np.uint8)
    model.buffers.append(schema.BufferT(blob))
    scales.buffer, scales.shape = len(model.buffers) - 1, np.array([len(blob)], np.int32)
    with pytest.raises(errors.CompressionError, match="a scale for each channel"):
        dc.expand(model_file.serialize(model))


def test_expand_refuses_a_plain_bias_that_is_not_there():
    model = model_file.parse(dc.compress(Layer((20, 64), has_bias=False).serialize()))
    (operator,) = model.subgraphs[0].operators
    operator.customOptions = np.array(operator.customOptions)
    operator.customOptions[1] |= int8_ops.PLAIN_BIAS
    with pytest.raises(errors.CompressionError, match="must have a bias"):
        dc.expand(model_file.serialize(model))


def test_inspect_lists_the_weights_alone():
    content = dc.compress(CONVOLUTION.serialize())
    (row,) = dc.inspect(content)
    assert row.op == custom_ops.CONV_2D
    (named,) = dc.inspect(content, original=CONVOLUTION.serialize())
    assert named.name == "weights"


def test_scales_of_blobs_are_in_the_graph():
    graph = Graph(model_file.parse(dc.compress(CONVOLUTION.serialize())))
    (op,) = graph.ops
    assert custom_ops.scales_of(graph, op) == custom_ops.blob_inputs(graph, op)[-1]

"""float16 constants behind DEQUANTIZE: coded without it, and restored with it bit for bit."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import OpResolverType
from support.float16_models import (
    convolution,
    dense_layers,
    dequantized_twice,
    embedding,
    float16_constant,
    layers,
    put_out,
    read_as_float16_too,
    read_by_two_ops,
    small_bias,
    small_convolution,
    two_signatures,
    two_tensors_of_one_buffer,
    widened,
)
from support.inspection import operators, outputs
from support.tiny_models import Graph, schema, sparse

import keras_dc as dc
from keras_dc import runtime
from keras_dc.compression import custom_ops
from keras_dc.tflite import diff, model_file

BUILTIN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
FUSED, CONV, DECODE = custom_ops.FULLY_CONNECTED, custom_ops.CONV_2D, custom_ops.DECODE

# Of each model the operators when it is compressed.
GRAPHS = {
    layers: [FUSED] * 2,
    convolution: [CONV],
    read_by_two_ops: [FUSED] * 2,
    two_tensors_of_one_buffer: [FUSED] * 2,
    two_signatures: [FUSED],
    small_bias: ["DEQUANTIZE", FUSED],
    # What XNNPACK unpacks by itself stays behind DEQUANTIZE.
    dense_layers: [DECODE, "DEQUANTIZE"] * 4 + ["FULLY_CONNECTED"] * 2,
    small_convolution: [DECODE, "DEQUANTIZE"] * 2 + ["CONV_2D"],
    dequantized_twice: [DECODE] + ["DEQUANTIZE", "FULLY_CONNECTED"] * 2,
    embedding: [DECODE, "GATHER"],
    put_out: [DECODE, "DEQUANTIZE", "FULLY_CONNECTED"],
    read_as_float16_too: [DECODE, "DEQUANTIZE", "CAST", "ADD", "MUL"],
}


def results(content, **options):
    """What each signature computes, or where there are none, the model."""
    interpreter = runtime.Interpreter(model_content=content, runtime="litert", **options)
    signatures = interpreter.get_signature_list()
    if not signatures:
        return outputs(content, **options)
    x = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    return [interpreter.get_signature_runner(name)(x=x)["y"] for name in sorted(signatures)]


def check_comes_back(original, compressed):
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    assert expanded.metadata is None


@pytest.mark.parametrize("coder", ["huffman", "arithmetic"])
@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_it_is_coded_computes_the_same_and_comes_back(build, coder):
    original = build().serialize()
    compressed = dc.compress(original, coder=coder)
    assert operators(compressed) == GRAPHS[build]
    assert {row.blob.dtype for row in dc.inspect(compressed)} == {"float16"}
    assert dc.compress(compressed) == compressed
    check_comes_back(original, compressed)
    # XNNPACK gives an output that is a constant no values.
    resolver = {"experimental_op_resolver_type": BUILTIN} if build is put_out else {}
    expected = results(original, **resolver)
    for options in ({}, {"low_memory": True}, {"num_threads": 2}):
        for got, wanted in zip(results(compressed, **resolver, **options), expected, strict=True):
            assert np.count_nonzero(wanted)
            if {FUSED, CONV} & {*operators(compressed)}:
                np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
            else:
                # The built-in ops compute: the bits are equal.
                np.testing.assert_array_equal(got, wanted)


def test_both_reports_tell_what_is_read():
    original = layers().serialize()
    compressed, report = dc.compress(original, return_report=True)
    for rows in (report, dc.inspect(compressed, original=original)):
        assert [(row.role, row.op) for row in rows] == [("weights", FUSED), ("bias", FUSED)] * 2
        assert [row.original_bytes for row in rows] == [2 * row.num_weights for row in rows]
    original = dense_layers().serialize()
    compressed, report = dc.compress(original, return_report=True)
    for rows in (report, dc.inspect(compressed), dc.inspect(compressed, original=original)):
        assert [(row.role, row.op) for row in rows] == [("weights", DECODE), ("bias", DECODE)] * 2
        assert rows[2].place == "FULLY_CONNECTED 2, weights"


def test_a_decode_that_stands_in_needs_no_tensor_of_its_own():
    model = model_file.parse(dc.compress(embedding().serialize()))
    assert len(model.subgraphs[0].tensors) == len(embedding().subgraph.tensors)


def special_values(shape):
    """Signalling and quiet NaNs with payloads, infinities, subnormals, zeros of either sign."""
    patterns = np.array(
        [0x7C01, 0xFC01, 0x7E00, 0xFE2A, 0x7FFF, 0x7C00, 0xFC00, 1, 0x83FF, 0x8000, 0, 0x3C00],
        np.uint16,
    )
    picked = np.random.default_rng(0).integers(0, len(patterns), shape)
    values = patterns[picked].view(np.float16)
    # The signs of zeros in sums are another test's.
    values = np.where(np.random.default_rng(1).random(shape) < 0.2, values, np.float16(0))
    return np.where(values == 0, np.float16(0), values)


@pytest.mark.parametrize("coder", ["huffman", "arithmetic"])
@pytest.mark.parametrize("density", [0.3, 1.0])
def test_special_values_come_back_bit_for_bit(coder, density):
    values = special_values((1024, 64))
    if density == 1.0:
        values[values == 0] = np.float16(0.5)
    graph = Graph()
    x = graph.input((1, 64))
    weights = widened(graph, float16_constant(graph, values))
    bias = widened(graph, float16_constant(graph, special_values((1024,)), "bias"))
    graph.output(graph.fully_connected(x, weights, bias))
    original = graph.serialize()
    compressed = dc.compress(original, coder=coder)
    assert [row.op for row in dc.inspect(compressed)] == [FUSED if density < 1 else DECODE] * 2
    check_comes_back(original, compressed)
    np.testing.assert_array_equal(*map(outputs, (compressed, original)))


def test_channels_of_negative_zeros_are_noted_too():
    graph = Graph()
    x = graph.input((1, 64))
    signs = np.resize(np.float32([1, -1]), (48, 1))
    weights = widened(graph, float16_constant(graph, sparse((48, 64)) * signs))
    graph.output(graph.fully_connected(x, weights, None))
    original = graph.serialize()
    compressed, report = dc.compress(original, return_report=True)
    assert report[0].num_negative_zeros == 0
    assert operators(compressed) == [FUSED]
    check_comes_back(original, compressed)


def test_decoded_float32_has_the_bits_of_the_float16():
    values = special_values((64, 64))
    values[0] = np.float16(-0.0)
    graph = Graph()
    x = graph.input((64, 64))
    wide = widened(graph, float16_constant(graph, values))
    graph.output(graph.builtin("ADD", [x, wide], (64, 64), options=schema.AddOptionsT()))
    compressed = dc.compress(graph.serialize())
    assert operators(compressed) == [DECODE, "ADD"]
    interpreter = runtime.Interpreter(model_content=compressed, runtime="litert")
    interpreter.allocate_tensors()
    got = interpreter.get_tensor(wide).view(np.uint32)
    halves = values.view(np.uint16).astype(np.uint32)
    is_nan = np.isnan(values)
    np.testing.assert_array_equal(got[~is_nan], values.astype(np.float32).view(np.uint32)[~is_nan])
    sign, mantissa = halves >> 15 << 31, (halves & 0x3FF) << 13
    np.testing.assert_array_equal(got[is_nan], (sign | 0x7F800000 | mantissa)[is_nan])


@pytest.mark.parametrize("change", ["type", "shape", "quantized", "custom"])
def test_what_could_not_be_put_back_stays(change):
    graph = layers()
    stored, wide = 1, 2
    operator = graph.subgraph.operators[0]
    assert list(operator.inputs), list(operator.outputs) == ([stored], [wide])
    if change == "type":
        operator.outputs = np.array([graph.tensor((96, 128), "y", dtype=np.float16)], np.int32)
    elif change == "shape":
        graph.subgraph.tensors[wide].shape = np.array([128, 96], np.int32)
    elif change == "quantized":
        graph.subgraph.tensors[stored].type = schema.TensorType.BFLOAT16
    else:
        operator.customOptions = np.zeros(3, np.uint8)
    original = graph.serialize()
    compressed = dc.compress(original)
    assert "DEQUANTIZE" in operators(compressed)
    check_comes_back(original, compressed)

"""Fused ops with int8 weights in every installed runtime, against its reference kernels."""

import numpy as np
import pytest
from support import runtime_process
from support.int8_models import LAYERS, Layer, always_fused

import keras_dc as dc
from keras_dc.compression import custom_ops
from keras_dc.tflite import model_file
from keras_dc.tflite.graph import Graph

pytestmark = pytest.mark.usefixtures(always_fused.__name__)
REFERENCE = {"resolver": "BUILTIN_REF"}
BATCHES = (1, 2, 5, 1)


def is_old(process):
    """Whether it is tflite-runtime 2.14, whose FULLY_CONNECTED rounds in other places."""
    return process._place[0] == "tflite_runtime"


def compressed(layer):
    content = dc.compress(layer.serialize())
    graph = Graph(model_file.parse(content))
    assert [custom_ops.is_fused(graph.op_name(op)) for op in graph.ops] == [True]
    return content


def feeds_of(layer):
    return [[layer.feed(batch, seed)] for seed, batch in enumerate(BATCHES)]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_outputs_are_those_of_the_reference_kernel(process, layer):
    if is_old(process) and layer.is_float and not layer.is_convolution and layer.per_channel:
        pytest.skip("tflite-runtime 2.14 does not compute these")
    feeds = feeds_of(layer)
    results = process(runtime_process.run, compressed(layer), *feeds)
    expected = process(runtime_process.run_plain, layer.serialize(), *feeds, **REFERENCE)
    assert len(np.unique(expected[2])) > 5
    for [y], [y_expected] in zip(results, expected, strict=True):
        if is_old(process) and not layer.is_float and not layer.is_convolution:
            differences = y.astype(int) - y_expected
            assert np.abs(differences).max() <= 1
            assert np.count_nonzero(differences) <= y.size / 50
        elif is_old(process) and layer.is_float:
            np.testing.assert_allclose(y, y_expected, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(y, y_expected)


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if not layer.is_float], ids=str)
def test_outputs_are_at_most_one_step_from_xnnpack(process, layer):
    feeds = feeds_of(layer)
    results = process(runtime_process.run, compressed(layer), *feeds)
    expected = process(runtime_process.run_plain, layer.serialize(), *feeds)
    for [y], [y_expected] in zip(results, expected, strict=True):
        assert np.abs(y.astype(int) - y_expected).max() <= 1


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_little_memory_changes_nothing(process, layer):
    content, feeds = compressed(layer), feeds_of(layer)
    results = process(runtime_process.run, content, *feeds)
    lean = process(runtime_process.run_with_options, {"low_memory": "true"}, content, *feeds)
    np.testing.assert_equal(lean, results)


def test_the_blob_may_be_arithmetic(process):
    layer = Layer((60, 200), density=0.3)
    feeds = feeds_of(layer)
    content = dc.compress(layer.serialize(), coder="arithmetic")
    np.testing.assert_equal(
        process(runtime_process.run, content, *feeds),
        process(runtime_process.run, compressed(layer), *feeds),
    )


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_float_inputs_that_are_not_finite_give_nans_in_their_row_alone(process, bad):
    layer = Layer((20, 64), is_float=True)
    feed = layer.feed(3)
    feed[1, 5] = bad
    [[y]] = process(runtime_process.run, compressed(layer), [feed])
    [[clean]] = process(runtime_process.run, compressed(layer), [layer.feed(3)])
    assert np.isnan(y[1]).all()
    np.testing.assert_array_equal(y[[0, 2]], clean[[0, 2]])


def test_inputs_of_zeros_give_the_bias(process):
    layer = Layer((20, 64), is_float=True)
    graph = layer.graph()
    bias = graph.model.buffers[2].data.view(np.float32)
    [[y]] = process(runtime_process.run, compressed(layer), [np.zeros((2, 64), np.float32)])
    np.testing.assert_array_equal(y, [bias, bias])

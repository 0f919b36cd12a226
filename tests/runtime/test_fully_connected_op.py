"""KerasDcFullyConnected in every installed runtime, against NumPy and the built-in op."""

import itertools

import numpy as np
import pytest
from support import runtime_process
from support.op_models import coded_dense_model, plain_dense_model, random_input, sparse_weights
from support.runtime_models import Model, schema

from keras_dc import codec

ACTIVATIONS = {
    "NONE": lambda x: x,
    "RELU": lambda x: np.maximum(x, 0),
    "RELU_N1_TO_1": lambda x: np.clip(x, -1, 1),
    "RELU6": lambda x: np.clip(x, 0, 6),
    "TANH": np.tanh,
}


KEEP_NUM_DIMS = 1


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_fully_connected_agrees_with_numpy(process, activation, with_bias):
    weights = sparse_weights((7, 30))
    bias = random_input(7, seed=2) if with_bias else None
    options = bytes([getattr(schema.ActivationFunctionType, activation), 0, 1])
    x = random_input((3, 30)) * 3
    [[y]] = process(runtime_process.run, coded_dense_model(weights, bias, options), [x])
    expected = ACTIVATIONS[activation](x @ weights.T + (0 if bias is None else bias))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_a_bias_may_be_a_blob(process):
    weights = sparse_weights((7, 30))
    bias = random_input(7, seed=2).astype(np.float16).astype(np.float32)
    feeds = [[random_input((batch, 30), seed=batch)] for batch in (1, 5)]
    coded = coded_dense_model(weights, codec.encode(bias))
    plain = coded_dense_model(weights, bias)
    results = process(runtime_process.run, coded, *feeds)
    expected = process(runtime_process.run, plain, *feeds)
    for [y], [y_expected] in zip(results, expected, strict=True):
        np.testing.assert_array_equal(y, y_expected)


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "TANH"])
def test_fully_connected_agrees_with_the_built_in_op(process, activation):
    weights, bias = sparse_weights((7, 30)), random_input(7, seed=2)
    number = getattr(schema.ActivationFunctionType, activation)
    x = random_input((3, 30)) * 3
    [[y]] = process(runtime_process.run, coded_dense_model(weights, bias, bytes([number])), [x])
    plain = plain_dense_model(weights, bias, number)
    [[expected]] = process(runtime_process.run_plain, plain, [x])
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_non_finite_inputs_agree_with_the_built_in_op(process):
    weights = sparse_weights((7, 30))
    weights[:3, 0] = 1, -1, 2
    x = random_input((3, 30))
    x[0, 0], x[1, 1] = np.inf, np.nan
    [[y]] = process(runtime_process.run, coded_dense_model(weights), [x])
    plain = plain_dense_model(weights, None, schema.ActivationFunctionType.NONE)
    [[expected]] = process(runtime_process.run_plain, plain, [x])
    assert list(np.isfinite(expected).any(axis=1)) == [False, False, True]
    assert np.isinf(expected[0, :3]).all()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_fully_connected_follows_the_batch_size(process):
    weights = sparse_weights((5, 12))
    feeds = [random_input((batch, 12), seed=batch) for batch in (1, 4, 33, 4, 1)]
    results = process(runtime_process.run, coded_dense_model(weights), *[[x] for x in feeds])
    for x, [y] in zip(feeds, results, strict=True):
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-5, atol=1e-5)


def test_fully_connected_flattens_the_batch(process):
    weights = sparse_weights((5, 12))
    x = random_input((2, 3, 4))
    [[y]] = process(runtime_process.run, coded_dense_model(weights), [x])
    np.testing.assert_allclose(y, x.reshape(2, 12) @ weights.T, rtol=1e-5, atol=1e-5)


def test_fully_connected_keeps_num_dims(process):
    weights = sparse_weights((5, 12))
    model = coded_dense_model(weights, options=bytes([0, KEEP_NUM_DIMS]))
    feeds = [random_input((2, 3, 12)), random_input((4, 1, 2, 12))]
    results = process(runtime_process.run, model, *[[x] for x in feeds])
    for x, [y] in zip(feeds, results, strict=True):
        assert y.shape == (*x.shape[:-1], 5)
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-5, atol=1e-5)


def test_three_fully_connected_in_a_row(process):
    sizes = [20, 16, 9, 4]
    model = Model()
    graph = model.graph()
    tensors = [graph.tensor([1, size]) for size in sizes]
    layers = [sparse_weights((n, m), seed=n) for m, n in itertools.pairwise(sizes)]
    for i, weights in enumerate(layers):
        blob = graph.constant(codec.encode(weights))
        graph.op("KerasDcFullyConnected", [tensors[i], blob, -1], tensors[i + 1 : i + 2], b"\1")
    graph.ends(tensors[:1], tensors[-1:])

    feeds = [random_input((batch, 20)) for batch in (1, 9, 2)]
    results = process(runtime_process.run, model.pack(), *[[x] for x in feeds])
    for x, [y] in zip(feeds, results, strict=True):
        for weights in layers:
            x = np.maximum(x @ weights.T, 0)
        np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-5)

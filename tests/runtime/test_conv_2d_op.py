"""KerasDcConv2D and the poolings behind it in every installed runtime, against built-in ops."""

import numpy as np
import pytest
from support import runtime_process
from support.op_models import (
    builtin,
    convolution_options,
    fused_convolution_model,
    random_input,
    sparse_weights,
)
from support.runtime_models import Model, schema

from keras_dc import codec

FUSED_CONVOLUTIONS = [
    ((6, 1, 1, 5), {}),
    ((6, 1, 1, 5), {"stride": (2, 3)}),
    ((6, 3, 3, 5), {"activation": "RELU"}),
    ((6, 3, 3, 5), {"padding": "VALID", "activation": "RELU6"}),
    ((6, 3, 2, 5), {"stride": (2, 1), "activation": "RELU_N1_TO_1"}),
    ((6, 5, 5, 5), {"padding": "VALID", "stride": (2, 2)}),
    ((6, 3, 3, 5), {"dilation": (2, 3)}),
    ((33, 7, 7, 3), {"stride": (2, 2)}),
]


@pytest.mark.parametrize(("shape", "options"), FUSED_CONVOLUTIONS, ids=str)
def test_convolution_agrees_with_the_built_in_op(process, shape, options):
    kernel, bias = sparse_weights(shape, density=0.3), random_input(shape[0], seed=2)
    coded, plain = (
        fused_convolution_model(
            kernel,
            bias,
            coded=coded,
            input_shape=[1, 13, 15, shape[3]],
            options=convolution_options(**options),
        )
        for coded in (True, False)
    )
    feeds = [[random_input((n, h, 15, shape[3]), seed=n)] for n, h in ((1, 13), (3, 22), (1, 13))]
    results = process(runtime_process.run, coded, *feeds)
    expected = process(runtime_process.run_plain, plain, *feeds)
    for [y], [y_expected] in zip(results, expected, strict=True):
        np.testing.assert_allclose(y, y_expected, rtol=1e-4, atol=1e-5)


def pooling_model(code, options, *, behind_convolution, channels):
    """One pooling; `behind_convolution` puts a KerasDcConv2D first that changes nothing."""
    model = Model()
    graph = model.graph()
    x, y = graph.tensor([1, 9, 10, channels]), graph.tensor([1, 1, 1, channels])
    features = x
    if behind_convolution:
        features = graph.tensor([1, 9, 10, channels])
        kernel = np.eye(channels, dtype=np.float32).reshape(channels, 1, 1, channels)
        graph.op("KerasDcConv2D", [x, graph.constant(codec.encode(kernel))], [features])
    graph.op(code, [features], [y], options)
    graph.ends([x], [y])
    return model.pack()


POOLINGS = [
    {"window": (2, 2), "stride": (2, 2)},
    {"window": (3, 3), "stride": (2, 2), "padding": "SAME", "activation": "RELU"},
    {"window": (3, 2), "stride": (1, 3), "padding": "SAME", "activation": "RELU6"},
    {"window": (4, 5), "stride": (1, 1), "activation": "RELU_N1_TO_1"},
]


@pytest.mark.parametrize("resolver", ["AUTO", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"])
@pytest.mark.parametrize("settings", POOLINGS, ids=str)
def test_poolings_behind_a_convolution_give_what_the_built_in_op_gives(process, settings, resolver):
    options = schema.Pool2DOptionsT()
    options.padding = getattr(schema.Padding, settings.get("padding", "VALID"))
    activation = settings.get("activation", "NONE")
    options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
    options.filterHeight, options.filterWidth = settings["window"]
    options.strideH, options.strideW = settings["stride"]
    for code, tolerance in ((builtin.MAX_POOL_2D, 0), (builtin.AVERAGE_POOL_2D, 1e-6)):
        ours, plain = (
            pooling_model(code, options, behind_convolution=coded, channels=21)
            for coded in (True, False)
        )
        feeds = [[random_input((n, h, 10, 21), seed=n) * 4] for n, h in ((1, 9), (3, 12), (1, 9))]
        results = process(runtime_process.run, ours, *feeds, resolver=resolver)
        expected = process(runtime_process.run_plain, plain, *feeds, resolver=resolver)
        for [y], [y_expected] in zip(results, expected, strict=True):
            np.testing.assert_allclose(y, y_expected, rtol=tolerance, atol=tolerance)

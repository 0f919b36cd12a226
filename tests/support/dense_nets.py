"""Small TFLite models with weights that nobody pruned or shared, and inputs that fit them."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import Graph

RELU6 = schema.ActivationFunctionType.RELU6


def weights(shape, fan_in, seed):
    rng = np.random.default_rng(seed)
    return (rng.standard_t(4, size=shape) / np.sqrt(2 * fan_in)).astype(np.float32)


def _bias(count, seed):
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


def mobile_net(*, batch=1, channels=24, classes=30, dtype=np.float32, end="SOFTMAX"):
    """CONV_2D, DEPTHWISE_CONV_2D, CONV_2D, MEAN, FULLY_CONNECTED and SOFTMAX on `(8, 8, 3)`."""
    graph = Graph()

    def constant(values, name):
        if dtype == np.float32:
            return graph.constant(values, name)
        half = graph.constant(values.astype(dtype), name)
        return graph.builtin("DEQUANTIZE", [half], values.shape)

    x = graph.input((batch, 8, 8, 3))
    kernel = constant(weights((channels, 3, 3, 3), 27, 0), "stem")
    x = graph.builtin(
        "CONV_2D",
        [x, kernel, graph.constant(_bias(channels, 1), "stem_bias")],
        (batch, 8, 8, channels),
        options=schema.Conv2DOptionsT(0, 1, 1, RELU6),
    )
    kernel = constant(2 * weights((1, 3, 3, channels), 9, 2), "depthwise")
    x = graph.builtin(
        "DEPTHWISE_CONV_2D",
        [x, kernel, graph.constant(_bias(channels, 3), "depthwise_bias")],
        (batch, 4, 4, channels),
        options=schema.DepthwiseConv2DOptionsT(0, 2, 2, 1, RELU6),
    )
    kernel = constant(weights((2 * channels, 1, 1, channels), channels, 4), "project")
    x = graph.builtin(
        "CONV_2D",
        [x, kernel, graph.constant(_bias(2 * channels, 5), "project_bias")],
        (batch, 4, 4, 2 * channels),
        options=schema.Conv2DOptionsT(0, 1, 1, 1),
    )
    axes = graph.constant(np.array([1, 2], np.int32), "axes")
    x = graph.builtin(
        "MEAN", [x, axes], (batch, 2 * channels), options=schema.ReducerOptionsT(False)
    )
    kernel = constant(3 * weights((classes, 2 * channels), 2 * channels, 6), "classes")
    x = graph.builtin(
        "FULLY_CONNECTED",
        [x, kernel, graph.constant(_bias(classes, 7), "classes_bias")],
        (batch, classes),
        options=schema.FullyConnectedOptionsT(0),
    )
    if end is not None:
        options = schema.SoftmaxOptionsT(1.0) if end == "SOFTMAX" else None
        x = graph.builtin(end, [x], (batch, classes), options=options)
    graph.output(x)
    return graph


def pictures(count, *, shape=(8, 8, 3), seed=0):
    """Smooth random pictures: float32 array `(count, *shape)`."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, *shape))
    for axis in (1, 2):
        values = values + np.roll(values, 1, axis) + np.roll(values, 2, axis)
    return (values / 3 + rng.normal(0, 0.5, (count, 1, 1, shape[-1]))).astype(np.float32)

"""Small models with one layer of int8 weights, made by hand."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import Graph

from keras_dc.compression import int8_speed

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@pytest.fixture
def always_fused(monkeypatch):
    """Int8 layers are fused, however slow: those of tests are too small for it to pay."""
    monkeypatch.setattr(int8_speed, "is_better_fused", lambda *_, **__: True)


@dataclasses.dataclass(frozen=True)
class Layer:
    """A FULLY_CONNECTED or CONV_2D layer with int8 weights.

    Attributes:
        shape: of the weights: (units, input size), or (filters, height, width, channels).
        is_float: whether input and output are float32, else int8.
        per_channel: whether each channel has a scale of its own.
        has_bias: whether there is a bias.
        activation: name of the fused activation.
        density: fraction of the blocks of weights that are kept.
        block: neighbouring channels of a block.
        zero_points: of input and output.
        stride, dilation, padding: of a convolution.
        is_asymmetric: the option `asymmetricQuantizeInputs` of a FULLY_CONNECTED.
        seed: of weights, bias and scales.
    """

    shape: tuple
    is_float: bool = False
    per_channel: bool = True
    has_bias: bool = True
    activation: str = "NONE"
    density: float = 0.2
    block: int = 1
    zero_points: tuple = (3, -7)
    stride: int = 1
    dilation: int = 1
    padding: str = "SAME"
    is_asymmetric: bool = False
    seed: int = 0

    @property
    def is_convolution(self):
        """Whether it is a CONV_2D."""
        return len(self.shape) == 4

    @property
    def input_shape(self):
        """Of one image or vector."""
        return (1, 9, 7, self.shape[3]) if self.is_convolution else (1, self.shape[1])

    def weights(self):
        """The weights: int8 array."""
        rng = np.random.default_rng(self.seed)
        codebook = rng.integers(-127, 128, size=15).astype(np.int8)
        codebook[0] = 127
        values = codebook[rng.integers(0, 15, size=self.shape)]
        kept = rng.random((*self.shape[:-1], -(-self.shape[-1] // self.block))) < self.density
        kept[1:2] = False  # an empty row
        return np.where(
            np.repeat(kept, self.block, axis=-1)[..., : self.shape[-1]], values, 0
        ).astype(np.int8)

    def feed(self, batch=1, seed=1):
        """A random input."""
        shape = (batch, *self.input_shape[1:])
        rng = np.random.default_rng(seed)
        if self.is_float:
            return rng.normal(size=shape).astype(np.float32)
        return rng.integers(-128, 128, size=shape).astype(np.int8)

    def graph(self):
        """`tiny_models.Graph` of it."""
        rng = np.random.default_rng(self.seed + 1)
        dtype = np.float32 if self.is_float else np.int8
        graph = Graph()
        x = graph.input((-1, *self.input_shape[1:]), dtype=dtype)
        weights = graph.constant(self.weights(), "weights")
        scales = rng.uniform(0.001, 0.02, size=self.shape[0] if self.per_channel else 1)
        # So that few outputs are clamped.
        magnitude = {"RELU6": 0.2, "RELU_N1_TO_1": 0.03}.get(self.activation, 1.0)
        scales *= magnitude
        quantize(graph, weights, scales)
        inputs = [x, weights]
        x_scale = np.float32(0.05)
        if self.has_bias:
            noise = rng.normal(size=self.shape[0])
            values = noise.astype(np.float32) if self.is_float else np.int32(noise * 1000)
            inputs.append(graph.constant(values, "bias"))
            if not self.is_float:
                quantize(graph, inputs[-1], x_scale * np.float32(scales))
        y = graph.builtin(
            "CONV_2D" if self.is_convolution else "FULLY_CONNECTED",
            inputs,
            self._output_shape(),
            options=self._options(),
            version=5 if self.is_convolution else 9,
            dtype=dtype,
        )
        if not self.is_float:
            num_products = np.prod(self.shape[1:]) * self.density + 1
            quantize(graph, x, [x_scale], [self.zero_points[0]])
            y_scale = magnitude * 0.05 * 0.01 * 60 * 70 * np.sqrt(num_products) / 100
            quantize(graph, y, [y_scale], [self.zero_points[1]])
        graph.output(y)
        return graph

    def serialize(self):
        """The model as bytes."""
        return self.graph().serialize()

    def _output_shape(self):
        return (-1, 9, 7, self.shape[0]) if self.is_convolution else (-1, self.shape[0])

    def _options(self):
        activation = getattr(schema.ActivationFunctionType, self.activation)
        if not self.is_convolution:
            return schema.FullyConnectedOptionsT(
                activation, asymmetricQuantizeInputs=self.is_asymmetric
            )
        padding = getattr(schema.Padding, self.padding)
        stride, dilation = self.stride, self.dilation
        return schema.Conv2DOptionsT(padding, stride, stride, activation, dilation, dilation)


def quantize(graph, tensor, scales, zero_points=None):
    """Give a tensor scales, and zero points if they are not 0."""
    scales = np.atleast_1d(np.asarray(scales, np.float32))
    points = np.zeros(len(scales), np.int64) if zero_points is None else np.int64(zero_points)
    graph.subgraph.tensors[tensor].quantization = schema.QuantizationParametersT(
        scale=scales, zeroPoint=points
    )


LAYERS = [
    Layer((20, 64)),
    Layer((33, 130), per_channel=False, activation="RELU", block=4),
    Layer((7, 50), has_bias=False, activation="RELU6", zero_points=(-128, -128)),
    Layer((70, 300), activation="RELU_N1_TO_1", zero_points=(127, 100), density=0.5),
    Layer((12, 3, 3, 8), block=4, activation="RELU", zero_points=(-128, -128)),
    Layer((9, 5, 5, 3), density=0.1, stride=2, activation="RELU6"),
    Layer((16, 1, 1, 40), per_channel=False, block=4),
    Layer((8, 3, 3, 6), dilation=2, padding="VALID", activation="RELU_N1_TO_1"),
    Layer((1, 3, 3, 16), stride=2, padding="VALID", zero_points=(127, 90)),
    Layer((20, 64), is_float=True),
    Layer((33, 130), is_float=True, per_channel=False, is_asymmetric=True, activation="RELU"),
    Layer((21, 100), is_float=True, is_asymmetric=True, has_bias=False, block=4),
    Layer((12, 3, 3, 8), is_float=True, activation="RELU6"),
    Layer((12, 3, 3, 8), is_float=True, per_channel=False, stride=2, block=4),
    Layer((1, 3, 3, 12), is_float=True, padding="VALID"),
]

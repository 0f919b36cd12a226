"""Plain `.tflite` networks of int8 weights and activations, made by hand for the benchmarks.

Weights are random; their scales are such that activations neither grow nor vanish.
"""

import numpy as np

from keras_dc.tflite.model_file import schema, serialize

builtin = schema.BuiltinOperator
RELU = schema.ActivationFunctionType.RELU
# Of every activation. The root mean square of sums of products becomes about 40 steps.
_SCALE = np.float32(0.05)
_STEPS = 40.0


def sparse_int8(shape, density, *, block=1, num_values=31, seed=0):
    """Random int8 weights.

    Args:
        shape: tuple of int; the last axis is that of the input channels.
        density: float, fraction of the blocks that are kept.
        block: int, neighbouring channels that are kept or pruned together.
        num_values: int, how many values the kept weights have.
        seed: int.

    Returns:
        int8 array.
    """
    rng = np.random.default_rng(seed)
    values = np.unique(np.rint(np.linspace(-127, 127, num_values)).astype(np.int8))
    values = values[values != 0]
    places = rng.standard_normal(shape, dtype=np.float32) * (len(values) / 6) + len(values) / 2
    weights = values[np.clip(places, 0, len(values) - 1).astype(np.int8)]
    blocks = rng.random((*shape[:-1], -(-shape[-1] // block)), dtype=np.float32) < density
    weights[~np.repeat(blocks, block, axis=-1)[..., : shape[-1]]] = 0
    return weights


class Int8Network:
    """A network under construction, one layer after the other.

    Attributes:
        shape: list of int, of what the last layer gives.
        last: index of its tensor.
    """

    def __init__(self, input_shape):
        self._model = schema.ModelT(version=3, operatorCodes=[], buffers=[schema.BufferT()])
        self._graph = schema.SubGraphT([], [], [], [], b"main")
        self._model.subgraphs = [self._graph]
        self.shape = list(input_shape)
        self.last = self._activation()
        self._graph.inputs = [self.last]

    def _tensor(self, shape, dtype, scales, values=None, axis=0):
        tensor = schema.TensorT(np.array(shape, np.int32), dtype, hasRank=True)
        if values is not None:
            data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
            self._model.buffers.append(schema.BufferT(data))
            tensor.buffer = len(self._model.buffers) - 1
        tensor.quantization = schema.QuantizationParametersT(
            scale=np.atleast_1d(np.float32(scales)),
            zeroPoint=np.zeros(np.size(scales), np.int64),
            quantizedDimension=axis,
        )
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _activation(self):
        return self._tensor(self.shape, schema.TensorType.INT8, _SCALE)

    def _operator(self, name, inputs, options, version):
        code = getattr(builtin, name)
        self._model.operatorCodes.append(
            schema.OperatorCodeT(min(code, 127), version=version, builtinCode=code)
        )
        self.last = self._activation()
        kind = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        index = len(self._model.operatorCodes) - 1
        self._graph.operators.append(schema.OperatorT(index, inputs, [self.last], kind, options))

    def _layer(self, name, weights, options, version, axis=0):
        channels = weights.shape[axis]
        squares = np.square(weights, dtype=np.float32).sum() / channels
        scale = _STEPS / (max(float(squares), 1.0) ** 0.5 * _STEPS)
        scales = np.float32(scale * np.linspace(0.9, 1.1, channels))
        inputs = [
            self.last,
            self._tensor(weights.shape, schema.TensorType.INT8, scales, weights, axis),
            self._tensor(
                [channels],
                schema.TensorType.INT32,
                _SCALE * scales,
                np.linspace(-500, 500, channels).astype(np.int32),
            ),
        ]
        self._operator(name, inputs, options, version)

    def fully_connected(self, weights, *, activation=0):
        """A FULLY_CONNECTED layer with weights (units, inputs)."""
        self.shape = [int(np.prod(self.shape)) // weights.shape[1], len(weights)]
        options = schema.FullyConnectedOptionsT(activation)
        self._layer("FULLY_CONNECTED", weights, options, 5)

    def _resize(self, reach, stride, same):
        size = np.array(self.shape[1:3])
        size = -(-size // stride) if same else (size - np.array(reach)) // stride + 1
        self.shape[1:3] = [int(n) for n in size]

    def conv_2d(self, kernel, *, stride=1, same=True, activation=0):
        """A CONV_2D layer with a kernel (filters, height, width, channels)."""
        self._resize(kernel.shape[1:3], stride, same)
        self.shape[3] = len(kernel)
        padding = schema.Padding.SAME if same else schema.Padding.VALID
        options = schema.Conv2DOptionsT(padding, stride, stride, activation)
        self._layer("CONV_2D", kernel, options, 3)

    def depthwise(self, kernel, *, stride=1, activation=0):
        """A DEPTHWISE_CONV_2D layer with a kernel (1, height, width, channels)."""
        self._resize(kernel.shape[1:3], stride, True)
        options = schema.DepthwiseConv2DOptionsT(
            schema.Padding.SAME, stride, stride, 1, activation, 1, 1
        )
        self._layer("DEPTHWISE_CONV_2D", kernel, options, 3, axis=3)

    def pool(self, name, *, size, stride):
        """A pooling without padding: "MAX_POOL_2D" or "AVERAGE_POOL_2D"."""
        self._resize((size, size), stride, False)
        options = schema.Pool2DOptionsT(schema.Padding.VALID, stride, stride, size, size)
        self._operator(name, [self.last], options, 2)

    def add(self, other):
        """The sum with another tensor, by its index."""
        self._operator("ADD", [self.last, other], schema.AddOptionsT(), 2)

    def pack(self):
        """The model as bytes."""
        self._graph.outputs = [self.last]
        return serialize(self._model)

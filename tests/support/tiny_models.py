"""Small TFLite models made by hand, so that the tests of the pass need no TensorFlow."""

import itertools

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_dc.tflite import model_file

FLOAT32 = schema.TensorType.FLOAT32
TYPES = {
    np.dtype(np.float32): FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}


class Graph:
    """A model of one subgraph under construction; tensors are known by their index."""

    def __init__(self):
        self.model = schema.ModelT(
            version=3,
            operatorCodes=[],
            subgraphs=[schema.SubGraphT([], [], [], [], b"main")],
            buffers=[schema.BufferT()],
            description=b"made by hand",
        )

    @property
    def subgraph(self):
        return self.model.subgraphs[-1]

    def tensor(self, shape, name, *, dtype=np.float32, buffer=0):
        signature = np.array(shape, np.int32) if -1 in shape else None
        tensor = schema.TensorT(
            np.maximum(np.array(shape, np.int32), 1) if -1 in shape else np.array(shape, np.int32),
            TYPES[np.dtype(dtype)],
            buffer,
            name.encode(),
            shapeSignature=signature,
            hasRank=True,
        )
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def input(self, shape, name="x", dtype=np.float32):
        index = self.tensor(shape, name, dtype=dtype)
        self.subgraph.inputs.append(index)
        return index

    def output(self, index):
        self.subgraph.outputs.append(index)

    def buffer(self, values):
        self.model.buffers.append(schema.BufferT(np.frombuffer(values.tobytes(), np.uint8)))
        return len(self.model.buffers) - 1

    def constant(self, values, name):
        return self.tensor(values.shape, name, dtype=values.dtype, buffer=self.buffer(values))

    def operator(self, code, inputs, outputs, options_type=0, options=None, version=1):
        self.model.operatorCodes.append(
            schema.OperatorCodeT(min(code, 127), version=version, builtinCode=code)
        )
        self.subgraph.operators.append(
            schema.OperatorT(
                len(self.model.operatorCodes) - 1, inputs, outputs, options_type, options
            )
        )

    def builtin(self, name, inputs, shape, *, options=None, version=1, dtype=np.float32):
        """Adds a built-in op by its name in the schema; returns the tensor that it computes."""
        y = self.tensor(shape, f"y{len(self.subgraph.operators)}", dtype=dtype)
        options_type = 0
        if options is not None:
            options_type = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        code = getattr(schema.BuiltinOperator, name)
        self.operator(code, inputs, [y], options_type, options, version)
        return y

    def fully_connected(self, x, weights, bias, *, name="y", activation=0, keep_num_dims=False):
        units = self.subgraph.tensors[weights].shape[0]
        y = self.tensor((-1, units), name)
        self.operator(
            schema.BuiltinOperator.FULLY_CONNECTED,
            [x, weights, -1 if bias is None else bias],
            [y],
            schema.BuiltinOptions.FullyConnectedOptions,
            schema.FullyConnectedOptionsT(activation, keepNumDims=keep_num_dims),
        )
        return y

    def conv_2d(self, x, weights, bias, *, name="y", activation=0, shape=(-1, 8, 8, 4)):
        y = self.tensor(shape, name)
        self.operator(
            schema.BuiltinOperator.CONV_2D,
            [x, weights, bias],
            [y],
            schema.BuiltinOptions.Conv2DOptions,
            schema.Conv2DOptionsT(0, 1, 1, activation),
        )
        return y

    def with_fixed_shapes(self):
        """The graph itself, for one example at a time: no size is left open."""
        for tensor in self.subgraph.tensors:
            tensor.shapeSignature = None
        return self

    def serialize(self):
        return model_file.serialize(self.model)


def sparse(shape, *, density=0.1, num_centroids=15, seed=0, dtype=np.float32):
    """A pruned and shared tensor whose centroids float16 does not hold."""
    rng = np.random.default_rng(seed)
    codebook = rng.normal(size=num_centroids) * (1 if dtype != np.int8 else 60)
    values = codebook[rng.integers(0, num_centroids, size=shape)]
    return np.where(rng.random(shape) < density, values, 0).astype(dtype)


def mlp(*, sizes=(784, 300, 100, 10), density=0.1):
    """FULLY_CONNECTED layers with ReLU and a linear one at the end."""
    graph = Graph()
    x = graph.input((-1, sizes[0]))
    for layer, (inputs, units) in enumerate(itertools.pairwise(sizes)):
        weights = graph.constant(sparse((units, inputs), density=density, seed=layer), f"w{layer}")
        rng = np.random.default_rng(layer)
        bias = graph.constant(rng.normal(size=units).astype(np.float32), f"b{layer}")
        last = layer == len(sizes) - 2
        x = graph.fully_connected(x, weights, bias, name=f"y{layer}", activation=int(not last))
    graph.output(x)
    graph.model.signatureDefs = [
        schema.SignatureDefT(
            [schema.TensorMapT(b"images", 0)],
            [schema.TensorMapT(b"logits", x)],
            b"serving_default",
        )
    ]
    return graph


def conv_net(*, density=0.2):
    """CONV_2D twice with one kernel, read by both."""
    graph = Graph()
    x = graph.input((-1, 8, 8, 4))
    kernel = graph.constant(sparse((4, 3, 3, 4), density=density), "kernel")
    bias = graph.constant(np.linspace(-1, 1, 4, dtype=np.float32), "bias")
    x = graph.conv_2d(x, kernel, bias, name="a", activation=1)
    x = graph.conv_2d(x, kernel, bias, name="b")
    graph.output(x)
    return graph


def int4():
    """An int4 kernel of an odd number of weights, two in a byte."""
    graph = Graph()
    x = graph.input((-1, 33))
    values = np.where(sparse((25, 33), density=0.3) != 0, 3, 0).astype(np.uint8).ravel()
    values[::7] = 0xF9 & 0xF
    values = np.append(values, np.uint8(0))
    packed = values[0::2] | values[1::2] << 4
    weights = graph.tensor((25, 33), "w", dtype=np.int8, buffer=graph.buffer(packed))
    graph.subgraph.tensors[weights].type = schema.TensorType.INT4
    graph.subgraph.tensors[weights].quantization = schema.QuantizationParametersT(
        scale=np.array([0.1], np.float32), zeroPoint=np.array([0], np.int64)
    )
    graph.output(graph.fully_connected(x, weights, None))
    return graph


def lookup(axis=0, rows=20):
    """A GATHER from a constant table."""
    graph = Graph()
    ids = graph.input((-1, 6), "ids", dtype=np.int32)
    table = graph.constant(sparse((rows, 8)), "table")
    y = graph.tensor((-1, 6, 8), "y")
    graph.operator(
        schema.BuiltinOperator.GATHER,
        [table, ids],
        [y],
        schema.BuiltinOptions.GatherOptions,
        schema.GatherOptionsT(axis),
    )
    graph.output(y)
    return graph


def shared_weights():
    """Two layers that read one weight tensor, and a third with its own tensor, same buffer."""
    graph = Graph()
    x = graph.input((-1, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    twin = graph.tensor((64, 64), "twin", buffer=graph.subgraph.tensors[weights].buffer)
    for tensor in (weights, weights, twin):
        x = graph.fully_connected(x, tensor, None, name=f"y{tensor}")
    graph.output(x)
    return graph


def mixed_readers():
    """One kernel read by a fusable op and by ADD, so it must be decoded for both."""
    graph = Graph()
    x = graph.input((64, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    y = graph.fully_connected(x, weights, None)
    z = graph.tensor((64, 64), "z")
    graph.operator(schema.BuiltinOperator.ADD, [y, weights], [z], schema.BuiltinOptions.AddOptions,
                   schema.AddOptionsT())  # fmt: skip
    graph.output(z)
    return graph


def two_subgraphs():
    """`conv_net`, behind a first subgraph of one layer."""
    graph = conv_net()
    main = graph.subgraph
    graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], b"body"))
    x = graph.input((-1, 64))
    graph.output(graph.fully_connected(x, graph.constant(sparse((32, 64)), "w"), None))
    graph.model.subgraphs.reverse()
    assert graph.model.subgraphs[1] is main
    return graph


def quantized():
    """An int8 kernel with a quantization scale per channel, which must be kept."""
    graph = Graph()
    x = graph.input((-1, 8, 8, 4), dtype=np.int8)
    kernel = graph.constant(sparse((4, 9, 9, 4), dtype=np.int8), "kernel")
    bias = graph.constant(np.arange(4, dtype=np.int32), "bias")
    y = graph.tensor((-1, 8, 8, 4), "y", dtype=np.int8)
    graph.operator(schema.BuiltinOperator.CONV_2D, [x, kernel, bias], [y],
                   schema.BuiltinOptions.Conv2DOptions, schema.Conv2DOptionsT(0, 1, 1),
                   version=3)  # fmt: skip
    for index, scales in [(x, [0.5]), (kernel, [0.1, 0.2, 0.3, 0.4]), (y, [0.25])]:
        graph.subgraph.tensors[index].quantization = schema.QuantizationParametersT(
            scale=np.array(scales, np.float32), zeroPoint=np.zeros(len(scales), np.int64)
        )
    graph.output(y)
    return graph

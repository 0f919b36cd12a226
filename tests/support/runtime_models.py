"""Builds small .tflite models by hand, for tests of the runtimes."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPE_OF = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}


class Graph:
    """One subgraph of a `Model`; tensors are named by the index that adding them returns."""

    def __init__(self, model):
        self._model = model
        self.table = schema.SubGraphT()
        self.table.tensors, self.table.operators = [], []

    def tensor(self, shape, dtype=np.float32, *, name="", scale=None, scale_axis=0):
        """Adds a tensor that is computed; `scale` (number or list) quantizes it."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), 0
        tensor.type = _TYPE_OF[np.dtype(dtype)]
        if scale is not None:
            scales = np.atleast_1d(scale).tolist()
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = [0] * len(scales)
            tensor.quantization.quantizedDimension = scale_axis
        self.table.tensors.append(tensor)
        return len(self.table.tensors) - 1

    def constant(self, values, **options):
        """Adds a tensor with the data of an array or of `bytes`."""
        if isinstance(values, bytes):
            values = np.frombuffer(values, np.uint8)
        index = self.tensor(values.shape, values.dtype, **options)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        self.table.tensors[index].buffer = len(self._model.buffers) - 1
        return index

    def op(self, code, inputs, outputs, options=None):
        """Adds an operator: a built-in with its options table, or a custom one with bytes."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._model.opcode_index(code)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if isinstance(code, str):
            operator.customOptions = list(options or b"") or None
        elif options is not None:
            name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = options
        self.table.operators.append(operator)

    def ends(self, inputs, outputs):
        """Sets the inputs and outputs of the subgraph."""
        self.table.inputs, self.table.outputs = list(inputs), list(outputs)


class Model:
    """Holds the subgraphs; the first one is the main one."""

    def __init__(self):
        self.buffers = [schema.BufferT()]
        self._codes = []
        self._graphs = []

    def graph(self):
        self._graphs.append(Graph(self))
        return self._graphs[-1]

    def opcode_index(self, code):
        if code not in self._codes:
            self._codes.append(code)
        return self._codes.index(code)

    def pack(self):
        """The bytes of the model."""
        model = schema.ModelT()
        model.version = 3
        model.subgraphs = [graph.table for graph in self._graphs]
        model.buffers = self.buffers
        model.operatorCodes = [_operator_code(code) for code in self._codes]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _operator_code(code):
    table = schema.OperatorCodeT()
    table.version = 1
    if isinstance(code, str):
        table.builtinCode = table.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        table.customCode = code
    else:
        table.builtinCode = code
        table.deprecatedBuiltinCode = min(code, 127)
    return table

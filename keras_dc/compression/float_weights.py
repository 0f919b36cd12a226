"""Which constants are float weights, and what the ops do with them."""

import dataclasses

from keras_dc.tflite.graph import TensorRef
from keras_dc.tflite.model_file import schema

_CODE = schema.BuiltinOperator

# Inputs of an op that are weights, and the dimension that counts output channels.
_WEIGHT_INPUTS: dict = {
    _CODE.FULLY_CONNECTED: {1: 0},
    _CODE.CONV_2D: {1: 0},
    _CODE.DEPTHWISE_CONV_2D: {1: -1},
    _CODE.TRANSPOSE_CONV: {1: 0},
    _CODE.CONV_3D: {1: -1},
    _CODE.CONV_3D_TRANSPOSE: {1: None},
    _CODE.BATCH_MATMUL: {0: None, 1: None},
    _CODE.GATHER: {0: 0},
    _CODE.EMBEDDING_LOOKUP: {1: 0},
    _CODE.UNIDIRECTIONAL_SEQUENCE_LSTM: dict.fromkeys(range(1, 9), 0),
    _CODE.UNIDIRECTIONAL_SEQUENCE_RNN: {1: 0, 2: 0},
    _CODE.RNN: {1: 0, 2: 0},
    _CODE.SVDF: {1: 0, 2: 0},
}
_LOOKUPS = (_CODE.GATHER, _CODE.EMBEDDING_LOOKUP)
# Through these a constant reaches the op that computes with it.
_MOVES_AXES = (_CODE.TRANSPOSE, _CODE.RESHAPE)
_PASSING = (_CODE.DEQUANTIZE, _CODE.DENSIFY, *_MOVES_AXES)
# Ops that hand their inputs, from this position on, to the subgraphs that the options name.
_CALLS: dict = {
    _CODE.IF: (1, ("thenSubgraphIndex", "elseSubgraphIndex")),
    _CODE.WHILE: (0, ("condSubgraphIndex", "bodySubgraphIndex")),
}
_LONGEST_PATH = 6


@dataclasses.dataclass(frozen=True)
class FloatWeight:
    """How a constant that is float weights is used.

    Attributes:
        axis: 0 or -1, the dimension that counts output channels; None if there is none or
            its readers differ.
        is_summed: whether all that becomes of it are sums of products.
    """

    axis: int | None
    is_summed: bool


@dataclasses.dataclass(frozen=True)
class _Use:
    """One op that a constant reaches; `is_weight` is whether it reads it as weights."""

    is_weight: bool
    axis: int | None = None
    is_summed: bool = False


_OTHER_USE = _Use(is_weight=False)


def find_float_weights(graph, constants):
    """The constants that are float weights: of two dimensions at least, and read as such.

    Args:
        graph: `tflite.graph.Graph`.
        constants: iterable of Constant.

    Returns:
        dict from the index of a buffer to FloatWeight, in the order of the constants.
    """
    found = {}
    for constant in constants:
        if constant.dtype not in ("float32", "float16") or constant.values.ndim < 2:
            continue
        uses = [use for read in constant.readers for use in _uses(graph, read, _LONGEST_PATH)]
        axes = {use.axis for use in uses if use.is_weight}
        if axes:
            axis = axes.pop() if len(axes) == 1 else None
            found[constant.buffer] = FloatWeight(axis, all(use.is_summed for use in uses))
    return found


def _uses(graph, read, longest):
    """The _Use of each op that the values of an input reach."""
    builtin = graph.builtin(read.op)
    axes = _WEIGHT_INPUTS.get(builtin, {})
    if read.position in axes:
        return [_Use(True, axes[read.position], builtin not in _LOOKUPS)]
    passed_on = _passed_on(graph, builtin, read)
    if passed_on is None or not longest:
        return [_OTHER_USE]
    uses = []
    for tensor in passed_on:
        for reader in graph.readers(tensor):
            uses += _uses(graph, reader, longest - 1)
        if graph.is_output(tensor):
            uses.append(_OTHER_USE)
    if builtin in _MOVES_AXES:
        uses = [dataclasses.replace(use, axis=None) for use in uses]
    return uses


def _passed_on(graph, builtin, read):
    """The tensors that hold what an op was given at an input, None if it computes with it."""
    operator = graph.operator(read.op)
    if builtin in _PASSING:
        output = graph.output(read.op)
        return None if read.position or output is None else [output]
    first, names = _CALLS.get(builtin, (0, ()))
    if not names or read.position < first:
        return None
    called = [getattr(operator.builtinOptions, name, -1) for name in names]
    subgraphs = graph.model.subgraphs
    return [
        TensorRef(index, int(tensor))
        for index in called
        if 0 <= index < len(subgraphs)
        for tensor in subgraphs[index].inputs[read.position - first : read.position - first + 1]
    ]

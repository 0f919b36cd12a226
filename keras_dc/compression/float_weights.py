"""Which constants are weights, and what the ops do with them."""

import collections
import dataclasses

from keras_dc.compression.constants import Constant
from keras_dc.tflite.model_file import builtin_code, schema

_CODE = schema.BuiltinOperator

# Inputs of an op that are weights, and the dimension that counts output channels.
_KERNEL_INPUTS: dict = {
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
_NO_KERNEL = "no kernel"


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A constant that is float weights.

    Attributes:
        constant: Constant, float32 or float16, of two dimensions at least.
        axis: 0 or -1, the dimension that counts output channels; None if there is none or
            its readers differ.
        is_summed: whether all that becomes of it are sums of products.
    """

    constant: Constant
    axis: int | None
    is_summed: bool


def find_kernels(model, constants):
    """The float weights among constants: of two dimensions, and read as such somewhere.

    Args:
        model: `schema.ModelT`.
        constants: list of Constant.

    Returns:
        list of Kernel.
    """
    readers_behind = _readers_behind(model)
    found = []
    for constant in constants:
        if constant.dtype not in ("float32", "float16") or constant.values.ndim < 2:
            continue
        uses = [
            use
            for operator, position in constant.readers
            for use in _uses(model, readers_behind, operator, position, _LONGEST_PATH)
        ]
        axes = {axis for axis, _ in uses}
        if axes - {_NO_KERNEL}:
            axes -= {_NO_KERNEL}
            axis = axes.pop() if len(axes) == 1 else None
            found.append(Kernel(constant, axis, all(is_summed for _, is_summed in uses)))
    return found


def _readers_behind(model):
    """Who reads what becomes of an input, for the inputs that are passed on.

    Keys are `(identity of the operator, input position)`, values are lists of such
    `(operator, input position)`; None stands for the outputs of a graph.
    """
    readers = [_readers_in(subgraph) for subgraph in model.subgraphs]
    found = {}
    for subgraph, readers_here in zip(model.subgraphs, readers):
        for operator in subgraph.operators:
            code = _code_of(model, operator)
            if code in _PASSING and len(operator.outputs):
                found[id(operator), 0] = readers_here[int(operator.outputs[0])]
            elif code in _CALLS:
                first, names = _CALLS[code]
                called = [getattr(operator.builtinOptions, name, -1) for name in names]
                inside = [
                    (model.subgraphs[index].inputs, readers[index])
                    for index in called
                    if 0 <= index < len(readers)
                ]
                for position in range(first, len(operator.inputs)):
                    found[id(operator), position] = [
                        reader
                        for inputs, readers_inside in inside
                        for index in inputs[position - first : position - first + 1]
                        for reader in readers_inside[int(index)]
                    ]
    return found


def _readers_in(subgraph):
    """`(operator, input position)` of all readers of each tensor; None for the outputs."""
    readers = collections.defaultdict(list)
    for operator in subgraph.operators:
        for position, index in enumerate(operator.inputs):
            readers[int(index)].append((operator, position))
    for index in subgraph.outputs:
        readers[int(index)].append((None, 0))
    return readers


def _code_of(model, operator):
    return builtin_code(model.operatorCodes[operator.opcodeIndex])


def _uses(model, readers_behind, operator, position, longest):
    """`(axis, is_summed)` of each op that an input reaches."""
    if operator is None:
        return [(_NO_KERNEL, False)]
    code = _code_of(model, operator)
    kernels = _KERNEL_INPUTS.get(code, {})
    if position in kernels:
        return [(kernels[position], code not in _LOOKUPS)]
    behind = readers_behind.get((id(operator), position))
    if behind is None or not longest:
        return [(_NO_KERNEL, False)]
    uses = [
        use
        for reader, place in behind
        for use in _uses(model, readers_behind, reader, place, longest - 1)
    ]
    if code in _MOVES_AXES:
        return [(axis if axis == _NO_KERNEL else None, is_summed) for axis, is_summed in uses]
    return uses

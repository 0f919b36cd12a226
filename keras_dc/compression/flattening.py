"""The RESHAPE before a fully connected op, which the fused op does without.

KerasDcFullyConnected takes inputs of any rank as rows. The plain form of what makes the rows for
FULLY_CONNECTED is one RESHAPE to `[-1, input_size]`, whose two tensors, the shape and the rows, are
the last of their subgraph: so it can be taken out, and put back from a flag of the fused op.
"""

import copy

import numpy as np

from keras_dc.errors import CompressionError
from keras_dc.tflite.graph import TensorRef, code_index, shape_of
from keras_dc.tflite.model_file import schema

# In byte 1 of the custom options of KerasDcFullyConnected.
FLATTENS = 64
_OP = schema.BuiltinOperator


def rows_size(graph, op):
    """How many numbers a row has, if an op takes rows and makes them of any input itself.

    Args:
        graph: `tflite.graph.Graph`.
        op: OpRef.

    Returns:
        int, or None if it is no such FULLY_CONNECTED.
    """
    operator = graph.operator(op)
    options = operator.builtinOptions
    if graph.builtin(op) != _OP.FULLY_CONNECTED or options is None:
        return None
    if options.keepNumDims or options.weightsFormat or min(operator.inputs[:2]) < 0:
        return None
    weights = shape_of(graph.tensor(graph.inputs(op)[1]))
    return weights[1] if len(weights) == 2 else None


def reshape_before(graph, op):
    """The RESHAPE that makes the rows of an op and nothing else: OpRef or None.

    Args:
        graph: `tflite.graph.Graph`.
        op: OpRef.
    """
    size = rows_size(graph, op)
    rows = TensorRef(op.subgraph, int(graph.operator(op).inputs[0])) if size else None
    if rows is None or len(graph.readers(rows)) != 1 or graph.is_output(rows):
        return None
    makers = (
        ref for ref in graph.ops if ref.subgraph == op.subgraph and rows in _outputs(ref, graph)
    )
    maker = next(makers, None)
    if maker is None or graph.builtin(maker) != _OP.RESHAPE:
        return None
    return maker if shape_of(graph.tensor(rows))[1:] == (size,) else None


def _outputs(op, graph):
    return [TensorRef(op.subgraph, int(index)) for index in graph.operator(op).outputs]


def add_reshape(model, tensors, operator, size):
    """Let an op read its input as rows that a RESHAPE makes.

    Args:
        model: `schema.ModelT`, to which what is missing is added.
        tensors: list of `schema.TensorT` of the op's subgraph; two are added.
        operator: `schema.OperatorT`, which is changed.
        size: int, numbers of a row.

    Returns:
        `schema.OperatorT`, the RESHAPE, to be inserted before.
    """
    source, made = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    shape = np.array([-1, size], "<i4")
    model.buffers.append(schema.BufferT(shape.view(np.uint8)))
    signature = made.shapeSignature
    tensors += [
        schema.TensorT(
            shape=np.array([2], np.int32),
            type=schema.TensorType.INT32,
            buffer=len(model.buffers) - 1,
            hasRank=made.hasRank,
        ),
        schema.TensorT(
            shape=np.array([made.shape[0], size], np.int32),
            type=source.type,
            quantization=copy.deepcopy(source.quantization),
            shapeSignature=(
                None if signature is None else np.array([signature[0], size], np.int32)
            ),
            hasRank=made.hasRank,
        ),
    ]
    code = schema.OperatorCodeT(_OP.RESHAPE, version=1, builtinCode=_OP.RESHAPE)
    reshape = schema.OperatorT(
        opcodeIndex=code_index(model, code),
        inputs=np.array([operator.inputs[0], len(tensors) - 2], np.int32),
        outputs=np.array([len(tensors) - 1], np.int32),
        builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
        builtinOptions=schema.ReshapeOptionsT(),
    )
    operator.inputs = np.append(np.int32(len(tensors) - 1), operator.inputs[1:])
    return reshape


def take_out(graph, fusions):
    """Let fused ops read what plain RESHAPEs before them read, and drop the tensors of these.

    Args:
        graph: `tflite.graph.Graph`; its model is changed.
        fusions: dict, see `decide.Plan`; nothing else may be edited before.

    Returns:
        dict from the OpRef of a fused op to that of the RESHAPE that is to go.
    """
    taken = {}
    for op in sorted(fusions, reverse=True):
        reshape = reshape_before(graph, op)
        if reshape is not None and _is_plain(graph, reshape, op):
            operator, tensors = graph.operator(op), graph.model.subgraphs[op.subgraph].tensors
            source = graph.operator(reshape).inputs[0]
            operator.inputs = np.append(source, operator.inputs[1:])
            graph.model.buffers[tensors[-2].buffer].data = None
            del tensors[-2:]
            taken[op] = reshape
    return taken


def with_flag(options):
    """Custom options that tell of a RESHAPE that was taken out: uint8 array.

    Args:
        options: uint8 array.
    """
    flagged = np.zeros(max(2, options.size), np.uint8)
    flagged[: options.size] = options
    flagged[1] |= FLATTENS
    return flagged


def has_flag(options):
    """Whether custom options, bytes-like or None, tell of a RESHAPE that was taken out."""
    return options is not None and len(options) > 1 and bool(options[1] & FLATTENS)


def put_back(model, subgraph, operator):
    """Put the RESHAPE before an op back that `take_out` took.

    Args:
        model: `schema.ModelT`.
        subgraph: `schema.SubGraphT` of the op, whose last tensors are those of the file before.
        operator: `schema.OperatorT`, FULLY_CONNECTED with its weights.

    Raises:
        CompressionError: if it does not make rows.
    """
    tensors = subgraph.tensors
    if min(operator.inputs[:2]) < 0:
        raise CompressionError(
            f"an op that flattens must have an input and weights. Received: {operator.inputs}"
        )
    weights, made = (shape_of(tensors[i]) for i in (operator.inputs[1], operator.outputs[0]))
    signature = tensors[operator.outputs[0]].shapeSignature
    if len(weights) != 2 or len(made) != 2 or (signature is not None and len(signature) != 2):
        raise CompressionError(
            "an op that flattens must have weights and an output of two axes. "
            f"Received: shapes {weights} and {made}"
        )
    reshape = add_reshape(model, tensors, operator, weights[1])
    place = next(i for i, one in enumerate(subgraph.operators) if one is operator)
    subgraph.operators.insert(place, reshape)


def _is_plain(graph, reshape, op):
    """Whether `add_reshape` would make a RESHAPE, and its tensors are the last now."""
    tensors = graph.model.subgraphs[op.subgraph].tensors
    operator, fused = graph.operator(reshape), graph.operator(op)
    end = len(tensors)
    if list(operator.inputs[1:]) != [end - 2] or list(operator.outputs) != [end - 1]:
        return False
    if tensors[-2].name or tensors[-1].name:
        return False
    shape = TensorRef(op.subgraph, end - 2)
    if len(graph.readers(shape)) != 1 or len(graph.tensors_of(tensors[-2].buffer)) != 1:
        return False
    # A model of these tensors alone, made again.
    made = [copy.copy(tensors[operator.inputs[0]]), tensors[fused.outputs[0]]]
    model = schema.ModelT(buffers=[], operatorCodes=[copy.copy(graph.code(reshape))])
    again = schema.OperatorT(inputs=np.array([0], np.int32), outputs=np.array([1], np.int32))
    made_op = add_reshape(model, made, again, int(tensors[-1].shape[1]))
    data = graph.data(shape)
    same_data = data is not None and data.tobytes() == model.buffers[0].data.tobytes()
    return (
        same_data
        and len(model.operatorCodes) == 1
        and _described(made_op) == _described(operator)
        and all(_described(one) == _described(two) for one, two in zip(made[2:], tensors[-2:]))
    )


def _described(table):
    """A tensor or an operator without what is its own alone: names and places."""
    own = ("name", "buffer", "inputs", "outputs", "opcodeIndex")
    return {name: _plain(value) for name, value in vars(table).items() if name not in own}


def _plain(value):
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(one) for one in value] or None
    return _described(value) if hasattr(value, "__dict__") else value

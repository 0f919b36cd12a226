"""The constants of a TFLite model: which of them can be coded, and why the others cannot."""

import collections
import dataclasses

import numpy as np

from keras_dc.compression import custom_ops
from keras_dc.errors import ModelFormatError
from keras_dc.tflite import dense_and_sparse
from keras_dc.tflite.model_file import schema, tensor_name

DTYPE_OF = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.FLOAT16: "float16",
    schema.TensorType.BFLOAT16: "bfloat16",
    schema.TensorType.INT8: "int8",
    schema.TensorType.INT4: "int4",
}
_TYPE_NAMES = {number: name for name, number in vars(schema.TensorType).items() if name[0] != "_"}
TYPE_OF = {name: number for number, name in DTYPE_OF.items()}
_NUMPY_OF = {
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": np.uint16,
    "int8": np.int8,
    "int4": np.int8,
}
_SMALLEST_CODED_BYTES = 64
# A few bytes may claim to be the sparse form of anything.
_MOST_DENSE_WEIGHTS = 2**28


@dataclasses.dataclass
class Constant:
    """A buffer that holds a tensor's values, and all who read it.

    Attributes:
        buffer: index of the buffer.
        tensors: `(subgraph index, tensor index)` of each tensor that has this buffer.
        readers: `(operator, input position)` of each use.
        values: array, as the tensor has them; int4 as int8.
        size_bytes: what the buffer takes, and the indices of a sparse tensor.
        dtype: the codec's name of the element type.
        channel_axis: the axis along which the values are quantized, None if they are not.
        channel_scales: float array of the quantization scales along it.
        sparse_form: SparseForm if the tensor is stored sparsely, else None; `values` are
            dense either way.
        factorings: tuple of `(axis, channel_scales.Factors)`, the ways to see the values as
            a codebook times a scale per channel; None if they are to be looked for.
        negative_zeros: what `negative_zeros.find_channels` found, once `values` are rid of
            them, else None.
        blob: bytes, once coded.
    """

    buffer: int
    tensors: list
    readers: list
    values: np.ndarray
    size_bytes: int
    dtype: str
    channel_axis: int | None = None
    channel_scales: np.ndarray | None = None
    sparse_form: dense_and_sparse.SparseForm | None = None
    factorings: tuple | None = None
    negative_zeros: tuple | None = None
    blob: bytes = b""


@dataclasses.dataclass(frozen=True)
class LeftConstant:
    """A buffer of values that is not coded.

    Attributes:
        buffer: index of the buffer.
        tensors: `(subgraph index, tensor index)` of each tensor that has this buffer.
        readers: `(operator, input position)` of each use.
        size_bytes: what the buffer takes, and the indices of a sparse tensor.
        reason: str, why.
    """

    buffer: int
    tensors: list
    readers: list
    size_bytes: int
    reason: str


class _CannotCodeError(Exception):
    """Says why a constant is left alone."""


def find_constants(model):
    """Sort the buffers with values into those that can be coded and those that cannot.

    Args:
        model: `schema.ModelT`.

    Returns:
        tuple `(list of Constant, list of LeftConstant)`, in the order of the buffers.

    Raises:
        ModelFormatError: if a buffer contradicts its tensor.
    """
    tensors_of, readers_of = collections.defaultdict(list), collections.defaultdict(list)
    read, ends = set(), set()
    for subgraph_index, subgraph in enumerate(model.subgraphs):
        for tensor_index, tensor in enumerate(subgraph.tensors):
            tensors_of[tensor.buffer].append((subgraph_index, tensor_index))
        for operator in subgraph.operators:
            for position, tensor_index in enumerate(operator.inputs):
                if tensor_index >= 0:
                    buffer = subgraph.tensors[tensor_index].buffer
                    readers_of[buffer].append((operator, position))
                    read.add((subgraph_index, int(tensor_index)))
        ends.update((subgraph_index, int(t)) for t in [*subgraph.inputs, *subgraph.outputs])
    metadata = {entry.buffer for entry in model.metadata or ()}
    blobs = {
        subgraph.tensors[index].buffer for subgraph, *_, index in custom_ops.blob_tensors(model)
    }
    constants, left = [], []
    for index, buffer in enumerate(model.buffers):
        tensors, readers = tensors_of[index], readers_of[index]
        if index == 0 or not tensors or buffer.data is None or not len(buffer.data):
            continue
        try:
            # A tensor that nobody reads could not be decoded for anybody.
            _check(read.issuperset(tensors), "a tensor of this buffer is read by no operator")
            _check(ends.isdisjoint(tensors), "an input or output of the graph")
            _check(index not in metadata, "shared by the model's metadata")
            _check(index not in blobs, "coded already")
            constants.append(_as_constant(model, index, tensors, readers))
        except _CannotCodeError as error:
            first = model.subgraphs[tensors[0][0]].tensors[tensors[0][1]]
            left.append(
                LeftConstant(index, tensors, readers, _size_bytes(buffer, first), str(error))
            )
    return constants, left


def _check(condition, reason):
    if not condition:
        raise _CannotCodeError(reason)


def _size_bytes(buffer, tensor):
    indices = 0 if tensor.sparsity is None else dense_and_sparse.size_bytes(tensor.sparsity)
    return len(buffer.data) + indices


def _as_constant(model, index, tensors, readers):
    buffer = model.buffers[index]
    users = [model.subgraphs[subgraph].tensors[tensor] for subgraph, tensor in tensors]
    first = users[0]
    dtype = DTYPE_OF.get(first.type, "")
    type_name = _TYPE_NAMES.get(first.type, str(first.type))
    _check(dtype, f"{type_name} is not among {', '.join(TYPE_OF)}")
    size_bytes = _size_bytes(buffer, first)
    _check(size_bytes >= _SMALLEST_CODED_BYTES, f"smaller than {_SMALLEST_CODED_BYTES} bytes")
    _check(not any(user.isVariable for user in users), "a variable")
    _check(not any(user.externalBuffer for user in users), "kept in an external buffer")
    for user in users:
        alike = user.type == first.type and np.array_equal(user.shape, first.shape)
        _check(alike, "shared by tensors of different shapes or types")
        one_form = (user.sparsity is None) == (first.sparsity is None)
        _check(one_form, "shared by a sparse tensor and a dense one")
    shape = () if first.shape is None else tuple(map(int, first.shape))
    if first.sparsity is not None:
        return _as_sparse_constant(model, index, tensors, readers, dtype, shape)
    values = _unpack(buffer.data, dtype, int(np.prod(shape, dtype=np.int64)))
    if values is None:
        raise ModelFormatError(
            f"the buffer of tensor {tensor_name(first)!r} must hold {dtype} values shaped {shape}. "
            f"Received: {len(buffer.data)} bytes"
        )
    axis, scales = _quantized_channels(first, len(shape))
    values = values.reshape(shape)
    return Constant(index, tensors, readers, values, size_bytes, dtype, axis, scales)


def _as_sparse_constant(model, index, tensors, readers, dtype, shape):
    users = [model.subgraphs[subgraph].tensors[tensor] for subgraph, tensor in tensors]
    _check(dtype != "int4", "a sparse int4 tensor")
    _check(len(users) == 1, "sparse, and shared by several tensors")
    is_densify = {custom_ops.is_densify(model, operator) for operator, _ in readers}
    _check(len(is_densify) == 1, "sparse, and read by DENSIFY and by others")
    subgraph = model.subgraphs[tensors[0][0]]
    densify = [operator for operator, _ in readers if is_densify == {True}]
    _check(all(len(operator.outputs) for operator in densify), "sparse, and DENSIFY has no output")
    for output in [operator.outputs[0] for operator in densify]:
        _check(output not in subgraph.outputs, "sparse, and its dense form is an output")
        is_alike = np.array_equal(subgraph.tensors[output].shape, shape)
        _check(is_alike, "sparse, and its dense form has another shape")
    _check(np.prod(shape, dtype=np.float64) <= _MOST_DENSE_WEIGHTS, "sparse, and too large dense")
    data, sparsity = model.buffers[index].data, users[0].sparsity
    item_type = np.dtype(_NUMPY_OF[dtype])
    _check(len(data) % item_type.itemsize == 0, "sparse, and its buffer holds half a value")
    try:
        leaves = np.frombuffer(data, item_type)
        form, dense = dense_and_sparse.canonical_dense(sparsity, leaves, shape)
    except dense_and_sparse.SparseFormError as error:
        raise _CannotCodeError(f"its sparse form cannot be restored: {error}") from error
    axis, scales = _quantized_channels(users[0], len(shape))
    size_bytes = len(data) + dense_and_sparse.size_bytes(sparsity)
    return Constant(index, tensors, readers, dense, size_bytes, dtype, axis, scales, form)


def _unpack(data, dtype, count):
    """The `count` elements of a buffer, None if it holds another number of bytes."""
    if dtype != "int4":
        item_type = np.dtype(_NUMPY_OF[dtype])
        return np.frombuffer(data, item_type) if len(data) == item_type.itemsize * count else None
    if len(data) != (count + 1) // 2:
        return None
    # Two in a byte, the first one low; the shifts bring the sign.
    packed = np.frombuffer(data, np.int8)
    return np.stack([(packed << 4).astype(np.int8) >> 4, packed >> 4], axis=-1).ravel()[:count]


def pack(values, dtype):
    """The bytes that a buffer holds for an array that `codec.decode` gave.

    Args:
        values: array.
        dtype: the codec's name of the element type.

    Returns:
        uint8 array; inverse of what `find_constants` reads.
    """
    if dtype != "int4":
        return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    nibbles = values.ravel().view(np.uint8) & 0xF
    nibbles = np.append(nibbles, np.zeros(nibbles.size % 2, np.uint8))
    return nibbles[0::2] | nibbles[1::2] << 4


def _quantized_channels(tensor, rank):
    """Axis and scales of per-channel quantization, where the codec can use them."""
    quantization = tensor.quantization
    scales = None if quantization is None else quantization.scale
    if scales is None or len(scales) < 2 or rank < 2:
        return None, None
    axis = quantization.quantizedDimension
    if axis not in (0, rank - 1) or len(scales) != tensor.shape[axis]:
        return None, None
    return (0 if axis == 0 else -1), np.asarray(scales, np.float64)

"""The constants of a TFLite model: which of them can be coded, and why the others cannot."""

import dataclasses
from typing import NamedTuple

import numpy as np

from keras_dc.codec import dtypes
from keras_dc.compression import custom_ops, unpacking
from keras_dc.errors import ModelFormatError
from keras_dc.tflite import dense_and_sparse
from keras_dc.tflite.graph import Read, TensorRef, shape_of, tensor_name
from keras_dc.tflite.model_file import schema

# The codec's element types by the schema's numbers, and back: both call them alike.
TYPE_OF = {name: getattr(schema.TensorType, name.upper()) for name in dtypes.BY_NAME}
_DTYPE_OF = {number: dtypes.BY_NAME[name] for name, number in TYPE_OF.items()}
_TYPE_NAMES = {number: name for name, number in vars(schema.TensorType).items() if name[0] != "_"}
_SMALLEST_CODED_BYTES = 16
# A few bytes may claim to be the sparse form of anything.
_MOST_DENSE_WEIGHTS = 2**28


class QuantizedChannels(NamedTuple):
    """Quantization by channel: the axis of the channels, 0 or -1, and a scale for each."""

    axis: int
    scales: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Constant:
    """A buffer that holds a tensor's values, and all who read it.

    Attributes:
        buffer: index of the buffer.
        tensors: tuple of TensorRef, the tensors that have this buffer.
        readers: tuple of Read, each use of these tensors.
        consumers: tuple of Read, who computes with the values: `readers`, or who reads what
            the `chains` make.
        chains: tuple of `unpacking.Chain`, the DENSIFY and DEQUANTIZE ops between the values
            and the consumers, one for each reader; () if the consumers are the readers.
        values: array, as the tensor has them; int4 as int8.
        size_bytes: what the buffer takes, and the indices of a sparse tensor.
        dtype: the codec's name of the element type.
        channels: QuantizedChannels, None if the values are not quantized by channel.
        zero_point: int, the int8 value that stands for 0.
        sparse_form: SparseForm if the tensor is stored sparsely, else None; `values` are
            dense either way.
        factorings: tuple of `(axis, Factors)`, the ways to see the values as a codebook
            times a scale per channel; None if they are to be searched.
        negative_zeros: what `negative_zeros.find_channels` found, once `values` are without
            -0.0, else None.
        is_changed: whether `values` are others than the buffer holds.
    """

    buffer: int
    tensors: tuple[TensorRef, ...]
    readers: tuple[Read, ...]
    consumers: tuple[Read, ...]
    chains: tuple[unpacking.Chain, ...]
    values: np.ndarray
    size_bytes: int
    dtype: str
    channels: QuantizedChannels | None = None
    zero_point: int = 0
    sparse_form: dense_and_sparse.SparseForm | None = None
    factorings: tuple | None = None
    negative_zeros: tuple | None = None
    is_changed: bool = False

    @property
    def shape(self):
        """Dimensions of the tensor."""
        return self.values.shape


@dataclasses.dataclass(frozen=True)
class LeftConstant:
    """A buffer of values that cannot be coded.

    Attributes:
        buffer: index of the buffer.
        tensors: tuple of TensorRef, the tensors that have this buffer.
        consumers: tuple of Read, each use of these tensors.
        shape: dimensions of the first tensor.
        size_bytes: what the buffer takes, and the indices of a sparse tensor.
        reason: str, why.
    """

    buffer: int
    tensors: tuple[TensorRef, ...]
    consumers: tuple[Read, ...]
    shape: tuple[int, ...]
    size_bytes: int
    reason: str


class _CannotCodeError(Exception):
    """Says why a constant is left alone."""


def find_constants(graph):
    """Sort the buffers with values into those that can be coded and those that cannot.

    Args:
        graph: `tflite.graph.Graph`.

    Returns:
        tuple `(tuple of Constant, tuple of LeftConstant)`, in the order of the buffers.

    Raises:
        ModelFormatError: if a buffer contradicts its tensor.
    """
    metadata = {entry.buffer for entry in graph.model.metadata or ()}
    blobs = {graph.tensor(ref).buffer for _, ref in custom_ops.blobs_of(graph)}
    constants, left = [], []
    for index in range(1, len(graph.model.buffers)):
        tensors = graph.tensors_of(index)
        if not tensors or graph.data(tensors[0]) is None:
            continue
        try:
            # A tensor that nobody reads could not be decoded for anybody.
            is_read = all(map(graph.readers, tensors))
            _check(is_read, "a tensor of this buffer is read by no operator")
            is_end = any(graph.is_input(ref) or graph.is_output(ref) for ref in tensors)
            _check(not is_end, "an input or output of the graph")
            _check(index not in metadata, "shared by the model's metadata")
            _check(index not in blobs, "coded already")
            constants.append(_as_constant(graph, index, tensors))
        except _CannotCodeError as error:
            first = graph.tensor(tensors[0])
            size_bytes = _size_bytes(graph.data(tensors[0]), first)
            consumers = unpacking.consumers_of(graph, tensors, unpacking.chains_of(graph, tensors))
            left.append(
                LeftConstant(index, tensors, consumers, shape_of(first), size_bytes, str(error))
            )
    return tuple(constants), tuple(left)


def _check(condition, reason):
    if not condition:
        raise _CannotCodeError(reason)


def _size_bytes(data, tensor):
    indices = 0 if tensor.sparsity is None else dense_and_sparse.size_bytes(tensor.sparsity)
    return len(data) + indices


def _as_constant(graph, index, tensors):
    users = [graph.tensor(ref) for ref in tensors]
    first, data = users[0], graph.data(tensors[0])
    dtype = _DTYPE_OF.get(first.type)
    type_name = _TYPE_NAMES.get(first.type, str(first.type))
    if dtype is None:
        raise _CannotCodeError(f"{type_name} is not among {', '.join(TYPE_OF)}")
    size_bytes = _size_bytes(data, first)
    _check(size_bytes >= _SMALLEST_CODED_BYTES, f"smaller than {_SMALLEST_CODED_BYTES} bytes")
    _check(not any(user.isVariable for user in users), "a variable")
    _check(not any(user.externalBuffer for user in users), "kept in an external buffer")
    for user in users:
        is_alike = user.type == first.type and np.array_equal(user.shape, first.shape)
        _check(is_alike, "shared by tensors of different shapes or types")
        one_form = (user.sparsity is None) == (first.sparsity is None)
        _check(one_form, "shared by a sparse tensor and a dense one")
    shape = shape_of(first)
    readers = tuple(read for ref in tensors for read in graph.readers(ref))
    chains = unpacking.chains_of(graph, tensors)
    if first.sparsity is None:
        form, values = None, _unpacked(data, dtype, shape, first)
    else:
        form, values = _dense(graph, tensors, readers, dtype, shape)
        is_known = bool(chains) or not custom_ops.is_densify(graph, readers[0].op)
        _check(is_known, "sparse, and its DENSIFY is not as converters write it")
    return Constant(
        buffer=index,
        tensors=tensors,
        readers=readers,
        consumers=unpacking.consumers_of(graph, tensors, chains),
        chains=chains,
        values=values,
        size_bytes=size_bytes,
        dtype=dtype.name,
        channels=quantized_channels(first),
        zero_point=_zero_point(first, values, dtype.name),
        sparse_form=form,
    )


def _unpacked(data, dtype, shape, tensor):
    """The values of a dense constant."""
    count = int(np.prod(shape, dtype=np.int64))
    if len(data) != -(-count * dtype.size_bits // 8):
        raise ModelFormatError(
            f"the buffer of tensor {tensor_name(tensor)!r} must hold {dtype.name} values shaped "
            f"{shape}. Received: {len(data)} bytes"
        )
    if dtype.name != "int4":
        return np.frombuffer(data, dtype.storage).reshape(shape)
    # Two in a byte, the first one low; the shifts bring the sign.
    packed = np.frombuffer(data, np.int8)
    pairs = np.stack([(packed << 4).astype(np.int8) >> 4, packed >> 4], axis=-1)
    return pairs.ravel()[:count].reshape(shape)


def _dense(graph, tensors, readers, dtype, shape):
    """SparseForm and dense values of a constant that is stored sparsely."""
    _check(dtype.name != "int4", "a sparse int4 tensor")
    _check(len(tensors) == 1, "sparse, and shared by several tensors")
    is_densify = {custom_ops.is_densify(graph, read.op) for read in readers}
    _check(len(is_densify) == 1, "sparse, and read by DENSIFY and by others")
    for read in readers if is_densify == {True} else ():
        output = graph.output(read.op)
        _check(output is not None, "sparse, and DENSIFY has no output")
        _check(not graph.is_output(output), "sparse, and its dense form is an output")
        is_alike = np.array_equal(graph.tensor(output).shape, shape)
        _check(is_alike, "sparse, and its dense form has another shape")
    _check(np.prod(shape, dtype=np.float64) <= _MOST_DENSE_WEIGHTS, "sparse, and too large dense")
    data, sparsity = graph.data(tensors[0]), graph.tensor(tensors[0]).sparsity
    is_whole = len(data) % dtype.storage.itemsize == 0
    _check(is_whole, "sparse, and its buffer holds half a value")
    try:
        leaves = np.frombuffer(data, dtype.storage)
        return dense_and_sparse.canonical_dense(sparsity, leaves, shape)
    except dense_and_sparse.SparseFormError as error:
        raise _CannotCodeError(f"its sparse form cannot be restored: {error}") from error


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


def _zero_point(tensor, values, dtype):
    """The value that counts as zero: the zero point of a tensor that has many of it."""
    points = None if tensor.quantization is None else tensor.quantization.zeroPoint
    if dtype != "int8" or points is None or len(points) == 0 or len(set(points)) > 1:
        return 0
    point = int(points[0])
    if not -128 <= point <= 127:
        return 0
    is_pruned = np.count_nonzero(values == point) > np.count_nonzero(values == 0)
    return point if is_pruned else 0


def quantized_channels(tensor):
    """The channels by which a tensor is quantized, where the codec can use them.

    Args:
        tensor: TensorT.

    Returns:
        QuantizedChannels, or None.
    """
    quantization, rank = tensor.quantization, len(shape_of(tensor))
    scales = None if quantization is None else quantization.scale
    if scales is None or len(scales) < 2 or rank < 2:
        return None
    axis = quantization.quantizedDimension
    if axis not in (0, rank - 1) or len(scales) != tensor.shape[axis]:
        return None
    return QuantizedChannels(0 if axis == 0 else -1, tuple(float(scale) for scale in scales))

"""The constants of a TFLite model, and the smallest blob for each."""

import collections
import concurrent.futures
import dataclasses
import os

import numpy as np

from keras_dc import channel_scales, codec
from keras_dc.tflite_model import ModelFormatError, schema, tensor_name

DTYPE_OF = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.FLOAT16: "float16",
    schema.TensorType.BFLOAT16: "bfloat16",
    schema.TensorType.INT8: "int8",
    schema.TensorType.INT4: "int4",
}
TYPE_OF = {name: number for number, name in DTYPE_OF.items()}
_NUMPY_OF = {
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": np.uint16,
    "int8": np.int8,
    "int4": np.int8,
}
_SMALLEST_CODED_BYTES = 64
_MOST_WEIGHTS_TO_REGROUP = 2**22


@dataclasses.dataclass
class Constant:
    """A buffer that holds a tensor's values, and all who read it.

    Attributes:
        buffer: index of the buffer.
        tensors: `(subgraph index, tensor index)` of each tensor that has this buffer.
        readers: `(operator, input position)` of each use.
        values: array, as the tensor has them; int4 as int8.
        size_bytes: what the buffer takes.
        dtype: the codec's name of the element type.
        channel_axis: the axis along which the values are quantized, None if they are not.
        channel_scales: float array of the quantization scales along it.
        blob: bytes, once coded.
    """

    buffer: int
    tensors: list
    readers: list
    values: np.ndarray
    size_bytes: int
    dtype: str
    channel_axis: int | None
    channel_scales: np.ndarray | None
    blob: bytes = b""


def find_constants(model):
    """The buffers that can be coded: tensors of one shape and dtype, read by ops only.

    Args:
        model: `schema.ModelT`.

    Returns:
        list of Constant, not yet coded.

    Raises:
        ModelFormatError: if a buffer contradicts its tensor.
    """
    tensors_of = collections.defaultdict(list)
    readers_of = collections.defaultdict(list)
    read = set()
    excluded = {0} | {entry.buffer for entry in model.metadata or ()}
    for subgraph_index, subgraph in enumerate(model.subgraphs):
        for tensor_index, tensor in enumerate(subgraph.tensors):
            tensors_of[tensor.buffer].append((subgraph_index, tensor_index))
        for operator in subgraph.operators:
            for position, tensor_index in enumerate(operator.inputs):
                if tensor_index >= 0:
                    buffer = subgraph.tensors[tensor_index].buffer
                    readers_of[buffer].append((operator, position))
                    read.add((subgraph_index, int(tensor_index)))
        for tensor_index in [*subgraph.inputs, *subgraph.outputs]:
            excluded.add(subgraph.tensors[tensor_index].buffer)
    constants = []
    for index, buffer in enumerate(model.buffers):
        # A tensor that nobody reads could not be decoded for anybody.
        is_read = readers_of[index] and read.issuperset(tensors_of[index])
        if index in excluded or not is_read or buffer.data is None:
            continue
        constant = _as_constant(model, index, tensors_of[index], readers_of[index])
        if constant is not None:
            constants.append(constant)
    return constants


def _as_constant(model, index, tensors, readers):
    data = model.buffers[index].data
    users = [model.subgraphs[subgraph].tensors[tensor] for subgraph, tensor in tensors]
    first = users[0]
    dtype = DTYPE_OF.get(first.type)
    if dtype is None or len(data) < _SMALLEST_CODED_BYTES:
        return None
    for user in users:
        alike = user.type == first.type and np.array_equal(user.shape, first.shape)
        if not alike or user.isVariable or user.sparsity is not None or user.externalBuffer:
            return None
    shape = () if first.shape is None else tuple(first.shape)
    values = _unpack(data, dtype, int(np.prod(shape, dtype=np.int64)))
    if values is None:
        raise ModelFormatError(
            f"the buffer of tensor {tensor_name(first)!r} must hold {dtype} values shaped {shape}. "
            f"Received: {len(data)} bytes"
        )
    axis, scales = _quantized_channels(first, len(shape))
    values = values.reshape(shape)
    return Constant(index, tensors, readers, values, len(data), dtype, axis, scales)


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
        return np.frombuffer(values.tobytes(), np.uint8)
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


def encode_all(constants, *, coder):
    """Set the smallest blob of each constant; several are coded at once.

    Args:
        constants: list of Constant.
        coder: one of `codec.CODERS`.

    Raises:
        ValueError: if `coder` is another one.
    """
    if coder not in codec.CODERS:
        raise ValueError(f"`coder` must be one of {codec.CODERS}. Received: coder={coder!r}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        blobs = pool.map(_smallest_blob, constants)
        if coder == "arithmetic":
            blobs = pool.map(codec.recode, blobs)
        for constant, blob in zip(constants, blobs):
            constant.blob = blob


def _smallest_blob(constant):
    plain = codec.encode(constant.values, dtype=constant.dtype)
    scaled = [
        codec.encode_scaled(
            constant.values, codebook=factors.codebook, scales=factors.scales, axis=axis
        )
        for axis, factors in _factorings(constant, codec.inspect(plain))
    ]
    return min([plain, *scaled], key=len)


def _axes_that_regroup(values):
    """Axes along which no channel has as many distinct values as all have together."""
    total = len(np.unique(values))
    for axis in (0, -1):
        channels = np.moveaxis(values, axis, 0)
        if len(channels) > 1 and all(len(np.unique(channel)) < total for channel in channels):
            yield axis


def _factorings(constant, plain):
    """Ways to see the values as a codebook times a scale per channel: `(axis, Factors)`."""
    values = constant.values
    # Where few values serve all channels there is little to gain, and much to sort.
    if values.ndim < 2 or (plain.num_centroids and values.size > _MOST_WEIGHTS_TO_REGROUP):
        return
    if constant.channel_axis is not None and constant.dtype == "int8":
        axis = constant.channel_axis
        factors = channel_scales.factor_integers(values, axis, constant.channel_scales)
        if factors is not None:
            yield axis, factors
    if constant.dtype == "float32":
        for axis in _axes_that_regroup(values):
            factors = channel_scales.factor_floats(values, axis)
            if factors is not None and len(factors.codebook) < (plain.num_centroids or np.inf):
                yield axis, factors

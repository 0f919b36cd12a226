"""TFLite's sparse constants: block CSR to dense values and back, byte for byte.

A sparse tensor has a level for each dimension, in its traversal order. A dense level holds
all indices of the dimension, a compressed level only those below which a value is not zero;
the buffer holds the leaves. In the canonical form, both follow from the dense tensor and a
short description, `SparseForm`.
"""

import dataclasses

import numpy as np

from keras_dc.tflite.model_file import schema

_DENSE, _SPARSE = schema.DimensionType.DENSE, schema.DimensionType.SPARSE_CSR
_INDEX_VECTORS: dict = {
    schema.SparseIndexVector.Int32Vector: (schema.Int32VectorT, np.dtype(np.int32)),
    schema.SparseIndexVector.Uint16Vector: (schema.Uint16VectorT, np.dtype(np.uint16)),
    schema.SparseIndexVector.Uint8Vector: (schema.Uint8VectorT, np.dtype(np.uint8)),
}


class SparseFormError(ValueError):
    """A sparse form is malformed, or is not the canonical one."""


@dataclasses.dataclass(frozen=True)
class SparseForm:
    """The part of a sparse form that does not follow from the values.

    Attributes:
        traversal: order of the levels; numbers from the rank on are block dimensions.
        block_map: the dimension that each block dimension divides.
        block_sizes: size of each block dimension.
        levels: `(format, type of the segments, type of the indices)` of each level, the
            schema's numbers.
    """

    traversal: tuple[int, ...]
    block_map: tuple[int, ...]
    block_sizes: tuple[int, ...]
    levels: tuple[tuple[int, int, int], ...]

    def level_sizes(self, shape):
        """Size of each level of a tensor shaped `shape`.

        Raises:
            SparseFormError: if the form does not fit the shape.
        """
        outer = list(shape)
        for dimension, size in zip(self.block_map, self.block_sizes):
            if not 0 <= dimension < len(shape) or size < 1 or outer[dimension] % size:
                raise SparseFormError("its blocks do not divide its shape")
            outer[dimension] //= size
        sizes = [*outer, *self.block_sizes]
        if sorted(self.traversal) != list(range(len(sizes))) or len(self.levels) != len(sizes):
            raise SparseFormError("its traversal order does not name each dimension once")
        return [sizes[level] for level in self.traversal]

    def to_levels(self, dense):
        """A view of a dense array with an axis for each level, in traversal order."""
        split, block_axes, place = [], {}, 0
        for dimension, size in enumerate(dense.shape):
            blocks = [i for i, mapped in enumerate(self.block_map) if mapped == dimension]
            inner = [self.block_sizes[i] for i in blocks]
            split += [size // int(np.prod(inner, dtype=np.int64)), *inner]
            block_axes[dimension] = place
            block_axes.update({dense.ndim + i: place + 1 + n for n, i in enumerate(blocks)})
            place += 1 + len(blocks)
        return dense.reshape(split).transpose([block_axes[level] for level in self.traversal])


def form_of(sparsity):
    """The form that a `schema.SparsityParametersT` describes.

    Raises:
        SparseFormError: if a part is missing or unknown.
    """
    traversal = _integers(sparsity.traversalOrder)
    block_map = _integers(sparsity.blockMap)
    metadata = sparsity.dimMetadata or []
    rank = len(traversal) - len(block_map)
    if rank < 1 or len(metadata) != len(traversal):
        raise SparseFormError("its levels and its traversal order differ in number")
    size_of = {level: entry.denseSize for level, entry in zip(traversal, metadata)}
    block_sizes = tuple(size_of.get(rank + i, 0) for i in range(len(block_map)))
    levels: list[tuple[int, int, int]] = []
    for entry in metadata:
        is_sparse = entry.format == _SPARSE
        types = (entry.arraySegmentsType, entry.arrayIndicesType) if is_sparse else (0, 0)
        if entry.format not in (_DENSE, _SPARSE) or (is_sparse and not {*types} <= {1, 2, 3}):
            raise SparseFormError("a level is neither dense nor compressed")
        levels.append((int(entry.format), int(types[0]), int(types[1])))
    return SparseForm(traversal, block_map, block_sizes, tuple(levels))


def to_dense(sparsity, leaves, shape):
    """Dense values of a sparse constant.

    Args:
        sparsity: `schema.SparsityParametersT`.
        leaves: array, the values in the buffer.
        shape: of the tensor.

    Returns:
        array shaped `shape`, of the dtype of `leaves`.

    Raises:
        SparseFormError: if the parts contradict each other.
    """
    form = form_of(sparsity)
    sizes = form.level_sizes(shape)
    nodes = np.zeros(1, np.int64)
    for size, entry in zip(sizes, sparsity.dimMetadata):
        if entry.format == _DENSE:
            nodes = (nodes[:, None] * size + np.arange(size)).ravel()
            continue
        if entry.arraySegments is None or entry.arrayIndices is None:
            raise SparseFormError("a level lacks its segments or indices")
        indices = np.asarray(entry.arrayIndices.values, np.int64)
        segments = np.asarray(entry.arraySegments.values, np.int64)
        counts = np.append(segments[:1], segments[1:] - segments[:-1])
        if len(counts) != len(nodes) + 1 or counts[0] or (counts < 0).any():
            raise SparseFormError("the segments of a level do not ascend with its nodes")
        if counts.sum() != len(indices) or (indices >= size).any() or (indices < 0).any():
            raise SparseFormError("the indices of a level lie outside it")
        nodes = np.repeat(nodes, counts[1:]) * size + indices
    if len(nodes) != leaves.size:
        raise SparseFormError(f"it names {len(nodes)} values and its buffer holds {leaves.size}")
    dense = np.zeros(shape, leaves.dtype)
    levels = np.zeros(sizes, leaves.dtype)
    levels.reshape(-1)[nodes] = leaves
    form.to_levels(dense)[...] = levels
    return dense


def to_sparse(form, dense):
    """The canonical sparse constant of a form: compressed levels leave out all zeros.

    Args:
        form: SparseForm.
        dense: array; a value is zero if all its bits are.

    Returns:
        tuple `(schema.SparsityParametersT, array of the leaves)`.

    Raises:
        SparseFormError: if the form does not fit the shape, or an index its type.
    """
    sizes = form.level_sizes(dense.shape)
    levels = np.ascontiguousarray(form.to_levels(dense)).reshape(-1)
    is_kept = levels.view(f"u{levels.itemsize}") != 0
    nodes, metadata = np.zeros(1, np.int64), []
    for depth, (size, (kind, *types)) in enumerate(zip(sizes, form.levels)):
        children = nodes[:, None] * size + np.arange(size)
        if kind == _DENSE:
            nodes = children.ravel()
            metadata.append(schema.DimensionMetadataT(_DENSE, size))
            continue
        below = int(np.prod(sizes[depth + 1 :], dtype=np.int64))
        holds = is_kept.reshape(-1, below).any(axis=1)[children]
        segments = np.append(0, np.cumsum(holds.sum(axis=1)))
        vectors = [segments, np.nonzero(holds)[1]]
        nodes = children[holds]
        segments, indices = map(_index_vector, types, vectors)
        metadata.append(
            schema.DimensionMetadataT(_SPARSE, 0, types[0], segments, types[1], indices)
        )
    block_map = np.array(form.block_map, np.int32) if form.block_map else None
    sparsity = schema.SparsityParametersT(np.array(form.traversal, np.int32), block_map, metadata)
    return sparsity, levels[nodes]


def canonical_dense(sparsity, leaves, shape):
    """As `to_dense`, after a check that `to_sparse` gives the same constant back.

    Returns:
        tuple `(SparseForm, dense array)`.

    Raises:
        SparseFormError: if it is malformed, or not the canonical one.
    """
    dense = to_dense(sparsity, leaves, shape)
    form = form_of(sparsity)
    again, leaves_again = to_sparse(form, dense)
    if leaves.tobytes() != leaves_again.tobytes() or _plain(sparsity) != _plain(again):
        raise SparseFormError("it would not be written again as it is")
    return form, dense


def size_bytes(sparsity):
    """Bytes that the index vectors of a sparse constant take."""
    vectors = [
        vector
        for entry in sparsity.dimMetadata or ()
        for vector in (entry.arraySegments, entry.arrayIndices)
        if vector is not None and vector.values is not None
    ]
    return sum(np.asarray(vector.values).nbytes for vector in vectors)


def _integers(numbers):
    return () if numbers is None else tuple(map(int, numbers))


def _index_vector(kind, numbers):
    make, dtype = _INDEX_VECTORS[kind]
    if len(numbers) and numbers.max() >= 2 ** (8 * dtype.itemsize - (dtype.kind == "i")):
        raise SparseFormError("an index is too large for its type")
    return make(numbers.astype(dtype))


def _plain(sparsity):
    """All fields of a `schema.SparsityParametersT`, as lists."""
    entries = []
    for entry in sparsity.dimMetadata:
        vectors = [
            None if vector is None else list(map(int, vector.values))
            for vector in (entry.arraySegments, entry.arrayIndices)
        ]
        types = entry.arraySegmentsType, entry.arrayIndicesType
        entries.append([entry.format, entry.denseSize, *types, *vectors])
    return [_integers(sparsity.traversalOrder), _integers(sparsity.blockMap), entries]

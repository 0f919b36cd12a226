"""Prune and cluster the weights of a finished TFLite model, without data or training.

Magnitude pruning and 1-D k-means, tensor by tensor; zeros stay zero. Where the channels of a
weight differ in magnitude, as after folding BatchNorm, they share a codebook and have a
scale each, if that saves more than the scales take.
"""

import dataclasses

import numpy as np

from keras_dc.compression import custom_ops
from keras_dc.compression.factoring import channel_scales
from keras_dc.compression.tensor_names import name_for_patterns
from keras_dc.numerics import kmeans, masks
from keras_dc.numerics.chunks import chunks
from keras_dc.numerics.finite import all_finite
from keras_dc.support.name_patterns import values_by_name
from keras_dc.tflite import dense_and_sparse

_MAX_CLUSTERS = 256
_SCALE_BITS = 32
# On the weights of published models its error is a third below that of "linear", whose error
# only training makes up for.
_INITIALIZATION = "kmeans++"
_FLOAT16 = np.finfo(np.float16)
_LEAST_ERROR = 1e-30


@dataclasses.dataclass(frozen=True)
class Change:
    """What pruning and clustering did to a tensor.

    Attributes:
        relative_error: root mean square error over the root mean square of the values.
        largest_error: largest absolute error.
        output_error: likewise relative, of what the layer computes on samples before bias and
            activation; None where it is not known.
        method: str, how the values were chosen; "" for by themselves alone.
    """

    relative_error: float
    largest_error: float
    output_error: float | None = None
    method: str = ""


def prune_and_cluster(source, *, sparsity, num_clusters):
    """Prune and cluster the float weights of a model.

    Float weights are what FULLY_CONNECTED, convolutions, BATCH_MATMUL, GATHER and recurrent
    ops multiply with or look up, of two dimensions at least, float32 or float16: directly,
    behind DEQUANTIZE or DENSIFY, or in the branches and bodies of IF and WHILE. Biases and
    quantized constants are left alone.

    Args:
        source: `lossless.Source`.
        sparsity: fraction of zeros in [0, 1), or a dict from patterns of tensor names to
            such; None prunes nothing. -0.0 becomes 0.0.
        num_clusters: int from 1 to 256, or such a dict; None clusters nothing.

    Returns:
        tuple of a `lossless.Source` with the changed constants, and a dict from the index of
        a buffer to Change.

    Raises:
        ValueError: if the model is compressed, a number is out of range, a pattern finds no
            weights, there are none, or a weight is not finite.
    """
    weights, sparsities, counts = settings_of(source, sparsity, num_clusters)
    constants, changes = [], {}
    for constant in source.constants:
        name = weights.get(constant.buffer)
        if name in sparsities or name in counts:
            axis = source.float_weights[constant.buffer].axis
            changed = _approximated(constant, name, sparsities.get(name), counts.get(name), axis)
            changes[constant.buffer] = change_between(constant.values, changed.values)
            constant = changed
        constants.append(constant)
    return dataclasses.replace(source, constants=tuple(constants)), changes


def settings_of(source, sparsity, num_clusters, *, also=()):
    """What is asked for each float weight of a model.

    Args:
        source: see `prune_and_cluster`.
        sparsity: see `prune_and_cluster`.
        num_clusters: see `prune_and_cluster`.
        also: set of int, the indices of buffers that count as such weights, too.

    Returns:
        tuple of a dict from the index of a buffer to the name of its weights, and dicts from
        names to sparsities and to numbers of clusters.

    Raises:
        ValueError: see `prune_and_cluster`; not of weights that are not finite.
    """
    _refuse_compressed(source.graph)
    weights = {
        constant.buffer: name_for_patterns(source.graph, constant)
        for constant in source.constants
        if constant.buffer in source.float_weights or constant.buffer in also
    }
    if not weights:
        raise ValueError(
            "only a model with float weights can be pruned or clustered. Received: "
            f"{len(source.constants)} other constants"
        )
    sparsities, counts = (
        {} if values is None else values_by_name(argument, values, weights.values(), kind="tensor")
        for argument, values in (("sparsity", sparsity), ("num_clusters", num_clusters))
    )
    _check_numbers(sparsities, counts)
    return weights, sparsities, counts


def _refuse_compressed(graph):
    names = {graph.op_name(op) for op, _ in custom_ops.blobs_of(graph)}
    if names:
        raise ValueError(
            "only a model that is not compressed can be pruned or clustered; `expand` it first. "
            f"Received: a model with {', '.join(sorted(names))}"
        )


def _check_numbers(sparsities, counts):
    for value in sparsities.values():
        if not 0 <= value < 1:
            raise ValueError(f"`sparsity` must lie in [0, 1). Received: sparsity={value}")
    for value in counts.values():
        if value != int(value) or not 1 <= value <= _MAX_CLUSTERS:
            raise ValueError(
                f"`num_clusters` must be an integer from 1 to {_MAX_CLUSTERS}. "
                f"Received: num_clusters={value}"
            )


def _approximated(constant, name, sparsity, num_clusters, axis):
    """A pruned and clustered constant, with its factors."""
    check_finite(constant, name)
    values, factoring = approximate(
        constant.values, sparsity=sparsity, num_clusters=num_clusters, axis=axis
    )
    changed = dataclasses.replace(
        constant,
        values=values,
        size_bytes=_size_bytes(constant, values),
        is_changed=True,
    )
    if num_clusters is None:
        return changed
    return dataclasses.replace(changed, factorings=() if factoring is None else (factoring,))


def check_finite(constant, name):
    """Raise ValueError if a weight of a constant is NaN or infinite."""
    if not all_finite(constant.values):
        raise ValueError(
            f"weights must be finite to be pruned or clustered. Received: tensor {name!r} "
            "with NaN or infinity"
        )


def _size_bytes(constant, values):
    if constant.sparse_form is None:
        return constant.size_bytes
    sparsity, leaves = dense_and_sparse.to_sparse(constant.sparse_form, values)
    return leaves.nbytes + dense_and_sparse.size_bytes(sparsity)


def approximate(values, *, sparsity=None, num_clusters=None, axis=None):
    """A pruned and clustered tensor.

    Args:
        values: finite float32 or float16 array.
        sparsity: float in [0, 1), fraction of zeros; None: keep all.
        num_clusters: int >= 1, distinct values besides zero; None: keep all. A tensor
            with no more values comes back unchanged.
        axis: 0 or -1, the dimension that counts channels; each channel may then get
            a scale (float32 only). None: no channel gets one.

    Returns:
        tuple `(array like values, factoring)`; the latter is `(axis, Factors)` where
        channels have scales, else None.
    """
    if sparsity is not None:
        kept = masks.magnitude_mask(values, sparsity).astype(bool)
        values = np.where(kept & (values != 0), values, values.dtype.type(0))
    if num_clusters is None or len(np.unique(values[values != 0])) <= num_clusters:
        return values, None
    if axis is not None and (values.dtype != np.float32 or values.ndim < 2):
        axis = None
    known = None if axis is None else channel_scales.factor_floats(values, axis)
    if known is not None and len(known.codebook) <= num_clusters:
        return values, (axis, known)
    plain = _cluster(values, num_clusters)
    if axis is None:
        return plain, None
    scale_bits = _SCALE_BITS * values.shape[axis]
    if _predicted_gain_bits(values, axis) < scale_bits / 2:
        return plain, None
    scaled, factors = _cluster_scaled(values, num_clusters, axis)
    # An error smaller by a factor f in the square is worth log2(f) / 2 bits per weight.
    errors = [_error_of_channels(values, changed, axis) for changed in (plain, scaled)]
    gain_bits = np.count_nonzero(values) * np.log2(max(errors[0] / errors[1], 1)) / 2
    return (scaled, (axis, factors)) if gain_bits > scale_bits else (plain, None)


def _cluster(values, num_clusters):
    codebook, index = kmeans.share(
        values.astype(np.float32), num_clusters, initialization=_INITIALIZATION
    )
    table = np.append(np.float32(0), _as_float16_exact(codebook))
    return table[index].astype(values.dtype)


def _cluster_scaled(values, num_clusters, axis):
    """One codebook and a scale per channel: normalize, cluster, fit the scales again."""
    rows = _rows(values, axis)
    scales, _ = _magnitudes(rows)
    normalized = rows / scales.astype(np.float32)[:, None]
    codebook, index = kmeans.share(normalized, num_clusters, initialization=_INITIALIZATION)
    del normalized
    codebook = _as_float16_exact(codebook).astype(np.float64)
    table = np.append(0.0, codebook)
    changed = np.empty_like(rows)
    for channel, (row, symbols) in enumerate(zip(rows, index)):
        centroids = table[symbols]
        square = np.dot(centroids, centroids)
        fitted = np.dot(row, centroids) / square if square else 0.0
        scales[channel] = np.float32(fitted) if fitted > 0 else 1.0
        # As the codec computes it: a product in float64, rounded once.
        changed[channel] = centroids * scales[channel]
    factors = channel_scales.Factors(codebook[codebook != 0], scales)
    changed = changed.reshape(np.moveaxis(values, axis, 0).shape)
    return np.ascontiguousarray(np.moveaxis(changed, 0, axis)), factors


def _predicted_gain_bits(values, axis):
    """Bits that codes of equal error save if each channel has its own scale.

    The difference of Gaussian entropies, `kept (log2 rms - mean of log2 rms_c)`.
    """
    magnitudes, kept = _magnitudes(_rows(values, axis))
    total = np.sqrt(np.sum(kept * magnitudes**2) / np.sum(kept))
    return float(np.sum(kept * (np.log2(total) - np.log2(magnitudes))))


def _rows(values, axis):
    """A row for each channel."""
    return np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)


def _magnitudes(rows):
    """Root mean square and number of the kept weights of each row; 1 and 0 if there are none."""
    kept = np.count_nonzero(rows, axis=1)
    squares = np.array([np.sum(np.square(row, dtype=np.float64)) for row in rows])
    return np.where(kept == 0, 1.0, np.sqrt(squares / np.maximum(kept, 1))), kept


def _as_float16_exact(codebook):
    """A codebook rounded to float16, half the bytes in a blob, if its normal range holds it."""
    magnitudes = np.abs(codebook[codebook != 0])
    if magnitudes.size and _FLOAT16.tiny <= magnitudes.min() <= magnitudes.max() <= _FLOAT16.max:
        return codebook.astype(np.float16).astype(np.float32)
    return codebook


def _error_of_channels(values, changed, axis):
    """Squared error over the mean square of the same channel, averaged over all kept weights.

    Relative to its channel, since the activations of a channel of small weights may be large.
    """
    error = 0.0
    for row, new in zip(_rows(values, axis), _rows(changed, axis)):
        row = row.astype(np.float64)
        energy = np.dot(row, row)
        if energy:
            error += np.count_nonzero(row) * np.sum((new - row) ** 2) / energy
    return error / np.count_nonzero(values) + _LEAST_ERROR


def change_between(values, changed):
    """The Change from an array to another."""
    squares, largest, energy = 0.0, 0.0, 0.0
    for old, new in zip(chunks(values), chunks(changed)):
        error = np.subtract(new, old, dtype=np.float64)
        squares += np.dot(error, error)
        largest = max(largest, np.max(np.abs(error)))
        energy += np.sum(np.square(old, dtype=np.float64))
    return Change(float(np.sqrt(squares / energy)) if energy else 0.0, float(largest))

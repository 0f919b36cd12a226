"""New weights of one layer: few distinct values in a short code that change its outputs little."""

import dataclasses

import numpy as np

from keras_dc.compression.factoring.channel_scales import Factors
from keras_dc.numerics import error_feedback, kmeans
from keras_dc.numerics.masks import magnitude_mask
from keras_dc.post_training.reconstruction.chance import shrunk
from keras_dc.post_training.reconstruction.grid import Grid, bits_of
from keras_dc.post_training.reconstruction.shared import by_bias, joined

# Of the mean of the diagonal: always, for each input over each place that it was seen at, and the
# most of the latter.
_DAMPING, _CHANCE_DAMPING, _MOST_DAMPING = 0.01, 0.03, 0.06
_ROW_WEIGHTS = (1 / 64, 64.0)
_SCALE_BITS, _HALF_BITS = 8, 14
# Scales are powers of this: they code well, and steps that are off by a fifth cost nothing.
_SCALE_STEP = np.sqrt(2.0)
_PASSES = 2


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a layer is made small.

    Attributes:
        square_per_bit: float, the squared change of the model's outputs, for a sample and over
            their square, that a bit of code is worth.
        sparsity: float in [0, 1), the least fraction of zeros; None: whatever comes.
        num_clusters: int, distinct values besides zero; None: as many as pay.
    """

    square_per_bit: float = 0.0
    sparsity: float | None = None
    num_clusters: int | None = None


@dataclasses.dataclass(frozen=True)
class Rebuilt:
    """New weights of a layer.

    Attributes:
        rows: float32 array `(outputs, inputs)`.
        factors: Factors, or None where all channels have one scale.
        biases: dict from the index of a buffer to a float32 array `(outputs,)`.
        output_error: float, root mean square error over root mean square of the outputs before
            bias and activation.
        square: float, the squared change of the model's outputs that is expected of it, over
            their square.
    """

    rows: np.ndarray
    factors: Factors | None
    biases: dict
    output_error: float
    square: float


def rebuild(layer, moments, importances, setting, biases=None):
    """New weights of a layer.

    Args:
        layer: `layers.Layer`.
        moments: list of `moments.Moments` of the inputs of each of its uses, in their order.
        importances: list of `importance.Importance` of their outputs.
        setting: Setting.
        biases: dict from the index of a buffer to an array, what biases are that layers before
            this one changed.

    Returns:
        Rebuilt.
    """
    original = layer.rows().astype(np.float64)
    uses = by_bias(layer, moments, importances)
    joint, importance = joined(
        [each for _, each, _ in uses], [each for _, _, each in uses], is_centred=False
    )
    damping = _DAMPING + min(_CHANCE_DAMPING * original.shape[1] / joint.num_rows, _MOST_DAMPING)
    target, factors = original.copy(), []
    for number, group in enumerate(joint.groups):
        own = shrunk(joint.own[number], joint.shrinkage[number])
        hessian, factor = error_feedback.safe_factor(own, damping)
        place = group.rows, group.columns
        _take_over(layer, target[place], original[place], joint.cross[number], hessian)
        factors.append(factor.astype(np.float32))
    weights, problem = importance.weights, _Problem(layer, joint, importance, factors, setting)
    can_scale = layer.weights.dtype == "float32"
    if layer.steps is not None:
        best = problem.solved(target, layer.steps)
    else:
        best = problem.solved(
            target, _scales(weights, original) if can_scale else np.ones(len(target))
        )
    if best.is_coarse and layer.steps is None:
        # One codebook has too few steps for channels that differ so much.
        others = [problem.halved(target)]
        if can_scale:
            others.append(problem.solved(target, _largest_of_rows(original)))
        best = min([best, *others], key=lambda each: each.cost)
    return Rebuilt(
        best.rows,
        best.factors,
        {
            bias.buffer: _bias(
                (biases or {}).get(bias.buffer, bias.values),
                original,
                best.rows,
                found,
                weight,
                setting,
            )
            for bias, found, weight in uses
            if bias is not None
        },
        *_errors(layer, original, best.rows, joint, importance),
    )


@dataclasses.dataclass(frozen=True)
class _Solution:
    """New rows, with Factors or None, and what they cost: their error and their bits."""

    rows: np.ndarray
    factors: Factors | None
    cost: float
    is_coarse: bool = False


class _Problem:
    """What the rows of a layer are chosen by."""

    def __init__(self, layer, moments, importance, factors, setting):
        self._layer, self._moments, self._importance = layer, moments, importance
        self._factors, self._setting = factors, setting

    def solved(self, target, scales):
        """The _Solution with a scale for each row."""
        weights, positions = self._importance.weights, self._moments.num_positions
        row_weights = weights * scales**2
        unit = positions * float(np.mean(row_weights))
        # Scales of ours make all rows weigh the same; steps of integers are what they are.
        is_integer = self._layer.steps is not None
        chosen, codebook, bits, is_coarse = _assigned(
            self._layer,
            target / scales[:, None],
            self._factors,
            unit,
            self._moments.groups,
            self._setting,
            np.clip(positions * row_weights / unit, *_ROW_WEIGHTS) if is_integer else None,
        )
        changed = (chosen * scales[:, None]).astype(np.float32)
        has_scales = (
            not is_integer
            and codebook is not None
            and np.any(scales != scales[0])
            and np.any(changed)
        )
        if has_scales:
            bits += _SCALE_BITS * len(scales)
        factored = Factors(codebook[codebook != 0], scales) if has_scales else None
        return _Solution(changed, factored, self._cost(target, changed, bits), is_coarse)

    def halved(self, target):
        """The _Solution that only rounds to half precision."""
        changed = target.astype(np.float16).astype(np.float32)
        return _Solution(changed, None, self._cost(target, changed, _HALF_BITS * target.size))

    def _cost(self, target, changed, bits):
        _, square = _errors(self._layer, target, changed, self._moments, self._importance)
        return square + self._setting.square_per_bit * bits


def rebuild_alone(values, sensitivity, setting):
    """New weights of a tensor, from its weights alone.

    Args:
        values: finite float array, any shape.
        sensitivity: float > 0, the squared change of the model's outputs over their square, for
            each squared change of a weight.
        setting: Setting with a price.

    Returns:
        array like `values`, of few distinct values.
    """
    rows = np.ravel(values).astype(np.float64)
    precision = np.full(rows.shape, sensitivity)
    kept = None
    if setting.sparsity is not None:
        kept = magnitude_mask(rows, setting.sparsity).astype(bool)
    grid = Grid.of(rows, precision, setting, kept)
    chosen, boundaries = kmeans.cheapest_intervals(grid.centroids, grid.costs / sensitivity)
    changed = grid.centroids[chosen[np.searchsorted(boundaries, rows)]]
    if kept is not None:
        changed = np.where(kept, changed, np.float32(0))
    return changed.reshape(values.shape).astype(values.dtype)


def _take_over(layer, target, original, cross, hessian):
    """Move weights so that they compute of the compressed part's inputs what they did.

    Args:
        layer: `layers.Layer`.
        target: float64 array `(outputs, inputs of a group)`, to which it is added.
        original: the weights, of that shape.
        cross: see Moments.
        hessian: the moment of the inputs that goes with it.
    """
    if cross is None:
        return
    cross = cross.astype(np.float64)
    if layer.is_depthwise:
        right = np.einsum("ct,cts->cs", original, cross)
        target += np.linalg.solve(hessian, right[..., None])[..., 0]
    else:
        target += np.linalg.solve(hessian, (original @ cross).T).T


def _scales(weights, rows):
    """The scale of each channel: float64 array; all 1 where they do not pay."""
    logs = np.log2(weights)
    gain_bits = (np.log2(np.mean(weights)) - np.mean(logs)) / 2
    if gain_bits * rows.shape[1] < _SCALE_BITS:
        return np.ones(len(rows))
    return _power_scales((np.median(logs) - logs) / 2)


def _largest_of_rows(rows):
    """Scales that bring the largest weight of each row to about 1."""
    largest = np.max(np.abs(rows), axis=1)
    return _power_scales(np.log2(np.where(largest > 0, largest, 1.0)))


def _power_scales(logs):
    steps = np.round(logs / np.log2(_SCALE_STEP))
    return (_SCALE_STEP**steps).astype(np.float32).astype(np.float64)


def _assigned(layer, rows, factors, unit, groups, setting, row_weights):
    """(new rows, codebook with its zero or None, bits, whether steps are coarser than wanted)."""
    precision = np.empty(rows.shape)
    for group, factor in zip(groups, factors):
        diagonal = np.einsum("...ii->...i", factor).astype(np.float64)
        precision[group.rows, group.columns] = unit * diagonal**-2.0
    if row_weights is not None:
        precision = precision * row_weights[:, None]
    kept = None
    if setting.sparsity is not None:
        kept = magnitude_mask(np.abs(rows) * np.sqrt(precision), setting.sparsity).astype(bool)
    if setting.square_per_bit == 0 and setting.num_clusters is None:
        done = _run(layer, rows, factors, groups, None, None, kept, row_weights)
        return done.moved * kept, None, 0, False
    grid = Grid.of(rows, precision, setting, kept, is_integer=row_weights is not None)
    for number in range(_PASSES):
        # Errors are in units of the moment alone.
        costs = grid.costs / unit
        done = _run(layer, rows, factors, groups, grid.centroids, costs, kept, row_weights)
        if number + 1 < _PASSES:
            grid = grid.fitted(done, precision)
    counts = np.bincount(done.indices.ravel(), minlength=len(grid.centroids))
    bits = float(np.sum(counts * bits_of(counts)))
    return grid.centroids[done.indices].astype(np.float64), grid.centroids, bits, grid.is_coarse


def _run(layer, rows, factors, groups, centroids, costs, kept, row_weights):
    if layer.is_depthwise:
        return error_feedback.assign_each(
            rows, factors[0], centroids, costs, kept=kept, row_weights=row_weights
        )
    indices, moved = np.empty(rows.shape, np.int32), np.empty(rows.shape, np.float32)
    for group, factor in zip(groups, factors):
        place = group.rows, group.columns
        indices[place], moved[place] = error_feedback.assign(
            rows[place],
            factor,
            centroids,
            costs,
            kept=None if kept is None else kept[place],
            row_weights=None if row_weights is None else row_weights[group.rows],
        )
    return error_feedback.Assigned(indices, moved)


def _bias(bias, original, changed, moments, importance, setting):
    """A bias with what the mean of the output would be off: float32 array."""
    values = bias.ravel().astype(np.float64)
    for group in moments.groups:
        place = group.rows, group.columns
        for rows, mean, sign in (
            (original, moments.original_mean, 1),
            (changed, moments.mean, -1),
        ):
            means = np.broadcast_to(mean[..., group.inputs], rows[place].shape)
            values[group.rows] += sign * np.einsum("ri,ri->r", rows[place], means)
    # All places of a sample share the error of a bias.
    weights = moments.num_positions * max(importance.coherence, 1.0) * importance.weights
    found = _with_fewer_bits(values.astype(np.float32), weights, setting.square_per_bit)
    return found.reshape(bias.shape)


def _with_fewer_bits(values, weights, square_per_bit):
    """Values in half precision, with as few bits of their mantissas as pay: float32 array."""
    if square_per_bit == 0 or np.max(np.abs(values)) > np.finfo(np.float16).max:
        return values
    for num_bits in range(1, 11):
        mantissas, exponents = np.frexp(values)
        rounded = np.ldexp(np.round(np.ldexp(mantissas, num_bits + 1)), exponents - num_bits - 1)
        rounded = rounded.astype(np.float16).astype(np.float32)
        square = float(np.sum(weights * np.square(rounded - values, dtype=np.float64)))
        if 2 * np.log(2) * square <= square_per_bit * values.size:
            return rounded
    return values.astype(np.float16).astype(np.float32)


def _errors(layer, original, changed, moments, importance):
    """`output_error` and `square` of Rebuilt."""
    error, energy = np.zeros(len(original)), np.zeros(len(original))
    difference = changed - original
    for group, own in zip(moments.groups, moments.own):
        for rows, sums in ((difference, error), (original, energy)):
            part = rows[group.rows, group.columns]
            if layer.is_depthwise:
                sums += np.einsum("ci,cij,cj->c", part, own, part, optimize=True)
            else:
                sums[group.rows] += np.sum((part @ own) * part, axis=1)
    error = np.maximum(error, 0)
    square = moments.num_positions * float(np.sum(importance.weights * error))
    return float(np.sqrt(error.sum() / max(energy.sum(), 1e-30))), square

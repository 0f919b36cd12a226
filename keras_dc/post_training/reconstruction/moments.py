"""Second moments of the inputs of a layer, from some of the places where it is used."""

import dataclasses
import itertools
from typing import Any, NamedTuple

import numpy as np

from keras_dc.post_training.reconstruction import chance
from keras_dc.post_training.reconstruction.patches import patches

# Inputs in a group: between groups, moments count as zero. Layers of very many inputs have smaller
# ones, which are faster.
_MOST_INPUTS, _VERY_MANY_INPUTS, _FEW_INPUTS = 1536, 8192, 1024
_LEAST_ROWS, _ROWS_PER_INPUT = 8192, 8
_DEPTHWISE_ROWS = 1024
_BYTES_AT_ONCE = 2**26


class Group(NamedTuple):
    """Weights that are decided together, and what they are multiplied with.

    Attributes:
        rows: slice of the outputs.
        columns: slice of the weights of each row.
        inputs: slice of `patches`.
    """

    rows: slice
    columns: slice
    inputs: slice


@dataclasses.dataclass
class Moments:
    """What the inputs of a layer are on the samples.

    Attributes:
        groups: list of Group; one of all for depthwise layers.
        own: list of float32 arrays `(n, n)`, for each group the mean of `x x^T` with `x` of the
            compressed part; `(channels, taps, taps)` of a depthwise layer. Of a layer with bias
            the mean is taken away from `x`: the bias makes up for it. What all places of a sample
            have in common counts `coherence` times.
        cross: list of the same of `(x_original - x) x^T`, or None where both are one; without the
            share of it that is chance.
        mean: float64 array, the mean of `x`.
        original_mean: the same of the original.
        num_positions: float, places for each sample.
        num_rows: int, places that the moments come from.
        shrinkage: list of float in [0, 1], how much of what lies beside the diagonal of each
            group is chance.
    """

    groups: list
    own: list
    cross: list
    mean: np.ndarray
    original_mean: np.ndarray
    num_positions: float
    num_rows: int
    shrinkage: list


class Counts(NamedTuple):
    """How often rows are looked up on the samples.

    Attributes:
        rows: int array `(rows,)`.
        num_positions: float, lookups for each sample.
    """

    rows: np.ndarray
    num_positions: float


class Inputs(NamedTuple):
    """What a layer is given in a run of a model.

    Attributes:
        new: array, the input of the compressed part.
        original: array, that of the original; it may be the same object.
        output_shape: tuple of int, of what the layer computes of it.
        repeats: float, how many places each of these stands for.
    """

    new: np.ndarray
    original: np.ndarray
    output_shape: tuple
    repeats: float = 1.0


def measure(layers, runs, coherences, seed):
    """Moments of layers that read the same weights.

    Args:
        layers: list of `layers.Layer`.
        runs: list of functions that give, for a run of the model, an Inputs of each layer; or
            None, where there is nothing.
        coherences: list of float >= 0, see `importance.measure`.
        seed: int, for the choice of places.

    Returns:
        list of Moments, or Counts of a lookup; None if no run had anything.

    Raises:
        ValueError: if squares of what a layer is given are not finite.
    """
    rngs = [np.random.default_rng([seed, *_numbers(layer)]) for layer in layers]
    num_inputs = min(layers[0].shape[1], _MOST_INPUTS)
    wanted = max(_ROWS_PER_INPUT * num_inputs, _LEAST_ROWS)
    if layers[0].is_depthwise:
        wanted = _DEPTHWISE_ROWS
    wanted_of_run = -(-wanted // (len(runs) * len(layers)))
    totals: list[Any] = [
        _Counts(layer) if layer.is_lookup else _Sums(layer, is_centred=layer.bias is not None)
        for layer in layers
    ]
    num_found, last = 0, None
    # What becomes too large is told of below.
    with np.errstate(over="ignore", invalid="ignore"):
        for get in runs:
            given = get()
            if given is None:
                continue
            num_found += 1
            for layer, found, rng, total in zip(layers, given, rngs, totals):
                if layer.is_lookup:
                    total.add(found.new, found.repeats)
                    continue
                last = found.new
                count = int(np.prod(found.output_shape[:-1]))
                num_taken = min(count, wanted_of_run)
                places = np.arange(count)
                if num_taken < count:
                    places = np.sort(rng.choice(count, num_taken, replace=False))
                inputs = patches(layer, found.new, found.output_shape, places)
                originals = inputs
                if found.original is not found.new:
                    originals = patches(layer, found.original, found.output_shape, places)
                total.add(inputs, originals, count * found.repeats)
        if not num_found:
            return None
        results = [total.result(coherence) for total, coherence in zip(totals, coherences)]
    if not all(np.isfinite(own).all() for each in results for own in getattr(each, "own", ())):
        largest = 0.0 if last is None else float(np.max(np.abs(last)))
        raise ValueError(
            "on `samples` layers must be given numbers whose squares float32 holds. Received: "
            f"numbers up to {largest:.3g}"
        )
    return results


def _numbers(layer):
    loop, operator = layer.key
    return (operator,) if loop < 0 else (operator, loop)


def groups_of(layer):
    """The groups of a layer: list of Group."""
    if layer.is_depthwise:
        return [Group(slice(None), slice(None), slice(None))]
    num_rows, size = layer.shape
    most = _MOST_INPUTS if size < _VERY_MANY_INPUTS else _FEW_INPUTS
    edges = np.linspace(0, size, -(-size // most) + 1).astype(int).tolist()
    each = num_rows // layer.num_groups
    return [
        Group(
            slice(number * each, (number + 1) * each),
            slice(begin, end),
            slice(number * size + begin, number * size + end),
        )
        for number in range(layer.num_groups)
        for begin, end in itertools.pairwise(edges)
    ]


class _Counts:
    def __init__(self, layer):
        self._rows, self._positions, self._runs = np.zeros(layer.shape[0], np.int64), 0.0, 0

    def add(self, indices, repeats):
        self._rows += np.bincount(np.ravel(indices), minlength=len(self._rows))
        self._positions += indices.size * repeats
        self._runs += 1

    def result(self, coherence):
        del coherence  # the rows of a sample have no error in common
        return Counts(self._rows, self._positions / self._runs)


class _Sums:
    def __init__(self, layer, *, is_centred):
        self._is_centred, self._shift = is_centred, None
        self._first: list = []
        self._groups = groups_of(layer)
        count = len(self._groups)
        self._own: list[Any] = [0.0] * count
        self._cross: list[Any] = [0.0] * count
        self._spread, self._crossed = [0.0] * count, [0.0] * count
        self._means: list = []
        self._differences: list = []
        self._waiting: list = []
        self._positions = self._rows = 0

    def add(self, inputs, originals, num_positions):
        """Add a run of the model, whose places weigh as much as those of any other."""
        self._positions += num_positions
        self._rows += len(inputs)
        if self._shift is not None:
            self._add(inputs, originals)
            return
        self._first.append((inputs, originals))
        if sum(rows.nbytes for rows, _ in self._first) >= _BYTES_AT_ONCE:
            self._begin()

    def _begin(self):
        """Take what the first runs have for a mean off all, and add them.

        Small numbers keep what squares of large ones would lose, and what is chance shows.
        """
        mean = np.mean([rows.mean(axis=0) for rows, _ in self._first], axis=0)
        self._shift = mean if self._is_centred else np.zeros_like(mean)
        for inputs, originals in self._first:
            self._add(inputs, originals)
        self._first = []

    def _add(self, inputs, originals):
        share = np.float32(1 / np.sqrt(len(inputs)))
        scaled = (inputs - self._shift) * share
        self._means.append(scaled.mean(axis=0, dtype=np.float64) / share)
        difference = None
        shift = np.zeros(inputs.shape[1:])
        if originals is not inputs:
            difference = (originals - inputs) * share
            shift = difference.mean(axis=0, dtype=np.float64) / share
        self._differences.append(shift)
        # The few taps of a channel are known well enough.
        for number, group in enumerate(self._groups if inputs.ndim == 2 else []):
            part = scaled[..., group.inputs]
            self._spread[number] += chance.square_beside_diagonal_of(part)
            # Where a run has many places, they tell what to make up for.
            if difference is not None and len(part) < part.shape[1]:
                self._crossed[number] += chance.square_of_product(
                    difference[..., group.inputs], part
                )
        self._waiting.append((scaled, difference))
        if sum(rows.nbytes for rows, _ in self._waiting) >= _BYTES_AT_ONCE:
            self._flush()

    def _flush(self):
        if not self._waiting:
            return
        rows = np.concatenate([rows for rows, _ in self._waiting])
        differences = [each for _, each in self._waiting if each is not None]
        difference = np.concatenate(differences) if differences else None
        self._waiting = []
        for number, group in enumerate(self._groups):
            part = _turned(rows[..., group.inputs])
            _add(self._own, number, part @ _transposed(part))
            if difference is not None:
                columns = _turned(difference[..., group.inputs])
                _add(self._cross, number, columns @ _transposed(part))

    def result(self, coherence):
        is_centred = self._is_centred
        if self._shift is None:
            self._begin()
        self._flush()
        runs = len(self._means)
        for sums in (self._own, self._cross):
            for each in filter(np.ndim, sums):
                each /= np.float32(runs)
        own, cross = self._own, [each if np.ndim(each) else None for each in self._cross]
        shares = [chance.shrinkage(o, spread / runs, runs) for o, spread in zip(own, self._spread)]
        known = [
            1 - chance.of_mean(chance.square(each), crossed / runs, runs) if crossed else 1.0
            for each, crossed in zip(self._cross, self._crossed)
        ]
        means, differences = np.stack(self._means), np.stack(self._differences)
        for number, group in enumerate(self._groups):
            x = means[..., group.inputs]
            own[number] += _common(x, x, coherence, is_centred)
            crossed = cross[number]
            if crossed is not None:
                crossed += _common(differences[..., group.inputs], x, coherence, is_centred)
                crossed *= np.float32(known[number])
        mean = means.mean(axis=0) + self._shift
        original_mean = mean + differences.mean(axis=0)
        positions, rows = self._positions / runs, self._rows
        return Moments(self._groups, own, cross, mean, original_mean, positions, rows, shares)


def _common(first, second, coherence, is_centred):
    """What to add to the mean of `first second^T` over places, from the means of each run.

    They are in it once already; they are to be in it `coherence` times, without their own mean if
    that does not count.
    """
    added = (coherence - 1) * _product(first, second) / len(first)
    if is_centred:
        added = added - coherence * _product(
            first.mean(axis=0, keepdims=True), second.mean(axis=0, keepdims=True)
        )
    return added.astype(np.float32)


def _add(sums, number, added):
    """Add an array to one of a list, in place where there is one."""
    if np.ndim(sums[number]):
        sums[number] += added
    else:
        sums[number] = added


def _turned(rows):
    """Rows as columns: `(inputs, n)`, or `(channels, taps, n)` of `(n, channels, taps)`."""
    return rows.T if rows.ndim == 2 else np.ascontiguousarray(rows.transpose(1, 2, 0))


def _transposed(columns):
    return np.swapaxes(columns, -1, -2)


def _product(first, second):
    """The sum over places of `first second^T`."""
    return _turned(first) @ _transposed(_turned(second))

"""Second moments of the inputs of a layer, from some of the places where it is used."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from keras_dc.post_training.reconstruction import layers as layers_of

# Inputs in a group: between groups, moments count as zero. Layers of very many inputs have smaller
# ones, which are faster.
_MOST_INPUTS, _VERY_MANY_INPUTS, _FEW_INPUTS = 1536, 8192, 1024
_LEAST_ROWS, _ROWS_PER_INPUT = 8192, 8
_DEPTHWISE_ROWS = 1024
_BYTES_AT_ONCE = 2**26


@dataclasses.dataclass
class Moments:
    """What the inputs of a layer are on the samples.

    Attributes:
        groups: list of slice, inputs that belong together; one of all for depthwise layers.
        own: list of float32 arrays `(n, n)`, for each group the mean of `x x^T` with `x` of the
            compressed part; `(channels, taps, taps)` of a depthwise layer. Of a layer with bias
            the mean is taken away from `x`: the bias makes up for it. What all places of a sample
            have in common counts `coherence` times.
        cross: list of the same of `(x_original - x) x^T`, or None where both are one.
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


def measure(layer, pairs, coherence, seed):
    """Moments of a layer.

    Args:
        layer: `layers.Layer`.
        coherence: float >= 0, see `importance.measure`.
        pairs: list of functions that give, for a run of the model, `(input of the compressed
            part, input of the original, shape of the output)`; both inputs may be one array.
        seed: int, for the choice of places.

    Returns:
        Moments.
    """
    rng = np.random.default_rng([seed, layer.op.operator])
    num_inputs = min(layer.rows().shape[1], _MOST_INPUTS)
    wanted = max(_ROWS_PER_INPUT * num_inputs, _LEAST_ROWS)
    if layer.is_depthwise:
        wanted = _DEPTHWISE_ROWS
    total = _Sums(layer, is_centred=layer.bias is not None)
    for get in pairs:
        new, original, shape = get()
        count = int(np.prod(shape[:-1]))
        num_taken = min(count, -(-wanted // len(pairs)))
        places = np.arange(count)
        if num_taken < count:
            places = np.sort(rng.choice(count, num_taken, replace=False))
        inputs = layers_of.patches(layer, new, shape, places)
        same = original is new
        originals = inputs if same else layers_of.patches(layer, original, shape, places)
        total.add(inputs, originals, count)
    return total.result(coherence)


class _Sums:
    def __init__(self, layer, *, is_centred):
        self._is_centred, self._shift = is_centred, None
        self._first: list = []
        size = layer.rows().shape[1]
        most = _MOST_INPUTS if size < _VERY_MANY_INPUTS else _FEW_INPUTS
        count = 1 if layer.is_depthwise else -(-size // most)
        edges = np.linspace(0, size, count + 1).astype(int)
        self._groups = [slice(a, b) for a, b in itertools.pairwise(edges)]
        self._own: list[Any] = [0.0] * count
        self._cross: list[Any] = [0.0] * count
        self._spread = [0.0] * count
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
            self._spread[number] += _square_beside_diagonal_of(scaled[..., group])
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
            part = _turned(rows[..., group])
            _add(self._own, number, part @ _transposed(part))
            if difference is not None:
                columns = _turned(difference[..., group])
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
        shares = [_shrinkage(o, spread / runs, runs) for o, spread in zip(own, self._spread)]
        means, differences = np.stack(self._means), np.stack(self._differences)
        for number, group in enumerate(self._groups):
            x = means[..., group]
            own[number] += _common(x, x, coherence, is_centred)
            if cross[number] is not None:
                cross[number] += _common(differences[..., group], x, coherence, is_centred)
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


def _square_beside_diagonal_of(rows):
    """`_square_off_diagonal` of the second moment of rows, of which there may be few: float."""
    if len(rows) >= rows.shape[1]:
        return _square_off_diagonal(rows.T @ rows)
    products = (rows @ rows.T).ravel()
    diagonal = np.einsum("ni,ni->i", rows, rows)
    return float(np.dot(products, products) - np.dot(diagonal, diagonal))


def _off_diagonal(moment):
    return moment * (1 - np.eye(moment.shape[-1], dtype=np.float32))


def _square_off_diagonal(moment):
    """The sum of squares beside the diagonal: float."""
    flat, diagonal = np.ravel(moment), np.einsum("...ii->...i", moment).ravel()
    return float(np.dot(flat, flat) - np.dot(diagonal, diagonal))


def _shrinkage(moment, mean_square, runs):
    """How much of what lies beside the diagonal is chance (Ledoit and Wolf 2004).

    Args:
        moment: the mean of the moments of all runs.
        mean_square: float, the mean over runs of the sum of squares beside the diagonal.
        runs: int.

    Returns:
        float in [0, 1].
    """
    square = _square_off_diagonal(moment)
    if moment.ndim == 3:
        return 0.0
    if runs < 2 or square <= 0:
        return 1.0
    variance = max(mean_square - square, 0.0) / (runs - 1)
    return float(np.clip(variance / square, 0.0, 1.0))


def shrunk(moment, share):
    """A moment with a share of what lies beside the diagonal taken away."""
    return moment - share * _off_diagonal(moment)

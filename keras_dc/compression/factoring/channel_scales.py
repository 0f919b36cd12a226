"""Find the codebook that all channels share up to a scale per channel, from the values alone.

Folding BatchNorm multiplies each output channel of a kernel by a number, and per-channel
quantization divides it by one: k distinct values become up to k in every channel. The
search here is exact: the products of codebook and scales round to the same float32 bits, or
to the same integers.
"""

import dataclasses
import itertools

import numpy as np

from keras_dc.compression.factoring.product_bounds import (
    as_float32,
    float32_magnitudes,
    float64_magnitudes,
    log_bounds,
)
from keras_dc.numerics.finite import all_finite
from keras_dc.numerics.float16 import is_float16_exact

MAX_CENTROIDS = 256
# A product of two float32 numbers is off by half a unit in the last place, the ratio of two
# such products by up to four.
_RATIO_TOLERANCE = 4 * 2.0**-23
_MOST_TRIALS = 64
_MANY_VALUES = 4
# The largest centroid gets this exponent: below the largest of float16, far above the smallest.
_FLOAT16_EXPONENT = 15
# With fewer pairs of channel and centroid per stored number a plain codebook is smaller, in
# depthwise kernels for example.
_MIN_PAIRS_PER_NUMBER = 2


@dataclasses.dataclass(frozen=True)
class Factors:
    """Values as rounded products `codebook[k] * scales[channel]`; see `codec.encode_scaled`.

    Attributes:
        codebook: float64 array `(num_centroids,)`.
        scales: float64 array, one for each index of the axis.
    """

    codebook: np.ndarray
    scales: np.ndarray


def factor_floats(values, axis, *, most_centroids=MAX_CENTROIDS):
    """Factor a float32 tensor into a codebook and a scale per channel.

    Args:
        values: float32 array; zeros need no centroid.
        axis: the dimension that counts channels.
        most_centroids: int, maximum size of the codebook.

    Returns:
        Factors, or None if no such codebook is found.
    """
    channels = _distinct_by_channel(values, axis)
    if channels is None or not any(map(len, channels)):
        return None
    matched = _match_channels(channels)
    if matched is None:
        return None
    codebook, ratios, assignments = matched
    if len(codebook) > most_centroids:
        return None
    if sum(map(len, channels)) < _MIN_PAIRS_PER_NUMBER * (len(codebook) + len(channels)):
        return None
    for find in (_with_float32, _with_float64):
        factors = find(channels, codebook, ratios, assignments)
        if factors is not None:
            return with_negative_zeros(_in_float16_range(factors), values, axis)
    return None


def factor_integers(values, axis, scales):
    """Factor an int8 tensor, given the quantization scale of each channel.

    A weight q of a channel with scale s stands for the real numbers within s/2 of q s. The
    codebook is the fewest numbers of which one lies in each of these intervals.

    Args:
        values: int8 array; zeros need no centroid.
        axis: the dimension that counts channels.
        scales: float array, the quantization scale of each index of `axis`.

    Returns:
        Factors, whose scales are the reciprocals of `scales`, or None if more than 256
        centroids would be needed.
    """
    reciprocals = as_float32(1 / np.asarray(scales, np.float64))
    lows, highs = [], []
    for channel, reciprocal in zip(np.moveaxis(values, axis, 0), reciprocals):
        distinct = np.unique(channel[channel != 0]).astype(np.float64)
        lows.append(np.where(distinct == -128, -np.inf, distinct - 0.5) / reciprocal)
        highs.append(np.where(distinct == 127, np.inf, distinct + 0.5) / reciprocal)
    # Bounds that are float32 numbers hold a centroid also after rounding to float32.
    lows = _inner_float32(np.concatenate(lows), np.float32(np.inf))
    highs = _inner_float32(np.concatenate(highs), np.float32(-np.inf))
    centroids = _stab(lows, highs)
    if not 1 <= len(centroids) <= MAX_CENTROIDS:
        return None
    return Factors(as_float32(np.array(centroids)), reciprocals)


def _stab(lows, highs):
    """The fewest points such that every closed interval holds one: greedy by right ends."""
    points, group_low, group_high = [], -np.inf, np.inf
    for index in np.argsort(highs, kind="stable"):
        low, high = lows[index], highs[index]
        if low > group_high:
            points.append(_inside(group_low, group_high))
            group_low, group_high = -np.inf, np.inf
        group_low, group_high = max(group_low, low), min(group_high, high)
    if len(lows):
        points.append(_inside(group_low, group_high))
    return points


def _inner_float32(bounds, direction):
    """The next float32 number from each bound in a direction; infinite bounds stay."""
    beyond = np.nextafter(bounds.astype(np.float32), direction).astype(np.float64)
    return np.where(np.isinf(bounds), bounds, beyond)


def _inside(low, high):
    if np.isinf(high):
        return low * 1.5 if low > 0 else low * 0.5 + 1
    if np.isinf(low):
        return high * 1.5 if high < 0 else high * 0.5 - 1
    return (low + high) / 2


def _distinct_by_channel(values, axis):
    """Distinct nonzero values of each channel, ascending; None if they cannot be factored."""
    channels = []
    for channel in np.moveaxis(values, axis, 0):
        distinct = np.unique(channel[channel != 0]).astype(np.float64)
        if len(distinct) > MAX_CENTROIDS or not all_finite(distinct):
            return None
        channels.append(distinct)
    return channels


def _match_channels(channels):
    """A ratio for each channel and the centroid of each of its values.

    The channel with most values is the first codebook. Each other channel is divided by the
    ratio under which most of its values meet a centroid, and adds those that meet none.

    Returns:
        tuple `(approximate codebook, ratios, list of index arrays)`, or None.
    """
    order = sorted(range(len(channels)), key=lambda channel: -len(channels[channel]))
    codebook = np.array(channels[order[0]])
    ratios = np.ones(len(channels))
    assignments = [np.zeros(0, int)] * len(channels)
    for channel in order:
        distinct = channels[channel]
        if not len(distinct):
            continue
        ratio = _best_ratio(distinct, codebook)
        nearest, error = _nearest(distinct / ratio, codebook)
        new = error > _RATIO_TOLERANCE
        nearest[new] = len(codebook) + np.arange(np.count_nonzero(new))
        codebook = np.concatenate([codebook, distinct[new] / ratio])
        if len(codebook) > MAX_CENTROIDS:
            return None
        ratios[channel], assignments[channel] = ratio, nearest
    return codebook, ratios, assignments


def _best_ratio(distinct, codebook):
    """The ratio under which most values of a channel meet a centroid."""
    anchor = distinct[np.argmax(np.abs(distinct))]
    candidates = anchor / codebook
    _, error = _nearest(distinct[None, :] / candidates[:, None], codebook)
    matches = np.count_nonzero(error <= _RATIO_TOLERANCE, axis=1)
    if 2 * matches.max() > len(distinct):
        return candidates[np.argmax(matches)]
    # The centroid of the anchor may be missing: then the most frequent ratio of all pairs.
    votes = np.sort((distinct[:, None] / codebook[None, :]).ravel())
    reach = votes + np.abs(votes) * _RATIO_TOLERANCE
    counts = np.searchsorted(votes, reach, side="right") - np.arange(len(votes))
    return votes[np.argmax(counts)]


def _nearest(values, codebook):
    """Index of the nearest centroid, and the relative distance to it."""
    order = np.argsort(codebook)
    ascending = codebook[order]
    above = np.clip(np.searchsorted(ascending, values), 1, max(len(codebook) - 1, 1))
    above = np.minimum(above, len(codebook) - 1)
    below = np.maximum(above - 1, 0)
    is_below = np.abs(values - ascending[below]) < np.abs(values - ascending[above])
    place = np.where(is_below, below, above)
    return order[place], np.abs(values - ascending[place]) / np.abs(values)


def _with_float32(channels, codebook, ratios, assignments):
    """Factors of float32 numbers, or None.

    Channels of many values determine the codebook. Two or three values may meet wrong
    centroids by chance, so such channels are matched to the exact codebook again.
    """
    strong = [i for i, distinct in enumerate(channels) if len(distinct) >= _MANY_VALUES]
    known = set().union(*(assignments[i].tolist() for i in strong))
    if len(known) < len(codebook):
        strong = list(range(len(channels)))
    weak = sorted(set(range(len(channels))) - set(strong))
    of_strong = [channels[i] for i in strong], [assignments[i] for i in strong]
    found = float32_magnitudes(*log_bounds(*of_strong, len(codebook)))
    for magnitudes, centroids in itertools.islice(found, _MOST_TRIALS):
        exact = np.sign(codebook) * centroids
        scales = np.ones(len(channels))
        scales[strong] = np.sign(ratios[strong]) * magnitudes
        if not _gives(Factors(exact, scales[strong]), *of_strong):
            continue
        fitted = [_fitting_scale(channels[i], exact) for i in weak]
        if None not in fitted:
            scales[weak] = fitted
            return Factors(exact, scales)
    return None


def _with_float64(channels, codebook, ratios, assignments):
    """Factors of float64 numbers, or None."""
    for magnitudes, centroids in float64_magnitudes(
        *log_bounds(channels, assignments, len(codebook))
    ):
        factors = Factors(np.sign(codebook) * centroids, np.sign(ratios) * magnitudes)
        if _gives(factors, channels, assignments):
            return factors
    return None


def _fitting_scale(distinct, codebook):
    """A float32 scale under which the codebook gives all values of a channel, or None."""
    if not len(distinct):
        return 1.0
    for ratio in distinct[np.argmax(np.abs(distinct))] / codebook:
        nearest, error = _nearest(distinct / ratio, codebook)
        if np.max(error) > _RATIO_TOLERANCE:
            continue
        lows, highs = log_bounds([distinct], [np.arange(len(distinct))], len(distinct))
        logs = np.log(np.abs(codebook[nearest]))
        middle = np.exp((np.max(lows - logs) + np.min(highs - logs)) / 2)
        scale = np.sign(ratio) * as_float32(np.array([middle]))[0]
        if _gives(Factors(codebook, np.array([scale])), [distinct], [nearest]):
            return scale
    return None


def _gives(factors, channels, assignments):
    """Whether the products round to the values."""
    return all(
        np.array_equal((factors.codebook[centroids] * scale).astype(np.float32), distinct)
        for scale, distinct, centroids in zip(factors.scales, channels, assignments)
    )


def _in_float16_range(factors):
    """Factors whose codebook float16 holds, by moving a power of two from the scales."""
    power = _FLOAT16_EXPONENT - np.frexp(np.max(np.abs(factors.codebook)))[1]
    moved = Factors(np.ldexp(factors.codebook, power), np.ldexp(factors.scales, -power))
    is_exact = is_float16_exact(moved.codebook)
    return moved if is_exact and np.array_equal(as_float32(moved.scales), moved.scales) else factors


def with_negative_zeros(factors, values, axis):
    """Factors with additional centroids whose products are -0.0.

    They are -0.0 for channels with positive scales and 0.0 for the others.

    Args:
        factors: Factors of the weights that are not zero.
        values: array.
        axis: the dimension that counts channels.

    Returns:
        Factors, or None if there would be too many centroids.
    """
    is_negative_zero = np.moveaxis((values == 0) & np.signbit(values), axis, 0)
    has_one = is_negative_zero.reshape(len(factors.scales), -1).any(axis=1)
    signs = np.unique(np.sign(factors.scales[has_one]))
    codebook = np.concatenate([factors.codebook, -0.0 * signs])
    return Factors(codebook, factors.scales) if len(codebook) <= MAX_CENTROIDS else None

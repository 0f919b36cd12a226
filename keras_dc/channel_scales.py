"""Find the codebook that channels share up to a scale each, from the values alone.

Folding BatchNorm multiplies each output channel of a kernel by a number, and per-channel
quantization divides it by one: k values become up to k values in every channel. What
is left of the codebook is found here again, exactly: floats as products that round to
the very same bits, integers as products that round to the very same integers.
"""

import dataclasses
import itertools

import numpy as np

_MAX_CENTROIDS = 256
# Products of two float32 numbers are off by half a unit in the last place; ratios of two
# such products by four.
_RATIO_TOLERANCE = 4 * 2.0**-23
# Half a unit in the last place is 3e-8; exp and log of float64 are off by 1e-15.
_LOG_MARGIN = 1e-12
_MAX_ROUNDS = 200
_MOST_TRIALS = 256
# Below the largest exponent of float16, and far above its least.
_FLOAT16_EXPONENT = 15
_CANDIDATES_PER_BLOCK = 2**15
# With fewer pairs of channel and centroid for each number to be stored, a plain code is
# smaller: depthwise kernels, say.
_MIN_PAIRS_PER_NUMBER = 2


@dataclasses.dataclass(frozen=True)
class Factors:
    """Values as `codebook[k] * scales[channel]`, to be rounded; see `codec.encode_scaled`.

    Attributes:
        codebook: float64 array `(num_centroids,)`.
        scales: float64 array, one for each index of the axis.
    """

    codebook: np.ndarray
    scales: np.ndarray


def factor_floats(values, axis):
    """Factor a float32 tensor into a codebook and a scale per channel.

    Args:
        values: float32 array; zeros need no centroid.
        axis: the dimension that counts channels.

    Returns:
        Factors, or None if at most 256 centroids cannot give all values.
    """
    channels = _distinct_by_channel(values, axis)
    if channels is None or not any(map(len, channels)):
        return None
    matched = _match_channels(channels)
    if matched is None:
        return None
    codebook, ratios, assignments = matched
    if sum(map(len, channels)) < _MIN_PAIRS_PER_NUMBER * (len(codebook) + len(channels)):
        return None
    lows, highs = _log_bounds(channels, assignments, len(codebook))
    # Few bounds leave so many float32 numbers that most do not go together.
    is_tight = sum(map(len, channels)) >= 2 * _MIN_PAIRS_PER_NUMBER * len(lows)
    for magnitudes in (_float32_magnitudes, _float64_magnitudes)[not is_tight :]:
        for scales, centroids in itertools.islice(magnitudes(lows, highs), _MOST_TRIALS):
            factors = Factors(np.sign(codebook) * centroids, np.sign(ratios) * scales)
            if _gives(factors, channels, assignments):
                return _with_negative_zeros(_in_float16_range(factors), values, axis)
    return None


def factor_integers(values, axis, scales):
    """Factor an int8 tensor, given the quantization scale of each channel.

    A weight q of a channel with scale s was any real number within s/2 of q s; the fewest
    numbers that lie in all of these intervals are the codebook.

    Args:
        values: int8 array; zeros need no centroid.
        axis: the dimension that counts channels.
        scales: float array, the quantization scale of each index of `axis`.

    Returns:
        Factors, whose scales are the reciprocals of `scales`, or None if more than 256
        centroids would be needed.
    """
    reciprocals = _as_float32(1 / np.asarray(scales, np.float64))
    lows, highs = [], []
    for channel, reciprocal in zip(np.moveaxis(values, axis, 0), reciprocals):
        distinct = np.unique(channel[channel != 0]).astype(np.float64)
        lows.append(np.where(distinct == -128, -np.inf, distinct - 0.5) / reciprocal)
        highs.append(np.where(distinct == 127, np.inf, distinct + 0.5) / reciprocal)
    # Rounding to float32 keeps a centroid between bounds that are float32 numbers.
    lows = _inner_float32(np.concatenate(lows), np.float32(np.inf))
    highs = _inner_float32(np.concatenate(highs), np.float32(-np.inf))
    centroids = _stab(lows, highs)
    if not 1 <= len(centroids) <= _MAX_CENTROIDS:
        return None
    return Factors(_as_float32(np.array(centroids)), reciprocals)


def _stab(lows, highs):
    """The fewest points such that every closed interval holds one.

    Greedy by right end: the classic, optimal order.
    """
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
    """The float32 number beyond each bound in a direction; infinite ones stay."""
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
        if len(distinct) > _MAX_CENTROIDS or not np.isfinite(distinct).all():
            return None
        channels.append(distinct)
    return channels


def _match_channels(channels):
    """A ratio for each channel and the centroid of each of its values.

    The channel of most values is the first codebook; others are laid over it by the ratio
    that makes most values meet, and add the centroids that it lacks.

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
        if len(codebook) > _MAX_CENTROIDS:
            return None
        ratios[channel], assignments[channel] = ratio, nearest
    return codebook, ratios, assignments


def _best_ratio(distinct, codebook):
    """The ratio under which most of `distinct` meet a centroid."""
    anchor = distinct[np.argmax(np.abs(distinct))]
    candidates = anchor / codebook
    _, error = _nearest(distinct[None, :] / candidates[:, None], codebook)
    matches = np.count_nonzero(error <= _RATIO_TOLERANCE, axis=1)
    if 2 * matches.max() > len(distinct):
        return candidates[np.argmax(matches)]
    # The anchor's own centroid may be missing: let all pairs vote.
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


def _log_bounds(channels, assignments, num_centroids):
    """Bounds of `log |centroid| + log |scale|` for each pair that occurs.

    Returns:
        two float arrays `(num_channels, num_centroids)`, -inf and inf where a pair does
        not occur.
    """
    lows = np.full((len(channels), num_centroids), -np.inf)
    highs = np.full((len(channels), num_centroids), np.inf)
    for channel, (distinct, centroids) in enumerate(zip(channels, assignments)):
        if not len(distinct):
            continue
        magnitudes = np.abs(distinct).astype(np.float32)
        below = np.nextafter(magnitudes, np.float32(0)).astype(np.float64)
        above = np.nextafter(magnitudes, np.float32(np.inf)).astype(np.float64)
        exact = magnitudes.astype(np.float64)
        with np.errstate(divide="ignore"):
            lows[channel, centroids] = np.log((exact + below) / 2)
            highs[channel, centroids] = np.log((exact + above) / 2)
    return lows, highs


def _float64_magnitudes(lows, highs):
    """Magnitudes of scales and centroids whose products lie within the bounds.

    Sums of logarithms become differences when one side is negated, and differences with
    bounds are shortest paths (Bellman and Ford). The least and the greatest solution lie
    on the bounds; their mean lies inside.

    Yields:
        at most one tuple of float64 arrays `(num_channels,)` and `(num_centroids,)`.
    """
    lows, highs = lows + _LOG_MARGIN, highs - _LOG_MARGIN
    greatest, least = _relax(highs, -lows), _relax(-lows, highs)
    if greatest is not None and least is not None:
        yield np.exp((greatest[0] - least[0]) / 2), np.exp((greatest[1] - least[1]) / 2)


def _float32_magnitudes(lows, highs):
    """As `_float64_magnitudes`, all exact in float32, and several.

    What was multiplied were float32 numbers, and up to a power of two the scale of one
    channel is one of 2^23. For each of them the bounds leave every centroid so little
    room that a float32 number hardly ever lies there by chance.
    """
    # A product may lie right between two float32 numbers, if the codebook is of float16
    # numbers even often: such bounds are met, but not passed by.
    lows, highs = lows - _LOG_MARGIN, highs + _LOG_MARGIN
    reference = int(np.argmax(np.count_nonzero(np.isfinite(lows), axis=1)))
    upper, lower = _relax(highs, -lows, reference), _relax(-lows, highs, reference)
    if upper is None or lower is None:
        return
    # Bounds of centroid times reference scale, and of scale by reference scale.
    centroid_bounds = np.exp(-lower[1]), np.exp(upper[1])
    scale_bounds = np.exp(upper[0]), np.exp(-lower[0])
    # Loose bounds pass the first block, tight ones empty each block after a few numbers.
    for begin in range(0, 2**23, _CANDIDATES_PER_BLOCK):
        candidates = 1 + np.arange(begin, begin + _CANDIDATES_PER_BLOCK) / 2**23
        candidates = _candidates_within(candidates, *centroid_bounds, np.divide)
        candidates = _candidates_within(candidates, *scale_bounds, np.multiply)
        for scale in candidates:
            centroids = _middle_float32(centroid_bounds[0] / scale, centroid_bounds[1] / scale)
            scales = _middle_float32(scale_bounds[0] * scale, scale_bounds[1] * scale)
            yield scales, centroids


def _candidates_within(candidates, lows, highs, relate):
    """The reference scales that leave a float32 number within each pair of bounds."""
    for low, high in zip(lows, highs):
        if not len(candidates):
            break
        if np.isfinite([low, high]).all():
            candidates = candidates[_has_float32(relate(low, candidates), relate(high, candidates))]
    return candidates


def _gives(factors, channels, assignments):
    """Whether the products round to the values; bounds of each number alone do not tell."""
    return all(
        np.array_equal((factors.codebook[centroids] * scale).astype(np.float32), distinct)
        for scale, distinct, centroids in zip(factors.scales, channels, assignments)
    )


def _in_float16_range(factors):
    """Move a power of two from the scales to the codebook, where float16 then holds it."""
    power = _FLOAT16_EXPONENT - np.frexp(np.max(np.abs(factors.codebook)))[1]
    moved = Factors(np.ldexp(factors.codebook, power), np.ldexp(factors.scales, -power))
    is_exact = np.array_equal(moved.codebook.astype(np.float16), moved.codebook)
    return (
        moved if is_exact and np.array_equal(_as_float32(moved.scales), moved.scales) else factors
    )


def _with_negative_zeros(factors, values, axis):
    """The centroids from which -0.0 comes: -0.0 under positive scales, 0.0 under others."""
    is_negative_zero = np.moveaxis((values == 0) & np.signbit(values), axis, 0)
    has_one = is_negative_zero.reshape(len(factors.scales), -1).any(axis=1)
    signs = np.unique(np.sign(factors.scales[has_one]))
    codebook = np.concatenate([factors.codebook, -0.0 * signs])
    return Factors(codebook, factors.scales) if len(codebook) <= _MAX_CENTROIDS else None


def _as_float32(numbers):
    return numbers.astype(np.float32).astype(np.float64)


def _middle_float32(low, high):
    """The float32 number nearest to the middle; 1 where there are no bounds."""
    middle = np.where(np.isfinite(low) & np.isfinite(high), (low + high) / 2, 1.0)
    return _as_float32(middle)


def _has_float32(low, high):
    nearest = _as_float32((low + high) / 2)
    return (low <= nearest) & (nearest <= high)


def _relax(highs, negative_lows, source=None):
    """The greatest potentials with `y + x <= highs` and `-(y + x) <= negative_lows`.

    Args:
        highs: float array `(num_channels, num_centroids)`.
        negative_lows: likewise.
        source: the channel whose potential is 0, if the bounds of all others relative to
            it are asked for; otherwise none is above 0.

    Returns:
        tuple of float arrays `(num_channels,)` and `(num_centroids,)`, or None if the
        bounds contradict one another.
    """
    # With z = -y: x <= z + high and z <= x - low.
    channels = np.zeros(highs.shape[0]) if source is None else np.full(highs.shape[0], np.inf)
    centroids = np.full(highs.shape[1], 0.0 if source is None else np.inf)
    if source is not None:
        channels[source] = 0
    for _ in range(_MAX_ROUNDS):
        new_centroids = np.minimum(centroids, np.min(channels[:, None] + highs, axis=0))
        new_channels = np.minimum(channels, np.min(new_centroids[None, :] + negative_lows, axis=1))
        if np.array_equal(new_centroids, centroids) and np.array_equal(new_channels, channels):
            return -channels, centroids
        channels, centroids = new_channels, new_centroids
    return None

"""Numbers whose products round to given float32 values: bounds, and numbers within them."""

import numpy as np

# Half a unit in the last place of float32 is 3e-8; float64's exp and log are off by 1e-15.
_LOG_MARGIN = 1e-12
_MAX_ROUNDS = 200
_CANDIDATES_PER_BLOCK = 2**15
_MOST_SCREENED = 2**13
_SCREENED_AT_ONCE = 2**20


def as_float32(numbers):
    """A float64 array of the nearest float32 numbers."""
    return numbers.astype(np.float32).astype(np.float64)


def log_bounds(channels, assignments, num_centroids):
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


def float64_magnitudes(lows, highs):
    """Magnitudes of scales and centroids whose products lie within the bounds.

    With one side negated, sums of logarithms are differences, and bounded differences are
    shortest paths (Bellman and Ford). The least and the greatest solution lie on the bounds,
    their mean inside.

    Yields:
        at most one tuple of float64 arrays `(num_channels,)` and `(num_centroids,)`.
    """
    lows, highs = lows + _LOG_MARGIN, highs - _LOG_MARGIN
    greatest, least = _relax(highs, -lows), _relax(-lows, highs)
    if greatest is not None and least is not None:
        yield np.exp((greatest[0] - least[0]) / 2), np.exp((greatest[1] - least[1]) / 2)


def float32_magnitudes(lows, highs):
    """As `float64_magnitudes`, all exact in float32; yields several, the likeliest first.

    The factors were float32 numbers, so up to a power of two one reference centroid is one of
    2^23 numbers. Each of these bounds all other centroids so tightly, over all channels, that
    a float32 number hardly ever lies there by chance; then each scale is found by itself.
    """
    # A product may lie exactly between two float32 numbers, often so with a codebook of
    # float16 numbers: such bounds are met exactly.
    lows, highs = lows - _LOG_MARGIN, highs + _LOG_MARGIN
    reference = int(np.argmax(np.count_nonzero(np.isfinite(lows), axis=0)))
    upper, lower = _relax(highs.T, -lows.T, reference), _relax(-lows.T, highs.T, reference)
    if upper is None or lower is None:
        return
    # Bounds of scale times reference centroid, and of centroid by reference centroid.
    scale_bounds = np.exp(-lower[1]), np.exp(upper[1])
    centroid_bounds = np.exp(upper[0]), np.exp(-lower[0])
    num_screened = 0
    for begin in range(0, 2**23, _CANDIDATES_PER_BLOCK):
        candidates = 1 + np.arange(begin, begin + _CANDIDATES_PER_BLOCK) / 2**23
        candidates = _candidates_within(candidates, *centroid_bounds, np.multiply)
        candidates = _candidates_within(candidates, *scale_bounds, np.divide)
        # Loose bounds pass nearly all candidates, most of which fit no scale.
        candidates = candidates[: _MOST_SCREENED - num_screened]
        num_screened += len(candidates)
        for some in np.array_split(
            candidates, 1 + len(candidates) * lows.size // _SCREENED_AT_ONCE
        ):
            centroids = _middle_float32(*(some[:, None] * bound for bound in centroid_bounds))
            logs = np.log(centroids)[:, None, :]
            least = np.exp(np.max(lows - logs, axis=2))
            greatest = np.exp(np.min(highs - logs, axis=2))
            passed = (_has_float32(least, greatest) | ~np.isfinite(greatest)).all(axis=1)
            yield from zip(_middle_float32(least, greatest)[passed], centroids[passed])


def _candidates_within(candidates, lows, highs, relate):
    """The reference centroids that leave a float32 number within each pair of bounds."""
    for low, high in zip(lows, highs):
        if not len(candidates):
            break
        if np.isfinite([low, high]).all():
            candidates = candidates[_has_float32(relate(low, candidates), relate(high, candidates))]
    return candidates


def _middle_float32(low, high):
    """The float32 number nearest to the middle; 1 where there are no bounds."""
    middle = np.where(np.isfinite(low) & np.isfinite(high), (low + high) / 2, 1.0)
    return as_float32(middle)


def _has_float32(low, high):
    nearest = as_float32((low + high) / 2)
    return (low <= nearest) & (nearest <= high)


def _relax(highs, negative_lows, source=None):
    """The greatest `y` and `x` with `y + x <= highs` and `-(y + x) <= negative_lows`.

    Args:
        highs: float array `(num_channels, num_centroids)`.
        negative_lows: likewise.
        source: index of the channel whose `y` is 0, for bounds relative to it; None: no
            `y` is above 0.

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

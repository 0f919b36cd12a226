"""The price of a bit at which a file meets a budget."""

import dataclasses
import math

_MOST_ATTEMPTS = 10
# A file this near its budget is taken.
_NEAR = 0.03
# Steps of the search for a price, in factors of two.
_LARGEST_STEP, _LEAST_STEP = 14.0, 0.02
_FIRST_ERROR = 0.05
# How the logarithms of bytes and error change with that of the price, as a first guess.
_BYTES_SLOPE, _ERROR_SLOPE, _LEAST_SLOPE = 0.18, 0.4, 0.02
_FLAT = 1e-3


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a file may be: one of these, the others None.

    Attributes:
        max_error: float > 0.
        max_bytes: int > 0.
        ratio: float > 1, bytes of the original over those of the file.
    """

    max_error: float | None = None
    max_bytes: int | None = None
    ratio: float | None = None

    def __post_init__(self):
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) > 1:
            raise ValueError(f"one budget at most must be given. Received: {given}")
        for name, value in given.items():
            least = 1 if name == "ratio" else 0
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or value <= least:
                raise ValueError(f"`{name}` must be more than {least}. Received: {name}={value!r}")

    @property
    def is_given(self):
        """Whether there is a budget."""
        return any(value is not None for value in vars(self).values())

    def bytes_of(self, original_bytes):
        """The bytes that a file may take, None for a budget of error: float."""
        return original_bytes / self.ratio if self.ratio else self.max_bytes


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A file that was made.

    Attributes:
        price: float, the squared change of outputs that a bit was worth.
        content: bytes.
        error: float, see `Judge.error`.
        extra: whatever belongs to it.
    """

    price: float
    content: bytes
    error: float
    extra: object = None


def search(make, budget, *, original_bytes, num_weights, lossless):
    """The best file within a budget.

    The logarithms of bytes and of errors are nearly straight lines over that of the price, so
    that a few attempts find the place.

    Args:
        make: function from a price to an Attempt.
        budget: Budget.
        original_bytes: int.
        num_weights: int, which the files share.
        lossless: function without arguments that gives the Attempt that loses nothing.

    Returns:
        Attempt.

    Raises:
        ValueError: if there is none; it tells the best one.
    """
    limit = budget.bytes_of(original_bytes)
    error = budget.max_error if limit is None else _FIRST_ERROR
    wanted = math.log2(limit if limit is not None else budget.max_error)

    def height(attempt):
        return math.log2(max(len(attempt.content) if limit else attempt.error, 1e-12)) - wanted

    # Bytes fall and errors rise with the price: places are its logarithm with either sign.
    sign, slope = (-1, _BYTES_SLOPE) if limit else (1, _ERROR_SLOPE)
    place = sign * math.log2(2 * math.log(2) * error**2 / num_weights)
    attempts, points = [], []
    for _ in range(_MOST_ATTEMPTS):
        attempt = make(2.0 ** (sign * place))
        attempts.append(attempt)
        points.append((place, height(attempt)))
        if -_NEAR <= points[-1][1] <= 0:
            return attempt
        following = _next_place(points, slope)
        if following is None or abs(following - place) < _LEAST_STEP:
            break
        place = following
    return _best(attempts, points, budget, limit, lossless)


def _next_place(points, slope):
    """Where the line through the nearest points meets 0, between those that are too high and low.

    Args:
        points: list of (place, height); heights rise with the place, and 0 is wanted.
        slope: float, what is expected of a first point.

    Returns:
        float, or None where going further changes nothing.
    """
    below = max((point for point in points if point[1] <= 0), default=None)
    above = min((point for point in points if point[1] > 0), default=None)
    last = points[-1]
    if below is not None and above is not None:
        if above[0] <= below[0]:
            return None  # chance is larger than what is left to gain
        # The aim lies a little below 0.
        share = (-below[1] - _NEAR / 2) / (above[1] - below[1])
        return below[0] + min(max(share, 0.1), 0.9) * (above[0] - below[0])
    if len(points) > 1:
        (x0, y0), (x1, y1) = points[-2:]
        if abs(y1 - y0) < _FLAT and abs(x1 - x0) > _LARGEST_STEP / 2:
            return None
        slope = max((y1 - y0) / (x1 - x0), _LEAST_SLOPE)
    step = (-last[1] - _NEAR / 2) / slope
    return last[0] + min(max(step, -_LARGEST_STEP), _LARGEST_STEP)


def _best(attempts, points, budget, limit, lossless):
    good = [attempt for attempt, (_, height) in zip(attempts, points) if height <= 0]
    if limit is not None:
        if good:
            return min(good, key=lambda each: each.error)
        best = min(attempts, key=lambda each: len(each.content))
        asked = {name: value for name, value in vars(budget).items() if value is not None}
        raise ValueError(
            f"no file of at most {math.floor(limit):,} bytes was found; the smallest has "
            f"{len(best.content):,} bytes and an error of {best.error:.4g}. Received: "
            + ", ".join(f"{name}={value}" for name, value in asked.items())
        )
    if good:
        return min(good, key=lambda each: len(each.content))
    attempt = lossless()
    if attempt.error <= budget.max_error:
        return attempt
    best = min([*attempts, attempt], key=lambda each: each.error)
    raise ValueError(
        f"no file was found whose error is that small; the best is off by {best.error:.4g} in "
        f"{len(best.content):,} bytes. Received: max_error={budget.max_error}"
    )

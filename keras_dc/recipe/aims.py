"""What the caller asks for: a loss of the metric, a size or a ratio."""

import dataclasses
import math
import numbers
import re

# As in all tables of the project: 1 KB is 1,024 bytes.
_UNITS = {"": 1, "b": 1, "kb": 2**10, "kib": 2**10, "mb": 2**20, "mib": 2**20}
_DEFAULT_MAX_LOSS = 0.005


@dataclasses.dataclass(frozen=True)
class Aim:
    """One of the three aims of `deep_compress`; the other two are None.

    Attributes:
        max_loss: float, how much worse than the given model the file may be, in units of the
            metric: make it as small as that allows.
        max_bytes: int, how large the file may be: make it as good as that allows.
        ratio: float, how many times smaller than the float file it shall be, likewise.
    """

    max_loss: float | None = None
    max_bytes: int | None = None
    ratio: float | None = None

    @property
    def is_about_loss(self):
        """Whether the loss is bounded, and not the size."""
        return self.max_loss is not None

    def size_bytes(self, float_bytes):
        """The largest size that the aim allows, of a model whose float file has `float_bytes`."""
        return self.max_bytes if self.ratio is None else int(float_bytes / self.ratio)

    def __str__(self):
        if self.is_about_loss:
            return f"the smallest file that loses at most {self.max_loss:g}"
        if self.ratio is not None:
            return f"the best file that is {self.ratio:g} times smaller"
        return f"the best file of at most {self.max_bytes:,} bytes"


def aim_of(max_loss=None, max_bytes=None, ratio=None):
    """The aim that arguments of `deep_compress` ask for.

    Args:
        max_loss: None or float >= 0.
        max_bytes: None, int, or str such as "200 KB".
        ratio: None or float > 1.

    Returns:
        `Aim`; a loss of 0.005 at most if all are None.

    Raises:
        ValueError: if more than one is given, or one is out of its range.
    """
    given = {"max_loss": max_loss, "max_bytes": max_bytes, "ratio": ratio}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) > 1:
        raise ValueError(
            "Only one of `max_loss`, `max_bytes` and `ratio` can be the aim. Received: "
            + ", ".join(f"{name}={value!r}" for name, value in given.items())
        )
    if max_bytes is not None:
        return Aim(max_bytes=parsed_bytes(max_bytes))
    if ratio is not None:
        if not _is_number(ratio) or not 1.0 < ratio < math.inf:
            raise ValueError(f"`ratio` must be a number above 1. Received: ratio={ratio!r}")
        return Aim(ratio=float(ratio))
    max_loss = _DEFAULT_MAX_LOSS if max_loss is None else max_loss
    if not _is_number(max_loss) or not 0.0 <= max_loss < math.inf:
        raise ValueError(
            "`max_loss` must be a number from 0, in units of the metric: 0.005 of an accuracy is "
            f"half a point. Received: max_loss={max_loss!r}"
        )
    return Aim(max_loss=float(max_loss))


def parsed_bytes(size):
    """A size in bytes: int.

    Args:
        size: int >= 1, or str with a number and B, KB (1,024 bytes) or MB: "200 KB".

    Raises:
        ValueError: if it is neither.
    """
    if isinstance(size, str):
        match = re.fullmatch(r"\s*(\d+(?:[.,_]\d+)*)\s*([a-zA-Z]*)\s*", size)
        if match and match[2].lower() in _UNITS:
            number = match[1].replace(",", "").replace("_", "")
            if number.count(".") <= 1:
                size = int(float(number) * _UNITS[match[2].lower()])
    if not isinstance(size, numbers.Integral) or isinstance(size, bool) or size < 1:
        raise ValueError(
            "`max_bytes` must be a whole number of bytes or a text such as '200 KB' (1 KB is "
            f"1,024 bytes). Received: max_bytes={size!r}"
        )
    return int(size)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)

"""The figures at the head of a report."""

from typing import NamedTuple

from keras_dc.reporting.wording import kilobytes, megabytes, number, percent


class Tile(NamedTuple):
    """A figure: its name, its value, and what to compare it with."""

    label: str
    value: str
    note: str


def tiles_of(content):
    """The tiles that the content has figures for: list of Tile."""
    first = content.rivals[0]
    found = [
        Tile(
            "smaller",
            f"{content.ratio:,.1f}x",
            f"than {first.label}: {kilobytes(first.size_bytes)}",
        ),
        Tile("size", kilobytes(content.file.size_bytes), _zip_note(content)),
    ]
    if content.scores:
        found.append(_score_tile(content))
    num_weights = sum(figures.row.num_weights for figures in content.tensors)
    if num_weights:
        kept = sum(figures.num_kept for figures in content.tensors)
        found.append(
            Tile("weights kept", percent(kept / num_weights), f"{kept:,} of {num_weights:,} coded")
        )
    row = _row_of_the_file(content)
    if row is not None:
        found += _speed_tiles(content, row)
    return found


def _size(label, size_bytes):
    return f"{label}: {kilobytes(size_bytes)}"


def _zip_note(content):
    best = content.same_weights.best_zip
    if best is None:
        return ""
    name, size = best
    return f"best zip of the same weights: {kilobytes(size)} ({name})"


def is_accuracy(content):
    """Whether the scores are fractions of what is right, which an error can be told from."""
    values = content.scores.values()
    return "accuracy" in content.metric.lower() and all(0 <= value <= 1 for value in values)


def _score_tile(content):
    scores = list(content.scores.items())
    (first, before), (last, after) = scores[0], scores[-1]
    if is_accuracy(content):
        name, show = "error", lambda value: percent(1 - value)
    else:
        name, show = content.metric, number
    note = last if len(content.scores) == 1 else f"{last}; {first}: {show(before)}"
    return Tile(name, show(after), note)


def _row_of_the_file(content):
    """The row of the benchmark that is of this file: the one of its size, if there is one."""
    size = content.file.size_bytes
    rows = [row for row in content.benchmark_rows if getattr(row, "size_bytes", None) == size]
    return rows[0] if rows else None


def _speed_tiles(content, row):
    others = [other for other in content.benchmark_rows if other is not row]
    found = []
    memory = "peak_memory_bytes" if hasattr(row, "peak_memory_bytes") else "memory_bytes"
    for name, label, show in [
        ("p50_ms", "latency, median", lambda value: f"{number(value)} ms"),
        (memory, memory.removesuffix("_bytes").replace("_", " "), megabytes),
    ]:
        value = getattr(row, name, None)
        if value is None:
            continue
        values = [(other.name, getattr(other, name, None)) for other in others[:1]]
        note = "".join(f"{other}: {show(given)}" for other, given in values if given is not None)
        found.append(Tile(label, show(value), note))
    return found

"""Series and tables of figures 6 to 8 from the points of `figures_6_to_8`."""

import collections
import dataclasses
from typing import NamedTuple

from paper import figures_6_to_8 as figures
from paper import paper_tables

FIELDS = dataclasses.fields(figures.Point)
INITIALIZATION_NAMES = {name: name.replace("_", " ") for name in figures.INITIALIZATIONS}


class Mean(NamedTuple):
    """A point, over its seeds.

    Attributes:
        percent: float, size of the file in % of the dense float32 one.
        error, least, largest: floats, test error in %: mean, least and largest.
        untrained: float, mean error before the codebook was trained; None without one.
        moved: float, mean of what clustering moved the kernels by, in % of their root mean
            square; None without a codebook.
    """

    percent: float
    error: float
    least: float
    largest: float
    untrained: float | None
    moved: float | None


def means(results):
    """Dict from `figures_6_to_8.Point` to `Mean`, over all seeds."""
    by_point = collections.defaultdict(list)
    for row in results["points"]:
        point = figures.Point(**{field.name: row[field.name] for field in FIELDS})
        by_point[point].append(row)
    return {point: _mean(rows, results["float_bytes"]) for point, rows in by_point.items()}


def _mean(rows, float_bytes):
    def mean(key):
        values = [row[key] for row in rows]
        return None if None in values else sum(values) / len(values)

    errors = [row["error_percent"] for row in rows]
    return Mean(
        percent=100 * mean("file_bytes") / float_bytes,
        error=mean("error_percent"),
        least=min(errors),
        largest=max(errors),
        untrained=mean("untrained_error_percent"),
        moved=mean("cluster_error_percent"),
    )


def dense_error(results):
    """Mean test error in % of the dense networks."""
    return sum(results["dense"].values()) / len(results["dense"])


def size_series():
    """Figure 6: dict from what is done to lists of points, from large files to small ones."""
    both = [figures.Point(scale=scale, bits=figures.BITS_OF_BOTH) for scale in figures.SCALES]
    return {
        "pruned and quantized": both,
        "pruned": [figures.Point(scale=scale) for scale in figures.SCALES],
        "quantized": [figures.Point(bits=bits) for bits in reversed(figures.BITS)],
        "SVD": [figures.Point(ranks=share) for share in figures.RANKS],
    }


def bit_series():
    """Figure 7: dict from what is done before to lists of points, by bits."""
    return {
        "not pruned": [figures.Point(bits=bits) for bits in figures.BITS],
        "pruned to 8 %": [figures.well_pruned(bits) for bits in figures.BITS],
    }


def initialization_series():
    """Figure 8: dict from names of initializations to lists of points, by bits."""
    return {
        label: [figures.well_pruned(bits, name) for bits in figures.BITS_OF_INITIALIZATIONS]
        for name, label in INITIALIZATION_NAMES.items()
    }


def size_table(found):
    """Figure 6 as a table: list of lines."""
    lines = []
    for method, series in size_series().items():
        for point in series:
            mean = found[point]
            lines.append([method, setting(point), f"{mean.percent:.2f} %", _error(mean)])
    heads = ["what", "setting", "size", "error (least to largest)"]
    return paper_tables.table(heads, lines)


def setting(point):
    """What is asked of a point, in words."""
    if point.ranks is not None:
        return f"ranks x {point.ranks:g}"
    parts = []
    if point.scale is not None:
        parts.append(f"{8 * point.scale:g} % kept")
    if point.bits is not None:
        parts.append("1 bit" if point.bits == 1 else f"{point.bits} bits")
    return ", ".join(parts)


def bit_table(found):
    """Figure 7 as a table: list of lines."""
    heads, columns = ["bits"], []
    for label, series in bit_series().items():
        heads += [f"{label}: size", "moved by", "error, not trained", "trained"]
        columns.append([found[point] for point in series])
    lines = []
    for bits, means_of_bits in zip(figures.BITS, zip(*columns), strict=True):
        cells = [str(bits)]
        for mean in means_of_bits:
            cells += [f"{value:.2f} %" for value in (mean.percent, mean.moved, mean.untrained)]
            cells.append(_error(mean))
        lines.append(cells)
    return paper_tables.table(heads, lines)


def initialization_table(found):
    """Figure 8 as a table, errors before training and after it: list of lines."""
    series = initialization_series()
    lines = []
    for place, bits in enumerate(figures.BITS_OF_INITIALIZATIONS):
        row = [found[points[place]] for points in series.values()]
        lines.append([str(bits), *(f"{mean.untrained:.2f} / {mean.error:.2f}" for mean in row)])
    return paper_tables.table(["bits", *series], lines)


def _error(mean):
    return f"{mean.error:.2f} % ({mean.least:.2f} to {mean.largest:.2f})"

"""The plots of a report, as matplotlib figures of one size for notebooks and pages.

Colours are of a palette that a page can exchange for one of a dark background.
"""

import itertools

import numpy as np

from keras_dc.reporting import layer_plots
from keras_dc.reporting.drawing import MUTED, SERIES, caption_of, new_figure, styled
from keras_dc.reporting.tensors import STAGES

# Of more tensors the largest are drawn; the others are together "others".
MOST_SEGMENTS = 7
MOST_SHARES = 6
# The page has plots for so many tensors, the largest ones, and a mask for each kernel.
MOST_PLOTTED = 60
_PARTS = {
    "values": "indices or values",
    "positions": "positions",
    "both": "both, arithmetic",
    "codebook": "codebook, scales",
    "tables": "code tables, header",
}
# Labels of so many letters go side by side in a legend.
_SHORT = 22
_LINES = ("-", "--", ":", "-.")


def all_figures(content):
    """Every plot that the content has figures for.

    Args:
        content: Content.

    Returns:
        dict from a name to a `matplotlib.figure.Figure`: "bytes", "shares", "zips",
        "sensitivity", "curve"; and "weights/TENSOR", "codes/TENSOR" and "mask/TENSOR".
    """
    found = overview(content)
    numbers = plotted(content)
    for number, figures in layers(content):
        if number not in numbers:
            continue
        is_new = f"mask/{figures.label}" not in found
        # Labels may be alike.
        suffix = figures.label if is_new else f"{figures.label} {number}"
        for kind, figure in of_layer(content, figures).items():
            found[f"{kind}/{suffix}"] = figure
    return found


@styled
def overview(content):
    """The plots of the whole file, by name."""
    drawn = {
        "bytes": _bytes_by_stage(content),
        "shares": _shares_of_float32(content),
        "zips": _zips(content),
        "sensitivity": _sensitivity(content.sensitivity),
        "curve": _curve(content),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def layers(content):
    """The tensors that have a mask, in their order: list of `(number, TensorFigures)`."""
    return [
        (number, figures)
        for number, figures in enumerate(content.tensors)
        if figures.mask is not None and figures.num_kept
    ]


def plotted(content):
    """The numbers of the tensors that have plots of their own, too: set of int."""
    ranked = sorted(layers(content), key=lambda item: -item[1].row.num_weights)
    return {number for number, _ in ranked[:MOST_PLOTTED]}


@styled
def of_layer(content, figures, *, with_mask=True):
    """The plots of one tensor, by kind: "weights", "codes" and "mask"."""
    drawn = {
        "weights": layer_plots.weights(figures, content.histograms.get(figures.row.place)),
        "codes": layer_plots.codes(figures),
        "mask": layer_plots.mask(figures) if with_mask else None,
    }
    return {kind: figure for kind, figure in drawn.items() if figure is not None}


def _bytes_by_stage(content):
    """For each stage a bar of what all tensors take, in segments by tensor."""
    if not content.tensors:
        return None
    ranked = sorted(content.tensors, key=lambda figures: -figures.row.blob_bytes)
    whole = len(ranked) <= MOST_SEGMENTS
    shown = ranked if whole else ranked[: MOST_SEGMENTS - 1]
    others = [] if whole else ranked[MOST_SEGMENTS - 1 :]
    segments = [(caption_of(figures.short_label), [figures]) for figures in shown]
    segments += [(f"{len(others)} others", others)] if others else []
    figure, axes = new_figure(height=2.6 + 0.17 * len(segments))
    left = np.zeros(len(STAGES))
    for (label, members), colour in zip(segments, itertools.cycle(SERIES)):
        # What cannot share values takes at that stage what it took at the one before.
        sizes = np.array([sum(_at_stage(each, stage) for each in members) for stage in STAGES])
        axes.barh(STAGES, sizes / 1024, left=left / 1024, color=colour, label=label,
                  edgecolor="none", height=0.7)  # fmt: skip
        left += sizes
    axes.invert_yaxis()
    axes.set_xlabel("KB of all tensors")
    _legend_below(figure, axes)
    return figure


def _at_stage(figures, stage):
    size = figures.total(stage)
    return figures.total("P") if size is None else size


def _shares_of_float32(content):
    """For each tensor and stage a bar in % of float32, in segments by part."""
    weights = [figures for figures in content.tensors if figures.mask is not None]
    ranked = sorted(weights, key=lambda figures: -figures.row.original_bytes)[:MOST_SHARES]
    shown = [figures for figures in weights if any(figures is each for each in ranked)]
    if not shown:
        return None
    rows = [
        (figures, stage) for figures in shown for stage in STAGES if stage in figures.stage_bytes
    ]
    figure, axes = new_figure(height=1.2 + 0.17 * len(rows) + 0.2 * len(shown))
    # A line for the name above the bars of each tensor.
    places = np.cumsum([1.0 if stage != STAGES[0] else 2.1 for _, stage in rows])
    for (figures, stage), place in zip(rows, places):
        if stage == STAGES[0]:
            axes.text(0, place - 0.6, caption_of(figures.short_label, 44), va="bottom")
    left = np.zeros(len(rows))
    for (part, label), colour in zip(_PARTS.items(), SERIES):
        sizes = [
            100 * figures.stage_bytes[stage].get(part, 0) / (4 * figures.row.num_weights)
            for figures, stage in rows
        ]
        if any(sizes):
            axes.barh(places, sizes, left=left, color=colour, label=label, height=0.8,
                      edgecolor="none")  # fmt: skip
        left += sizes
    axes.set_yticks(places, [stage for _, stage in rows])
    axes.set_ylim(places[-1] + 0.7, places[0] - 2)
    axes.set_xlabel("% of float32")
    _legend_below(figure, axes)
    return figure


def _zips(content):
    """Whole files: what zips make of the same weights, the rival, the bound, and ours."""
    bars = [(name, size, MUTED) for name, size in content.same_weights.zips.items()]
    if content.int8 is not None:
        bars.append(("int8 + xz", content.int8.zip_of("xz")[1], SERIES[1]))
    if content.tensors:
        bound = content.shannon_bytes + content.num_rest_bytes
        bars.append(("Shannon bound", bound, SERIES[2]))
    bars.append(("keras_dc", content.file.size_bytes, SERIES[0]))
    figure, axes = new_figure(height=0.9 + 0.3 * len(bars))
    names, sizes, colours = zip(*bars)
    drawn = axes.barh(names, np.array(sizes) / 1024, color=colours, height=0.7, edgecolor="none")
    axes.bar_label(drawn, [f"{size / 1024:,.1f}" for size in sizes], padding=3)
    axes.margins(x=0.18)
    axes.invert_yaxis()
    axes.set_xlabel("KB of the whole file")
    return figure


def _sensitivity(scan):
    if scan is None:
        return None
    figure, axes = new_figure(height=2.7 + 0.1 * len(scan.values))
    styles = itertools.cycle((line, colour) for line in _LINES for colour in SERIES)
    percent = 100 * np.array(scan.sparsities)
    for (name, values), (line, colour) in zip(scan.values.items(), styles):
        axes.plot(percent, values, line, color=colour, marker=".", label=caption_of(name))
    axes.axhline(scan.baseline, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    axes.set_xlabel("% of one layer pruned, nothing retrained")
    axes.set_ylabel(caption_of(scan.metric))
    _legend_below(figure, axes)
    return figure


def _curve(content):
    if not content.curve:
        return None
    figure, axes = new_figure()
    points = sorted(content.curve, key=lambda point: point["ratio"])
    ratios, scores = ([point[key] for point in points] for key in ("ratio", "score"))
    axes.plot(ratios, scores, "-o", color=SERIES[0], markersize=5)
    for point in points:
        place, label = (point["ratio"], point["score"]), caption_of(point["label"], _SHORT)
        axes.annotate(label, place, xytext=(4, 5), textcoords="offset points")
    axes.margins(0.15)
    axes.set_xlabel("times smaller")
    axes.set_ylabel(caption_of(content.metric))
    return figure


def _legend_below(figure, axes):
    _, labels = axes.get_legend_handles_labels()
    if labels:
        are_short = max(map(len, labels)) <= _SHORT
        figure.legend(loc="outside lower left", ncols=2 if are_short else 1, frameon=False,
                      handlelength=1.2, columnspacing=1.0, borderpad=0.1)  # fmt: skip

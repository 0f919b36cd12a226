"""The plots of one tensor: its weights with the centroids, its code lengths, its mask."""

import numpy as np

from keras_dc.reporting.drawing import GRID, MUTED, SERIES, matplotlib, new_figure


def weights(figures, before):
    """The histogram of the kept weights, centroids drawn in.

    Args:
        figures: TensorFigures.
        before: `(label, Histogram)` of the weights of an earlier file, or None.

    Returns:
        Figure, or None if no kept weight is finite.
    """
    histogram = figures.histogram
    if histogram is None:
        return None
    is_double = before is not None and histogram.edges is None
    figure, axes = new_figure(height=2.3, margins=(0.62, 0.62 if is_double else 0.12, 0.48, 0.1))
    axes.yaxis.set_major_formatter(_thousands())
    if before is not None:
        label, earlier = before
        under = axes.twinx() if is_double else axes
        under.stairs(earlier.counts, earlier.edges, fill=True, color=MUTED, alpha=0.35)
        if under is not axes:
            under.grid(False)
            under.yaxis.set_major_formatter(_thousands())
            under.tick_params(color=MUTED, labelcolor=MUTED, labelsize=axes.yaxis.label.get_size())
            under.set_ylabel(f"{label}: in a bin")
            under.spines["right"].set_visible(True)
            under.set_ylim(bottom=0)
            axes.set_zorder(under.get_zorder() + 1)
            axes.patch.set_visible(False)
    if histogram.edges is None:
        axes.plot(*_stems(histogram.values, histogram.counts), color=SERIES[0])
        axes.plot(histogram.values, histogram.counts, ".", color=SERIES[0], markersize=4)
        axes.set_ylabel("at a centroid")
    else:
        axes.stairs(histogram.counts, histogram.edges, fill=True, color=SERIES[0], alpha=0.8)
        axes.set_ylabel("in a bin")
    axes.set_ylim(bottom=0)
    axes.xaxis.get_major_locator().set_params(nbins=6)
    axes.set_xlabel("value of the kept weights")
    return figure


def _thousands():
    """Counts as 20k or 3M, so that they fit."""
    return matplotlib().ticker.EngFormatter(sep="")


def _stems(places, heights):
    """One path of vertical lines from 0."""
    x = np.repeat(np.asarray(places, np.float64), 3)
    y = np.zeros(3 * len(places))
    y[1::3], y[2::3] = heights, np.nan
    return x, y


def codes(figures):
    """Code lengths of indices and of gaps, beside the fixed length; None if it has neither."""
    kinds = [(kind, figures.code_lengths(kind)) for kind in ("index", "gap")]
    kinds = [(kind, found) for kind, found in kinds if found is not None]
    if not kinds:
        return None
    figure, panels = new_figure(height=2.1, columns=len(kinds), squeeze=False, sharey=True,
                                margins=(0.48, 0.12, 0.48, 0.1))  # fmt: skip
    for axes, (kind, (lengths, counts)) in zip(panels[0], kinds):
        order = np.argsort(-counts, kind="stable") if kind == "index" else np.arange(len(counts))
        axes.stairs(lengths[order], np.arange(len(order) + 1) - 0.5, fill=True,
                    color=SERIES[0] if kind == "index" else SERIES[1])  # fmt: skip
        fixed = (figures.index_bits if kind == "index" else figures.gap_bits)[0]
        axes.axhline(fixed, color=MUTED, linewidth=1, linestyle="--")
        axes.set_xlabel("index, frequent first" if kind == "index" else "gap, the filler last")
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=4)
        axes.yaxis.get_major_locator().set_params(integer=True)
    panels[0][0].set_ylabel("bits; dashed: fixed")
    return figure


def mask(figures):
    """The mask as a picture, rows of the first dimension; blue where weights are kept."""
    picture = figures.mask
    figure, axes = new_figure(height=2.6, margins=(0.62, 0.12, 0.48, 0.1))
    colours = matplotlib().colors.LinearSegmentedColormap.from_list("kept", [GRID, SERIES[0]])
    axes.imshow(picture.density, cmap=colours, vmin=0, vmax=max(picture.density.max(), 1e-9),
                aspect="auto", interpolation="nearest")  # fmt: skip
    axes.grid(False)
    rows, columns = picture.block
    unit = "" if picture.block == (1, 1) else f", a pixel is {rows} x {columns} weights"
    axes.set_xlabel(f"other dimensions{unit}")
    axes.set_ylabel("first dimension")
    return figure

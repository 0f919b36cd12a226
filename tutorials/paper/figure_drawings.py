"""Figures 6, 7 and 8 as SVG, for light and for dark pages.

Drawn by matplotlib: the files differ a little between its versions.
"""

import io

import matplotlib as mpl
from matplotlib.figure import Figure
from paper import drawings, figure_points, figures_6_to_8

# Of lines, light and dark: blue, orange, green, violet, brown, gray.
COLOURS = {
    "light": ["#3f51b5", "#d9772b", "#2e8b57", "#8e44ad", "#8d6e63", "#59636e"],
    "dark": ["#8c9eff", "#f0a35e", "#66bb8a", "#ce93d8", "#bcaaa4", "#9da7b3"],
}
MARKERS = "osD^vP"
# Errors above are not shown, but in figure 8, where all are small.
LARGEST_ERROR = 12.0
LARGEST_ERROR_OF_INITIALIZATIONS = 4.0


def all_figures(results):
    """All pictures: dict from paths in the docs to SVGs.

    Args:
        results: dict, see `figures_6_to_8.run`.
    """
    found, dense = figure_points.means(results), figure_points.dense_error(results)
    return {
        f"images/figure_{number}-{theme}.svg": svg(draw(found, dense, theme), theme)
        for number, draw in {6: sizes, 7: bits, 8: initializations}.items()
        for theme in drawings.THEMES
    }


def sizes(found, dense, theme):
    """Error against size, both logarithmic."""
    figure, axes = _axes(theme, "size of the file, % of float32 (logarithmic)")
    for number, (label, series) in enumerate(figure_points.size_series().items()):
        means = [found[point] for point in series]
        _line(axes, theme, number, label, [mean.percent for mean in means], means)
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    axes.minorticks_off()
    return _finished(figure, axes, dense, theme)


def bits(found, dense, theme):
    """Error against bits, with and without pruning, before and after training."""
    figure, axes = _axes(theme, "bits of a cluster index")
    for number, (label, series) in enumerate(figure_points.bit_series().items()):
        means, x = [found[point] for point in series], [point.bits for point in series]
        _line(axes, theme, number, label, x, means)
        untrained = [mean.untrained for mean in means]
        colour = COLOURS[theme][number]
        axes.plot(x, untrained, ":", color=colour, label=f"{label}, codebook not trained")
    return _finished(figure, axes, dense, theme)


def initializations(found, dense, theme):
    """Error against bits by initialization: before training, and after it."""
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, title in zip(panels, ["codebook not trained", "trained"], strict=True):
        _style(axes, theme, "bits of a cluster index")
        axes.set_title(title, loc="left", fontsize=10)
        for number, (label, series) in enumerate(figure_points.initialization_series().items()):
            means, x = [found[point] for point in series], [point.bits for point in series]
            if title == "trained":
                _line(axes, theme, number, label, x, means)
            else:
                y = [mean.untrained for mean in means]
                axes.plot(
                    x,
                    y,
                    color=COLOURS[theme][number],
                    marker=MARKERS[number],
                    markersize=4,
                    label=label,
                )
        _finished(figure, axes, dense, theme)
        axes.set_ylim(1.2, LARGEST_ERROR_OF_INITIALIZATIONS)
        axes.set_yticks([1.5, 2, 3, 4], ["1.5", "2", "3", "4"])
        axes.set_xticks(figures_6_to_8.BITS_OF_INITIALIZATIONS)
        axes.minorticks_off()
    panels[1].get_legend().remove()
    return figure


def svg(figure, theme):
    """A figure as text that is the same each time."""
    stream = io.StringIO()
    text = drawings.THEMES[theme].text
    colours = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), text)
    with mpl.rc_context({"svg.hashsalt": "keras_dc", "svg.fonttype": "none", **colours}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _axes(theme, label):
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    _style(axes, theme, label)
    return figure, axes


def _style(axes, theme, label):
    colours = drawings.THEMES[theme]
    axes.set_xlabel(label, color=colours.text)
    axes.set_ylabel("test error, % (logarithmic)", color=colours.text)
    axes.tick_params(colors=colours.faint, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(colours.faint)
    axes.grid(color=colours.track, linewidth=0.6)
    axes.title.set_color(colours.text)


def _line(axes, theme, number, label, x, means):
    """The mean over the seeds, and bars from the least to the largest error."""
    errors = [mean.error for mean in means]
    spread = [
        [mean.error - mean.least for mean in means],
        [mean.largest - mean.error for mean in means],
    ]
    axes.errorbar(
        x,
        errors,
        spread,
        color=COLOURS[theme][number],
        marker=MARKERS[number],
        markersize=4,
        linewidth=1.5,
        elinewidth=1,
        capsize=2,
        label=label,
    )


def _finished(figure, axes, dense, theme):
    colours = drawings.THEMES[theme]
    axes.axhline(dense, color=colours.faint, linestyle="--", linewidth=1, label="dense")
    axes.set_yscale("log")
    axes.set_ylim(None, LARGEST_ERROR)
    axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.minorticks_off()
    legend = axes.legend(frameon=False, fontsize=8)
    for text in legend.get_texts():
        text.set_color(colours.text)
    return figure

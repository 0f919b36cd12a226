"""How the plots look: one size, one palette, no state of matplotlib's own."""

import contextlib
import functools

_WIDTH_INCHES = 3.9
_FONT_SIZE = 9
INK, MUTED, GRID = "#1c2127", "#68727d", "#d8dde2"
# Told apart by people who are colour-blind, too, and dark enough on white.
SERIES = ("#0c6acb", "#c5550b", "#2b8856", "#8451dd", "#8b6e02", "#0f8b94", "#b3377f")

_STYLE = {
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.size": _FONT_SIZE,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.4,
    "text.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "keras_dc",
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}


def matplotlib():
    """The package, with its `figure` module.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import matplotlib.colors
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError as error:
        raise ImportError(
            "the plots of a report need matplotlib, which is not installed; install it with "
            '`pip install "keras-dc[report]"`'
        ) from error
    return matplotlib


@contextlib.contextmanager
def style():
    """The settings of these plots, and the caller's again at the end."""
    with matplotlib().rc_context(_STYLE):
        yield


def styled(draw):
    """A function that draws, with these settings."""

    @functools.wraps(draw)
    def drawing(*args, **options):
        with style():
            return draw(*args, **options)

    return drawing


def new_figure(*, height=2.7, margins=None, columns=1, **options):
    """A figure of a phone's width, and its axes.

    Args:
        height: float, inches.
        margins: (left, right, bottom, top) in inches; None to have them found, which takes
            as long as all the rest.
        columns: int, axes side by side.
        **options: of `Figure.subplots`.

    Returns:
        tuple of a `matplotlib.figure.Figure`, which no window shows, and of an Axes, or an array
        of them.
    """
    layout = "constrained" if margins is None else None
    figure = matplotlib().figure.Figure(figsize=(_WIDTH_INCHES, height), layout=layout)
    if margins is not None:
        left, right, bottom, top = margins
        figure.subplots_adjust(left / _WIDTH_INCHES, bottom / height, 1 - right / _WIDTH_INCHES,
                               1 - top / height, wspace=0.12)  # fmt: skip
    axes = figure.subplots(1, columns, **options)
    for each in figure.axes:
        # Ticks are made when they are drawn, where a notebook's own settings hold.
        each.tick_params(color=MUTED, labelcolor=INK, labelsize=_FONT_SIZE, width=0.8)
    return figure, axes


def caption_of(text, most=34):
    """A text for a plot: of a long one the end, which tells more than the begin."""
    text = " ".join(text.split())
    text = text if len(text) <= most else f"...{text[3 - most :]}"
    # What stands between two dollar signs would be set as a formula.
    return text.replace("$", r"\$")

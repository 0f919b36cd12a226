"""The pictures of tutorials, drawn by matplotlib without a screen."""

from matplotlib.figure import Figure

BLUE, ORANGE, GRAY = "#2f6fb0", "#d9772b", "#8a8f98"


def bars(values, *, title, unit, highlight=(), logarithmic=False, number="{:,.1f}"):
    """Horizontal bars, the first at the top, each with its number.

    Args:
        values: dict from labels to numbers.
        title: str.
        unit: str, what the numbers count.
        highlight: labels to draw in the other colour.
        logarithmic: whether the axis is logarithmic.
        number: format of the numbers.

    Returns:
        `matplotlib.figure.Figure`.
    """
    figure = Figure(figsize=(7, 0.8 + 0.42 * len(values)))
    axes = figure.add_subplot()
    colours = [ORANGE if label in highlight else BLUE for label in values]
    drawn = axes.barh(list(values), list(values.values()), color=colours, log=logarithmic)
    axes.bar_label(drawn, [number.format(value) for value in values.values()], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left")
    return figure


def points(rows, *, x, y, label, title):
    """A line through points with a text at each, in the order of the rows.

    Args:
        rows: list of dicts.
        x: the key of the numbers to the right, which is the axis's name.
        y: likewise of those upwards.
        label: the key of the texts.
        title: str.

    Returns:
        `matplotlib.figure.Figure`.
    """
    figure = Figure(figsize=(7, 4))
    axes = figure.add_subplot()
    axes.plot([row[x] for row in rows], [row[y] for row in rows], marker="o", color=BLUE)
    for row in rows:
        axes.annotate(
            row[label], (row[x], row[y]), xytext=(8, -10), textcoords="offset points", fontsize=8
        )
    axes.margins(x=0.2, y=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left")
    return figure


def digits(images, titles):
    """A row of images of digits, each under its title.

    Args:
        images: array `(n, 28, 28)`.
        titles: n texts.

    Returns:
        `matplotlib.figure.Figure`.
    """
    figure = Figure(figsize=(1.1 * len(images), 1.5))
    for number, (image, title) in enumerate(zip(images, titles, strict=True), start=1):
        axes = figure.add_subplot(1, len(images), number)
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(title, fontsize=8)
        axes.axis("off")
    return figure


def scatters(expected, found, *, before, after):
    """Outputs before and after, a panel for each of `found`, with the line where they agree.

    Args:
        expected: array of the outputs before.
        found: dict from titles to arrays of the same shape.
        before: the name of the lower axis.
        after: the name of the left axis.

    Returns:
        `matplotlib.figure.Figure`.
    """
    figure = Figure(figsize=(3 * len(found), 3))
    panels = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    ends = [expected.min(), expected.max()]
    for axes, (title, values) in zip(panels, found.items(), strict=True):
        axes.plot(ends, ends, color=GRAY, linewidth=1)
        axes.scatter(expected.ravel(), values.ravel(), s=2, alpha=0.4, color=BLUE)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(before)
    panels[0].set_ylabel(after)
    return figure

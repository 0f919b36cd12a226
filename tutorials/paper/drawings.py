"""The two pictures of the README, sizes and speeds, and the table of speeds.

    cd tutorials && python -m paper.drawings

Writes docs/images/*.svg, each for light and for dark pages, and the table in
docs/performance.md, from committed results. Needs Python alone.
"""

import json
import pathlib
from typing import NamedTuple
from xml.sax.saxutils import escape

from paper import paper_tables

RESULTS = pathlib.Path(__file__).parent / "results"
DOCS = pathlib.Path(__file__).parents[2] / "docs"
WIDTH, HEIGHT, MARGIN = 405, 318, 12
TRACK = WIDTH - 2 * MARGIN
LARGEST_SPEED = 24
# What is shown of speeds.json: its row, the place in it, and what to call it.
SPEEDS = [
    (0, 0, "VGG-16 fc6, 25088 to 4096, 4 % kept"),
    (1, 0, "AlexNet fc6, 9216 to 4096, 9 % kept"),
    (5, 0, "3x3 convolution, 24 % kept"),
    (8, 0, "LeNet-300-100, whole"),
    (8, 1, "LeNet-5, whole"),
    (7, 0, "AlexNet, whole"),
    (7, 1, "VGG-16, whole"),
]


class Theme(NamedTuple):
    """Colours of a picture."""

    text: str
    faint: str
    track: str
    rival: str
    ours: str
    on_ours: str


THEMES = {
    "light": Theme("#1f2328", "#59636e", "#e4e8ed", "#9aa4b0", "#3f51b5", "#ffffff"),
    "dark": Theme("#e6edf3", "#9da7b3", "#30363d", "#6e7885", "#8c9eff", "#0d1117"),
}


class Drawing:
    """An SVG that grows downwards."""

    def __init__(self, theme, title):
        self.theme, self.title, self.y, self.items = theme, title, 26, []
        self.text(title, size=15, weight=600)
        self.y += 12

    def text(self, content, *, x=MARGIN, size=13, weight=400, colour=None, anchor="start"):
        colour = colour or self.theme.text
        self.items.append(
            f'<text x="{x}" y="{self.y}" font-size="{size}" font-weight="{weight}" '
            f'fill="{colour}" text-anchor="{anchor}">{escape(content)}</text>'
        )

    def bar(self, fraction, colour, label, *, weight=400):
        """A bar on its track, from the left edge, with a label behind it, or in it."""
        width = max(1.5, round(TRACK * fraction, 1))
        for length, fill in [(TRACK, self.theme.track), (width, colour)]:
            self.items.append(
                f'<rect x="{MARGIN}" y="{self.y - 11}" width="{length}" height="15" rx="2" '
                f'fill="{fill}"/>'
            )
        if fraction < 0.8:
            self.text(label, x=round(MARGIN + width + 6, 1), weight=weight)
        else:
            end = MARGIN + width - 6
            self.text(label, x=end, weight=weight, anchor="end", colour=self.theme.on_ours)

    def svg(self):
        """The whole file."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
                f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="system-ui, '
                '-apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
                f"<title>{escape(self.title)}</title>",
                *self.items,
                "</svg>\n",
            ]
        )


def sizes(rows, theme):
    """Of the paper's networks: int8 with xz, and keras_dc, on a track as long as float32.

    Args:
        rows: list of dicts, see `paper.sizes`.
        theme: Theme.

    Returns:
        str, an SVG.
    """
    drawing = Drawing(theme, "Size of the file; the whole bar is float32")
    by_name = {row["name"]: row for row in rows}
    for network, name in paper_tables.OURS.items():
        row = by_name[name]
        whole = row["float_bytes"]
        drawing.y += 15
        drawing.text(network, weight=600)
        drawing.text(
            paper_tables.readable(whole), x=WIDTH - MARGIN, colour=theme.faint, anchor="end"
        )
        for rival, size, colour in [
            ("int8 + xz", row["int8_xz_bytes"], theme.rival),
            ("keras_dc", row["context_bytes"], theme.ours),
        ]:
            drawing.y += 18
            times = f"{whole / size:.1f}x" if whole < 10 * size else f"{whole / size:.0f}x"
            label = f"{rival}: {paper_tables.readable(size)}, {times} smaller"
            drawing.bar(size / whole, colour, label)
        drawing.y += 6
    drawing.y += 14
    drawing.text(
        "LeNets trained on MNIST; AlexNet and VGG-16 with random", size=12, colour=theme.faint
    )
    drawing.y += 15
    drawing.text("weights at the paper's densities", size=12, colour=theme.faint)
    return drawing.svg()


def speeds(results, theme):
    """Times as fast as dense float32.

    Args:
        results: dict, see results/speeds.json.
        theme: Theme.

    Returns:
        str, an SVG.
    """
    drawing = Drawing(theme, "Speed; 1x is XNNPACK's dense float32")
    column, processor = next(iter(results["columns"].items()))
    for row, place, label in SPEEDS:
        value = results["rows"][row][column][place]
        drawing.y += 15
        drawing.text(label)
        drawing.y += 16
        drawing.bar(value / LARGEST_SPEED, theme.ours, f"{value}x", weight=600)
        drawing.y += 5
    drawing.y += 16
    drawing.text(f"One image, one thread; {processor}", size=12, colour=theme.faint)
    return drawing.svg()


def made():
    """All pictures, and the page with the table: dict from paths in the docs to content."""
    rows = json.loads((RESULTS / "sizes.json").read_text())["rows"]
    measured = json.loads((RESULTS / "speeds.json").read_text())
    found = {}
    for name, theme in THEMES.items():
        found[f"images/sizes-{name}.svg"] = sizes(rows, theme)
        found[f"images/speeds-{name}.svg"] = speeds(measured, theme)
    page = "performance.md"
    table = paper_tables.speed_table(measured)
    found[page] = paper_tables.put((DOCS / page).read_text(), "speeds", table)
    return found


def main():
    for name, content in made().items():
        (DOCS / name).write_text(content)


if __name__ == "__main__":
    main()

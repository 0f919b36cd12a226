"""The frontier on MNIST as a table and a picture, from the committed files.

    cd tutorials && python -m paper.mnist_tables

Nothing is trained. Writes the table in docs/paper.md and docs/images/frontier-*.svg.
"""

import collections
import json
import pathlib
from typing import NamedTuple

import matplotlib as mpl
from matplotlib import figure
from paper import drawings, mnist_frontier, paper_tables

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = "paper.md"
TICKS = (50, 100, 200, 400, 800)
NAMES = {"lenet_300_100": "LeNet-300-100", "lenet_5": "LeNet-5"}


class Other(NamedTuple):
    """A result of others: error in percent, and times smaller."""

    name: str
    error_percent: float
    ratio: float


# Of stored weights; "fewer" counts weights alone, without what tells their places.
OTHERS = {
    "lenet_300_100": [
        Other("Deep Compression", 1.58, 40),
        Other("Network surgery, fewer", 1.99, 56),
        Other("Soft weight-sharing", 1.94, 64),
        Other("Oktay et al.", 1.9, 124),
    ],
    "lenet_5": [
        Other("Deep Compression", 0.74, 39),
        Other("Network surgery, fewer", 0.91, 108),
        Other("Soft weight-sharing", 0.97, 162),
        Other("Oktay et al.", 1.0, 606),
        Other("MIRACLE, a reimplementation", 0.83, 1000),
    ],
}
_HEADS = [
    "network, recipe",
    "kept",
    "seeds",
    "error: mean",
    "from, to",
    "file, the largest",
    "ratio",
    "weights alone",
    "packed",
    "xz of float32",
    "Shannon bound",
]


def runs(folder=mnist_frontier.RESULTS):
    """Figures of all committed runs: list of dicts, in the order of their names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def points(found):
    """Runs of one network, recipe and density together: dict of lists, small files last."""
    groups = collections.defaultdict(list)
    for run in found:
        groups[run["network"], run["recipe"], run["density"]].append(run)
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], item[0][1], -item[0][2])))


def mean_error(group):
    """Of runs, in percent."""
    return sum(run["error_percent"] for run in group) / len(group)


def ratio(group):
    """Of the largest file of runs."""
    return group[0]["float_bytes"] / max(run["compressed_bytes"] for run in group)


def weights_ratio(group):
    """Of float32 kernels to the coded ones of the largest file: what others count."""
    largest = max(group, key=lambda run: run["compressed_bytes"])
    return 4 * largest["weights"] / largest["kernel_bytes"]


def table(found):
    """The frontier: list of lines."""
    lines = []
    for (network, recipe, density), group in points(found).items():
        errors = [run["error_percent"] for run in group]
        largest = max(group, key=lambda run: run["compressed_bytes"])
        lines.append(
            [
                f"{NAMES[network]}, {recipe}",
                f"{100 * density:.3g} %",
                str(len(group)),
                f"**{mean_error(group):.2f} %**",
                f"{min(errors):.2f}, {max(errors):.2f}",
                f"{largest['compressed_bytes']:,}",
                f"**{ratio(group):.0f}x**",
                f"{weights_ratio(group):.0f}x",
                f"{max(run['packed_bytes'] for run in group):,}",
                f"{largest['zip_bytes']['xz']:,}",
                f"{largest['shannon_bytes']:,}",
            ]
        )
    return paper_tables.table(_HEADS, lines)


def picture(found, theme):
    """Errors against ratios, ours and those of others: an SVG."""
    drawn = figure.Figure(figsize=(8, 3.8), layout="constrained")
    for axes, network in zip(drawn.subplots(1, 2), NAMES):
        for recipe, colour in [("R0", theme.rival), ("R1", theme.ours)]:
            groups = [g for key, g in points(found).items() if key[:2] == (network, recipe)]
            if not groups:
                continue
            errors = [mean_error(group) for group in groups]
            spread = [
                [e - min(r["error_percent"] for r in g) for e, g in zip(errors, groups)],
                [max(r["error_percent"] for r in g) - e for e, g in zip(errors, groups)],
            ]
            axes.errorbar(
                [ratio(group) for group in groups], errors, spread,
                color=colour, marker="o", capsize=3, label=f"keras_dc, {recipe}",
            )  # fmt: skip
        for other in OTHERS[network]:
            axes.plot(other.ratio, other.error_percent, "x", color=theme.faint)
            side = -1 if other.ratio > 300 else 1
            axes.annotate(
                other.name, (other.ratio, other.error_percent), color=theme.faint, fontsize=7,
                xytext=(3 * side, 3), textcoords="offset points",
                ha="right" if side < 0 else "left",
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(30, 1500)
        axes.set_xticks(TICKS, [f"{ratio}x" for ratio in TICKS])
        axes.minorticks_off()
        axes.set_title(NAMES[network], color=theme.text)
        axes.set_xlabel("times smaller: whole files (others: weights)", color=theme.text)
        axes.set_ylabel("test error, %", color=theme.text)
        axes.tick_params(colors=theme.text, which="both")
        for spine in axes.spines.values():
            spine.set_color(theme.faint)
        axes.set_facecolor("none")
        axes.legend(frameon=False, labelcolor=theme.text)
    drawn.patch.set_alpha(0)
    return drawn


def main():
    found = runs()
    page = DOCS / PAGE
    page.write_text(paper_tables.put(page.read_text(), "frontier", table(found)))
    # Names and dates would make each file another one.
    with mpl.rc_context({"svg.hashsalt": "frontier", "svg.fonttype": "none"}):
        for name, theme in drawings.THEMES.items():
            picture(found, theme).savefig(
                DOCS / f"images/frontier-{name}.svg", metadata={"Date": None}
            )


if __name__ == "__main__":
    main()

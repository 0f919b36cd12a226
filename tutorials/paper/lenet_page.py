"""The tables and figures of docs/paper.md, from committed results.

    cd tutorials && python -m paper.lenet_page

Tables 2 and 3 and the whole files are those of `lenet_tables`, the figures those of
`figures_6_to_8`. Nothing is measured here.
"""

import json
import pathlib

from paper import figure_drawings, figure_points, figures_6_to_8, lenet_tables, paper_tables

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = DOCS / "paper.md"
# Of the files, what they are called.
ZIPS = ("gzip", "xz", "zstd")


def in_page(text, runs, results):
    """The page with its tables made anew.

    Args:
        text: str.
        runs: dict, see `lenet_tables.load`.
        results: dict, see `figures_6_to_8.run`.

    Returns:
        str.

    Raises:
        ValueError: if the page lacks a place.
    """
    found = figure_points.means(results)
    tables = {
        "stages": stage_table(runs),
        "rivals": rival_table(runs),
        **{f"layers {network}": layer_table(network, runs[network][0]) for network in runs},
        **{f"bounds {network}": bound_table(network, runs[network][0]) for network in runs},
        "figure 6": figure_points.size_table(found),
        "figure 7": figure_points.bit_table(found),
        "figure 8": figure_points.initialization_table(found),
    }
    for name, lines in tables.items():
        text = paper_tables.put(text, name, lines)
    return text


def stage_table(runs):
    """Errors after each stage, and the files, of all runs: list of lines."""
    heads = ["network", "dense", "P", "P+Q", "file", "Huffman: size", "ratio", "weights alone"]
    heads += ["arithmetic: size", "ratio", "weights alone", "packed"]
    lines = []
    for network, of_network in runs.items():
        paper = paper_tables.NETWORKS[network]
        cells = [f"{paper.reference_error:.2f} %", "-", "-", f"{paper.error:.2f} %", paper.size]
        lines.append([f"{network}, the paper", *cells, "-", f"{paper.ratio}x", *4 * ["-"]])
        for run in of_network:
            files, kernels = run["files"], run["kernels"]
            cells = [f"{error:.2f} %" for error in run["error_percent"].values()]
            for coder in ("huffman", "arithmetic"):
                cells += [
                    paper_tables.readable(files[coder]),
                    f"{run['float_bytes'] / files[coder]:.1f}x",
                    f"{kernels['float32'] / kernels[coder]:.1f}x",
                ]
            packed = paper_tables.readable(files["packed"])
            lines.append([f"{network}, seed {run['seed']}", *cells, packed])
    return paper_tables.table(heads, lines)


def layer_table(network, run):
    """Table 2 or 3 with our figures beside: list of lines."""
    heads = ["layer", "weights", "kept %: paper", "ours", "index bits: paper", "ours"]
    heads += ["gap bits: paper", "ours", "P: % of float32", "P+Q: paper", "ours"]
    heads += ["P+Q+H: paper", "ours", "arithmetic"]
    lines = []
    papers, fixed = paper_tables.LAYERS[network], paper_tables.FIXED[network]
    for paper, before, ours in zip(papers, fixed, run["layers"], strict=True):
        percent = {
            stage: f"{100 * size / (4 * ours['weights']):.2f}"
            for stage, size in ours["stage_bytes"].items()
        }
        lines.append(
            [
                paper.layer,
                f"{ours['weights']:,}",
                f"{paper.kept_percent:g}",
                f"{100 * ours['kept'] / ours['weights']:.1f}",
                f"{before.index_bits} -> {paper.index_bits}",
                _bits(ours["index_bits"]),
                f"{before.gap_bits} -> {paper.gap_bits}",
                _bits(ours["gap_bits"]),
                percent["P"],
                f"{before.percent}",
                percent["P+Q"],
                f"{paper.percent:.2f}",
                percent["P+Q+H"],
                percent["arithmetic"],
            ]
        )
    return paper_tables.table(heads, lines)


def _bits(found):
    return "-" if found is None else f"{found[0]} -> {found[1]:.1f}"


def rival_table(runs):
    """Bytes of the same networks in other forms, means of the seeds: list of lines."""
    heads = ["KB, mean of the seeds", *runs]
    rows = {
        "float32 `.tflite`": lambda run: run["float_bytes"],
        "int8 + xz, dense": lambda run: run["int8_xz_bytes"],
        "int8 + xz, the same weights": lambda run: run["int8_xz_same_weights_bytes"],
        **{f"{name} of the float32 file": _file(name) for name in ZIPS},
        "**Huffman**": _file("huffman"),
        "**arithmetic**": _file("arithmetic"),
        "**packed**": _file("packed"),
        "Shannon bound: kernels at the bound, the rest as in Huffman's file": _file("shannon"),
    }
    lines = []
    for label, size in rows.items():
        cells = []
        for of_network in runs.values():
            mean = sum(map(size, of_network)) / len(of_network)
            cells.append(f"{mean / paper_tables.KILO:,.1f}")
        lines.append([label, *cells])
    return paper_tables.table(heads, lines)


def _file(name):
    return lambda run: run["files"][name]


def bound_table(network, run):
    """How far each layer is from its bounds: list of lines."""
    heads = ["layer", "index bits: Huffman", "entropy", "gap bits: Huffman", "entropy"]
    heads += ["bytes: Huffman", "arithmetic", "Shannon bound"]
    lines = []
    for paper, ours in zip(paper_tables.LAYERS[network], run["layers"], strict=True):
        cells = []
        for kind in ("index_bits", "gap_bits"):
            found = ours[kind]
            cells += ["-", "-"] if found is None else [f"{bits:.2f}" for bits in found[1:]]
        sizes = [ours["stage_bytes"]["P+Q+H"], ours["stage_bytes"]["arithmetic"]]
        sizes.append(round(ours["shannon_bytes"]))
        lines.append([paper.layer, *cells, *(f"{size:,}" for size in sizes)])
    kernels = run["kernels"]
    sizes = [f"{kernels[name]:,}" for name in ("huffman", "arithmetic", "shannon")]
    lines.append(["all", *4 * [""], *sizes])
    return paper_tables.table(heads, lines)


def main():
    results = json.loads(figures_6_to_8.RESULTS.read_text())
    PAGE.write_text(in_page(PAGE.read_text(), lenet_tables.load(), results))
    for name, content in figure_drawings.all_figures(results).items():
        (DOCS / name).write_text(content)


if __name__ == "__main__":
    main()

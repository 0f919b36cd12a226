"""The paper's figures (Han et al. 2016, tables 1 to 5), and tables with ours beside them."""

import re
from typing import NamedTuple

KILO = 1024


class Network(NamedTuple):
    """A row of table 1; sizes are weights, indices and codebooks, errors are top-1."""

    reference_error: float
    error: float
    float_size: str
    size: str
    ratio: int


class Layer(NamedTuple):
    """A row of tables 2 to 5; bits are those with Huffman codes."""

    layer: str
    kept_percent: float
    index_bits: float
    gap_bits: float
    percent: float


class Fixed(NamedTuple):
    """What tables 2 and 3 give besides: bits of a fixed length, and P+Q in % of float32."""

    index_bits: int
    gap_bits: int
    percent: float


NETWORKS = {
    "LeNet-300-100": Network(1.64, 1.58, "1,070 KB", "27 KB", 40),
    "LeNet-5": Network(0.80, 0.74, "1,720 KB", "44 KB", 39),
    "AlexNet": Network(42.78, 42.78, "240 MB", "6.9 MB", 35),
    "VGG-16": Network(31.50, 31.17, "552 MB", "11.3 MB", 49),
}
LAYERS = {
    "LeNet-300-100": [
        Layer("fc1", 8, 4.4, 3.7, 2.32),
        Layer("fc2", 9, 4.4, 4.3, 3.04),
        Layer("fc3", 26, 4.3, 3.2, 12.70),
    ],
    "LeNet-5": [
        Layer("conv1", 66, 7.2, 1.5, 67.45),
        Layer("conv2", 12, 7.2, 3.9, 5.28),
        Layer("fc1", 8, 4.5, 4.5, 2.45),
        Layer("fc2", 19, 5.2, 3.7, 6.13),
    ],
    "AlexNet": [
        Layer("conv1", 84, 6.3, 1.2, 20.53),
        Layer("conv2", 38, 5.5, 2.3, 9.43),
        Layer("conv3", 35, 5.1, 2.6, 8.44),
        Layer("conv4", 37, 5.2, 2.5, 9.11),
        Layer("conv5", 37, 5.6, 2.5, 9.43),
        Layer("fc6", 9, 3.9, 3.2, 2.39),
        Layer("fc7", 9, 3.6, 3.7, 2.46),
        Layer("fc8", 25, 4.0, 3.2, 5.85),
    ],
    "VGG-16": [
        Layer("conv1_1", 58, 6.8, 1.7, 29.97),
        Layer("conv1_2", 22, 6.5, 2.6, 6.99),
        Layer("conv2_1", 34, 5.6, 2.4, 8.91),
        Layer("conv2_2", 36, 5.9, 2.3, 9.31),
        Layer("conv3_1", 53, 4.8, 1.8, 11.15),
        Layer("conv3_2", 24, 4.6, 2.9, 5.67),
        Layer("conv3_3", 42, 4.6, 2.2, 8.96),
        Layer("conv4_1", 32, 4.6, 2.6, 7.29),
        Layer("conv4_2", 27, 4.2, 2.9, 5.93),
        Layer("conv4_3", 34, 4.4, 2.5, 7.47),
        Layer("conv5_1", 35, 4.7, 2.5, 8.00),
        Layer("conv5_2", 29, 4.6, 2.7, 6.52),
        Layer("conv5_3", 36, 4.6, 2.3, 7.79),
        Layer("fc6", 4, 3.6, 3.5, 1.10),
        Layer("fc7", 4, 4.0, 4.3, 1.25),
        Layer("fc8", 23, 4.0, 3.4, 5.24),
    ],
}
FIXED = {
    "LeNet-300-100": [Fixed(6, 5, 3.1), Fixed(6, 5, 3.8), Fixed(6, 5, 15.7)],
    "LeNet-5": [Fixed(8, 5, 78.5), Fixed(8, 5, 6.0), Fixed(5, 5, 2.7), Fixed(5, 5, 6.9)],
}
# Rows of sizes.json that stand beside the paper's networks.
OURS = {
    "LeNet-300-100": "lenet_300_100_r0_200x",
    "LeNet-5": "lenet_5_r0_200x",
    "AlexNet": "AlexNet",
    "VGG-16": "VGG-16",
}
_LAYER_HEADS = [
    "layer",
    "weights",
    "kept %: paper",
    "ours",
    "index bits: paper",
    "ours",
    "gap bits: paper",
    "ours",
    "P+Q+H, % of float32: paper",
    "ours",
    "with the arithmetic coder",
]
_NETWORK_HEADS = [
    "network",
    "the paper: error",
    "size",
    "ratio",
    "keras_dc: error",
    "size",
    "ratio",
    "int8 + xz",
    "the same, pruned",
]


def in_page(text, networks):
    """A page with its tables of layers made anew.

    Args:
        text: str with a place for each network, `<!-- layers NAME -->`.
        networks: dict of lists, see `paper.layers.measure`.

    Returns:
        str.

    Raises:
        ValueError: if the page lacks a place.
    """
    for network, rows in networks.items():
        text = put(text, f"layers {network}", layer_table(network, rows))
    return text


def layer_table(network, rows):
    """Table 4 or 5 with our figures beside: list of lines."""
    lines = []
    for paper, ours in zip(LAYERS[network], rows, strict=True):
        percent = (
            100 * ours[key] / (4 * ours["weights"]) for key in ("huffman_bytes", "arithmetic_bytes")
        )
        gap_bits = f"{ours['gap_bits'][1]:.1f}" if ours["gap_bits"][0] else "-"
        lines.append(
            [
                ours["layer"],
                f"{ours['weights']:,}",
                f"{paper.kept_percent:g}",
                f"{ours['kept_percent']:.1f}",
                f"{paper.index_bits}",
                f"{ours['index_bits'][1]:.1f}",
                f"{paper.gap_bits}",
                gap_bits,
                f"{paper.percent:.2f}",
                *(f"{value:.2f}" for value in percent),
            ]
        )
    return table(_LAYER_HEADS, lines)


def network_table(rows):
    """Table 1 with our whole files beside, and the rival.

    Args:
        rows: list of dicts, see `paper.sizes`.

    Returns:
        list of str.
    """
    by_name, lines = {row["name"]: row for row in rows}, []
    for network, paper in NETWORKS.items():
        row = by_name[OURS[network]]
        size = row["context_bytes"]
        error = f"{row['error_percent']:.2f} %" if "error_percent" in row else "not trained"
        lines.append(
            [
                network,
                f"{paper.error:.2f} %",
                paper.size,
                f"{paper.ratio}x",
                error,
                readable(size),
                f"**{row['float_bytes'] / size:.0f}x**",
                readable(row["int8_xz_bytes"]),
                readable(row["int8_xz_same_weights_bytes"]),
            ]
        )
    return table(_NETWORK_HEADS, lines)


def speed_table(results):
    """What results/speeds.json holds, as a table: list of lines."""
    columns = results["columns"]
    lines = [
        [row["name"], *(" / ".join(map(str, row[column])) for column in columns)]
        for row in results["rows"]
    ]
    return table(["times as fast", *columns.values()], lines)


def one_call_table(results):
    """What results/deep_compress.json holds, as a table: list of lines."""
    heads = ["network", "dense error", "error", "size", "ratio", "packed", "epochs", "minutes"]
    lines = [
        [
            name,
            f"{run['dense_error_percent']:.2f} %",
            f"{run['error_percent']:.2f} %",
            readable(run["compressed_bytes"]),
            f"**{run['ratio']:.0f}x**",
            readable(run["packed_bytes"]),
            str(sum(stage["epochs"] for stage in run["stages"])),
            f"{run['seconds'] / 60:.1f}",
        ]
        for name, run in results["runs"].items()
    ]
    return table(heads, lines)


def readable(size_bytes):
    """A size in KB or MB, of 1,024 and 1,024^2 bytes."""
    if size_bytes >= KILO * KILO:
        return f"{size_bytes / KILO**2:,.1f} MB"
    kilobytes = size_bytes / KILO
    return f"{kilobytes:,.1f} KB" if kilobytes < 100 else f"{kilobytes:,.0f} KB"


def table(heads, rows):
    """A markdown table, numbers to the right: list of lines."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows)]


def put(text, name, lines):
    """A text with what stands between `<!-- NAME -->` and `<!-- /NAME -->` replaced.

    Args:
        text: str.
        name: str.
        lines: list of str.

    Returns:
        str.

    Raises:
        ValueError: if there is not one such place.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    block = "\n".join([begin, *lines, end])
    found, count = re.subn(f"{begin}.*?{end}", lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"there must be one {begin} ... {end}. Received: {count}")
    return found

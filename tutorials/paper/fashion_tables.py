"""Tables of docs/fashion_mnist.md: of `fashion_mnist`, `fashion_speeds` and `blocks`.

cd tutorials && python -m paper.fashion_tables
"""

import json
import pathlib
import statistics

from paper import blocks, fashion_mnist, fashion_networks, paper_tables, task_tables
from paper.paper_tables import readable

SPEEDS = pathlib.Path(__file__).parent / "results" / "fashion_speeds.json"
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "fashion_mnist.md"
KINDS = {
    "float32": "float32",
    "int8 weights": "int8 weights",
    "int8": "int8",
    "small": "compressed",
    "small int8 weights": "compressed, int8 weights",
    "small int8": "compressed, int8",
}
_BLOCKS_NETWORKS = {"lenet_5": "LeNet-5, MNIST", "small": "three convolutions, Fashion-MNIST"}
_SPEED_HEADS = ["seed 0", "error in %", "file", "time of an image", "memory"]
_BLOCKS_HEADS = [
    "mean of three seeds",
    "kept",
    "error in %: one by one",
    "blocks",
    "file",
    "blocks",
]


def runs():
    """Runs that are committed, by networks and seeds: list of dicts."""
    found = [json.loads(path.read_text()) for path in fashion_mnist.RESULTS.glob("*.json")]
    networks = list(fashion_networks.NETWORKS)
    return sorted(found, key=lambda run: (networks.index(run["network"]), run["seed"]))


def speed_runs():
    """What `fashion_speeds` measured: dict by names of runs."""
    return json.loads(SPEEDS.read_text())["runs"]


def block_runs():
    """Runs of `blocks` that are committed, by networks: dict of lists."""
    found = {}
    for network in blocks.NETWORKS:
        paths = sorted(blocks.RESULTS.glob(f"{network}_seed*.json"))
        found[network] = [
            run for path in paths for run in json.loads(path.read_text())["runs"].values()
        ]
    return found


def speed_table(measured):
    """Errors, sizes, times and memory of all kinds of files: list of lines."""
    rows = []
    for name, run in measured.items():
        network = task_tables.NAMES[name.split("_")[0]]
        for kind, label in KINDS.items():
            row = run["rows"][kind]
            rows.append(
                [
                    f"{network}, {label}",
                    f"{row['error_percent']:.2f}",
                    readable(row["size_bytes"]),
                    f"{statistics.median(row['p50_ms']):.3f} ms",
                    readable(statistics.median(row["memory_bytes"])),
                ]
            )
    return paper_tables.table(_SPEED_HEADS, rows)


def blocks_table(by_network):
    """What blocks cost: list of lines."""
    rows = []
    for network, group in by_network.items():
        name = _BLOCKS_NETWORKS[network]
        dense = task_tables.with_range([run["rows"]["dense"]["error_percent"] for run in group])
        size = readable(statistics.mean(run["rows"]["dense"]["bytes"] for run in group))
        rows.append([name, "100 %", dense, "-", size, "-"])
        for density in blocks.DENSITIES:
            found = [[run["rows"][f"{form}_{density:g}"] for run in group] for form in blocks.FORMS]
            errors = [task_tables.with_range([one["error_percent"] for one in of]) for of in found]
            sizes = [readable(statistics.mean(one["bytes"] for one in of)) for of in found]
            rows.append([name, f"{100 * density:g} %", *errors, *sizes])
    return paper_tables.table(_BLOCKS_HEADS, rows)


def in_page(text):
    """The page with its tables made anew: str."""
    tables = {
        "fashion errors": task_tables.error_table(runs(), "test"),
        "fashion sizes": task_tables.size_table(runs()),
        "fashion speeds": speed_table(speed_runs()),
        "blocks": blocks_table(block_runs()),
    }
    for name, lines in tables.items():
        text = paper_tables.put(text, name, lines)
    return text


def main():
    PAGE.write_text(in_page(PAGE.read_text()))


if __name__ == "__main__":
    main()

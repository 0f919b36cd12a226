"""Tables of docs/networks_of_others.md, from results of `hed`, `crepe` and others.

cd tutorials && python -m paper.others_tables
"""

import json
import pathlib

from paper import hed as hed_runs
from paper import paper_tables
from paper.paper_tables import readable

FOLDER = pathlib.Path(__file__).parent / "results"
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "networks_of_others.md"
_SIZE_HEADS = [
    "compressed file",
    "ratio",
    "weights only",
    "their bytes, Shannon bound",
    "packed",
    "best zip of the same weights",
    "int8 + xz of them",
]
_HED_HEADS = [
    "file",
    "size",
    "ratio",
    "edges as the original's: drawn",
    "photographs",
    "mean difference: drawn",
    "photographs",
]
_CREPE_HEADS = [
    "file",
    "size",
    "ratio",
    "right within 50 cents",
    "25 cents",
    "as the original: tones",
    "recordings",
]
_SAMPLE_HEADS = [
    "file",
    "size",
    "ratio",
    "weights only",
    "their bytes, Shannon bound",
    "xz of the same weights",
    "agreement or error",
    "processor seconds",
    "memory",
]
_SPEED_HEADS = [
    "file",
    "float32: ms",
    "this file: ms",
    "times as fast",
    "float32: load ms",
    "this file",
    "float32: memory",
    "this file",
]


def load(name):
    """Runs of a results file that is committed: dict of dicts."""
    return json.loads((FOLDER / f"{name}.json").read_text())["runs"]


def size_of(run):
    """Bytes of a run's file."""
    return run.get("compressed_bytes") or run["bytes"]


def hed_table(runs):
    """What edges each file finds: list of lines."""
    rows = []
    for name, run in runs.items():
        found = run["agreement"]
        rows.append(
            [
                name,
                readable(size_of(run)),
                _ratio(runs, run),
                *(f"{one['edges_percent']:.1f} %" for one in found.values()),
                *(f"{one['difference_percent']:.2f} %" for one in found.values()),
            ]
        )
    return paper_tables.table(_HED_HEADS, rows)


def _ratio(runs, run):
    return f"{runs['original']['bytes'] / size_of(run):.1f}x"


def crepe_table(runs):
    """What pitches each file hears: list of lines."""
    rows = []
    for name, run in runs.items():
        rows.append(
            [
                name,
                readable(size_of(run)),
                _ratio(runs, run),
                *(f"{run['right_percent'][cents]:.1f} %" for cents in ("50", "25")),
                *(f"{one['50']:.1f} %" for one in run["as_original_percent"].values()),
            ]
        )
    return paper_tables.table(_CREPE_HEADS, rows)


def size_table(runs):
    """Sizes beside zips and int8: list of lines."""
    rows = [
        [
            name,
            f"**{run['ratio']:.1f}x**",
            f"{run['weights_ratio']:.1f}x",
            f"{readable(run['weights_bytes'])}, {readable(run['shannon_bytes'])}",
            readable(run["packed_bytes"]),
            readable(min(run["zip_bytes"].values())) if run["zip_bytes"] else "-",
            readable(run["int8_xz_same_weights_bytes"]),
        ]
        for name, run in runs.items()
        if "compressed_bytes" in run
    ]
    return paper_tables.table(_SIZE_HEADS, rows)


def speed_table(runs, network):
    """Latencies and memory of a network's files: list of lines."""
    rows = []
    for name, run in runs.items():
        begin, _, label = name.partition(": ")
        if begin == network:
            pair = [run["original"], run["file"]]
            rows.append(
                [
                    label,
                    *(f"{one['p50_ms']:.0f}" for one in pair),
                    f"**{run['times_as_fast']:.2f}**",
                    *(f"{one['load_ms']:.0f}" for one in pair),
                    *(readable(one["memory_bytes"]) for one in pair),
                ]
            )
    return paper_tables.table(_SPEED_HEADS, rows)


def sample_table(runs):
    """Files made from samples, those made of weights alone, and int8: list of lines."""
    rows, original = [], 1
    for name, run in runs.items():
        original = run["bytes"] if name.endswith(", original") else original
        coded = [
            f"{run['weights_ratio']:.1f}x",
            f"{readable(run['weights_bytes'])}, {readable(run['shannon_bytes'])}",
            readable(run["same_weights_xz_bytes"]),
        ] if "weights_bytes" in run else ["-", "-", readable(run["xz_bytes"])]  # fmt: skip
        took = ["-", "-"]
        if "processor_seconds" in run:
            took = [f"{run['processor_seconds']:.0f}", f"{run['peak_megabytes']:,} MB"]
        label = name + (f", {run['num_clusters']} clusters" if "num_clusters" in run else "")
        ratio = f"{original / run['bytes']:.1f}x"
        if "seed" in run:
            label, ratio = f"**{label}, from samples**", f"**{ratio}**"
        rows.append([label, readable(run["bytes"]), ratio, *coded, judged(run), *took])
    return paper_tables.table(_SAMPLE_HEADS, rows)


def judged(run):
    """What a file of `post_training` was asked: str."""
    if "as_original_percent" in run:
        return f"{run['as_original_percent']:.1f} % the same class"
    if "near_percent" in run:
        near = f"{run['near_percent']:.1f} % of tones within 50 cents"
        return f"{near}, {run['near_original_percent']:.1f} % of the original's"
    if "difference_percent" in run:
        parts = [f"{name} {value:.2f} %" for name, value in run["difference_percent"].items()]
        return f"mean difference: {', '.join(parts)}"
    return f"{run['error_percent']:.2f} % error"


def in_page(text):
    """The page with its tables made anew: str."""
    hed = load("hed")
    hed = {name: hed[name] for name in hed_runs.names()}
    crepe = load("crepe")
    tables = {
        "hed edges": hed_table(hed),
        "hed sizes": size_table(hed),
        "hed speeds": speed_table(load("network_speeds"), "hed"),
        "crepe pitches": crepe_table(crepe),
        "crepe sizes": size_table(crepe),
        "crepe speeds": speed_table(load("network_speeds"), "crepe"),
        "from samples": sample_table(load("post_training")),
    }
    for name, lines in tables.items():
        text = paper_tables.put(text, name, lines)
    return text


def main():
    PAGE.write_text(in_page(PAGE.read_text()))


if __name__ == "__main__":
    main()

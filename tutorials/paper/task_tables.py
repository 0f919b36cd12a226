"""Tables of docs/other_tasks.md, from the results of `spoken_digits`, `transfer` and `spam`.

cd tutorials && python -m paper.task_tables
"""

import json
import pathlib
import statistics

from paper import paper_tables
from paper.paper_tables import readable

FOLDER = pathlib.Path(__file__).parent / "results"
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "other_tasks.md"
NAMES = {
    "ds_cnn": "DS-CNN",
    "gru": "GRU",
    "spam": "1-D CNN",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "vgg": "VGG-like",
    "mobilenet": "MobileNet-like",
    "inception": "Inception-like",
}
_ERRORS = ("dense", "small", "int8", "small_int8")
_ERROR_HEADS = ["error in %", "dense", "compressed", "int8", "compressed int8"]
_SIZE_HEADS = [
    "mean size",
    "float32",
    "compressed",
    "ratio",
    "weights only",
    "their bytes, Shannon bound",
    "packed",
    "best zip of the same weights",
    "int8",
    "int8 + xz",
    "the same, pruned",
    "compressed int8",
]
_TRANSFER_ROWS = {
    "dense": "dense, trained on the source",
    "dense, fine-tuned": "dense, fine-tuned on the target",
    "compressed": "compressed on the source",
    "centroids": "that, its centroids alone fine-tuned on the target",
    "centroids and back": "... and back on the source",
    "masks": "that, fine-tuned on the target within its masks",
    "masks and back": "... and back on the source",
    "fine-tuned, then compressed": "fine-tuned on the target, then compressed there",
}


def load(name):
    """Runs of a results file that is committed: list of dicts."""
    return list(json.loads((FOLDER / f"{name}.json").read_text())["runs"].values())


def seeds_of(runs):
    """Runs with all speakers by their networks: dict of lists."""
    found = {}
    for run in runs:
        if not run.get("unheard_speaker"):
            found.setdefault(run.get("network", "spam"), []).append(run)
    return found


def error_table(runs, test):
    """Errors of files in the interpreter, mean and range of seeds: list of lines."""
    rows = []
    for network, group in seeds_of(runs).items():
        cells = [
            with_range([run[f"{one}_error_percent"][test] for run in group]) for one in _ERRORS
        ]
        rows.append([f"{NAMES[network]}, {group[0]['num_weights']:,} weights", *cells])
    return paper_tables.table(_ERROR_HEADS, rows)


def size_table(runs):
    """Sizes of files, means of seeds: list of lines."""
    rows = []
    for network, group in seeds_of(runs).items():
        best = [min(run["zip_bytes"].values()) for run in group]
        rows.append(
            [
                NAMES[network],
                _size(group, "float_bytes"),
                _size(group, "compressed_bytes"),
                f"**{_mean(group, 'ratio'):.0f}x**",
                f"{_mean(group, 'weights_ratio'):.0f}x",
                f"{_size(group, 'weights_bytes')}, {_size(group, 'shannon_bytes')}",
                _size(group, "packed_bytes"),
                readable(statistics.mean(best)),
                _size(group, "int8_bytes"),
                _size(group, "int8_xz_bytes"),
                _size(group, "int8_xz_same_weights_bytes"),
                _size(group, "compressed_int8_bytes"),
            ]
        )
    return paper_tables.table(_SIZE_HEADS, rows)


def speaker_table(runs):
    """Errors with one speaker left out: list of lines."""
    by_network = {}
    for run in runs:
        if run["unheard_speaker"]:
            by_network.setdefault(run["network"], {})[run["unheard_speaker"]] = run
    heads = ["error in %"]
    for network in by_network:
        for test in ("heard", "unheard"):
            heads += [f"{NAMES[network]}, {test}: dense", "compressed"]
    columns = [
        {
            speaker: run[f"{kind}_error_percent"][test]
            for speaker, run in by_network[network].items()
        }
        for network in by_network
        for test in ("heard", "unheard")
        for kind in ("dense", "small")
    ]
    rows = [
        [f"without {speaker}", *(f"{one[speaker]:.1f}" for one in columns)]
        for speaker in columns[0]
    ]
    means = [f"**{statistics.mean(one.values()):.1f}**" for one in columns]
    return paper_tables.table(heads, [*rows, ["mean", *means]])


def transfer_table(runs, source):
    """Errors on both data sets and sizes of all networks of one direction: list of lines."""
    group = [run for run in runs if run["source"] == source]
    target = NAMES[group[0]["target"]]
    rows = []
    for key, label in _TRANSFER_ROWS.items():
        found = [run["rows"][key] for run in group]
        errors = [
            with_range([one["error_percent"][part] for one in found])
            for part in ("source", "target")
        ]
        # Who was never taught a data set guesses.
        if key in ("dense", "compressed") or key.endswith("back"):
            errors[1] = "-"
        else:
            errors[0] = "-"
        size = readable(statistics.mean(one["bytes"] for one in found))
        rows.append([label, *errors, size])
    heads = [f"{NAMES[source]} to {target}", f"error on {NAMES[source]}", f"on {target}", "size"]
    return paper_tables.table(heads, rows)


def with_range(values):
    """Mean, least and largest of percentages: "1.23 (1.10 to 1.40)"."""
    return f"{statistics.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _mean(group, key):
    return statistics.mean(run[key] for run in group)


def _size(group, key):
    return readable(_mean(group, key))


def in_page(text):
    """The page with its tables made anew: str."""
    digits, transfer, spam = load("spoken_digits"), load("transfer"), load("spam")
    tables = {
        "digit errors": error_table(digits, "heard"),
        "digit sizes": size_table(digits),
        "speakers": speaker_table(digits),
        "transfer mnist": transfer_table(transfer, "mnist"),
        "transfer fashion_mnist": transfer_table(transfer, "fashion_mnist"),
        "spam errors": error_table(spam, "test"),
        "spam sizes": size_table(spam),
    }
    for name, lines in tables.items():
        text = paper_tables.put(text, name, lines)
    return text


def main():
    PAGE.write_text(in_page(PAGE.read_text()))


if __name__ == "__main__":
    main()

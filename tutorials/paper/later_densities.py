"""AlexNet and VGG-16 at densities of later work: what files of such networks would weigh.

    cd tutorials && python -m paper.later_densities

Storage only. The networks have random weights, of which AlexNet keeps 2.8 % and VGG-16 4.3 %, as
pruning by the alternating direction method of multipliers (ADMM) reached; nobody knows the accuracy
of these. Random masks have no patterns, so a file can hardly go below the entropy of its weights.

Articles that reach such totals give no densities of single layers, so those of a larger total are
scaled by one factor: AlexNet's of Zhang et al. 2018 (4.8 % in all; the results of the released
models), VGG-16's of Han et al. 2016, table 5 (7.5 %). Figures go to a JSON file, in which runs
that are there are not done again, and the table to docs/paper.md; --table writes this alone.
"""

import argparse
import dataclasses
import math
import pathlib

import numpy as np
from lib.baselines import float_tflite, int8_tflite
from paper import paper_tables, recipes, results_file, sizes, whole_files

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "later_densities.json"
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "paper.md"
ADMM_ALEXNET_KEPT = {
    "conv1": 81, "conv2": 20, "conv3": 19, "conv4": 20, "conv5": 20, "fc6": 2.8, "fc7": 5.9,
    "fc8": 9.3,
}  # fmt: skip
# Percent of all weights that are kept, and how many times smaller the file shall be.
KEPT_PERCENT = {"AlexNet": 2.8, "VGG-16": 4.3}
GOALS = {"AlexNet": 100, "VGG-16": 75}
CLUSTERS = ("paper", 16, 8)
_CLUSTERS_IN_WORDS = {"paper": "256, and 32 in fc layers", 16: "16", 8: "8"}
_HEADS = [
    "network",
    "centroids of a layer",
    "kept",
    "float32",
    "xz of it",
    "int8 + xz",
    "Huffman",
    "arithmetic",
    "ratio",
    "packed",
    "entropy of the weights",
]


def percents(network):
    """What each layer is to keep of its weights in percent, before it is scaled: dict."""
    if network == "AlexNet":
        return ADMM_ALEXNET_KEPT
    patterns = recipes.VGG16_KEPT.items()
    return {pattern.strip("^$"): 100 * (1 - sparsity) for pattern, sparsity in patterns}


def scaled(percent, sizes_of_layers, total_percent):
    """Percents times one factor, so that all layers together keep as much as is asked for.

    Args:
        percent: dict from names of layers to percents.
        sizes_of_layers: dict from names of layers to numbers of weights.
        total_percent: float.

    Returns:
        dict as `percent`.
    """
    kept = sum(percent[name] * count for name, count in sizes_of_layers.items())
    factor = total_percent * sum(sizes_of_layers.values()) / kept
    return {name: factor * value for name, value in percent.items()}


def entropy_bytes(kernels):
    """Bytes of kernels in a code for single weights that knows how frequent each value is.

    Args:
        kernels: list of arrays.

    Returns:
        int, without codebooks.
    """
    bits = 0.0
    for kernel in kernels:
        _, counts = np.unique(kernel, return_counts=True)
        bits -= np.sum(counts * np.log2(counts / kernel.size))
    return math.ceil(bits / 8)


def figures(recipe, percent, num_clusters, total_percent):
    """What a network weighs.

    Args:
        recipe: `recipes.Recipe` of the network.
        percent: see `scaled`.
        num_clusters: see `dc.share_weights`.
        total_percent: float, how many of all weights are kept.

    Returns:
        dict: percents, and sizes in bytes.
    """
    dense = {name: kernel.size for name, kernel in whole_files.kernels_of(recipe.build()).items()}
    kept = scaled(percent, dense, total_percent)
    targets = {f"^{name}$": 1 - value / 100 for name, value in kept.items()}
    model = recipes.prune_and_share(
        dataclasses.replace(recipe, sparsity=targets, num_clusters=num_clusters)
    )
    kernels = whole_files.kernels_of(model)
    found = {
        "num_clusters": num_clusters,
        "num_weights": sum(dense.values()),
        "kept_percent": whole_files.kept_percents(model),
        "total_kept_percent": round(
            100 * sum(map(np.count_nonzero, kernels.values())) / sum(dense.values()), 2
        ),
        "entropy_bytes": entropy_bytes(kernels.values()),
    }
    del kernels
    original = float_tflite(model)
    found |= {"float_bytes": len(original), "xz_bytes": sizes.xz_size(original)}
    for coder in ("huffman", "arithmetic"):
        small = dc.compress(original, coder=coder)
        found[f"{coder}_bytes"] = len(small)
    found["ratio"] = round(len(original) / len(small), 1)
    found["packed_bytes"] = len(dc.pack(small))
    del original, small
    return {**found, "int8_xz_same_weights_bytes": sizes.xz_size(int8_tflite(model))}


def table(runs):
    """The table of the page: list of lines."""
    rows = []
    for run in runs.values():
        sizes_in_words = [
            paper_tables.readable(run[f"{name}_bytes"])
            for name in ("float", "xz", "int8_xz_same_weights", "huffman", "arithmetic")
        ]
        rows.append(
            [
                run["network"],
                _CLUSTERS_IN_WORDS[run["num_clusters"]],
                f"{run['total_kept_percent']:.1f} %",
                *sizes_in_words,
                f"**{run['ratio']:.0f}x**",
                paper_tables.readable(run["packed_bytes"]),
                paper_tables.readable(run["entropy_bytes"]),
            ]
        )
    return paper_tables.table(_HEADS, rows)


def in_page(text, runs):
    """The page with the table made anew: str."""
    return paper_tables.put(text, "later densities", table(runs))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", choices=KEPT_PERCENT, default=KEPT_PERCENT)
    parser.add_argument("--table", action="store_true", help="write the table alone")
    arguments = parser.parse_args()
    results = results_file.ResultsFile(RESULTS)
    for network in [] if arguments.table else arguments.networks:
        for num_clusters in CLUSTERS:

            def measure(network=network, num_clusters=num_clusters):
                recipe, total = recipes.RECIPES[network], KEPT_PERCENT[network]
                found = figures(recipe, percents(network), num_clusters, total)
                return {"network": network, "seed": recipes.SEED, **found}

            results.add(f"{network}, {num_clusters} clusters", measure)
    PAGE.write_text(in_page(PAGE.read_text(), results.runs))


if __name__ == "__main__":
    main()

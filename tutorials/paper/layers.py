"""What each layer of AlexNet and VGG-16 takes, beside the paper's tables 4 and 5 (Han et al. 2016).

    cd tutorials && python -m paper.layers

The networks have random weights, pruned to the paper's densities and clustered as the paper does:
256 clusters in convolutions, 32 elsewhere (recipes.py). Figures go to a JSON file, and the tables
to docs/paper.md; --tables writes these alone. Tables 2 and 3, of trained networks, are made by
`lenet_tables`.
"""

import argparse
import json
import math
import pathlib

import keras
import numpy as np
from paper import paper_tables, recipes

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "layers.json"
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "paper.md"
NETWORKS = ("AlexNet", "VGG-16")


def figures(model, names):
    """What each layer of a model takes.

    Args:
        model: plain `keras.Model`, pruned and shared.
        names: list of str, what to call its layers with kernels.

    Returns:
        list of dicts: bits are per coded weight and per gap, fixed and with Huffman codes; gaps
        have 0 where every weight of the layer is coded. Sizes are in bytes.
    """
    huffman, arithmetic = (_weights(model, coder) for coder in ("huffman", "arithmetic"))
    kernels = {layer.name: layer.kernel for layer in model.layers if hasattr(layer, "kernel")}
    return [
        {
            "layer": name,
            "weights": math.prod(kernel.shape),
            "kept_percent": round(100 * _density(kernel), 2),
            "index_bits": _rounded(huffman[layer].index_bits),
            "gap_bits": _rounded(huffman[layer].gap_bits),
            "huffman_bytes": huffman[layer].blob_bytes,
            "arithmetic_bytes": arithmetic[layer].blob_bytes,
        }
        for name, (layer, kernel) in zip(names, kernels.items(), strict=True)
    ]


def _weights(model, coder):
    """Rows of the kernels by the names of their layers."""
    _, report = dc.convert(model, coder=coder, return_report=True, verify=False)
    return {row.layer: row for row in report.coded if row.role == "weights"}


def _density(kernel):
    return np.count_nonzero(keras.ops.convert_to_numpy(kernel)) / math.prod(kernel.shape)


def _rounded(bits):
    fixed, coded = bits
    return [fixed, round(coded, 2)]


def layer_names(network):
    """The paper's names of a network's layers: list of str."""
    return [row.layer for row in paper_tables.LAYERS[network]]


def measure():
    """Figures of the networks: dict of lists."""
    return {
        network: figures(recipes.prune_and_share(recipes.RECIPES[network]), layer_names(network))
        for network in NETWORKS
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="write the tables alone")
    if not parser.parse_args().tables:
        RESULTS.write_text(json.dumps(measure(), indent=1) + "\n")
    PAGE.write_text(paper_tables.in_page(PAGE.read_text(), json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()

"""Tables 2 and 3 of the paper, trained: LeNet-300-100 and LeNet-5 as Han et al. 2016 did them.

    cd tutorials && python -m paper.lenet_tables [--networks LeNet-5 ...] [--seeds 0 1 2]

No augmentation, the paper's densities and bits for each layer, fixed indices, linear
initialization (lenet_stages.py); what is not the paper's was chosen by the last 10,000 training
images. The test set is read at the end of each stage, and nothing is chosen by it. Figures and
the compressed files of all runs go to `results/lenet_tables/`; a run that is there is not done
again. `python -m paper.lenet_page` puts the figures into docs/paper.md.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import time

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from lib import lenet_5, machine
from lib.accuracy import keras_error
from lib.baselines import float_tflite, int8_tflite, zip_sizes
from paper import file_figures, lenet_stages
from paper.sizes import interpreter_error, xz_size

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "lenet_tables"
SEEDS = (0, 1, 2)
# The paper's, of a fixed length.
GAP_BITS = 5
OPS_WITH_KERNELS = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED)


def run(network, recipe, data, seed):
    """Train a network through the three stages, and measure each.

    Args:
        network: str, a key of `lenet_stages.RECIPES`.
        recipe: `lenet_stages.Recipe`.
        data: `mnist.Mnist`, shaped for the network.
        seed: int, of the first weights and of the order of the images.

    Returns:
        (dict of figures, bytes of the compressed file).
    """
    start = time.monotonic()
    dense = lenet_stages.train_dense(recipe, data, seed)
    pruned = lenet_stages.prune(recipe, dense, data)
    small = lenet_stages.train_codebooks(recipe, lenet_stages.cluster(recipe, pruned), data)
    errors = {
        "dense": keras_error(dense, data),
        "P": keras_error(pruned, data),
        "P+Q": keras_error(small, data),
    }
    dense, small = for_one_image(recipe, dense), for_one_image(recipe, small)
    tflite = bytes(dc.convert(small, coder="arithmetic"))
    errors["file"] = interpreter_error(tflite, data.x_test, data.y_test)
    measured = measure(tflite)
    measured["files"] |= zip_sizes(bytes(dc.expand(tflite)))
    figures = {
        "network": network,
        "seed": seed,
        "error_percent": {stage: round(error, 2) for stage, error in errors.items()},
        "float_bytes": len(float_tflite(dense)),
        "int8_xz_bytes": xz_size(int8_tflite(dense)),
        "int8_xz_same_weights_bytes": xz_size(int8_tflite(small)),
        **measured,
        "seconds": round(time.monotonic() - start),
        "settings": dataclasses.asdict(recipe),
        "cpu": machine.cpu_name(),
        "versions": machine.versions(),
    }
    return figures, tflite


def for_one_image(recipe, model):
    """The network for one image at a time: TFLite's Flatten of any batch takes 600 bytes more."""
    if recipe.network != "lenet_5":
        return model
    fixed = lenet_5.build(batch_size=1)
    fixed.set_weights(model.get_weights())
    return fixed


def measure(tflite):
    """All figures of sizes that follow from a compressed file alone.

    Args:
        tflite: bytes, coded by the arithmetic coder.

    Returns:
        dict: "files" and "kernels" have the bytes of whole files, and of the kernels in them;
        "layers" is a list of dicts, see `layer_figures`.
    """
    expanded = dc.expand(tflite)
    huffman = dc.compress(expanded, coder="huffman")
    rows = {"huffman": kernels(huffman), "arithmetic": kernels(tflite)}
    layers = [
        layer_figures(values, *pair)
        for values, *pair in zip(kernel_values(expanded), *rows.values(), strict=True)
    ]
    rest = len(huffman) - sum(row.blob_bytes for row in rows["huffman"])
    bound = sum(layer["shannon_bytes"] for layer in layers)
    return {
        "files": {
            "huffman": len(huffman),
            "arithmetic": len(tflite),
            "packed": len(dc.pack(tflite)),
            "shannon": round(bound + rest),
        },
        "kernels": {
            "float32": sum(4 * layer["weights"] for layer in layers),
            **{coder: sum(row.blob_bytes for row in rows[coder]) for coder in rows},
            "shannon": round(bound),
        },
        "layers": layers,
    }


def kernels(tflite):
    """The kernels of a compressed file: list of `CodedTensor`, in the order of the layers."""
    return [row for row in dc.inspect(tflite) if row.role == "weights"]


def kernel_values(tflite):
    """The kernels of a model as the file holds them: list of float32 arrays, units first."""
    model = file_figures.parse(tflite)
    graph, found = model.subgraphs[0], []
    for op in graph.operators:
        if model.operatorCodes[op.opcodeIndex].builtinCode in OPS_WITH_KERNELS:
            tensor = graph.tensors[op.inputs[1]]
            content = model.buffers[tensor.buffer].data.tobytes()
            found.append(np.frombuffer(content, "<f4").reshape(tensor.shape))
    return found


def layer_figures(values, huffman, arithmetic):
    """What a layer takes in both coders, and what its indices and gaps cannot go below.

    Args:
        values: float32 array, the kernel, units first.
        huffman: the kernel as `CodedTensor`.
        arithmetic: the same in the other coder.

    Returns:
        dict. Bits are `[fixed, Huffman, entropy]` of a symbol of our file; gaps count filler
        zeros, and are None where each weight has an index; indices are None where the values
        themselves take less. Sizes of the stages are in bytes: P and P+Q as the paper stores
        them, with gaps of 5 bits, P+Q+H as our file does.
    """
    blob = huffman.blob
    _, counts = np.unique(values[values != 0], return_counts=True)
    paper_bits = (counts.size - 1).bit_length()
    index_bits = gap_bits = None
    if blob.num_centroids:
        index_bits = [*huffman.index_bits, _entropy_bits(counts)]
    if blob.gap_bits:
        symbols = gap_symbols(values, blob.gap_bits, column_major=blob.column_major)
        gap_bits = [*huffman.gap_bits, _entropy_bits(symbols)]
    return {
        "weights": values.size,
        "kept": int(counts.sum()),
        "index_bits": _rounded(index_bits),
        "gap_bits": _rounded(gap_bits),
        "stage_bytes": {
            "P": _paper_bytes(values, 32),
            "P+Q": _paper_bytes(values, paper_bits) + 4 * counts.size,
            "P+Q+H": huffman.blob_bytes,
            "arithmetic": arithmetic.blob_bytes,
        },
        "shannon_bytes": round(shannon_bytes(values.size, counts), 1),
    }


def gap_symbols(values, gap_bits, *, column_major=False):
    """How often each position gap occurs, the filler zero last: int array `(2**gap_bits,)`."""
    lines = values.reshape(len(values), -1)
    zeros = np.diff(np.flatnonzero(lines.T if column_major else lines), prepend=-1) - 1
    filler = 2**gap_bits - 1
    counts = np.bincount(zeros % filler, minlength=filler + 1)
    counts[filler] = np.sum(zeros // filler)
    return counts


def shannon_bytes(size, counts):
    """The Shannon bound for zeros at independent places, and values that float16 holds.

    Args:
        size: int, weights.
        counts: int array, how often each value but zero occurs.

    Returns:
        float: the places, and the smaller of indices with a codebook and the values themselves.
    """
    kept = int(counts.sum())
    places = size * _entropy_bits(np.array([kept, size - kept]))
    values = min(kept * _entropy_bits(counts) + 16 * counts.size, 16 * kept)
    return (places + values) / 8


def _paper_bytes(values, weight_bits):
    """Bytes of kept weights and filler zeros, each with its gap."""
    entries = int(np.sum(gap_symbols(values, GAP_BITS)))
    return -(-entries * (weight_bits + GAP_BITS) // 8)


def _entropy_bits(counts):
    """Entropy in bits of a symbol."""
    shares = counts[counts > 0] / np.sum(counts)
    return float(-(shares * np.log2(shares)).sum())


def _rounded(bits):
    return None if bits is None else [bits[0], *(round(value, 2) for value in bits[1:])]


def path_of(network, seed):
    """Where the figures of a run are; its file is beside them, with another ending."""
    return RESULTS / f"{lenet_stages.RECIPES[network].network}_seed{seed}.json"


def load():
    """The runs that are there: dict by network of lists of dicts, in the order of the seeds."""
    found = {}
    for network in lenet_stages.RECIPES:
        for path in (path_of(network, seed) for seed in SEEDS):
            if path.exists():
                found.setdefault(network, []).append(json.loads(path.read_text()))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(lenet_stages.RECIPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for network in arguments.networks:
        recipe = lenet_stages.RECIPES[network]
        data = lenet_stages.images(recipe)
        for seed in arguments.seeds:
            path = path_of(network, seed)
            if path.exists():
                continue
            figures, tflite = run(network, recipe, data, seed)
            path.with_suffix(".tflite").write_bytes(tflite)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(figures, indent=1) + "\n")
            os.replace(part, path)
            print(path.stem, figures["error_percent"], figures["files"], flush=True)


if __name__ == "__main__":
    main()

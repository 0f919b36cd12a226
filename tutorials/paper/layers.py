"""What each layer takes, beside the paper's tables 2 to 5 (Han et al. 2016).

    cd tutorials && python -m paper.layers

LeNets are the trained ones of tutorials/data/trained.npz. AlexNet and VGG-16 have normal random
weights of the paper's shapes, pruned by magnitude to the paper's densities and clustered as the
paper does: 256 clusters in convolutions, 32 elsewhere. Figures go to a JSON file, and the tables
to docs/how_it_works.md; --tables writes these alone. Needs neither Keras nor TensorFlow.
"""

import argparse
import json
import pathlib

import numpy as np
from lib import trained
from paper import paper_tables

from keras_dc import codec
from keras_dc.numerics import kmeans, masks

RESULTS = pathlib.Path(__file__).parent / "results" / "layers.json"
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "how_it_works.md"
LENETS = {"LeNet-300-100": "lenet_300_100_quickstart", "LeNet-5": "lenet_5_r0_200x"}
SEED = 0


def conv(size, inputs, outputs):
    """Shape of a convolution's kernel as a `.tflite` file holds it."""
    return (outputs, size, size, inputs)


# Two groups in conv2, conv4 and conv5, as in the original.
ALEXNET = {
    "conv1": conv(11, 3, 96),
    "conv2": conv(5, 48, 256),
    "conv3": conv(3, 256, 384),
    "conv4": conv(3, 192, 384),
    "conv5": conv(3, 192, 256),
    "fc6": (4096, 9216),
    "fc7": (4096, 4096),
    "fc8": (1000, 4096),
}
VGG_16 = {
    "conv1_1": conv(3, 3, 64),
    "conv1_2": conv(3, 64, 64),
    "conv2_1": conv(3, 64, 128),
    "conv2_2": conv(3, 128, 128),
    "conv3_1": conv(3, 128, 256),
    "conv3_2": conv(3, 256, 256),
    "conv3_3": conv(3, 256, 256),
    "conv4_1": conv(3, 256, 512),
    "conv4_2": conv(3, 512, 512),
    "conv4_3": conv(3, 512, 512),
    "conv5_1": conv(3, 512, 512),
    "conv5_2": conv(3, 512, 512),
    "conv5_3": conv(3, 512, 512),
    "fc6": (4096, 25088),
    "fc7": (4096, 4096),
    "fc8": (1000, 4096),
}
SHAPES = {"AlexNet": ALEXNET, "VGG-16": VGG_16}


def figures(layer, kernel):
    """What a layer takes at each stage.

    Args:
        layer: str.
        kernel: float32 array with few distinct values, as a `.tflite` file holds it.

    Returns:
        dict: bits are per coded weight and per gap, fixed and with Huffman codes; 0 for gaps
        where each weight of the layer is coded. Sizes are in bytes.
    """
    blob = codec.encode(kernel)
    info = codec.inspect(blob)
    symbols = info.num_kept + info.num_fillers
    index_bits = max(info.num_centroids - 1, 0).bit_length()
    fixed_bits = info.num_kept * index_bits + symbols * info.gap_bits
    return {
        "layer": layer,
        "weights": kernel.size,
        "kept_percent": round(100 * np.count_nonzero(kernel) / kernel.size, 2),
        "index_bits": [index_bits, round(8 * info.index_bytes / info.num_kept, 2)],
        "gap_bits": [info.gap_bits, round(8 * info.gap_bytes / symbols, 2)],
        "fixed_bytes": fixed_bits // 8 + info.codebook_bytes,
        "huffman_bytes": len(blob),
        "arithmetic_bytes": len(codec.recode(blob)),
    }


def trained_kernels(net):
    """Kernels of a trained LeNet by the paper's names of its layers: dict."""
    kernels = trained.kernels_as_stored(trained.load()[net])
    names = ["conv1", "conv2", "fc1", "fc2"] if len(kernels) == 4 else ["fc1", "fc2", "fc3"]
    return dict(zip(names, kernels, strict=True))


def random_kernel(shape, density, rng):
    """A kernel of random weights, pruned and clustered: float32 array."""
    weights = rng.normal(size=shape).astype(np.float32)
    weights *= masks.magnitude_mask(weights, 1 - density)
    codebook, index = kmeans.share(weights, 256 if len(shape) == 4 else 32)
    return np.concatenate([[np.float32(0)], codebook])[index]


def measure():
    """Figures of all networks: dict of lists."""
    networks = {
        network: [figures(name, kernel) for name, kernel in trained_kernels(net).items()]
        for network, net in LENETS.items()
    }
    for network, shapes in SHAPES.items():
        rng, rows = np.random.default_rng(SEED), []
        for row in paper_tables.LAYERS[network]:
            kernel = random_kernel(shapes[row.layer], row.kept_percent / 100, rng)
            rows.append(figures(row.layer, kernel))
            print(json.dumps(rows[-1]), flush=True)
        networks[network] = rows
    return networks


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="write the tables alone")
    if not parser.parse_args().tables:
        RESULTS.write_text(json.dumps(measure(), indent=1) + "\n")
    PAGE.write_text(paper_tables.in_page(PAGE.read_text(), json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()

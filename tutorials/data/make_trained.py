"""Make trained.npz from trained networks, and from two that it trains.

    cd tutorials && python -m data.make_trained FOLDER

FOLDER holds the networks that README.md beside this script describes, `fc_R0_200x_seed10.npz` and
the others: kernels w0, w1, ... and biases b0, b1, ... as Keras has them. The quickstart's network
and a dense layer of shared weights are trained here, in some minutes. Kernels have few distinct
values; each is kept as a codebook and an index for each weight, in LZMA-compressed members.
"""

import argparse
import hashlib
import io
import pathlib
import zipfile

import numpy as np
from lib import lenet_300_100, mnist, trained

import keras_dc as dc

# The files of FOLDER by the name that a network has in trained.npz.
SOURCES = {
    "lenet_300_100_r0_200x": "fc_R0_200x_seed10.npz",
    "lenet_300_100_r1_200x": "fc_R1_200x_seed10.npz",
    "lenet_300_100_r1_300x": "fc_R1_300x_seed10.npz",
    "lenet_5_r0_200x": "conv_R0_200x_seed10.npz",
    "lenet_5_r1_200x": "conv_R1_200x_seed10.npz",
    "lenet_5_r1_400x": "conv_R1_400x_seed10.npz",
}
# Noted in every member instead of the clock, so that the archive can be made again.
DATE = (1980, 1, 1, 0, 0, 0)


def weights_of(model):
    """Kernels and biases of a `keras.Model` of Dense layers, by names as in FOLDER's files."""
    found = {}
    for number, layer in enumerate(model.layers):
        found[f"w{number}"], found[f"b{number}"] = layer.get_weights()
    return found


def quickstart_weights(data):
    """The network of the first quickstart: images as they are, 2.5 % of the weights."""
    dense = lenet_300_100.train_dense(data)
    pruned = lenet_300_100.prune_and_train(dense, data, density=0.025, epochs=50)
    shared = _shared(pruned, data, rate_weight=0.005)
    return weights_of(dc.strip(shared, float16_exact=True))


def _shared(model, data, **options):
    return lenet_300_100.share_and_train(
        model, data, num_clusters=32, epochs=6, learning_rate=3e-3, **options
    )


def dense_weights(data):
    """The first kernel of a LeNet-300-100 that is shared, but not pruned: no weight is zero."""
    dense = lenet_300_100.train_dense(data, epochs=30)
    shared = _shared(dense, data, rate_weight=0.0075)
    return {"w0": weights_of(dc.strip(shared, float16_exact=True))["w0"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    data = mnist.load().flattened()
    nets = {"lenet_300_100_quickstart": quickstart_weights(data)}
    for name, source in SOURCES.items():
        with np.load(arguments.folder / source) as arrays:
            nets[name] = dict(arrays)
    nets["dense_32"] = dense_weights(data)
    with zipfile.ZipFile(trained.PATH, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in trained.members(nets).items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            member = zipfile.ZipInfo(f"{name}.npy", DATE)
            archive.writestr(member, buffer.getvalue(), zipfile.ZIP_LZMA)
    content = trained.PATH.read_bytes()
    print(f"{len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()

"""Fashion-MNIST: pictures of ten kinds of clothes in MNIST's form (Xiao et al. 2017, MIT).

It is not in the repository: `load` reads the four IDX files as published, or lets Keras download
them.
"""

import hashlib
import os

import keras
import numpy as np
from lib import idx
from lib.mnist import Mnist

# Of the four arrays one after the other, in the order of `idx.FILES`.
SHA256 = "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f"
FOLDER_VARIABLE = "KERAS_DC_FASHION_MNIST"


def load(folder=None):
    """Load Fashion-MNIST and verify that it is what was published.

    Args:
        folder: with the IDX files; by default what the environment variable
            `KERAS_DC_FASHION_MNIST` names. Without both, `keras.datasets.fashion_mnist`
            downloads the data once, or takes it from its cache.

    Returns:
        `lib.mnist.Mnist`; labels from 0 (T-shirt) to 9 (ankle boot).

    Raises:
        ValueError: if the SHA-256 of the data is another one.
    """
    folder = folder or os.environ.get(FOLDER_VARIABLE)
    if folder:
        arrays = idx.read_folder(folder)
    else:
        (x, y), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
        arrays = dict(zip(idx.FILES, (x, y, x_test, y_test)))
    checksum = hashlib.sha256()
    for name in idx.FILES:
        checksum.update(np.ascontiguousarray(arrays[name]))
    if checksum.hexdigest() != SHA256:
        raise ValueError(
            f"Fashion-MNIST must have the SHA-256 {SHA256}. Received: {checksum.hexdigest()} "
            f"from {folder or 'keras.datasets'}"
        )
    images = {name: arrays[name].astype(np.float32) / 255 for name in ("x_train", "x_test")}
    return Mnist(**images, y_train=arrays["y_train"], y_test=arrays["y_test"])

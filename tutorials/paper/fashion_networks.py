"""Networks for Fashion-MNIST in the manner of VGG, MobileNet and Inception, and a small one."""

import keras
from keras import layers

SHAPE = (28, 28, 1)
DROPOUT = 0.3
# Filters of each Inception module: 1x1, 3x3 behind its reduction, 5x5 behind its reduction, and
# 1x1 behind the pooling; None halves height and width.
_INCEPTIONS = (
    (48, 48, 64, 12, 24, 24),
    (64, 64, 96, 16, 32, 32),
    None,
    (80, 64, 112, 16, 32, 32),
    (128, 96, 192, 24, 64, 64),
)


def vgg():
    """Six 3x3 convolutions and two dense layers: 2.41 million weights."""
    image = keras.Input(SHAPE, name="image")
    x = image
    for filters in (48, 96, 192):
        x = _convolution(_convolution(x, filters, 3), filters, 3)
        x = layers.Dropout(DROPOUT / 3)(layers.MaxPooling2D()(x))
    x = _normalized(layers.Dense(1024, use_bias=False)(layers.Flatten()(x)))
    return _classifier(image, x, "vgg")


def mobilenet():
    """A convolution and six depthwise-separable blocks: 0.59 million weights."""
    image = keras.Input(SHAPE, name="image")
    x = _convolution(image, 48, 3)
    for filters, strides in [(96, 1), (192, 2), (192, 1), (384, 2), (384, 1), (768, 1)]:
        depthwise = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)
        x = _convolution(_normalized(depthwise(x)), filters, 1)
    return _classifier(image, layers.GlobalAveragePooling2D()(x), "mobilenet")


def inception():
    """Two convolutions and four modules of four branches: 0.57 million weights."""
    image = keras.Input(SHAPE, name="image")
    x = layers.MaxPooling2D()(_convolution(_convolution(image, 32, 3), 64, 3))
    for module in _INCEPTIONS:
        if module is None:
            x = layers.MaxPooling2D()(x)
            continue
        ones, reduced_3, threes, reduced_5, fives, pooled = module
        branches = [
            _convolution(x, ones, 1),
            _convolution(_convolution(x, reduced_3, 1), threes, 3),
            _convolution(_convolution(x, reduced_5, 1), fives, 5),
            _convolution(layers.MaxPooling2D(3, 1, padding="same")(x), pooled, 1),
        ]
        x = layers.Concatenate()(branches)
    return _classifier(image, layers.GlobalAveragePooling2D()(x), "inception")


def small():
    """Three convolutions and a dense layer, without normalization: 60,688 weights."""
    image = keras.Input(SHAPE, name="image")
    x = image
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10)(x), name="small")


NETWORKS = {"vgg": vgg, "mobilenet": mobilenet, "inception": inception}


def _convolution(x, filters, size):
    conv = layers.Conv2D(filters, size, padding="same", use_bias=False)
    return _normalized(conv(x))


def _normalized(x):
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _classifier(image, x, name):
    logits = layers.Dense(10)(layers.Dropout(DROPOUT)(x))
    return keras.Model(image, logits, name=name)

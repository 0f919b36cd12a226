"""The architectures that keras.applications lacks: AlexNet, GoogLeNet, text models, a U-Net.

Each is the published one at its default arguments, and a small one of the same ops with
others. Weights are random.
"""

import keras
from keras import layers, ops


def alexnet(*, input_size=227, width=1.0, num_classes=1000):
    """AlexNet (Krizhevsky et al. 2012) with its grouped convolutions, 61M weights.

    Local response normalization, which has no weights, is left out.

    Args:
        input_size: int, height and width of the image in pixels.
        width: float, factor of all filters and units.
        num_classes: int.

    Returns:
        keras.Model from `(batch, input_size, input_size, 3)` to logits.
    """

    def scaled(count):
        return 2 * round(count * width / 2)

    def conv(name, filters, size, groups):
        return layers.Conv2D(
            scaled(filters), size, padding="same", groups=groups, activation="relu", name=name
        )

    return keras.Sequential(
        [
            keras.Input((input_size, input_size, 3)),
            layers.Conv2D(scaled(96), 11, strides=4, activation="relu", name="conv1"),
            layers.MaxPooling2D(3, 2),
            conv("conv2", 256, 5, 2),
            layers.MaxPooling2D(3, 2),
            conv("conv3", 384, 3, 1),
            conv("conv4", 384, 3, 2),
            conv("conv5", 256, 3, 2),
            layers.MaxPooling2D(3, 2),
            layers.Flatten(),
            layers.Dense(scaled(4096), activation="relu", name="fc6"),
            layers.Dense(scaled(4096), activation="relu", name="fc7"),
            layers.Dense(num_classes, name="fc8"),
        ],
        name="alexnet",
    )


# Filters of each inception module: 1x1, 3x3 behind its reduction, 5x5 behind its
# reduction, and 1x1 behind the pooling (Szegedy et al. 2014, table 1).
_INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(*, input_size=224, width=1.0, modules=tuple(_INCEPTIONS), num_classes=1000):
    """GoogLeNet (Szegedy et al. 2014) as it infers, without its side heads, 7M weights.

    Args:
        input_size: int, height and width of the image in pixels.
        width: float, factor of all filters.
        modules: names of the inception modules.
        num_classes: int.

    Returns:
        keras.Model from `(batch, input_size, input_size, 3)` to logits.
    """

    def conv(x, filters, size, strides=1):
        filters = max(1, round(filters * width))
        return layers.Conv2D(filters, size, strides, padding="same", activation="relu")(x)

    def pool(x, strides):
        return layers.MaxPooling2D(3, strides, padding="same")(x)

    image = keras.Input((input_size, input_size, 3))
    x = pool(conv(image, 64, 7, 2), 2)
    x = pool(conv(conv(x, 64, 1), 192, 3), 2)
    for name in modules:
        if name in ("4a", "5a"):
            x = pool(x, 2)
        ones, reduced_3, threes, reduced_5, fives, pooled = _INCEPTIONS[name]
        branches = [
            conv(x, ones, 1),
            conv(conv(x, reduced_3, 1), threes, 3),
            conv(conv(x, reduced_5, 1), fives, 5),
            conv(pool(x, 1), pooled, 1),
        ]
        x = layers.Concatenate()(branches)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(num_classes)(x), name="googlenet")


def recurrent_text_model(layer_class, *, length=80, vocabulary=20000, units=128):
    """An embedding, an LSTM or GRU and a Dense layer, as of a sentiment classifier.

    Args:
        layer_class: keras.layers.LSTM or GRU.
        length: int, tokens of a text.
        vocabulary: int, rows of the embedding.
        units: int, width of the embedding and of the state.

    Returns:
        keras.Model from int32 `(1, length)` to a logit; a batch of one keeps the loop in
        ops that every runtime has.
    """
    tokens = keras.Input((length,), batch_size=1, dtype="int32")
    x = layers.Embedding(vocabulary, units)(tokens)
    return keras.Model(tokens, layers.Dense(1)(layer_class(units)(x)))


def transformer(*, length=64, vocabulary=20000, width=256, heads=4, blocks=2, num_classes=2):
    """A Transformer encoder of EinsumDense, MultiHeadAttention and two Embeddings.

    Args:
        length: int, tokens of a text.
        vocabulary: int, rows of the embedding.
        width: int, of the embedding, a multiple of `heads`.
        heads: int, attention heads.
        blocks: int.
        num_classes: int.

    Returns:
        keras.Model from int32 `(1, length)` to logits.
    """
    tokens = keras.Input((length,), batch_size=1, dtype="int32")
    positions = ops.zeros_like(tokens) + ops.arange(length, dtype="int32")
    x = layers.Embedding(vocabulary, width)(tokens) + layers.Embedding(length, width)(positions)
    for _ in range(blocks):
        normed = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(heads, width // heads)(normed, normed)
        hidden = layers.EinsumDense("abc,cd->abd", (length, 4 * width), "gelu", bias_axes="d")(
            layers.LayerNormalization()(x)
        )
        x = x + layers.EinsumDense("abc,cd->abd", (length, width), bias_axes="d")(hidden)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(tokens, layers.Dense(num_classes)(x), name="transformer")


def u_net(*, input_size=128, filters=32, levels=4, num_classes=2):
    """A U-Net (Ronneberger et al. 2015) with batch normalization and transposed convolutions.

    Args:
        input_size: int, height and width in pixels, a multiple of `2 ** levels`.
        filters: int, of the first level; each further one has twice as many.
        levels: int, how often the image is halved.
        num_classes: int.

    Returns:
        keras.Model from `(batch, input_size, input_size, 3)` to logits per pixel.
    """

    def double_conv(x, count):
        for _ in range(2):
            x = layers.Conv2D(count, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    image = keras.Input((input_size, input_size, 3))
    x, skipped = image, []
    for level in range(levels):
        skipped.append(double_conv(x, filters * 2**level))
        x = layers.MaxPooling2D(2)(skipped[-1])
    x = double_conv(x, filters * 2**levels)
    for level in reversed(range(levels)):
        x = layers.Conv2DTranspose(filters * 2**level, 2, strides=2, padding="same")(x)
        x = double_conv(layers.Concatenate()([skipped[level], x]), filters * 2**level)
    return keras.Model(image, layers.Conv2D(num_classes, 1)(x), name="u_net")

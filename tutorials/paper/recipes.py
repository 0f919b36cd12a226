"""Models with random weights, pruned and shared as is usual for each."""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
from paper import architectures

import keras_dc as dc

SEED = 0


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is made small.

    Attributes:
        build: callable that returns a keras.Model.
        sparsity: see `dc.prune`.
        num_clusters: see `dc.share_weights`.
        steps: int, batches of random data to train on after pruning and after sharing.
        vocabulary: int, integer inputs are below it.
    """

    build: Callable
    sparsity: float | dict
    num_clusters: int | str | dict = 32
    steps: int = 0
    vocabulary: int = 0


def application(name, input_size):
    """What builds a model of keras.applications with random weights, for logits."""
    build = getattr(keras.applications, name)
    shape = (input_size, input_size, 3)
    return functools.partial(
        build, weights=None, input_shape=shape, classes=1000, classifier_activation=None
    )


def kept(**percent):
    """Targets by name from what Han et al. 2016 keep of each layer, in tables 4 and 5."""
    return {rf"^{name}$": 1 - value / 100 for name, value in percent.items()}


ALEXNET_KEPT = kept(conv1=84, conv2=38, conv3=35, conv4=37, conv5=37, fc6=9, fc7=9, fc8=25)
VGG16_KEPT = kept(
    block1_conv1=58, block1_conv2=22, block2_conv1=34, block2_conv2=36,
    block3_conv1=53, block3_conv2=24, block3_conv3=42,
    block4_conv1=32, block4_conv2=27, block4_conv3=34,
    block5_conv1=35, block5_conv2=29, block5_conv3=36, fc1=4, fc2=4, predictions=23,
)  # fmt: skip
TEXT = {"steps": 4, "vocabulary": 20000}
RECIPES = {
    "AlexNet": Recipe(architectures.alexnet, ALEXNET_KEPT, "paper"),
    "VGG-16": Recipe(application("VGG16", 224), VGG16_KEPT, "paper"),
    "GoogLeNet": Recipe(architectures.googlenet, 0.7, 64),
    "InceptionV3": Recipe(application("InceptionV3", 96), 0.8),
    "ResNet50": Recipe(application("ResNet50", 96), 0.8),
    "DenseNet121": Recipe(application("DenseNet121", 96), 0.8),
    "MobileNetV2": Recipe(application("MobileNetV2", 96), 0.75),
    "EfficientNetB0": Recipe(application("EfficientNetB0", 96), 0.75),
    "LSTM": Recipe(
        functools.partial(architectures.recurrent_text_model, keras.layers.LSTM), 0.9, **TEXT
    ),
    "GRU": Recipe(
        functools.partial(architectures.recurrent_text_model, keras.layers.GRU), 0.9, **TEXT
    ),
    "Transformer": Recipe(architectures.transformer, 0.8, **TEXT),
    "U-Net": Recipe(architectures.u_net, 0.85),
}


def random_inputs(shapes_and_dtypes, rng, vocabulary):
    """Arrays of random numbers: floats are normal, integers below `vocabulary`.

    Args:
        shapes_and_dtypes: list of (tuple of ints, dtype).
        rng: np.random.Generator.
        vocabulary: int.

    Returns:
        list of arrays.
    """
    return [
        rng.integers(0, max(vocabulary, 2), shape).astype(dtype)
        if np.issubdtype(np.dtype(dtype), np.integer)
        else rng.normal(size=shape).astype(dtype)
        for shape, dtype in shapes_and_dtypes
    ]


def feed(model, recipe, rng, *, batch=1):
    """Random inputs for a Keras model, and a target for each output."""
    shapes = [((x.shape[0] or batch, *x.shape[1:]), x.dtype) for x in model.inputs]
    inputs = random_inputs(shapes, rng, recipe.vocabulary)
    target = rng.normal(size=(inputs[0].shape[0], *model.output_shape[1:]))
    return inputs[0], target.astype(np.float32)


def is_kernel(weight):
    """Whether a weight is one that `dc.prune` prunes."""
    return weight.name.endswith(("kernel", "embeddings"))


def randomize(model, rng):
    """Give weights the values that a training would leave in their place.

    Kernels start uniform, and end nearer to normal. Biases and batch normalization start
    as zeros and ones, of which a converter makes nothing.
    """
    for weight in model.weights:
        if is_kernel(weight):
            spread = np.std(keras.ops.convert_to_numpy(weight))
            weight.assign(spread * rng.standard_normal(weight.shape, np.float32))
        elif weight.path.endswith(("/bias", "/beta")):
            weight.assign(rng.normal(0, 0.05, weight.shape))
        elif weight.path.endswith("/gamma"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))


def restore_scale(model):
    """Scale kernels so that activations neither die out nor explode, as He et al. 2015."""
    for layer in model.layers:
        if type(layer) in (keras.layers.Dense, keras.layers.Conv2D):
            kernel = keras.ops.convert_to_numpy(layer.kernel)
            gain = np.sqrt(2 * kernel.shape[-1] / max(np.sum(np.square(kernel)), 1e-12))
            layer.kernel.assign(kernel * gain.astype(np.float32))


def calibrate(model, x):
    """Set the statistics of batch normalization to those of a batch."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        model(x, training=True)


def prune_and_share(recipe, *, seed=SEED):
    """Build a model, prune it and share its weights.

    Args:
        recipe: Recipe.
        seed: int.

    Returns:
        keras.Model without wrappers.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = recipe.build()
    randomize(model, rng)
    model = dc.prune(model, recipe.sparsity)
    model.compile("adam", "mse")
    callback = dc.PruningCallback()
    callback.set_model(model)
    callback.on_train_batch_begin(0)
    train(model, recipe, rng, callbacks=[callback])
    model = dc.share_weights(model, recipe.num_clusters)
    model.compile("adam", "mse")
    train(model, recipe, rng)
    model = dc.strip(model)
    restore_scale(model)
    calibrate(model, feed(model, recipe, rng, batch=8)[0])
    return model


def train(model, recipe, rng, callbacks=None):
    """Fit random targets for `recipe.steps` batches."""
    for _ in range(recipe.steps):
        x, y = feed(model, recipe, rng, batch=8)
        model.fit(x, y, batch_size=len(x), verbose=0, callbacks=callbacks)


def without_scales(model):
    """A copy whose batch normalization multiplies by 1, to show what its scales cost."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            ones = np.ones(layer.moving_variance.shape, np.float32)
            layer.moving_variance.assign(ones - np.float32(layer.epsilon))
            if layer.gamma is not None:
                layer.gamma.assign(ones)
    return copy

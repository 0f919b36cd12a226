"""The paper's three stages on its LeNets (Han et al. 2016): dense, pruned, shared.

As the paper did it: images as they are, magnitude pruning to a density for each layer in which
no weight returns, a little more of it by and by while it is retrained, then codebooks with
linear initialization and fixed indices, which are trained. Rates, weight decay and epochs are
ours: they were chosen by the error on the last 10,000 training images. At the end weights are
rounded to float16, for which our files have half the bytes.
"""

import dataclasses

import keras
from keras import optimizers
from lib import lenet_5, lenet_300_100, mnist

import keras_dc as dc

BATCH_SIZE = 128
# A divisor of the 469 steps of an epoch: that many run at once inside TensorFlow.
STEPS_PER_EXECUTION = 67
VALIDATION = 10_000


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A network, what the paper keeps of it, and how it is trained.

    Attributes:
        network: str, "lenet_300_100" or "lenet_5".
        densities: dict from layers to the shares of their weights that are kept.
        bits: dict from layers to the bits of a cluster index.
        dense_epochs, pruning_epochs, sharing_epochs: ints.
        dense_rate, pruning_rate, sharing_rate: floats, at the start; a cosine takes them to 0.
        weight_decay: float, of `optimizers.AdamW`, not of biases and codebooks.
    """

    network: str
    densities: dict
    bits: dict
    dense_epochs: int = 20
    pruning_epochs: int = 30
    sharing_epochs: int = 8
    dense_rate: float = 1e-3
    pruning_rate: float = 2e-3
    sharing_rate: float = 1e-3
    weight_decay: float = 0.5


RECIPES = {
    "LeNet-300-100": Recipe(
        "lenet_300_100",
        {"fc1": 0.08, "fc2": 0.09, "fc3": 0.26},
        {"fc1": 6, "fc2": 6, "fc3": 6},
    ),
    "LeNet-5": Recipe(
        "lenet_5",
        {"conv1": 0.66, "conv2": 0.12, "fc1": 0.08, "fc2": 0.19},
        {"conv1": 8, "conv2": 8, "fc1": 5, "fc2": 5},
        dense_epochs=12,
        pruning_epochs=14,
        sharing_epochs=4,
        pruning_rate=1e-3,
        weight_decay=0.3,
    ),
}


def images(recipe):
    """MNIST as the network takes it: `mnist.Mnist`."""
    data = mnist.load()
    return data.flattened() if recipe.network == "lenet_300_100" else data.with_channel()


def held_out(data):
    """The training images alone, the last `VALIDATION` of them in place of the test images."""
    x, y = data.x_train, data.y_train
    return mnist.Mnist(x[:-VALIDATION], y[:-VALIDATION], x[-VALIDATION:], y[-VALIDATION:])


def network(recipe):
    """The network with random weights: `keras.Model`."""
    return {"lenet_300_100": lenet_300_100, "lenet_5": lenet_5}[recipe.network].build()


def train_dense(recipe, data, seed):
    """The dense network, trained: `keras.Model`."""
    keras.utils.set_random_seed(seed)
    model = network(recipe)
    fit(model, data, recipe.dense_epochs, recipe.dense_rate, recipe.weight_decay)
    return model


def prune(recipe, model, data):
    """A trained network pruned by and by over half of the epochs, and retrained.

    Returns:
        Plain `keras.Model` with zeros in its kernels.
    """
    steps = steps_per_epoch(data)
    end = max(1, recipe.pruning_epochs // 2) * steps
    # After each epoch, or ten times in a short training.
    frequency = min(steps, max(1, end // 10))
    pruned = dc.prune(
        model,
        {
            f"^{layer}$": dc.PolynomialDecay(0.0, 1.0 - density, 0, end, frequency=frequency)
            for layer, density in recipe.densities.items()
            if density < 1.0
        },
    )
    fit(
        pruned,
        data,
        recipe.pruning_epochs,
        recipe.pruning_rate,
        recipe.weight_decay,
        callbacks=[dc.PruningCallback()],
    )
    return dc.strip(pruned)


def cluster(recipe, model, *, initialization="linear", seed=0):
    """A network with codebooks that are not trained yet: `keras.Model`."""
    counts = {f"^{layer}$": 2**bits for layer, bits in recipe.bits.items()}
    return dc.share_weights(model, counts, initialization=initialization, seed=seed)


def train_codebooks(recipe, shared, data):
    """Train what `cluster` returns: plain `keras.Model` of few weights, exact in float16."""
    fit(shared, data, recipe.sharing_epochs, recipe.sharing_rate)
    return dc.strip(shared, float16_exact=True)


def steps_per_epoch(data):
    return -(-len(data.x_train) // BATCH_SIZE)


def fit(model, data, epochs, learning_rate, weight_decay=0.0, *, callbacks=()):
    """Compile a model and train it."""
    schedule = optimizers.schedules.CosineDecay(learning_rate, epochs * steps_per_epoch(data))
    optimizer = optimizers.AdamW(schedule, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=STEPS_PER_EXECUTION,
        # XLA saves nothing here: it compiles for longer, and its convolutions are slow on a CPU.
        jit_compile=False,
    )
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
    )

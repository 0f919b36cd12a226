"""How the smallest LeNets are trained: pruning and sharing on augmented images, with a teacher.

`RECIPES` are those of the frontier in `mnist_frontier`. Their settings were chosen by the error
on the last 10,000 training images, which no teacher has seen. R2 is R0 with one thing
of R1, and was tried last.
"""

import dataclasses

import keras
from lib import augmentation, lenet_300_100
from paper import mnist_images

import keras_dc as dc


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained small.

    Attributes:
        network: str, "lenet_300_100" or "lenet_5".
        density: float, the share of the weights that is kept.
        num_clusters, rate_weight: see `dc.share_weights`.
        learning_rate: float, of the pruning.
        epochs: int, of the pruning, from random weights.
        sharing_epochs: int.
        ramp, freeze: floats, the shares of the pruning after which the sparsity has risen, and
            the masks stand still.
        rate_aware: bool, see `dc.prune`.
        by_place: bool, whether assignment counts the bits of places.
        teacher: str, who is heard beside the labels: "" nobody, "dense" the network itself before
            it is pruned, "wide" four larger LeNets.
        copies: int, augmented copies of each image.
        level: int, how far they are moved, see `augmentation.LEVELS`.
        dtype: str, the policy of the training; the file is float32 in any case.
    """

    network: str
    density: float
    num_clusters: int = 8
    rate_weight: float = 0.01
    learning_rate: float = 4e-3
    epochs: int = 100
    sharing_epochs: int = 30
    ramp: float = 0.5
    freeze: float = 0.67
    rate_aware: bool = False
    by_place: bool = False
    teacher: str = ""
    copies: int = 12
    level: int = 1
    dtype: str = "float32"


_FC = Recipe("lenet_300_100", 0.0)
_CONV = Recipe(
    "lenet_5", 0.0, learning_rate=3e-3, epochs=80, sharing_epochs=20, ramp=0.4, freeze=0.6,
    dtype="mixed_bfloat16",
)  # fmt: skip
RECIPES = {
    ("lenet_300_100", "R0"): _FC,
    ("lenet_300_100", "R1"): dataclasses.replace(
        _FC, num_clusters=4, rate_weight=0.02, rate_aware=True, by_place=True, teacher="wide"
    ),
    ("lenet_5", "R0"): dataclasses.replace(_CONV, level=2),
    ("lenet_5", "R2"): dataclasses.replace(_CONV, level=2, rate_aware=True),
    ("lenet_5", "R1"): dataclasses.replace(_CONV, rate_aware=True, teacher="wide"),
}


def train(recipe, images, *, seed):
    """Train a network small with the package's own means.

    Args:
        recipe: `Recipe`.
        images: `mnist_images.Images`.
        seed: int, of the first weights and of the order of the images.

    Returns:
        Plain `keras.Model` of few values, exact in float16.
    """
    keras.utils.set_random_seed(seed)
    is_flat = recipe.network == "lenet_300_100"
    copies = images.copies(recipe.level, recipe.copies)
    batches = augmentation.CopiesInTurn(
        copies.reshape(*copies.shape[:2], -1) if is_flat else copies[..., None],
        images.targets(recipe.teacher, recipe.network, recipe.copies),
        lenet_300_100.BATCH_SIZE,
        seed=seed,
    )
    options = {
        "loss": dc.training.DistillationLoss() if recipe.teacher else None,
        # What TensorFlow has for convolutions is faster than XLA on a CPU.
        "jit_compile": is_flat or keras.backend.backend() != "tensorflow",
    }
    pruned = lenet_300_100.prune_and_train(
        with_dtype(mnist_images.network(recipe.network), recipe.dtype),
        batches,
        density=recipe.density,
        epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        ramp=recipe.ramp,
        freeze=recipe.freeze,
        rate_aware=recipe.rate_aware,
        **options,
    )
    shared = lenet_300_100.share_and_train(
        dc.remove_dead_units(dc.strip(pruned)),
        batches,
        num_clusters=recipe.num_clusters,
        rate_weight=recipe.rate_weight,
        coder="arithmetic" if recipe.by_place else "huffman",
        epochs=recipe.sharing_epochs,
        **options,
    )
    return with_dtype(dc.strip(shared, float16_exact=True), "float32")


def with_dtype(model, dtype):
    """A copy of a plain model with the same weights that computes by another policy."""

    def copy(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": dtype})

    made = keras.models.clone_model(model, clone_function=copy)
    made.set_weights(model.get_weights())
    return made

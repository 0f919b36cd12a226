"""How the smallest LeNets are trained: pruning and sharing on augmented images, with a teacher.

`RECIPES` are those of the frontier in `mnist_frontier`. Their settings were chosen by the error
on the last 10,000 training images, which no teacher has seen.
"""

import dataclasses
import os
import pathlib

import keras
import numpy as np
from keras import optimizers
from lib import augmentation, lenet_5, lenet_300_100

import keras_dc as dc

# What the teachers learn from: all but the images that recipes are chosen on.
VALIDATION = 10_000


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
        copies: int, augmented copies of each image, of level 1.
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
    ("lenet_5", "R0"): _CONV,
    ("lenet_5", "R1"): dataclasses.replace(_CONV, rate_aware=True, teacher="wide"),
}


def network(name, **options):
    """A LeNet with random weights."""
    return lenet_5.build(**options) if name == "lenet_5" else lenet_300_100.build()


class Images:
    """MNIST, augmented copies and what the teachers say of them, kept in a folder.

    Args:
        data: `mnist.Mnist`, images `(n, 28, 28)`.
        folder: pathlib.Path, for what takes long to make.
        count: int, of the training images to learn from, the first ones.
    """

    def __init__(self, data, folder, count=None):
        self.data, self.folder = data, folder
        self.count = len(data.x_train) if count is None else count
        folder.mkdir(parents=True, exist_ok=True)

    def copies(self, level, count, *, seed=0):
        """uint8 array `(count, n, 28, 28)` of the training images."""
        # Copies are made of all images, so those of a part are the same.
        copies = self._kept(
            f"copies_{level}_{count}_{len(self.data.x_train)}_{seed}.npy",
            lambda: augmentation.augmented_copies(
                self.data.x_train, augmentation.LEVELS[level], count, seed=seed
            ),
        )
        return copies[:, : self.count]

    def targets(self, recipe):
        """The labels, and what the teachers of a recipe say of each copy."""
        labels = self.data.y_train[: self.count]
        if not recipe.teacher:
            return labels
        kind = "wide" if recipe.teacher == "wide" else recipe.network
        logits = self._kept(
            f"logits_{kind}_{recipe.copies}_{len(self.data.x_train)}.npy",
            lambda: self._teacher_logits(kind, recipe.copies),
        )
        return np.stack(
            [dc.training.distillation_targets(labels, one[: self.count]) for one in logits]
        )

    def _teacher_logits(self, kind, count):
        """The mean of the logits of all teachers: float32 array `(count, n, 10)`."""
        copies = Images(self.data, self.folder).copies(1, count)
        seeds = range(TEACHERS.count if kind == "wide" else 1)
        logits = np.zeros((*copies.shape[:2], 10), np.float32)
        for seed in seeds:
            teacher = self.teacher(kind, seed)
            for copy, sums in zip(copies, logits):
                images = copy.reshape(-1, *teacher.input_shape[1:]) / np.float32(255)
                sums += teacher.predict(images, batch_size=500, verbose=0) / len(seeds)
        return logits

    def teacher(self, kind, seed):
        """A dense network that has not seen the images that recipes are chosen on."""
        name = f"teacher_{kind}_{seed}_{TEACHERS.epochs}_{len(self.data.x_train)}.keras"
        path = self.folder / name
        if not path.exists():
            model = self._trained_teacher(kind, seed)
            model.save(path.with_suffix(".part.keras"))
            os.replace(path.with_suffix(".part.keras"), path)
        return keras.saving.load_model(path, compile=False)

    def _trained_teacher(self, kind, seed):
        keras.utils.set_random_seed(1000 + seed)
        if kind == "wide":
            model = lenet_5.build(filters=TEACHERS.filters, units=TEACHERS.units, name="teacher")
        else:
            model = network(kind)
        part = Images(self.data, self.folder, len(self.data.x_train) - VALIDATION)
        level, of_copies = (2, 2) if kind == "wide" else (1, 0)
        copies = part.copies(level, TEACHERS.copies, seed=of_copies)
        batches = augmentation.CopiesInTurn(
            copies.reshape(*copies.shape[:2], *model.input_shape[1:]),
            part.data.y_train[: part.count],
            lenet_300_100.BATCH_SIZE,
            seed=seed,
            first=3 * seed,
        )
        steps = TEACHERS.epochs * len(batches)
        rate = optimizers.schedules.CosineDecay(TEACHERS.learning_rate, steps)
        adamw = optimizers.AdamW(rate, weight_decay=0.1)
        model.compile(adamw, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(batches, epochs=TEACHERS.epochs, verbose=0)
        return model

    def _kept(self, name, make):
        path = self.folder / name
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}.npy")
            np.save(part, make())
            os.replace(part, path)
        return np.load(path, mmap_mode="r")


@dataclasses.dataclass(frozen=True)
class Teachers:
    """How teachers are trained; the widths are those of "wide", which are LeNet-5 made wider."""

    count: int = 4
    filters: tuple = (32, 64)
    units: int = 512
    epochs: int = 20
    copies: int = 12
    learning_rate: float = 1e-3


TEACHERS = Teachers()


def train(recipe, images, *, seed):
    """Train a network small with the package's own means.

    Args:
        recipe: `Recipe`.
        images: `Images`.
        seed: int, of the first weights and of the order of the images.

    Returns:
        Plain `keras.Model` of few values, exact in float16.
    """
    keras.utils.set_random_seed(seed)
    is_flat = recipe.network == "lenet_300_100"
    copies = images.copies(1, recipe.copies)
    batches = augmentation.CopiesInTurn(
        copies.reshape(*copies.shape[:2], -1) if is_flat else copies[..., None],
        images.targets(recipe),
        lenet_300_100.BATCH_SIZE,
        seed=seed,
    )
    options = {
        "loss": dc.training.DistillationLoss() if recipe.teacher else None,
        # What TensorFlow has for convolutions is faster than XLA on a CPU.
        "jit_compile": is_flat,
    }
    pruned = lenet_300_100.prune_and_train(
        with_dtype(network(recipe.network), recipe.dtype),
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


def folder():
    """Where what takes long to make is kept: `KERAS_DC_WORK`, or beside the results."""
    return pathlib.Path(os.environ.get("KERAS_DC_WORK", pathlib.Path(__file__).parent / "work"))

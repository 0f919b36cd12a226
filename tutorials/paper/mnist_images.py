"""What the smallest LeNets learn from: moved copies of MNIST, and what teachers say of them."""

import dataclasses
import os
import pathlib

import keras
import numpy as np
from keras import optimizers
from lib import augmentation, fitting, lenet_5, lenet_300_100
from lib.made_once import made_once
from lib.tutorial import OUTPUT

import keras_dc as dc

# What no teacher learns from, and what recipes are chosen on: the last training images.
VALIDATION = 10_000


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


def network(name, **options):
    """A LeNet with random weights."""
    return lenet_5.build(**options) if name == "lenet_5" else lenet_300_100.build()


def folder():
    """Where what takes long to make is kept, beside the output of tutorials: pathlib.Path."""
    return pathlib.Path(os.environ.get(OUTPUT) or "tutorial_output") / "mnist_images"


class Images:
    """Copies of the training images and targets, which are made once and kept in a folder.

    Args:
        data: `mnist.Mnist`, images `(n, 28, 28)`.
        folder: pathlib.Path.
        count: int, of the training images to learn from, the first ones. None: all.
    """

    def __init__(self, data, folder, count=None):
        self.data, self.folder = data, folder
        self.count = len(data.x_train) if count is None else count
        folder.mkdir(parents=True, exist_ok=True)

    def copies(self, level, count, *, seed=0):
        """Moved training images: uint8 array `(count, n, 28, 28)`."""
        # Copies are made of all images, so those of a part are the same.
        copies = self._kept(
            f"copies_{level}_{count}_{len(self.data.x_train)}_{seed}.npy",
            lambda: augmentation.augmented_copies(
                self.data.x_train, augmentation.LEVELS[level], count, seed=seed
            ),
        )
        return copies[:, : self.count]

    def targets(self, teacher, name, count):
        """The labels, and what teachers say of each copy.

        Args:
            teacher: str, see `mnist_training.Recipe`.
            name: str, of the network that learns.
            count: int, of the copies of level 1 that it learns from.

        Returns:
            uint8 array `(n,)` without a teacher, else float32 `(count, n, 11)`, see
            `keras_dc.training.distillation_targets`.
        """
        labels = self.data.y_train[: self.count]
        if not teacher:
            return labels
        kind = "wide" if teacher == "wide" else name
        logits = self._kept(
            f"logits_{kind}_{count}_{len(self.data.x_train)}.npy",
            lambda: self._teacher_logits(kind, count),
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
            teacher = self._teacher(kind, seed)
            for copy, sums in zip(copies, logits):
                images = copy.reshape(-1, *teacher.input_shape[1:]) / np.float32(255)
                sums += teacher.predict(images, batch_size=500, verbose=0) / len(seeds)
        return logits

    def _teacher(self, kind, seed):
        """A dense network that has not seen the images that recipes are chosen on."""
        name = f"teacher_{kind}_{seed}_{TEACHERS.epochs}_{len(self.data.x_train)}.keras"
        path = self.folder / name
        made_once(path, lambda part: self._trained_teacher(kind, seed).save(part))
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
            self.data.y_train[: part.count],
            lenet_300_100.BATCH_SIZE,
            seed=seed,
            first=3 * seed,
        )
        steps = TEACHERS.epochs * len(batches)
        rate = fitting.warm_up_cosine(TEACHERS.learning_rate, steps, 0)
        adamw = optimizers.AdamW(rate, weight_decay=0.1)
        model.compile(adamw, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(batches, epochs=TEACHERS.epochs, verbose=0)
        return model

    def _kept(self, name, make):
        path = made_once(self.folder / name, lambda part: np.save(part, make()))
        return np.load(path, mmap_mode="r")

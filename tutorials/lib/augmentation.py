"""Moved, turned, stretched and sheared copies of small grey images, drawn in advance.

A teacher can then look at each image once, and a training step costs no more than without.
"""

import dataclasses

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Level:
    """How far images are moved; all draws are uniform between minus and plus the value.

    Attributes:
        shift: float, pixels along each axis.
        degrees: float, of rotation.
        log_scale: float, of the logarithm of the scale along each axis.
        shear: float, of x along y.
        elastic: float, standard deviation in pixels of a smooth field of shifts (normal).
    """

    shift: float
    degrees: float
    log_scale: float
    shear: float
    elastic: float = 0.0


LEVELS = {
    1: Level(shift=1.0, degrees=7.0, log_scale=0.07, shear=0.08),
    2: Level(shift=1.7, degrees=11.0, log_scale=0.11, shear=0.14, elastic=0.6),
}
# Images warped at a time, few enough for the cache of the processor.
_CHUNK = 500
# Points of the grid of elastic shifts along each axis, and how they are smoothed.
_GRID, _SMOOTH = 6, np.array([0.25, 0.5, 0.25])


def augmented_copies(images, level, count, *, seed):
    """Copies of all images, each image moved in its own way.

    Args:
        images: float32 array `(n, height, width)` in [0, 1].
        level: `Level`.
        count: int, copies of each image.
        seed: int.

    Returns:
        uint8 array `(count, n, height, width)`, 255 for 1.
    """
    rng = np.random.default_rng(seed)
    copies = np.empty((count, *images.shape), np.uint8)
    for copy in copies:
        for start in range(0, len(images), _CHUNK):
            part = slice(start, start + _CHUNK)
            copy[part] = np.rint(255 * _warped(images[part], level, rng))
    return copies


def _warped(images, level, rng):
    count, height, width = images.shape
    matrices, shifts = _affine(level, count, rng)
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    centred = np.stack([y - (height - 1) / 2, x - (width - 1) / 2]).reshape(2, -1)
    places = (matrices @ centred + shifts[..., None]).astype(np.float32)
    places += np.float32([[(height - 1) / 2], [(width - 1) / 2]])
    if level.elastic:
        places += _elastic(level.elastic, count, (height, width), rng)
    return _bilinear(images, places.reshape(count, 2, height, width))


def _affine(level, count, rng):
    """Matrices `(count, 2, 2)` and shifts `(count, 2)` from places of the copy to the image's."""
    angle = np.deg2rad(rng.uniform(-level.degrees, level.degrees, count))
    scale = np.exp(rng.uniform(-level.log_scale, level.log_scale, (2, count)))
    shear = rng.uniform(-level.shear, level.shear, count)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin]), np.stack([sin, cos])])
    one, none = np.ones(count), np.zeros(count)
    lean = np.stack([np.stack([one, none]), np.stack([shear, one])])
    matrices = np.einsum("ijn,jkn,kn->nik", turn, lean, scale)
    return matrices, rng.uniform(-level.shift, level.shift, (count, 2))


def _elastic(deviation, count, shape, rng):
    """Smooth fields of shifts: float32 array `(count, 2, height * width)`."""
    grid = rng.normal(0.0, deviation, (count, 2, _GRID, _GRID))
    for axis in (-2, -1):
        grid = np.apply_along_axis(np.convolve, axis, grid, _SMOOTH, mode="same")
    for axis, length in zip((-2, -1), shape):
        grid = np.moveaxis(grid, axis, -1)
        at = np.linspace(0, _GRID - 1, length)
        low = np.minimum(at.astype(int), _GRID - 2)
        grid = grid[..., low] * (1 - (at - low)) + grid[..., low + 1] * (at - low)
        grid = np.moveaxis(grid, -1, axis)
    return grid.reshape(count, 2, -1).astype(np.float32)


def _bilinear(images, places):
    """The images at places `(n, 2, height, width)`, zero outside."""
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    limits = np.float32([[[images.shape[1]]], [[images.shape[2]]]])
    places = np.clip(places + 1.0, 0.0, limits + 1.0 - 1e-4)
    low = places.astype(np.int32)
    y, x = low[:, 0], low[:, 1]
    part = (places - low).astype(np.float32)
    dy, dx = part[:, 0], part[:, 1]
    n = np.arange(len(images))[:, None, None]
    top = padded[n, y, x] * (1 - dx) + padded[n, y, x + 1] * dx
    bottom = padded[n, y + 1, x] * (1 - dx) + padded[n, y + 1, x + 1] * dx
    return top * (1 - dy) + bottom * dy


def moved_images(data, batch_size, *, copies, level=1, seed=0):
    """Batches of the training images of MNIST, moved.

    Args:
        data: `mnist.Mnist`, flattened.
        batch_size: int.
        copies: int, of each image.
        level: int, of `LEVELS`.
        seed: int.

    Returns:
        `CopiesInTurn`.
    """
    images = data.x_train.reshape(-1, 28, 28)
    moved = augmented_copies(images, LEVELS[level], copies, seed=seed)
    flat = moved.reshape(copies, len(images), -1)
    return CopiesInTurn(flat, data.y_train, batch_size, seed=seed)


class CopiesInTurn(keras.utils.PyDataset):
    """Batches of one copy an epoch, each epoch in another order.

    Args:
        copies: uint8 array `(count, n, ...)`, see `augmented_copies`.
        targets: array `(n, ...)`, or `(count, n, ...)` if each copy has its own.
        batch_size: int.
        seed: int, of the orders.
        first: int, the copy of the first epoch.
    """

    def __init__(self, copies, targets, batch_size, *, seed, first=0):
        super().__init__()
        self._copies, self._targets = copies, targets
        self._batch_size = batch_size
        self._rng = np.random.default_rng(seed)
        self._epoch = first
        self._order = self._rng.permutation(copies.shape[1])

    def __len__(self):
        return -(-self._copies.shape[1] // self._batch_size)

    def __getitem__(self, index):
        turn = self._epoch % len(self._copies)
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        own = self._targets.shape[:2] == self._copies.shape[:2]
        targets = self._targets[turn] if own else self._targets
        return self._copies[turn][rows].astype(np.float32) / 255, targets[rows]

    def on_epoch_end(self):
        self._epoch += 1
        self._order = self._rng.permutation(len(self._order))

"""Pictures to look for edges in: drawn by rule, and free photographs of the wheel of scikit-image.

    pip download --no-deps scikit-image==0.25.2

The photographs are in the public domain or CC0, as `skimage/data/_fetchers.py` says of each.
"""

import io
import zipfile

import numpy as np

PHOTOGRAPHS = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "brick.png",
)


def drawn(count, size, rng):
    """Discs, stripes and polygons of plain colours or of shades, and some noise.

    Args:
        count: int.
        size: int, height and width in pixels.
        rng: `np.random.Generator`.

    Returns:
        uint8 array `(count, size, size, 3)`.
    """
    return np.stack([_one(size, rng) for _ in range(count)])


def _one(size, rng):
    y, x = np.mgrid[:size, :size] / size
    picture = _paint(x, y, rng)
    for _ in range(rng.integers(5, 12)):
        inside = rng.choice([_disc, _stripes, _polygon])(x, y, rng)
        picture = np.where(inside[..., None], _paint(x, y, rng), picture)
    picture = picture + rng.normal(0, rng.uniform(0, 8), picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _paint(x, y, rng):
    """A colour that changes slowly: array `(size, size, 3)`."""
    slope = rng.uniform(-60, 60, (2, 3))
    return rng.uniform(0, 255, 3) + x[..., None] * slope[0] + y[..., None] * slope[1]


def _turned(x, y, rng):
    """Coordinates about a random point, turned by a random angle."""
    angle = rng.uniform(0, 2 * np.pi)
    x, y = x - rng.uniform(0, 1), y - rng.uniform(0, 1)
    return x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)


def _disc(x, y, rng):
    x, y = _turned(x, y, rng)
    return np.hypot(x / rng.uniform(0.05, 0.3), y / rng.uniform(0.05, 0.3)) < 1


def _stripes(x, y, rng):
    x, y = _turned(x, y, rng)
    near = (np.abs(x) < rng.uniform(0.1, 0.3)) & (np.abs(y) < rng.uniform(0.1, 0.3))
    return near & (np.mod(x * rng.uniform(4, 16), 1) < 0.5)


def _polygon(x, y, rng):
    """Where a few half planes meet."""
    x, y = _turned(x, y, rng)
    angles = np.linspace(0, 2 * np.pi, rng.integers(3, 7), endpoint=False)
    sides = [x * np.cos(angle) + y * np.sin(angle) < rng.uniform(0.05, 0.25) for angle in angles]
    return np.all(sides, axis=0)


def photographs(path, size):
    """Photographs, cut to squares.

    Args:
        path: of the wheel.
        size: int, height and width in pixels.

    Returns:
        uint8 array `(count, size, size, 3)`.
    """
    from PIL import Image, ImageOps

    found = []
    with zipfile.ZipFile(path) as wheel:
        for name in PHOTOGRAPHS:
            image = Image.open(io.BytesIO(wheel.read(f"skimage/data/{name}"))).convert("RGB")
            found.append(np.asarray(ImageOps.fit(image, (size, size))))
    return np.stack(found)

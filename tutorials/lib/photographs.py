"""Photographs that come in two wheels of PyPI, and crops of them.

    pip download --no-deps scikit-image==0.25.2 foolbox==3.3.4

scikit-image's are in the public domain or CC0, as `skimage/data/_fetchers.py` says of each; foolbox
(MIT) has twenty of ImageNet, the number of whose class stands in their names.
"""

import io
import re
import zipfile

import numpy as np

SKIMAGE = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "motorcycle_left.png",
    "rocket.jpg",
)
_IMAGENET = re.compile(r"foolbox/data/imagenet_(\d+)_(\d+)\.jpg")


def of_skimage(path):
    """The photographs of scikit-image.

    Args:
        path: of the wheel.

    Returns:
        list of `PIL.Image.Image`, red, green and blue.
    """
    with zipfile.ZipFile(path) as wheel:
        return [_image(wheel.read(f"skimage/data/{name}")) for name in SKIMAGE]


def of_imagenet(path):
    """The photographs of ImageNet in foolbox.

    Args:
        path: of the wheel.

    Returns:
        tuple of a list of `PIL.Image.Image`, and a list of the numbers of their classes.
    """
    with zipfile.ZipFile(path) as wheel:
        found = sorted(filter(None, map(_IMAGENET.fullmatch, wheel.namelist())), key=lambda m: m[1])
        return [_image(wheel.read(m[0])) for m in found], [int(m[2]) for m in found]


def _image(content):
    from PIL import Image

    return Image.open(io.BytesIO(content)).convert("RGB")


def crops(images, count, size, rng, *, least=0.35):
    """Parts of photographs, some of them mirrored.

    Args:
        images: list of `PIL.Image.Image`; each gets as many crops.
        count: int, of all crops.
        size: int, height and width of a crop in pixels.
        rng: `np.random.Generator`.
        least: float in (0, 1], the least part of the shorter side that a crop shows.

    Returns:
        uint8 array `(count, size, size, 3)`; the crop number i is of the image i modulo their
        number.
    """
    from PIL import Image

    found = []
    for number in range(count):
        image = images[number % len(images)]
        side = min(image.size) * rng.uniform(least, 1.0)
        left, top = (rng.uniform(0, length - side) for length in image.size)
        box = (left, top, left + side, top + side)
        crop = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box))
        found.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return np.stack(found)

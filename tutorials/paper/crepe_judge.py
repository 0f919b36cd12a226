"""How well files of CREPE hear pitches, and what they weigh."""

import numpy as np
from data import make_spoken_digits
from lib import crepe, spoken_digits
from lib.baselines import float_tflite, int8_tflite
from paper import whole_files

import keras_dc as dc

# Of the generators of tones: training has its own seeds, from 0 on.
VALIDATION_SEED, TEST_SEED = 1001, 1002
COUNT = 1000
# Frames of recordings in which the original is surer of its pitch than this are compared.
SURE = 0.5
# A frame every 30 ms.
HOP = 3 * crepe.RATE_HZ // 100
NEAR_CENTS = (50, 25)


class Judge:
    """The original network's files and answers, and how others compare with them.

    Args:
        original: `keras.Model`, the trained network.
        tested: `tones.Tones`.
        recorded: float32 array `(n, 1024)`, frames of recordings, see `frames_of`.
    """

    def __init__(self, original, tested, recorded):
        self._tested, self._recorded = tested, recorded
        self._num_weights = whole_files.num_weights(original)
        one = of_one(original)
        self.files = {"original": float_tflite(one), "int8": int8_tflite(one)}
        answers = whole_files.outputs(self.files["original"], recorded)
        self._sure = answers.max(axis=1) > SURE
        self._answers = {
            "tones": whole_files.outputs(self.files["original"], tested.frames),
            "recordings": answers[self._sure],
        }

    def accuracy(self, tflite):
        """How well a file hears.

        Args:
            tflite: bytes.

        Returns:
            dict of percents: of the tones, how many pitches are within 50 and 25 cents of the true
            one; of tones and of recordings, how many are as near to what the original says; with
            the number of frames of recordings.
        """
        if tflite == self.files["original"]:
            found = self._answers
        else:
            found = {
                "tones": whole_files.outputs(tflite, self._tested.frames),
                "recordings": whole_files.outputs(tflite, self._recorded[self._sure]),
            }
        heard = {name: crepe.pitch_cents(answers) for name, answers in found.items()}
        original = {name: crepe.pitch_cents(answers) for name, answers in self._answers.items()}
        return {
            "right_percent": _near(heard["tones"], self._tested.cents),
            "as_original_percent": {name: _near(heard[name], original[name]) for name in heard},
            "recorded_frames": int(self._sure.sum()),
        }

    def sizes(self, model, small):
        """What a pruned and shared network's files weigh: see `whole_files.figures`."""
        one = of_one(model)
        return whole_files.figures(
            self._num_weights,
            original=self.files["original"],
            small=small,
            same_weights=float_tflite(one),
            int8=self.files["int8"],
            int8_same_weights=int8_tflite(one),
        )


def _near(cents, expected):
    away = np.abs(cents - expected)
    return {str(near): round(100 * float(np.mean(away < near)), 2) for near in NEAR_CENTS}


def compressed(model):
    """The compressed file of a network, for one frame at a time: bytes."""
    return dc.convert(model, coder="arithmetic", input_signature=(1, crepe.FRAME))


def of_one(model):
    """A copy for one frame at a time."""
    filters = [layer.filters for layer in model.layers if hasattr(layer, "filters")]
    copy = crepe.network(tuple(filters), batch_size=1)
    copy.set_weights(model.get_weights())
    return copy


def recordings(path, *, index=0):
    """Frames of spoken digits, as `crepe.network` takes them.

    Args:
        path: pathlib.Path of the free-spoken-digit-dataset, see `data.make_spoken_digits`.
        index: int, which recording of each speaker and digit.

    Returns:
        float32 array `(n, 1024)`.
    """
    read = make_spoken_digits.from_folder if path.is_dir() else make_spoken_digits.from_arrays
    sounds = [samples for *_, number, samples in read(path) if number == index]
    return np.concatenate([frames_of(twice_as_dense(sound)) for sound in sounds])


def twice_as_dense(samples):
    """A sound of 8 kHz at 16 kHz: array of twice the length, with no frequency above 4 kHz."""
    assert crepe.RATE_HZ == 2 * spoken_digits.RATE_HZ
    return np.fft.irfft(2 * np.fft.rfft(samples), 2 * len(samples))


def frames_of(sound):
    """The frames of a sound at 16 kHz, one every 30 ms, normalized.

    Args:
        sound: array `(samples,)`.

    Returns:
        float32 array `(n, 1024)`; empty if the sound is shorter than a frame.
    """
    if len(sound) < crepe.FRAME:
        return np.empty((0, crepe.FRAME), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, crepe.FRAME)[::HOP]
    return crepe.normalized(frames.astype(np.float64))

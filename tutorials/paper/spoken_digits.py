"""Spoken digits: a depthwise-separable CNN and a GRU, with heard and with unheard speakers.

    cd tutorials && python -m paper.spoken_digits [--networks ..] [--seeds ..] [--speakers ..]

Each run trains one network and makes it small. With a seed, it learns from the recordings of all
six speakers with an index of 5 and more and is tested on the 300 others, as is the custom. With a
speaker, it learns from the five others, and is tested on all 500 recordings of the one that it
never heard ("unheard"), and on the other five's test part ("heard"). Densities come from a few
tries on recordings with an index from 5 to 9, which `--validate` holds out; the test part was not
looked at before. Figures go to a JSON file; a run that is there is not done again.
"""

import dataclasses
import functools
import pathlib

import keras
import numpy as np
from keras import layers
from lib import spoken_digits
from lib.spoken_digits import BANDS, FRAMES
from paper import results_file, run_arguments, small_tasks

RESULTS = pathlib.Path(__file__).parent / "results" / "spoken_digits.json"
SEEDS = (0, 1, 2)
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
BATCH_SIZE = 64
TEST_INDICES, VALIDATION_INDICES = 5, 10


def ds_cnn():
    """Depthwise-separable convolutions over time; bands are channels."""

    def normalized(x):
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    picture = keras.Input((FRAMES, BANDS), name="picture")
    x = layers.Conv1D(96, 5, 2, padding="same", use_bias=False)(picture)
    for filters, strides in [(128, 1), (160, 2), (160, 1)]:
        x = layers.DepthwiseConv1D(5, strides, padding="same", use_bias=False)(normalized(x))
        x = layers.Conv1D(filters, 1, use_bias=False)(x)
    logits = layers.Dense(10)(layers.GlobalAveragePooling1D()(normalized(x)))
    return keras.Model(picture, logits, name="ds_cnn")


def gru():
    """One recurrent layer that reads two frames at a time."""
    picture = keras.Input((FRAMES, BANDS), name="picture")
    x = layers.GRU(128)(layers.Reshape((FRAMES // 2, 2 * BANDS))(picture))
    return keras.Model(picture, layers.Dense(10)(x), name="gru")


NETWORKS = {
    "ds_cnn": (ds_cnn, small_tasks.Settings(density=0.2, rate_weight=0.004)),
    "gru": (
        gru,
        small_tasks.Settings(
            density=0.08, epochs=(40, 50, 20), learning_rate=4e-3, jit_compile=True
        ),
    ),
}


def warped(pictures, rng):
    """Pictures stretched by up to a fifth, moved by up to 4 frames and 1 band, and partly hidden.

    Args:
        pictures: float32 array `(n, FRAMES, BANDS)` in [0, 1].
        rng: `np.random.Generator`.

    Returns:
        float32 array of the same shape.
    """
    count = len(pictures)
    stretch = np.exp(rng.uniform(-0.2, 0.2, (count, 1)))
    frames = (
        (np.arange(FRAMES) - FRAMES / 2) * stretch + FRAMES / 2 + rng.uniform(-4, 4, (count, 1))
    )
    bands = np.arange(BANDS) + rng.integers(-1, 2, (count, 1))
    frames = np.rint(frames).astype(int)
    silent = (frames < 0) | (frames >= FRAMES)
    frames, bands = np.clip(frames, 0, FRAMES - 1), np.clip(bands, 0, BANDS - 1)
    moved = pictures[np.arange(count)[:, None, None], frames[:, :, None], bands[:, None, :]]
    moved = np.where(silent[:, :, None], 0, moved)
    moved = np.clip(moved + (moved > 0) * rng.uniform(-0.1, 0.1, (count, 1, 1)), 0, 1)
    for axis, length in [(1, 6), (2, 4)]:
        size = moved.shape[axis]
        begin = rng.integers(0, size - length, (count, 1))
        places = np.arange(size)
        hidden = (places >= begin) & (places < begin + rng.integers(0, length + 1, (count, 1)))
        moved *= np.expand_dims(~hidden, 3 - axis)
    return moved.astype(np.float32)


def parts(data, *, speaker=None, validate=False):
    """What a run learns from, and what it is tested on.

    Args:
        data: `spoken_digits.SpokenDigits`, all of it.
        speaker: str, whom it never hears, or None.
        validate: bool, whether to hold out the recordings that settings are chosen on.

    Returns:
        (SpokenDigits, dict from names to (inputs, labels)).
    """
    is_unheard = data.speaker == speaker
    first = VALIDATION_INDICES if validate else TEST_INDICES
    held_out = (data.index < first) & (data.index >= first - TEST_INDICES)
    tests = {"heard": held_out & ~is_unheard}
    if speaker:
        tests["unheard"] = is_unheard & (data.index >= first - TEST_INDICES)
    chosen = {name: data.where(one) for name, one in tests.items()}
    learned = data.where((data.index >= first) & ~is_unheard)
    return learned, {name: (one.x, one.y) for name, one in chosen.items()}


def run(network, data, *, seed, speaker=None, validate=False, **changes):
    """One run: dict of figures.

    Args:
        network: str, a key of `NETWORKS`.
        data: `spoken_digits.SpokenDigits`, all of it.
        seed: int.
        speaker: see `parts`.
        validate: see `parts`.
        **changes: of the network's `small_tasks.Settings`.
    """
    build, settings = NETWORKS[network]
    learned, tests = parts(data, speaker=speaker, validate=validate)
    settings = dataclasses.replace(settings, **changes)
    batches = small_tasks.Batches(learned.x, learned.y, BATCH_SIZE, seed, warped)
    figures = small_tasks.run(build, batches, settings, tests, seed=seed)
    return {"network": network, "unheard_speaker": speaker, **figures}


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--speakers", nargs="*", choices=SPEAKERS, default=SPEAKERS)
    arguments = run_arguments.parse(parser)
    changes = run_arguments.changes(arguments)
    data, results = spoken_digits.load(), results_file.ResultsFile(arguments.output)
    cases = [(seed, None) for seed in arguments.seeds]
    cases += [(0, speaker) for speaker in arguments.speakers]
    for network in arguments.networks:
        for seed, speaker in cases:
            name = " ".join([network, speaker or f"seed {seed}", *arguments.set])
            options = {"seed": seed, "speaker": speaker, "validate": arguments.validate}
            results.add(name, functools.partial(run, network, data, **options, **changes))


if __name__ == "__main__":
    main()

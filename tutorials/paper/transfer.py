"""Transfer: does a compressed network learn another task, and does its structure carry over?

    cd tutorials && python -m paper.transfer [--sources mnist fashion_mnist] [--seeds 0 1 2]

A LeNet-5 of half the width learns one data set, the source, and is moved to the other, the target.
MNIST is in the repository; for Fashion-MNIST see `lib.fashion_mnist`. Each run has all of these:

- "dense", on the source and fine-tuned on the target;
- "compressed" on the source;
- that, fine-tuned on the target by its centroids alone ("centroids"): which weight is zero and
  which weights are equal stays as it was, and so do the bytes that say so;
- that, fine-tuned on the target within its masks ("masks"): zeros stay zero and the kernels have as
  few values, but weights may move to another centroid;
- both once more on the source ("... and back");
- the dense network that was fine-tuned on the target, then compressed there ("fine-tuned, then
  compressed").

Errors are those of the files in the interpreter, on both test sets. Settings were not searched;
`--validate` tests on the last 10,000 training images for who wants to. Figures go to a JSON file;
a run that is there is not done again.
"""

import dataclasses
import pathlib
import time

import keras
import numpy as np
from keras import layers
from lib import fashion_mnist, mnist
from lib.baselines import float_tflite
from paper import results_file, run_arguments, small_tasks
from paper.sizes import interpreter_error

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "transfer.json"
SOURCES = {"mnist": mnist.load, "fashion_mnist": fashion_mnist.load}
SEEDS = (0, 1, 2)
BATCH_SIZE = 64
# What each training learns from: the first ones. All 60,000 would take three times as long.
IMAGES, VALIDATION = 20_000, 10_000
NUM_CLUSTERS, NUM_BIAS_CLUSTERS = 16, 16


@dataclasses.dataclass(frozen=True)
class Settings(small_tasks.Settings):
    """Of the trainings of `small_tasks`, and how long a network is fine-tuned.

    Attributes:
        fine_tuning: tuple of three ints, epochs: dense, centroids alone, within the masks.
        centroid_rate: float, the learning rate where only centroids learn.
    """

    fine_tuning: tuple = (4, 4, 5)
    centroid_rate: float = 4e-3


SETTINGS = Settings(density=0.04, num_clusters=NUM_CLUSTERS, epochs=(6, 8, 5), learning_rate=2e-3)


def network():
    """LeNet-5 with half the filters and units: 145,000 weights."""
    image = keras.Input((28, 28, 1), name="image")
    x = image
    for filters in (16, 32):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 5, activation="relu")(x))
    x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10)(x), name="small_lenet_5")


class Runner:
    """The trainings of one run.

    Args:
        source, target: `Mnist` with a channel.
        settings: Settings.
        seed: int.
        count: int, of the training images to learn from, the first ones.
    """

    def __init__(self, source, target, settings, seed, count):
        self._settings = settings
        self._data = {"source": source, "target": target}
        self._batches = {
            name: small_tasks.Batches(data.x_train[:count], data.y_train[:count], BATCH_SIZE, seed)
            for name, data in self._data.items()
        }

    def dense(self, seed):
        """A dense network that learned the source."""
        return small_tasks.train_dense(network, self._batches["source"], self._settings, seed=seed)

    def fine_tuned(self, dense):
        """A copy of a dense network that went on learning on the target."""
        copy = keras.models.clone_model(dense)
        copy.set_weights(dense.get_weights())
        settings = self._settings
        epochs, rate = settings.fine_tuning[0], settings.learning_rate / 2
        small_tasks.train(copy, self._batches["target"], epochs, rate, settings)
        return copy

    def compressed(self, dense, part):
        """What pruning and sharing on the source or the target make of a network."""
        return small_tasks.compress(dense, self._batches[part], self._settings)

    def by_centroids(self, plain, part):
        """A compressed network after its centroids, and nothing else, learned a part."""
        settings = self._settings
        # As many centroids as there are values: k-means finds these, whatever they are.
        shared = dc.share_weights(
            plain, NUM_CLUSTERS, num_bias_clusters=NUM_BIAS_CLUSTERS, float16_exact=True
        )
        epochs, rate = settings.fine_tuning[1], settings.centroid_rate
        small_tasks.train(shared, self._batches[part], epochs, rate, settings, decay=0.0)
        return dc.strip(shared)

    def within_masks(self, plain, part):
        """A compressed network after its kept weights learned a part, shared all the time."""
        settings, batches = self._settings, self._batches[part]
        epochs = settings.fine_tuning[2]
        total = epochs * len(batches)
        frequency = min(small_tasks.UPDATE_FREQUENCY, total)
        shared = dc.share_weights(
            plain,
            NUM_CLUSTERS,
            num_bias_clusters=NUM_BIAS_CLUSTERS,
            reassign_frequency=frequency,
            freeze_step=max(frequency, int(0.7 * total)),
        )
        callbacks = [dc.WeightSharingCallback()]
        small_tasks.train(
            shared, batches, epochs, settings.learning_rate, settings, callbacks, decay=0.0
        )
        return dc.strip(shared, float16_exact=True)

    def row(self, model, tests, *, is_dense=False):
        """Errors on both tests, bytes and kept weights of a network's file."""
        signature = (1, *model.input_shape[1:])
        if is_dense:
            file = float_tflite(small_tasks.of_one(model))
        else:
            file = dc.convert(model, coder="arithmetic", input_signature=signature)
        kernels = small_tasks.kernels_of(model)
        return {
            "error_percent": {
                name: round(interpreter_error(file, *test), 2) for name, test in tests.items()
            },
            "bytes": len(file),
            "kept_weights": int(sum(map(np.count_nonzero, kernels))),
        }


def run(source, target, settings, *, seed, count=IMAGES, validate=False):
    """One run: dict of figures.

    Args:
        source: `Mnist`.
        target: `Mnist`.
        settings: Settings.
        seed: int.
        count: int, of the training images to learn from, the first ones.
        validate: bool, whether to test on the training images that settings are chosen on.
    """
    start = time.monotonic()
    source, target = source.with_channel(), target.with_channel()
    held_out = slice(-VALIDATION, None)
    tests = {
        name: (data.x_train[held_out], data.y_train[held_out])
        if validate
        else (data.x_test, data.y_test)
        for name, data in [("source", source), ("target", target)]
    }
    runner = Runner(source, target, settings, seed, count)
    dense = runner.dense(seed)
    fine_tuned = runner.fine_tuned(dense)
    plain = runner.compressed(dense, "source")
    rows = {
        "dense": runner.row(dense, tests, is_dense=True),
        "dense, fine-tuned": runner.row(fine_tuned, tests, is_dense=True),
        "compressed": runner.row(plain, tests),
    }
    for name, learn in [("centroids", runner.by_centroids), ("masks", runner.within_masks)]:
        moved = learn(plain, "target")
        rows[name] = runner.row(moved, tests)
        rows[f"{name} and back"] = runner.row(learn(moved, "source"), tests)
    small = runner.compressed(fine_tuned, "target")
    rows["fine-tuned, then compressed"] = runner.row(small, tests)
    return {
        "seed": seed,
        "rows": rows,
        "settings": dataclasses.asdict(settings),
        "seconds": round(time.monotonic() - start),
    }


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--sources", nargs="*", choices=SOURCES, default=list(SOURCES))
    arguments = run_arguments.parse(parser)
    settings = run_arguments.changed(SETTINGS, arguments)
    results = results_file.ResultsFile(arguments.output)
    data = {name: load() for name, load in SOURCES.items()}
    for seed in arguments.seeds:
        for source in arguments.sources:
            [target] = set(SOURCES) - {source}
            results.add(
                " ".join([source, f"seed {seed}", *arguments.set]),
                lambda source=source, target=target, seed=seed: {
                    "source": source,
                    "target": target,
                    **run(
                        data[source],
                        data[target],
                        settings,
                        seed=seed,
                        validate=arguments.validate,
                    ),
                },
            )


if __name__ == "__main__":
    main()

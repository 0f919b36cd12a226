"""Fashion-MNIST: networks like VGG, MobileNet and Inception, as small as they get without loss.

    cd tutorials && python -m paper.fashion_mnist [--networks ..] [--densities ..] [--seeds ..]

Each run makes one network small with one seed, and reads the test set once: errors are those of
files in the TFLite interpreter, one image at a time. Dense networks and what they say of the
images are made first and kept beside the output of tutorials; `--dense-only` makes nothing else.
With `--train-only` runs stop where TensorFlow is needed, and the same command without it goes
on, anywhere. Files and figures go to `results/fashion_mnist/`; a run that is there is not done
again. `--validate` learns from the first 50,000 images and is tested on the other training images;
`--set` takes names of `fashion_training.Small`, and of `fashion_training.Dense` behind "dense_".
"""

import dataclasses
import itertools
import json
import os
import pathlib

import numpy as np
from lib import fashion_mnist, machine
from lib.tutorial import OUTPUT
from paper import fashion_training, run_arguments
from paper.fashion_networks import NETWORKS
from paper.kept_models import kept

RESULTS = pathlib.Path(__file__).parent / "results" / "fashion_mnist"
SEEDS = (0, 1, 2)
DENSITIES = {
    "vgg": (0.0585,),
    "mobilenet": (0.33,),
    "inception": (0.1,),
}


class Runner:
    """Trainings whose results are kept in a folder.

    Args:
        data: `lib.mnist.Mnist`, images `(n, 28, 28)`.
        folder: pathlib.Path.
        count: int, of the training images to learn from, the first ones.
        dense_settings: `fashion_training.Dense`.
        dense_name: str, of these settings, part of the names of files.
    """

    def __init__(self, data, folder, count, dense_settings, dense_name=""):
        self._folder, self._settings = folder, dense_settings
        self._of_dense = "_".join(filter(None, [dense_name, str(count)]))
        self._views = fashion_training.Views(data.x_train[:count])
        self._labels = data.y_train[:count]

    def dense(self, network, seed):
        """A dense network, and how it was trained: see `kept_models.kept`."""

        def train():
            batches = fashion_training.ViewBatches(
                self._views, self._labels, self._settings.batch_size, seed=seed
            )
            return fashion_training.train_dense(network, self._settings, batches, seed=seed)

        return kept(self._folder / f"dense_{network}_{self._of_dense}_seed{seed}.keras", train)

    def logits(self, network, seed):
        """What a dense network says of all views, see `fashion_training.logits_of`."""
        path = self._folder / f"logits_{network}_{self._of_dense}_seed{seed}.npy"
        if not path.exists():
            logits = fashion_training.logits_of(self.dense(network, seed)[0], self._views)
            part = path.with_suffix(f".{os.getpid()}.npy")
            np.save(part, logits)
            os.replace(part, path)
        return np.load(path)

    def small(self, settings, name, seed):
        """A network made small, and how it was trained: see `kept_models.kept`.

        Args:
            settings: `fashion_training.Small`.
            name: str, of the run.
            seed: int.
        """

        def train():
            logits = [self.logits(teacher, seed) for teacher in settings.teachers]
            batches = fashion_training.ViewBatches(
                self._views,
                self._labels,
                settings.batch_size,
                seed=1000 + seed,
                logits=np.mean(logits, axis=0, dtype=np.float32) if logits else None,
            )
            dense, _ = self.dense(settings.network, seed)
            return fashion_training.make_small(dense, settings, batches, seed=seed)

        return kept(self._folder / f"{name}.keras", train)


def judge(runner, settings, name, seed, test):
    """Convert a network and measure it before and after.

    Args:
        runner: Runner.
        settings: `fashion_training.Small`.
        name: str, of the run.
        seed: int.
        test: (inputs, labels).

    Returns:
        (dict of figures, bytes of the compressed file).
    """
    # They need TensorFlow.
    from paper import small_tasks

    (dense, dense_training), (plain, training) = (
        runner.dense(settings.network, seed),
        runner.small(settings, name, seed),
    )
    files = small_tasks.files_of(dense, plain)
    figures = {
        "network": settings.network,
        "density": settings.density,
        "seed": seed,
        **small_tasks.figures(dense, plain, files, {"test": test}),
        "settings": dataclasses.asdict(settings),
        "dense_training": dense_training,
        "training": training,
        "cpu": machine.cpu_name(),
        "versions": machine.versions(),
    }
    return figures, bytes(files["small"])


def keras_error(model, test):
    """Error in percent of a Keras model: float."""
    x, y = test
    logits = model.predict(x, batch_size=1000, verbose=0)
    return 100 * float(np.mean(np.argmax(logits, axis=-1) != y))


def parts(data, *, validate):
    """How many images to learn from, and what to test on: (int, (inputs, labels))."""
    data = data.with_channel()
    if validate:
        count = 5 * len(data.x_train) // 6
        return count, (data.x_train[count:], data.y_train[count:])
    return len(data.x_train), (data.x_test, data.y_test)


def folder():
    """Where trained networks are kept, beside the output of tutorials: pathlib.Path."""
    return pathlib.Path(os.environ.get(OUTPUT) or "tutorial_output") / "fashion_mnist"


def small_settings(network, density, **changes):
    """`fashion_training.Small` of a network at a density."""
    return dataclasses.replace(fashion_training.SMALL[network], density=density, **changes)


def run_name(network, density, seed):
    """Of a run and of its files."""
    return f"{network}_{density:g}_seed{seed}"


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--densities", nargs="*", type=float, help="in place of the tables'")
    parser.add_argument("--dense-only", action="store_true", help="train dense networks alone")
    parser.add_argument("--train-only", action="store_true", help="convert and judge nothing")
    run_arguments.add_images(parser)
    arguments = run_arguments.parse(parser)
    changes = run_arguments.changes(arguments)
    of_dense = {name: value for name, value in changes.items() if name.startswith("dense_")}
    runner_settings = dataclasses.replace(
        fashion_training.Dense(),
        **{name.removeprefix("dense_"): value for name, value in of_dense.items()},
    )
    data = fashion_mnist.load()
    if arguments.images:
        data = data.first(arguments.images, arguments.images)
    count, test = parts(data, validate=arguments.validate)
    dense_name = "_".join(f"{name}={value}" for name, value in of_dense.items())
    runner = Runner(data, folder(), count, runner_settings, dense_name)
    for network, seed in itertools.product(arguments.networks, arguments.seeds):
        if arguments.dense_only:
            dense, training = runner.dense(network, seed)
            runner.logits(network, seed)
            tell(f"dense {network} seed {seed}", training, dense, test, arguments)
            continue
        for density in arguments.densities or DENSITIES[network]:
            of_small = {name: value for name, value in changes.items() if name not in of_dense}
            settings = small_settings(network, density, **of_small)
            name = run_name(network, density, seed)
            name = "_".join([name, *arguments.set, *["validate"] * arguments.validate])
            if (arguments.output / f"{name}.json").exists():
                continue
            if arguments.train_only:
                plain, training = runner.small(settings, name, seed)
                tell(name, training, plain, test, arguments)
                continue
            figures, tflite = judge(runner, settings, name, seed, test)
            write(arguments.output, name, figures, tflite)
            shown = ("dense_error_percent", "small_error_percent", "compressed_bytes", "ratio")
            print(name, *(f"{key}={figures[key]}" for key in shown), flush=True)


def tell(name, training, model, test, arguments):
    """Print what a training took, and its error if that is no test error."""
    error = f" error={keras_error(model, test):.2f}" if arguments.validate else ""
    print(f"{name} seconds={training['seconds']}{error}", flush=True)


def write(folder, name, figures, tflite):
    """Put the file and the figures of a run into the results."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tflite").write_bytes(tflite)
    part = folder / f"{name}.{os.getpid()}.part"
    part.write_text(json.dumps(figures, indent=1) + "\n")
    os.replace(part, folder / f"{name}.json")


if __name__ == "__main__":
    main()

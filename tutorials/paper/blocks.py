"""What 1x4 blocks along the input channels cost in accuracy, on MNIST and Fashion-MNIST.

    cd tutorials && python -m paper.blocks [--networks ..] [--seeds ..]

Kernels in blocks of four inputs run faster in int8; here is the price. A dense network is trained,
then pruned to the same density with and without `block_size=(4, 1)`, all else equal: by magnitude,
each kernel alone, but the first convolution, which sees one channel. Errors are those of
compressed files in the TFLite interpreter, one image at a time. Settings were not searched.
Figures go to `results/blocks/`, a file a network and seed; a run that is there is not done again.
`--train-only` stops where TensorFlow is needed; the same command without it goes on.
"""

import dataclasses
import functools
import itertools
import os
import pathlib

import keras
from keras import optimizers
from lib import fashion_mnist, fitting, lenet_5, mnist
from lib.tutorial import OUTPUT
from paper import fashion_networks, results_file, run_arguments
from paper.kept_models import kept

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "blocks"
NETWORKS = {
    "lenet_5": (mnist.load, lenet_5.build),
    "small": (fashion_mnist.load, fashion_networks.small),
}
SEEDS = (0, 1, 2)
DENSITIES = (0.25, 0.1)
# By the name of the form: `block_size` of `dc.prune`.
FORMS = {"unstructured": None, "blocks": (4, 1)}
UPDATE_FREQUENCY = 100


@dataclasses.dataclass(frozen=True)
class Settings:
    """How long networks are trained, with Adam.

    Attributes:
        dense_epochs, epochs: ints, of the dense network and of the pruning.
        dense_rate, learning_rate: floats.
        ramp: float, the share of the pruning in which the sparsity rises.
        batch_size: int.
    """

    dense_epochs: int = 2
    epochs: int = 2
    dense_rate: float = 1e-3
    learning_rate: float = 1e-3
    ramp: float = 0.5
    batch_size: int = 128


def train_dense(build, data, settings, seed):
    """A dense network, trained from random weights: `keras.Model`."""
    keras.utils.set_random_seed(seed)
    model = build()
    _fit(model, data, settings.dense_epochs, settings.dense_rate, settings)
    return model


def prune(dense, data, settings, density, block_size):
    """A pruned copy of a network, trained: plain `keras.Model`."""
    steps = settings.epochs * -(-len(data.x_train) // settings.batch_size)
    end_step = max(1, int(settings.ramp * steps))
    pruned = dc.prune(
        dense,
        dc.PolynomialDecay(
            0.0, 1.0 - density, 0, end_step, frequency=min(UPDATE_FREQUENCY, end_step)
        ),
        block_size=block_size,
        leave_out="first",
    )
    callbacks = [dc.PruningCallback()]
    _fit(pruned, data, settings.epochs, settings.learning_rate, settings, callbacks)
    return dc.strip(pruned)


def _fit(model, data, epochs, rate, settings, callbacks=()):
    batches = -(-len(data.x_train) // settings.batch_size)
    model.compile(
        optimizers.Adam(fitting.warm_up_cosine(rate, epochs * batches, 0)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=fitting.steps_at_once(batches, UPDATE_FREQUENCY),
    )
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=settings.batch_size,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
    )


class Runner:
    """Trainings of one network and seed, which are kept in a folder.

    Args:
        network: str, a key of `NETWORKS`.
        data: `lib.mnist.Mnist` with a channel.
        settings: Settings.
        seed: int.
        folder: pathlib.Path.
        name: str, of the settings, part of the names of files.
    """

    def __init__(self, network, data, settings, seed, folder, name=""):
        self._build = NETWORKS[network][1]
        self._data, self._settings, self._seed = data, settings, seed
        self._path = folder / "_".join(filter(None, [network, f"seed{seed}", name]))

    def dense(self):
        """The dense network."""
        return self._kept(
            "dense", lambda: train_dense(self._build, self._data, self._settings, self._seed)
        )

    def pruned(self, form, density):
        """The network pruned to a form, a key of `FORMS`."""

        def train():
            # The same order of images for all forms.
            keras.utils.set_random_seed(1000 + self._seed)
            return prune(self.dense(), self._data, self._settings, density, FORMS[form])

        return self._kept(f"{form}_{density:g}", train)

    def train(self):
        """Train all that is not there."""
        for form, density in itertools.product(FORMS, DENSITIES):
            self.pruned(form, density)

    def figures(self, test):
        """Errors and sizes of all forms: dict.

        Args:
            test: (inputs, labels).
        """
        # They need TensorFlow.
        from paper.sizes import interpreter_error

        models = {"dense": self.dense()}
        for form, density in itertools.product(FORMS, DENSITIES):
            models[f"{form}_{density:g}"] = self.pruned(form, density)
        rows = {}
        for name, model in models.items():
            file = dc.convert(
                model, coder="arithmetic", input_signature=(1, *model.input_shape[1:])
            )
            rows[name] = {
                "error_percent": round(interpreter_error(file, *test), 2),
                "bytes": len(file),
                "kept_percent": round(kept_percent(model), 2),
            }
        return {"seed": self._seed, "rows": rows, "settings": dataclasses.asdict(self._settings)}

    def _kept(self, name, train):
        return kept(self._path.with_name(f"{self._path.name}_{name}.keras"), train)[0]


def kept_percent(model):
    """Weights of pruned kernels that are not zero, in percent."""
    kernels = [layer.get_weights()[0] for layer in model.layers if layer.get_weights()][1:]
    return 100 * sum((kernel != 0).sum() for kernel in kernels) / sum(k.size for k in kernels)


def parts(data, *, validate):
    """What to learn from, and what to test on: (`Mnist`, (inputs, labels))."""
    data = data.with_channel()
    if not validate:
        return data, (data.x_test, data.y_test)
    count = 5 * len(data.x_train) // 6
    return data.first(count, 0), (data.x_train[count:], data.y_train[count:])


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--train-only", action="store_true", help="convert and judge nothing")
    run_arguments.add_images(parser)
    arguments = run_arguments.parse(parser)
    settings = run_arguments.changed(Settings(), arguments)
    folder = pathlib.Path(os.environ.get(OUTPUT) or "tutorial_output") / "blocks"
    of_run = "_".join([*arguments.set, *["validate"] * arguments.validate])
    for network in arguments.networks:
        data = NETWORKS[network][0]()
        if arguments.images:
            data = data.first(arguments.images, arguments.images)
        learned, test = parts(data, validate=arguments.validate)
        for seed in arguments.seeds:
            runner = Runner(network, learned, settings, seed, folder, of_run)
            if arguments.train_only:
                runner.train()
                print(f"{network} seed {seed} is trained", flush=True)
                continue
            results = results_file.ResultsFile(arguments.output / f"{network}_seed{seed}.json")
            name = " ".join([network, f"seed {seed}", *arguments.set])
            results.add(name, functools.partial(runner.figures, test))


if __name__ == "__main__":
    main()

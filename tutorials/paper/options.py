"""What each option buys: error and bytes with it and without, on two trained networks.

    cd tutorials && python -m paper.options [--networks ..] [--variants ..] [--train-only]

LeNet-5 and a small MobileNet on MNIST, as the images are. The base is the plain way: each layer at
the same sparsity, by magnitude, no weight returns; then 16 values a layer, linear at first, and
trained; coded arithmetically. Each variant changes what its name says. Figures of all runs go to
`results/options.json`; a run that is there is not done again. The tables are printed.
`--train-only`: see `kept_models`.
"""

import dataclasses
import functools
import hashlib
import math
import pathlib
import re
import statistics

import keras
import numpy as np
from lib import fitting, lenet_5, mnist
from paper import (
    kept_models,
    mnist_images,
    mnist_training,
    paper_tables,
    results_file,
    run_arguments,
)
from paper.deep_compress import small_mobilenet
from paper.sizes import interpreter_error

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "options.json"
BATCH_SIZE = 128
# Of updates of masks and assignments, in steps.
FREQUENCY = 39
SEEDS = (0, 1, 2)


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, and how long it is trained.

    Attributes:
        build: callable that returns a `keras.Model` of images `(28, 28, 1)`.
        sparsity: float, such that one weight of `group_size` stays.
        group_size: int.
        epochs: dict with the ints "dense", "pruned" and "shared".
        dtype: str, policy of the training.
    """

    build: object
    sparsity: float
    group_size: int
    epochs: dict
    dtype: str = "mixed_bfloat16"


def lenet_5_with_dropout():
    """LeNet-5 that drops half of what the last layer reads while it learns."""
    plain = lenet_5.build(name="lenet_5_with_dropout")
    *body, last = plain.layers
    return keras.Sequential([keras.Input((28, 28, 1)), *body, keras.layers.Dropout(0.5), last])


NETWORKS = {
    "LeNet-5": Network(lenet_5.build, 15 / 16, 16, {"dense": 8, "pruned": 10, "shared": 4}),
    "LeNet-5, Dropout": Network(
        lenet_5_with_dropout, 15 / 16, 16, {"dense": 8, "pruned": 10, "shared": 4}
    ),
    "small MobileNet": Network(small_mobilenet, 3 / 4, 4, {"dense": 6, "pruned": 6, "shared": 3}),
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """What is done otherwise than in the base.

    Attributes:
        prune: dict, arguments of `dc.prune`; "group_size" without a value is the network's,
            "schedule" is "sensitivity" for targets by layer.
        share: dict, arguments of `dc.share_weights`.
        fold: bool, whether BatchNormalization is folded before.
        keeps_dead_units: bool.
        float16_exact: bool, see `dc.strip`.
        coder: str, of the file.
        teacher: bool, whether the dense network is heard.
        less_dropout: bool, whether `dc.training.rescale_dropout` comes before the sharing.
    """

    prune: dict = dataclasses.field(default_factory=dict)
    share: dict = dataclasses.field(default_factory=dict)
    fold: bool = False
    keeps_dead_units: bool = False
    float16_exact: bool = False
    coder: str = "arithmetic"
    teacher: bool = False
    less_dropout: bool = False


_REGROWS = {"straight_through": True}
_RATE = {"rate_weight": 0.01}
_AGAIN = {**_RATE, "reassign_frequency": FREQUENCY}
VARIANTS = {
    "base": Variant(),
    "global_threshold": Variant({"global_threshold": True}),
    "straight_through": Variant(_REGROWS),
    "regrow_fraction=0.3": Variant({"regrow_fraction": 0.3}),
    "rate_aware": Variant({"rate_aware": True}),
    "straight_through, global_threshold": Variant({**_REGROWS, "global_threshold": True}),
    "the same, rate_aware": Variant({**_REGROWS, "global_threshold": True, "rate_aware": True}),
    "targets of sensitivity": Variant({"schedule": "sensitivity"}),
    "block_size=(4, 1)": Variant({"block_size": (4, 1)}),
    "group_size": Variant({"group_size": None}),
    "a teacher": Variant(teacher=True),
    "initialization='density'": Variant(share={"initialization": "density"}),
    "initialization='kmeans++'": Variant(share={"initialization": "kmeans++"}),
    "initialization='forgy'": Variant(share={"initialization": "forgy"}),
    "num_bias_clusters=8": Variant(share={"num_bias_clusters": 8}),
    "rate_weight=0.01": Variant(share=_RATE),
    "the same, reassign_frequency=39": Variant(share=_AGAIN),
    "the same, coder='arithmetic'": Variant(share={**_AGAIN, "coder": "arithmetic"}),
    "float16_exact": Variant(float16_exact=True),
    "fold_batch_norm": Variant(fold=True),
    "rescale_dropout": Variant(less_dropout=True),
    "dead units kept": Variant(keeps_dead_units=True),
    "Huffman codes": Variant(coder="huffman"),
}


def variants_of(network):
    """The names of the variants that a network has; of one with Dropout only what concerns it."""

    def has(kind):
        return any(isinstance(layer, kind) for layer in network.layers)

    if has(keras.layers.Dropout):
        return ["base", "rescale_dropout"]
    unfit = {"rescale_dropout"}
    if not has(keras.layers.BatchNormalization):
        unfit.add("fold_batch_norm")
    return [name for name in VARIANTS if name not in unfit]


class Bench:
    """One network with one seed: what several variants share is trained once.

    Args:
        network: `Network`.
        data: `mnist.Mnist` with a channel.
        seed: int.
        folder: pathlib.Path, where trained models are kept.
    """

    def __init__(self, network, data, seed, folder):
        self._network, self._data, self._seed, self._folder = network, data, seed, folder
        self._steps = -(-len(data.x_train) // BATCH_SIZE)

    @functools.cached_property
    def dense(self):
        """The trained network."""
        return kept_models.kept(self._folder / "dense.keras", self._trained_dense)[0]

    def _trained_dense(self):
        keras.utils.set_random_seed(self._seed)
        model = mnist_training.with_dtype(self._network.build(), self._network.dtype)
        return self._fit(model, "dense")

    @functools.cached_property
    def _logits(self):
        return self.dense.predict(self._data.x_train, batch_size=500, verbose=0)

    def _fit(self, model, stage, *, callbacks=(), teacher=False):
        epochs = self._network.epochs[stage]
        schedule = keras.optimizers.schedules.CosineDecay(1e-3, epochs * self._steps)
        targets, loss = self._data.y_train, keras.losses.SparseCategoricalCrossentropy(True)
        if teacher:
            targets = dc.training.distillation_targets(targets, self._logits)
            loss = dc.training.DistillationLoss()
        model.compile(
            keras.optimizers.Adam(schedule),
            loss,
            steps_per_execution=fitting.steps_at_once(self._steps, FREQUENCY),
        )
        keras.utils.set_random_seed(self._seed)
        model.fit(
            self._data.x_train, targets, batch_size=BATCH_SIZE, epochs=epochs, verbose=0,
            callbacks=list(callbacks),
        )  # fmt: skip
        return model

    def _pruned(self, options, teacher):
        """The plain model, pruned: variants that prune alike share it."""
        text = repr((sorted(options.items()), teacher)).encode()
        path = self._folder / f"pruned_{hashlib.sha256(text).hexdigest()[:12]}.keras"
        return kept_models.kept(path, lambda: self._trained_pruned(dict(options), teacher))[0]

    def _trained_pruned(self, options, teacher):
        if "group_size" in options:
            options["group_size"] = self._network.group_size
        total = self._network.epochs["pruned"] * self._steps
        if options.get("straight_through") or "regrow_fraction" in options:
            options["freeze_step"] = int(0.75 * total)
        schedule = self._schedules(options.pop("schedule", None), int(0.6 * total))
        pruned = dc.prune(self.dense, schedule, **options)
        return dc.strip(
            self._fit(pruned, "pruned", callbacks=[dc.PruningCallback()], teacher=teacher)
        )

    def _schedules(self, kind, end_step):
        def decay(sparsity):
            return dc.PolynomialDecay(0.0, sparsity, 0, end_step, frequency=FREQUENCY)

        if kind is None:
            return decay(self._network.sparsity)
        return {pattern: decay(sparsity) for pattern, sparsity in self._targets().items()}

    def _targets(self):
        """Targets by layer that keep as many weights as the same sparsity everywhere."""
        model = mnist_training.with_dtype(self.dense, "float32")
        x, y = self._data.x_train[-5000:], self._data.y_train[-5000:]
        model.compile(loss=keras.losses.SparseCategoricalCrossentropy(True), metrics=["accuracy"])
        scan = dc.training.sensitivity(
            model, (x, y), metric="accuracy", higher_is_better=True, verbose=0
        )
        sizes = {
            f"^{re.escape(layer.name)}$": math.prod(layer.kernel.shape)
            for layer in model.layers
            if hasattr(layer, "kernel")
        }

        def distance(targets):
            pruned = sum(sparsity * sizes[pattern] for pattern, sparsity in targets.items())
            return abs(pruned / sum(sizes.values()) - self._network.sparsity)

        # From a loss that some layer tolerates at its least sparsity.
        least = min(float(np.min(scan.loss_of(name)[:1])) for name in scan.values)
        losses = max(least, 0.0) + np.geomspace(1e-4, 0.9, 60)
        return min((scan.targets(loss) for loss in losses), key=distance)

    def trained(self, name):
        """The network of a variant, and how it was trained, see `kept_models.kept`."""
        path = self._folder / f"variant_{re.sub(r'[^a-z0-9.]+', '_', name.lower())}.keras"
        return kept_models.kept(path, lambda: self._trained_variant(VARIANTS[name]))

    def _trained_variant(self, variant):
        model = self._pruned(variant.prune, variant.teacher)
        if not variant.keeps_dead_units:
            model = dc.remove_dead_units(model)
        if variant.less_dropout:
            model = dc.training.rescale_dropout(model)
        if variant.fold:
            model = dc.training.fold_batch_norm(model)
        total = self._network.epochs["shared"] * self._steps
        share = dict(variant.share)
        callbacks = []
        if "reassign_frequency" in share:
            share["reassign_frequency"] = min(share["reassign_frequency"], total)
            share["freeze_step"] = max(share["reassign_frequency"], int(0.7 * total))
            callbacks = [dc.WeightSharingCallback()]
        shared = dc.share_weights(model, 16, seed=self._seed, **share)
        self._fit(shared, "shared", callbacks=callbacks, teacher=variant.teacher)
        plain = dc.strip(shared, float16_exact=variant.float16_exact)
        return mnist_training.with_dtype(plain, "float32")

    def judged(self, name, of_run):
        """Error in percent and bytes of a variant's file: dict, with what `of_run` says."""
        plain, training = self.trained(name)
        tflite = dc.convert(plain, coder=VARIANTS[name].coder, input_signature=(1, 28, 28, 1))
        rows = [row for row in dc.inspect(tflite) if row.role == "weights"]
        error = interpreter_error(tflite, self._data.x_test, self._data.y_test)
        return {
            **of_run,
            "error_percent": round(error, 2),
            "compressed_bytes": len(tflite),
            "kept_weights": sum(row.blob.num_kept for row in rows),
            "dense_error_percent": self._dense_error,
            "training": training,
        }

    @functools.cached_property
    def _dense_error(self):
        found = self.dense.predict(self._data.x_test, batch_size=500, verbose=0).argmax(axis=1)
        return round(100 * float(np.mean(found != self._data.y_test)), 2)


def measure(name, data, seed, results, folder, *, variants=None, network=None, train_only=False):
    """Do the variants of a network and a seed that are not there yet.

    Args:
        name: str, of the network.
        data: `mnist.Mnist` with a channel.
        seed: int.
        results: `results_file.ResultsFile`.
        folder: pathlib.Path, where trained models are kept.
        variants: list of str, names; None: all.
        network: `Network`, in place of that of the name.
        train_only: bool, see `kept_models`.
    """
    network = network or NETWORKS[name]
    of_network = folder / f"{name.replace(' ', '_')}_seed{seed}"
    bench = Bench(network, data, seed, of_network)
    has = variants_of(network.build())
    for variant in variants or has:
        key = f"{name}, seed {seed}: {variant}"
        if variant not in has or key in results.runs:
            continue
        if train_only:
            bench.trained(variant)
        else:
            of_run = {"network": name, "variant": variant, "seed": seed}
            results.add(key, functools.partial(bench.judged, variant, of_run))


def table(runs, network_name):
    """Means of all seeds, and how far they are from the base: list of lines."""
    lines, base = [], None
    for name in VARIANTS:
        of_variant = [
            run for run in runs if (run["network"], run["variant"]) == (network_name, name)
        ]
        if not of_variant:
            continue
        error, size, kept = (
            statistics.mean(run[key] for run in of_variant)
            for key in ("error_percent", "compressed_bytes", "kept_weights")
        )
        base = base or (error, size)
        errors = [run["error_percent"] for run in of_variant]
        lines.append(
            [
                name,
                f"{error:.2f} %",
                f"{min(errors):.2f}, {max(errors):.2f}",
                f"{error - base[0]:+.2f}",
                f"{size:,.0f}",
                f"{100 * (size / base[1] - 1):+.1f} %",
                f"{kept:,.0f}",
            ]
        )
    heads = ["variant", "error", "from, to", "points", "bytes", "to the base", "kept weights"]
    return paper_tables.table(heads, lines)


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, metavar="NAME")
    parser.add_argument("--train-only", action="store_true")
    arguments = run_arguments.parse(parser)
    data, results = mnist.load().with_channel(), results_file.ResultsFile(arguments.output)
    folder = mnist_images.folder() / "options"
    for name in arguments.networks:
        network = run_arguments.changed(NETWORKS[name], arguments)
        for seed in arguments.seeds:
            measure(
                name, data, seed, results, folder, network=network,
                variants=arguments.variants, train_only=arguments.train_only,
            )  # fmt: skip
    runs = list(results.runs.values())
    for name in {run["network"]: None for run in runs}:
        print(f"\n{name}\n", *table(runs, name), sep="\n")


if __name__ == "__main__":
    main()

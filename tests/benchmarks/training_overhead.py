"""Time of a training step, pruned and shared, as a ratio to that of the plain model.

    python tests/benchmarks/training_overhead.py [--backend jax] [--tfmot-python PYTHON]

LeNet-5 and an MLP of three layers of 2048, batches of 128, `model.fit` with the
callbacks as users give them. The plain and the wrapped models train in one process, one
step each by turns, so that other load on the machine slows all of them alike: each round
gives one ratio, and the median counts. Masks move every 100 steps: a hundredth of what the one step
with an update took longer is added. TensorFlow Model Optimization does the same in a
process of its own, with its Keras 2 and its own plain models: in the interpreter of
--tfmot-python, or in this one if it is installed there.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time

import numpy as np

BATCH_SIZE = 128
WARM_UP_STEPS = 5
UPDATE_EVERY = 100
STEPS = UPDATE_EVERY + WARM_UP_STEPS
NUM_CLUSTERS = 32
CLASSES = 10
MODELS = {"LeNet-5": (28, 28, 1), "MLP 3x2048": (784,)}


def build(layers, sequential, name):
    """One of `MODELS`, in Keras 2 or 3, whichever `layers` come from."""
    if name == "LeNet-5":
        body = [
            layers.Conv2D(20, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu"),
        ]
    else:
        body = [layers.Dense(2048, activation="relu") for _ in range(3)]
    return sequential([layers.Input(MODELS[name]), *body, layers.Dense(CLASSES)])


def batches(name):
    rng = np.random.default_rng(0)
    size = BATCH_SIZE * STEPS
    x = rng.random((size, *MODELS[name]), dtype=np.float32)
    return x, rng.integers(0, CLASSES, size)


def ours(name, jit_compile):
    """Each way to train: (model, callbacks)."""
    import keras

    import keras_dc as dc

    def compiled(model):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, jit_compile=jit_compile)
        return model

    def schedule():
        return dc.PolynomialDecay(0.3, 0.9, 0, 100_000, frequency=UPDATE_EVERY)

    plain = build(keras.layers, keras.Sequential, name)
    straight_through = dc.prune(plain, schedule(), straight_through=True, freeze_step=100_000)
    return {
        "plain": (compiled(plain), []),
        "prune": (compiled(dc.prune(plain, schedule())), [dc.PruningCallback()]),
        "straight_through": (compiled(straight_through), [dc.PruningCallback()]),
        "share": (compiled(dc.share_weights(plain, NUM_CLUSTERS)), []),
    }


def tfmot(name, jit_compile):
    """The same of TensorFlow Model Optimization."""
    import tensorflow_model_optimization
    import tf_keras

    sparsity = tensorflow_model_optimization.sparsity.keras
    clustering = tensorflow_model_optimization.clustering.keras

    def compiled(model):
        loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, jit_compile=jit_compile is True)
        return model

    def plain():
        return build(tf_keras.layers, tf_keras.Sequential, name)

    # It wraps the very layers that it gets, so that each way needs a model of its own.
    schedule = sparsity.PolynomialDecay(0.3, 0.9, 0, 100_000, frequency=UPDATE_EVERY)
    pruned = sparsity.prune_low_magnitude(plain(), schedule)
    shared = clustering.cluster_weights(
        plain(),
        number_of_clusters=NUM_CLUSTERS,
        cluster_centroids_init=clustering.CentroidInitialization.LINEAR,
    )
    return {
        "plain": (compiled(plain()), []),
        "prune": (compiled(pruned), [sparsity.UpdatePruningStep()]),
        "share": (compiled(shared), []),
    }


class Turns:
    """Lets threads run one at a time, each until it passes the turn to the next."""

    def __init__(self, names):
        self._names = list(names)
        self._turn = self._names[0]
        self._condition = threading.Condition()

    def wait(self, name):
        with self._condition:
            self._condition.wait_for(lambda: self._turn == name)

    def pass_on(self, name, *, leave=False):
        with self._condition:
            place = self._names.index(name) + 1
            self._turn = self._names[place % len(self._names)]
            if leave:
                self._names.remove(name)
            self._condition.notify_all()


def timer(callback_class, name, turns, milliseconds):
    """A callback that takes turns with those of other models, step by step."""

    class Timer(callback_class):
        def on_train_batch_begin(self, batch, logs=None):
            if batch:
                turns.wait(name)
            self.start = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            # JAX works on while Python goes on, until a result is asked for.
            float(logs["loss"])
            milliseconds.append((time.perf_counter() - self.start) * 1e3)
            turns.pass_on(name)

    return Timer()


def step_milliseconds(ways, name, callback_class):
    """Milliseconds of each step of each way: dict of lists, all trained by turns."""
    x, y = batches(name)
    turns = Turns(ways)
    times = {way: [] for way in ways}

    errors = []

    def train(way, model, callbacks):
        turns.wait(way)
        first = timer(callback_class, way, turns, times[way])
        options = {"batch_size": BATCH_SIZE, "shuffle": False, "verbose": 0}
        try:
            model.fit(x, y, callbacks=[first, *callbacks], **options)
        except Exception as error:
            errors.append(error)
        finally:
            turns.wait(way)
            turns.pass_on(way, leave=True)

    threads = [threading.Thread(target=train, args=(way, *pair)) for way, pair in ways.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return times


def measure(make_ways, jit_compile, callback_class):
    """By model and way: (median milliseconds of a step, its ratio to the plain model's)."""
    results = {}
    for name in MODELS:
        times = step_milliseconds(make_ways(name, jit_compile), name, callback_class)
        plain = np.array(times["plain"][WARM_UP_STEPS:])
        results[name] = {}
        for way, all_steps in times.items():
            steps = np.array(all_steps[WARM_UP_STEPS:])
            update = max(0.0, all_steps[UPDATE_EVERY] - np.median(steps)) / UPDATE_EVERY
            ratio = np.median(steps / plain) + update / np.median(plain)
            results[name][way] = (np.median(steps), 1.0 if way == "plain" else ratio)
    return results


def tfmot_in_its_process(python, options):
    command = [python, __file__, "--only-tfmot", *options]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "1"}
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def make_table(results, title):
    from rich.table import Table

    table = Table(title=title)
    for heading in ["model", "library", "way", "ms/step", "ratio"]:
        table.add_column(heading, justify="left" if heading != "ratio" else "right")
    for library, of_library in results.items():
        for name, of_model in of_library.items():
            for way, (milliseconds, ratio) in of_model.items():
                table.add_row(name, library, way, f"{milliseconds:.2f}", f"{ratio:.2f}x")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=["tensorflow", "jax"], default="tensorflow")
    parser.add_argument("--jit-compile", action="store_true", help="by XLA on TensorFlow too")
    parser.add_argument("--tfmot-python", help="interpreter that has TFMOT")
    parser.add_argument("--only-tfmot", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["KERAS_BACKEND"] = arguments.backend
    # What Keras takes when nothing is said: XLA on JAX, none for TensorFlow on a CPU.
    jit_compile = True if arguments.jit_compile else "auto"
    if arguments.only_tfmot:
        import tf_keras

        print(json.dumps(measure(tfmot, jit_compile, tf_keras.callbacks.Callback)))
        return
    import keras
    from rich.console import Console

    results = {"keras_dc": measure(ours, jit_compile, keras.callbacks.Callback)}
    python = arguments.tfmot_python
    if python is None and importlib.util.find_spec("tensorflow_model_optimization"):
        python = sys.executable
    if python is not None:
        options = ["--jit-compile"] if arguments.jit_compile else []
        results["TFMOT"] = tfmot_in_its_process(python, options)
    Console().print(make_table(results, f"Training on {arguments.backend}, batch {BATCH_SIZE}"))
    figures = {}
    for library, of_library in results.items():
        prefix = "" if library == "keras_dc" else "tfmot_"
        for way in ("prune", "share"):
            worst = max(of_model[way][1] for of_model in of_library.values())
            figures[prefix + way] = round(worst, 3)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""Time of a training step, pruned and shared, as a ratio to that of the plain model.

    python tests/benchmarks/training_overhead.py [--backend jax] [--tfmot-python PYTHON]

LeNet-5, an MLP of three layers of 2048 and a Transformer, batches of 128, `model.fit` with the
callbacks as users give them. Masks move and weights are re-assigned every 100 steps. The plain and
the wrapped models train in one process by turns, so that other load on the machine slows
all of them alike: each round gives one ratio, and the median counts.

On a processor a turn is one step, and a hundredth of what the one step with an update took longer
is added. On a GPU, which works on while Python goes on, a turn is 100 steps, one of them with an
update, until their results are there.

TensorFlow Model Optimization does the same in a process of its own, with its Keras 2 and its own
plain models, without the Transformer: in the interpreter of --tfmot-python, or in this one if
it is installed there.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np

BATCH_SIZE = 128
WARM_UP_STEPS = 5
UPDATE_EVERY = 100
# In turns of so many steps: the first compiles, the second makes the first re-assignment.
WARM_UP_TURNS = 2
NUM_CLUSTERS = 32
CLASSES = 10
TOKENS = 8192
MODELS = {"LeNet-5": (28, 28, 1), "MLP 3x2048": (784,), "Transformer": (64,)}
OF_TFMOT = ["LeNet-5", "MLP 3x2048"]
# Units of a layer of the MLP; of a token in the Transformer, whose blocks are so many.
WIDTHS = {"full": (2048, 512, 4), "tiny": (64, 32, 1)}


def build(layers, sequential, name, widths):
    """One of `MODELS` but the last, in Keras 2 or 3, whichever `layers` come from."""
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
        body = [layers.Dense(widths[0], activation="relu") for _ in range(3)]
    return sequential([layers.Input(MODELS[name]), *body, layers.Dense(CLASSES)])


def build_transformer(widths):
    """An encoder of Keras 3 that tells the class of a text."""
    import keras
    from keras import layers

    _, width, num_blocks = widths
    inputs = layers.Input(MODELS["Transformer"], dtype="int32")
    x = layers.Embedding(TOKENS, width)(inputs)
    for _ in range(num_blocks):
        attention = layers.MultiHeadAttention(8, width // 8)
        normal = layers.LayerNormalization()(x)
        x = layers.Add()([x, attention(normal, normal)])
        inner = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(inner)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


def batches(name, num_steps):
    rng = np.random.default_rng(0)
    size = BATCH_SIZE * num_steps
    if name == "Transformer":
        x = rng.integers(0, TOKENS, (size, *MODELS[name]), dtype=np.int32)
    else:
        x = rng.random((size, *MODELS[name]), dtype=np.float32)
    return x, rng.integers(0, CLASSES, size)


def ours(name, jit_compile, widths):
    """Each way to train: (model, callbacks)."""
    import keras

    import keras_dc as dc

    def compiled(model):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, jit_compile=jit_compile)
        return model

    def schedule():
        return dc.PolynomialDecay(0.3, 0.9, 0, 100_000, frequency=UPDATE_EVERY)

    if name == "Transformer":
        plain = build_transformer(widths)
    else:
        plain = build(keras.layers, keras.Sequential, name, widths)
    straight_through = dc.prune(plain, schedule(), straight_through=True, freeze_step=100_000)
    reassigned = dc.share_weights(plain, NUM_CLUSTERS, reassign_frequency=UPDATE_EVERY)
    return {
        "plain": (compiled(plain), []),
        "prune": (compiled(dc.prune(plain, schedule())), [dc.PruningCallback()]),
        "straight_through": (compiled(straight_through), [dc.PruningCallback()]),
        "share": (compiled(dc.share_weights(plain, NUM_CLUSTERS)), []),
        "reassign": (compiled(reassigned), [dc.WeightSharingCallback()]),
    }


def tfmot(name, jit_compile, widths):
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
        return build(tf_keras.layers, tf_keras.Sequential, name, widths)

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


def timer(callback_class, name, turns, milliseconds, steps_per_turn, wait):
    """A callback that takes turns with those of other models, of so many steps.

    It has no method for the end of a batch: with one, Keras waits for the result of each step,
    which it does not for the callbacks of keras_dc.
    """

    class Timer(callback_class):
        def on_train_batch_begin(self, batch, logs=None):
            if batch % steps_per_turn:
                return
            if batch:
                self.end_turn()
                turns.wait(name)
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.end_turn()

        def set_model(self, model):
            super().set_model(model)
            # Not `self.model`: on JAX that brings all variables up to date.
            self.timed_model = model

        def end_turn(self):
            wait(self.timed_model)
            milliseconds.append((time.perf_counter() - self.start) * 1e3)
            turns.pass_on(name)

    return Timer()


def wait_for_device(model):
    """Until the results of all steps are there: a device works on while Python goes on."""
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        # None once `fit` has brought the variables up to date.
        jax.block_until_ready(model._jax_state or [v.value for v in model.variables])
    elif backend == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()


def turn_milliseconds(ways, name, callback_class, num_turns, steps_per_turn, wait):
    """Milliseconds of each turn of each way: dict of lists, all trained by turns."""
    x, y = batches(name, num_turns * steps_per_turn)
    turns = Turns(ways)
    times = {way: [] for way in ways}

    errors = []

    def train(way, model, callbacks):
        turns.wait(way)
        first = timer(callback_class, way, turns, times[way], steps_per_turn, wait)
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


def ratios_of_steps(times):
    """By way: (median milliseconds of a step, ratio to the plain one), from turns of one step."""
    plain = np.array(times["plain"][WARM_UP_STEPS:])
    results = {}
    for way, all_steps in times.items():
        steps = np.array(all_steps[WARM_UP_STEPS:])
        update = max(0.0, all_steps[UPDATE_EVERY] - np.median(steps)) / UPDATE_EVERY
        ratio = np.median(steps / plain) + update / np.median(plain)
        results[way] = (np.median(steps), 1.0 if way == "plain" else ratio)
    return results


def ratios_of_turns(times):
    """The same from turns of `UPDATE_EVERY` steps, one of them with an update."""
    plain = np.array(times["plain"][WARM_UP_TURNS:])
    results = {}
    for way, all_turns in times.items():
        turns = np.array(all_turns[WARM_UP_TURNS:])
        results[way] = (np.median(turns) / UPDATE_EVERY, np.median(turns / plain))
    return results


def measure(make_ways, callback_class, arguments, names, wait=lambda model: None):
    """By model and way: (median milliseconds of a step, its ratio to the plain model's)."""
    # What Keras takes when nothing is said: XLA on JAX, none for TensorFlow on a CPU.
    jit_compile = True if arguments.jit_compile else "auto"
    if arguments.by_turns:
        how, ratios = (WARM_UP_TURNS + arguments.rounds, UPDATE_EVERY), ratios_of_turns
    else:
        how, ratios = (UPDATE_EVERY + WARM_UP_STEPS, 1), ratios_of_steps
    results = {}
    for name in names:
        ways = make_ways(name, jit_compile, WIDTHS[arguments.size])
        results[name] = ratios(turn_milliseconds(ways, name, callback_class, *how, wait))
        print(name, {way: round(ratio, 3) for way, (_, ratio) in results[name].items()}, flush=True)
    return results


def gpu_name(backend):
    """That of the GPU that the backend of Keras computes on, or None."""
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        return None if device.platform == "cpu" else device.device_kind
    if backend == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else None
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else None


def save(path, results, gpu, arguments):
    """What was measured, on what and how, as JSON."""
    from keras_dc.support import machine

    versions = {name: importlib.metadata.version(name) for name in ("keras", arguments.backend)}
    settings = {
        "size": arguments.size,
        "batch_size": BATCH_SIZE,
        "update_every": UPDATE_EVERY,
        "rounds": arguments.rounds if arguments.by_turns else UPDATE_EVERY,
        "steps_per_round": UPDATE_EVERY if arguments.by_turns else 1,
    }
    found = {
        library: {
            name: {
                way: {"step_milliseconds": round(float(ms), 3), "ratio": round(float(ratio), 3)}
                for way, (ms, ratio) in of_model.items()
            }
            for name, of_model in of_library.items()
        }
        for library, of_library in results.items()
    }
    content = {
        "device": gpu or machine.cpu_name(),
        "versions": versions,
        "settings": settings,
        "results": found,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


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


def parsed_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=["tensorflow", "jax", "torch"], default="tensorflow")
    parser.add_argument("--jit-compile", action="store_true", help="by XLA on TensorFlow too")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--size", choices=WIDTHS, default="full", help="tiny: to try the script")
    parser.add_argument("--by-turns", action="store_true", help="of 100 steps, as on a GPU")
    parser.add_argument("--rounds", type=int, default=5, help="of such turns that are timed")
    parser.add_argument("--output", type=pathlib.Path, help="JSON file for all figures")
    parser.add_argument("--tfmot-python", help="interpreter that has TFMOT")
    parser.add_argument("--only-tfmot", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    arguments = parsed_arguments()
    os.environ["KERAS_BACKEND"] = arguments.backend
    of_tfmot = [name for name in OF_TFMOT if name in arguments.models]
    if arguments.only_tfmot:
        import tf_keras

        results = measure(tfmot, tf_keras.callbacks.Callback, arguments, of_tfmot)
        print(json.dumps(results))
        return
    import keras
    from rich.console import Console

    gpu = gpu_name(arguments.backend)
    arguments.by_turns = arguments.by_turns or gpu is not None
    callback_class = keras.callbacks.Callback
    results = {
        "keras_dc": measure(ours, callback_class, arguments, arguments.models, wait_for_device)
    }
    python = arguments.tfmot_python
    if python is None and importlib.util.find_spec("tensorflow_model_optimization"):
        python = sys.executable
    if python is not None and of_tfmot:
        options = ["--jit-compile"] if arguments.jit_compile else []
        options += ["--by-turns"] if arguments.by_turns else []
        options += ["--size", arguments.size, f"--rounds={arguments.rounds}"]
        options += ["--models", *of_tfmot]
        results["TFMOT"] = tfmot_in_its_process(python, options)
    title = f"Training on {arguments.backend}, batch {BATCH_SIZE}, {gpu or 'no GPU'}"
    Console().print(make_table(results, title))
    if arguments.output:
        save(arguments.output, results, gpu, arguments)
    figures = {}
    for library, of_library in results.items():
        prefix = "" if library == "keras_dc" else "tfmot_"
        for way in ("prune", "share", "reassign"):
            ratios = [of_model[way][1] for of_model in of_library.values() if way in of_model]
            if ratios:
                figures[prefix + way] = round(max(ratios), 3)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

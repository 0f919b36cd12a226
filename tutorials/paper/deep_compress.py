"""`dc.deep_compress` on MNIST with its defaults: two LeNets and a small MobileNet.

    cd tutorials && python -m paper.deep_compress [--networks lenet_5 ...] [--output FILE]

Each network is trained, and compressed by one call: the recipe holds out 5,000 of the 60,000
training images to decide by, and the test images are read once, at the end. Errors are those
of the dense network in Keras and of the compressed file in the TFLite interpreter on all
10,000 test images; no seed and no epoch is chosen by them. Figures go to a JSON file; those of
networks that are not run stay as they are.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Callable

import keras
from keras import layers
from lib import lenet_5, lenet_300_100, machine, mnist
from lib.accuracy import interpreter_error, keras_error
from paper import paper_tables
from rich.console import Console
from rich.table import Table

import keras_dc as dc

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "how_to" / "one_call.md"
RESULTS = pathlib.Path(__file__).parent / "results" / "deep_compress.json"
BATCH_SIZE = 128
HELD_OUT = 5000


def small_mobilenet():
    """Depthwise-separable blocks with BatchNormalization: 115,000 weights."""

    def normalized(x):
        return layers.ReLU()(layers.BatchNormalization()(x))

    image = keras.Input((28, 28, 1), name="image")
    x = normalized(layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="conv")(image))
    for i, (filters, strides) in enumerate([(64, 2), (128, 1), (256, 2), (256, 1)]):
        depthwise = layers.DepthwiseConv2D(
            3, strides, padding="same", use_bias=False, name=f"depthwise_{i}"
        )
        x = normalized(depthwise(x))
        x = normalized(layers.Conv2D(filters, 1, use_bias=False, name=f"pointwise_{i}")(x))
    logits = layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, logits, name="small_mobilenet")


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, how long it is trained before, and what is asked of the recipe.

    Attributes:
        build: callable that returns a `keras.Model`.
        shape: tuple of int, of an image.
        epochs: int, of the dense training.
        ratio: float, the aim.
        compile_options: dict, of `compile`.
        options: dict, of `deep_compress`, what is not left to its defaults.
    """

    build: Callable
    shape: tuple
    epochs: int
    ratio: float
    compile_options: dict = dataclasses.field(default_factory=dict)
    options: dict = dataclasses.field(default_factory=dict)


NETWORKS = {
    "lenet_300_100": Network(
        lenet_300_100.build,
        (784,),
        20,
        150.0,
        # XLA and several steps at once: 1.4 times as fast for dense layers on a CPU.
        {"jit_compile": True, "steps_per_execution": 43},
    ),
    "lenet_5": Network(lenet_5.build, (28, 28, 1), 10, 200.0),
    "small_mobilenet": Network(small_mobilenet, (28, 28, 1), 4, 12.0, options={"epochs": 16}),
}


def train_dense(network, train, seed):
    """Train a network from scratch with Adam: a `keras.Model`."""
    keras.utils.set_random_seed(seed)
    model = network.build()
    steps = network.epochs * -(-len(train[0]) // BATCH_SIZE)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **network.compile_options,
    )
    model.fit(*train, batch_size=BATCH_SIZE, epochs=network.epochs, verbose=2)
    return model


def run(name, seed):
    """Train and compress one network.

    Args:
        name: str, a key of `NETWORKS`.
        seed: int.

    Returns:
        dict: errors and kept weights in percent, sizes in bytes.
    """
    network = NETWORKS[name]
    data = mnist.load()
    data = dataclasses.replace(
        data,
        x_train=data.x_train.reshape(-1, *network.shape),
        x_test=data.x_test.reshape(-1, *network.shape),
    )
    train = data.x_train[:-HELD_OUT], data.y_train[:-HELD_OUT]
    validation = data.x_train[-HELD_OUT:], data.y_train[-HELD_OUT:]
    start = time.monotonic()
    dense = train_dense(network, train, seed)
    dense_seconds = time.monotonic() - start
    start, cpu_start = time.monotonic(), time.process_time()
    result = dc.deep_compress(
        dense, train, validation, ratio=network.ratio, seed=seed, **network.options
    )
    seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu_start
    densities = result.choices["densities"]
    dense_error = keras_error(dense, data)
    error = interpreter_error(dc.Interpreter(model_content=result.tflite), data)
    return {
        "seed": seed,
        "aim_ratio": network.ratio,
        "options": network.options,
        "dense_epochs": network.epochs,
        "dense_error_percent": round(dense_error, 2),
        "error_percent": round(error, 2),
        "float_bytes": round(result.ratio * len(result.tflite)),
        "compressed_bytes": len(result.tflite),
        "packed_bytes": len(result.packed),
        "ratio": round(result.ratio, 1),
        "validation_scores": {key: round(value, 4) for key, value in result.scores.items()},
        "allocation": result.choices["allocation"],
        "kept_percent": {layer: round(100 * kept, 3) for layer, kept in densities.items()},
        "num_clusters": result.choices["num_clusters"],
        "stages": [
            {key: row[key] for key in ("stage", "epochs", "score", "size_bytes") if key in row}
            for row in result.history
        ],
        "seconds": round(seconds),
        "cpu_seconds": round(cpu_seconds),
        "dense_seconds": round(dense_seconds),
    }


def make_table(runs):
    """All networks."""
    table = Table(title="One call on MNIST, compressed file in the interpreter")
    for heading in ["", "dense error %", "error %", "bytes", "ratio", "packed", "seconds"]:
        table.add_column(heading, justify="right")
    for name, figures in runs.items():
        table.add_row(
            name,
            f"{figures['dense_error_percent']:.2f}",
            f"{figures['error_percent']:.2f}",
            f"{figures['compressed_bytes']:,}",
            f"{figures['ratio']:.1f}x",
            f"{figures['packed_bytes']:,}",
            f"{figures['seconds']:,}",
        )
    return table


def write_table(figures):
    """Put the table of all networks into the page of the docs."""
    lines = paper_tables.one_call_table(figures)
    PAGE.write_text(paper_tables.put(PAGE.read_text(), "one call", lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    arguments = parser.parse_args()
    before = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    runs = before.get("runs", {})
    for name in arguments.networks:
        found = {"cpu": machine.cpu_name(), "cores": os.cpu_count()}
        runs[name] = {**run(name, arguments.seed), **found}
        figures = {"runs": runs, "versions": machine.versions()}
        arguments.output.write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.output == RESULTS:
        write_table(figures)
    Console().print(make_table(runs))


if __name__ == "__main__":
    main()

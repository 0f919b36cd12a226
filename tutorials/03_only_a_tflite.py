"""All you have is a trained `.tflite`: make it smaller, without its data and without training.

    python tutorials/02_only_a_tflite.py [FILE ...]

Files that are named are coded without loss and with weights clustered and pruned by ever
bolder settings: a table each with the sizes beside the best zip, and how far weights are
off (root mean square, in the tensor where it is the most). Without a file a convolutional
net is trained on MNIST for a minute first, written as a plain `.tflite`, and compressed;
the table then shows the test error of each file, too.
"""

import argparse
import dataclasses
import pathlib

import keras
from keras import layers
from lib import mnist
from lib.accuracy import interpreter_error
from lib.baselines import KILO, float_tflite, zip_sizes
from rich.console import Console
from rich.table import Table

import keras_dc as dc

# From lossless to what only training can repair; see `dc.compress`.
SETTINGS = {
    "as it is": {},
    "256 clusters": {"num_clusters": 256},
    "32 clusters": {"num_clusters": 32},
    "16 clusters": {"num_clusters": 16},
    "20 % pruned, 16": {"sparsity": 0.2, "num_clusters": 16},
    "40 % pruned, 16": {"sparsity": 0.4, "num_clusters": 16},
    "60 % pruned, 16": {"sparsity": 0.6, "num_clusters": 16},
}


def train_a_net(data, *, epochs=3):
    """A convolutional net for digits: 60K weights, trained as anyone would."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=False)
    model.fit(data.x_train[..., None], data.y_train, batch_size=128, epochs=epochs, verbose=0)
    return model


def compress_all(content):
    """`(label, compressed bytes, largest relative error of a tensor in percent)` per setting."""
    for label, options in SETTINGS.items():
        compressed, report = dc.compress(content, return_report=True, **options)
        yield label, compressed, 100 * max((row.relative_error for row in report), default=0.0)


def table_of(name, content, test_error=None):
    """Sizes at each setting, and test errors where `test_error` measures them."""
    table = Table(title=f"{name}: {len(content) / KILO:,.1f} KB")
    headings = ["setting", "KB", "ratio", "best zip", "weights off %"]
    for heading in headings + ["test error %"] * (test_error is not None):
        justify = "left" if heading == "setting" else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    if test_error is not None:
        table.add_row("uncompressed", *[""] * 4, f"{test_error(content):.2f}")
    for label, compressed, error in compress_all(content):
        # The rival is the zip of the pruned and clustered file.
        zipped = min(zip_sizes(dc.expand(compressed)).values())
        sizes = [f"{size / KILO:,.1f}" for size in (len(compressed), zipped)]
        row = [label, sizes[0], f"{len(content) / len(compressed):.1f}x", sizes[1], f"{error:.1f}"]
        if test_error is not None:
            row.append(f"{test_error(compressed):.2f}")
        table.add_row(*row)
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=pathlib.Path, metavar="FILE")
    console = Console()
    files = parser.parse_args().files
    for path in files:
        console.print(table_of(path.name, path.read_bytes()))
    if not files:
        data = mnist.load()
        content = float_tflite(train_a_net(data))

        def test_error(tflite):
            images = dataclasses.replace(data, x_test=data.x_test[..., None])
            return interpreter_error(dc.Interpreter(model_content=tflite), images)

        console.print(table_of("A net for MNIST", content, test_error))


if __name__ == "__main__":
    main()

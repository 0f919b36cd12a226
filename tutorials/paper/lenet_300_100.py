"""LeNet-300-100 on MNIST as in the paper: its error at a third of the paper's weights.

    cd tutorials && python -m paper.lenet_300_100 [--seeds 0 1 2] [--output FILE]

Han et al. 2016, tables 1 and 2: 1.64 % error before and 1.58 % after compression, with 8 %
of the weights kept. Here: straight-through pruning with regrowth, removal of dead units,
then rate-aware weight sharing, as in the quickstart; no augmentation of the images. The
errors are those of the compressed file in the TFLite interpreter on all 10,000 test images,
at the end of the run: no epoch and no seed is chosen by them. Figures of all seeds go to a
JSON file.
"""

import argparse
import importlib.metadata
import json
import math
import pathlib
import platform
import tempfile
import time

from lib import lenet_300_100, mnist
from lib.accuracy import interpreter_error, keras_error
from lib.baselines import float_tflite
from rich.console import Console
from rich.table import Table

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "lenet_300_100.json"
PAPER = {"error_percent": 1.58, "kept_percent": 8.0, "ratio": 40.0}
PACKAGES = ["keras", "tensorflow", "numpy", "ai-edge-litert"]
# Of the three trainings, as in the quickstart.
EPOCHS = {"dense": 20, "pruned": 50, "shared": 6}


def run(data, seed, *, epochs):
    """Train, prune, share and convert with one seed.

    Args:
        data: mnist.Mnist, flattened.
        seed: int, of the first weights and of the order of the images.
        epochs: dict with the ints "dense", "pruned" and "shared".

    Returns:
        dict: errors and kept weights in percent, sizes in bytes.
    """
    start = time.monotonic()
    dense = lenet_300_100.train_dense(data, epochs=epochs["dense"], seed=seed)
    pruned = lenet_300_100.prune_and_train(dense, data, epochs=epochs["pruned"])
    small = dc.remove_dead_units(dc.strip(pruned))
    shared = lenet_300_100.share_and_train(small, data, epochs=epochs["shared"])
    plain = dc.strip(shared, float16_exact=True)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "lenet_300_100.tflite"
        dc.convert(plain, path, coder="arithmetic")
        kept = sum(row.blob.num_kept for row in dc.inspect(path) if row.role == "weights")
        error = interpreter_error(dc.Interpreter(path), data)
        compressed_bytes = path.stat().st_size
    float_bytes = len(float_tflite(dense))
    num_weights = sum(math.prod(layer.kernel.shape) for layer in dense.layers)
    return {
        "seed": seed,
        "dense_error_percent": round(keras_error(dense, data), 2),
        "error_percent": round(error, 2),
        "kept_percent": round(100 * kept / num_weights, 3),
        "float_bytes": float_bytes,
        "compressed_bytes": compressed_bytes,
        "ratio": round(float_bytes / compressed_bytes, 1),
        "seconds": round(time.monotonic() - start),
    }


def versions():
    """Of Python and of what the figures depend on."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "keras_dc": dc.__version__, **found}


def make_table(runs):
    """All seeds beside the paper."""
    table = Table(title="LeNet-300-100 on MNIST, compressed file in the interpreter")
    for heading in ["", "dense error %", "error %", "kept %", "bytes", "ratio"]:
        table.add_column(heading, justify="right")
    for figures in runs:
        table.add_row(
            f"seed {figures['seed']}",
            f"{figures['dense_error_percent']:.2f}",
            f"{figures['error_percent']:.2f}",
            f"{figures['kept_percent']:.2f}",
            f"{figures['compressed_bytes']:,}",
            f"{figures['ratio']:.1f}x",
        )
    table.add_row("paper", "1.64", "1.58", "8", "", "40x")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    arguments = parser.parse_args()
    data = mnist.load().flattened()
    runs = [run(data, seed, epochs=EPOCHS) for seed in arguments.seeds]
    figures = {
        "paper": PAPER,
        "worst_error_percent": max(row["error_percent"] for row in runs),
        "worst_kept_percent": max(row["kept_percent"] for row in runs),
        "runs": runs,
        "versions": versions(),
    }
    arguments.output.write_text(json.dumps(figures, indent=2) + "\n")
    Console().print(make_table(runs))


if __name__ == "__main__":
    main()

"""How fast a blob becomes what the kernel reads, and what that takes of memory.

    python tests/benchmarks/prepare.py [--repeats N] [--only KEY ...]

Layers of random masks, one thread. Each is loaded in a process of its own, from a file that
is mapped, by our interpreter and by the dense float32 one. Printed are the kept weights that
are read, decoded and packed per second between the start of loading and the end of
`allocate_tensors`, and the bytes per kept weight that are then held beside the file. The JSON
has the speed as millions of kept weights per second by key, and the bytes by `KEY_bytes`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import kernel_benchmark
import processor
from kernel_benchmark import Network
from rich.console import Console
from rich.table import Table

import keras_dc

# Key, shape of the weights, input size of a convolution, density, clusters.
LAYERS = [
    ("fc6_4", (4096, 25088), None, 0.04, 31),
    ("fc6_9", (4096, 25088), None, 0.09, 31),
    ("fc6_25", (4096, 25088), None, 0.25, 31),
    ("fc6_9_256", (4096, 25088), None, 0.09, 255),
    ("conv3x3_24", (256, 3, 3, 256), 56, 0.24, 255),
    ("conv3x3_32", (512, 3, 3, 512), 28, 0.32, 255),
    ("conv1x1_30", (512, 1, 1, 512), 14, 0.30, 255),
]

# Prints seconds until the tensors are allocated and bytes of anonymous memory that remain.
PROBE = """
import sys, time
import numpy, keras_dc
from ai_edge_litert.interpreter import Interpreter
def anonymous_bytes():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
make = keras_dc.Interpreter if sys.argv[1] == "ours" else Interpreter
make(model_path=sys.argv[3], num_threads=1).allocate_tensors()
before, begin = anonymous_bytes(), time.perf_counter()
interpreter = make(model_path=sys.argv[2], num_threads=1)
interpreter.allocate_tensors()
seconds = time.perf_counter() - begin
print(seconds, anonymous_bytes() - before)
"""


def plain_model(weights, size):
    """The `.tflite` of one layer."""
    if size is None:
        network = Network([1, weights.shape[1]])
        network.fully_connected(weights)
    else:
        network = Network([1, size, size, weights.shape[3]])
        network.conv_2d(weights)
    return network.pack()


def probe(who, path, small_path):
    """(seconds to load, bytes held) of a model file, by "ours" or "dense"."""
    command = [sys.executable, "-c", PROBE, who, str(path), str(small_path)]
    # Where the sources do not hide the installed package.
    folder = pathlib.Path(__file__).parent
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    seconds, size_bytes = result.stdout.split()
    return float(seconds), int(size_bytes)


def best(who, path, small_path, repeats):
    """The least time and the least memory of several processes."""
    return tuple(map(min, zip(*(probe(who, path, small_path) for _ in range(repeats)))))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[layer[0] for layer in LAYERS])
    args = parser.parse_args()
    print(processor.line())
    table = Table(title="Prepare, one thread")
    columns = ["layer", "kept", "ms", "M kept/s", "bytes per kept", "dense ms", "dense MiB"]
    for column in columns:
        table.add_column(column, justify="left" if column == "layer" else "right")
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        plain, small, ours = (
            pathlib.Path(folder) / name for name in ("plain.tflite", "small.tflite", "ours.tflite")
        )
        # Loaded first, so that neither the runtime's start nor ours is counted.
        weights = kernel_benchmark.sparse_weights((64, 64), 0.1, num_clusters=31)
        small.write_bytes(keras_dc.compress(plain_model(weights, None)))
        for key, shape, size, density, num_clusters in LAYERS:
            if args.only and key not in args.only:
                continue
            weights = kernel_benchmark.sparse_weights(shape, density, num_clusters=num_clusters)
            kept = int((weights != 0).sum())
            plain.write_bytes(plain_model(weights, size))
            ours.write_bytes(keras_dc.compress(plain.read_bytes()))
            seconds, held = best("ours", ours, small, args.repeats)
            small_plain = plain.with_name("small_plain.tflite")
            small_plain.write_bytes(keras_dc.expand(small.read_bytes()))
            dense_seconds, dense_held = best("dense", plain, small_plain, 1)
            figures[key] = round(kept / seconds / 1e6, 1)
            figures[f"{key}_bytes"] = round(held / kept, 2)
            row = [f"{kept:,}", f"{seconds * 1e3:.2f}", figures[key], figures[f"{key}_bytes"]]
            row += [f"{dense_seconds * 1e3:.2f}", f"{dense_held / 2**20:.1f}"]
            table.add_row(f"{key} {list(shape)}", *map(str, row))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""Int8 layers computed from sparse weights against XNNPACK's dense int8.

    python tests/benchmarks/int8.py [--repeats N] [--threads N ...] [--only KEY ...] [--save [NAME]]

Weights and activations are int8, with a scale for each channel; masks are random, in blocks
of 1x4 along the input channels or unstructured. The last line is one JSON object: how many
times as fast as XNNPACK's int8 each case is on one thread, and `weights_memory_ratio`, what
loading VGG-16 and one invoke add of resident memory, ours over the int8 interpreter's. The
environment variable KERAS_DC_ISA picks other kernels than the fastest. `--save` puts the figures
into the file of this processor in `results/`, as "int8" or by another name: "int8_without_amx" are
those with AMX hidden by `hide_instructions.c`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import kernel_benchmark
import numpy as np
import processor
from ai_edge_litert.interpreter import Interpreter
from int8_network import RELU, Int8Network, sparse_int8
from rich.console import Console
from rich.table import Table
from whole_model import (
    ALEXNET,
    ALEXNET_DENSE,
    ALEXNET_SIZE,
    VGG_16,
    VGG_16_DENSE,
    VGG_16_SIZE,
)

import keras_dc

# Key, input, weights, density, block.
LAYERS = [
    ("fc6_4", (1, 25088), (4096, 25088), 0.04, 1),
    ("fc_9216_9", (1, 9216), (4096, 9216), 0.09, 1),
    ("fc_1000_25", (1, 4096), (1000, 4096), 0.25, 1),
    ("conv3x3_block25", (1, 56, 56, 256), (256, 3, 3, 256), 0.25, 4),
    ("conv3x3_24", (1, 56, 56, 256), (256, 3, 3, 256), 0.24, 1),
    ("conv1x1_block25", (1, 14, 14, 512), (512, 1, 1, 512), 0.25, 4),
    ("conv1x1_block10", (1, 14, 14, 512), (512, 1, 1, 512), 0.10, 4),
]
# Of MobileNetV2: expansion, channels, blocks, stride of the first one.
MOBILE_NET = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
MOBILE_NET_SIZE = 224
MOBILE_NET_DENSITY = 0.25
MEMORY_OF = "vgg16"
NETWORKS = ["vgg16", "alexnet", "mobilenet_v2_25"]


def layer(input_shape, shape, density, block):
    """The plain `.tflite` of one layer."""
    network = Int8Network(input_shape)
    weights = sparse_int8(shape, density, block=block)
    if len(shape) == 2:
        network.fully_connected(weights)
    else:
        network.conv_2d(weights, activation=RELU)
    return network.pack()


def convolutional(size, layers, dense_layers):
    """The plain `.tflite` of a network of `whole_model`, its convolutions in 1x4 blocks."""
    network = Int8Network([1, size, size, 3])
    for seed, settings in enumerate(layers):
        if isinstance(settings, int):
            network.pool("MAX_POOL_2D", size=settings, stride=2)
            continue
        filters, reach, stride, same, density = settings
        shape = filters, reach, reach, network.shape[3]
        kernel = sparse_int8(shape, density, block=4, num_values=255, seed=seed)
        network.conv_2d(kernel, stride=stride, same=same, activation=RELU)
    for seed, (units, density) in enumerate(dense_layers):
        inputs = int(np.prod(network.shape))
        last = seed == len(dense_layers) - 1
        weights = sparse_int8((units, inputs), density, seed=seed)
        network.fully_connected(weights, activation=0 if last else RELU)
    return network.pack()


def mobile_net(size, stages, density):
    """The plain `.tflite` of MobileNetV2, its inner 1x1 kernels in 1x4 blocks."""
    network = Int8Network([1, size, size, 3])
    seeds = iter(range(1000))

    def pointwise(filters, *, activation=0):
        shape = filters, 1, 1, network.shape[3]
        kernel = sparse_int8(shape, density, block=4, num_values=255, seed=next(seeds))
        network.conv_2d(kernel, activation=activation)

    network.conv_2d(sparse_int8((32, 3, 3, 3), 1.0, seed=next(seeds)), stride=2, activation=RELU)
    for expansion, channels, count, first_stride in stages:
        for block in range(count):
            stride, before, shape = first_stride if block == 0 else 1, network.last, network.shape
            has_sum = stride == 1 and shape[3] == channels
            if expansion > 1:
                pointwise(expansion * shape[3], activation=RELU)
            kernel = sparse_int8((1, 3, 3, network.shape[3]), 1.0, seed=next(seeds))
            network.depthwise(kernel, stride=stride, activation=RELU)
            pointwise(channels)
            if has_sum:
                network.add(before)
    pointwise(4 * stages[-1][1], activation=RELU)
    network.pool("AVERAGE_POOL_2D", size=network.shape[1], stride=1)
    network.fully_connected(sparse_int8((1000, network.shape[3]), density, seed=next(seeds)))
    return network.pack()


def models(only):
    """Tuples `(key, plain model)` of the chosen cases."""
    for key, *settings in LAYERS:
        if key in only:
            yield key, layer(*settings)
    if "vgg16" in only:
        yield "vgg16", convolutional(VGG_16_SIZE, VGG_16, VGG_16_DENSE)
    if "alexnet" in only:
        yield "alexnet", convolutional(ALEXNET_SIZE, ALEXNET, ALEXNET_DENSE)
    if "mobilenet_v2_25" in only:
        yield "mobilenet_v2_25", mobile_net(MOBILE_NET_SIZE, MOBILE_NET, MOBILE_NET_DENSITY)


# Runs in a process of its own: prints KiB that loading and one invoke add.
PROBE = """
import sys
import keras_dc
from ai_edge_litert.interpreter import Interpreter
def resident_kib():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
who, path = sys.argv[1:]
make = Interpreter if who == "plain" else keras_dc.Interpreter
before = resident_kib()
interpreter = make(model_path=path, num_threads=1)
interpreter.allocate_tensors()
interpreter.invoke()
print(resident_kib() - before)
"""


def probe(who, path):
    """KiB that are resident after an invoke of a model file by "ours" or "plain"."""
    command = [sys.executable, "-c", PROBE, who, str(path)]
    folder = pathlib.Path(__file__).parent
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return int(result.stdout)


def memory_ratio(plain, compressed):
    """What ours takes over what the plain int8 interpreter takes."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = []
        for who, content in (("ours", compressed), ("plain", plain)):
            path = pathlib.Path(folder) / f"{who}.tflite"
            path.write_bytes(content)
            sizes.append(probe(who, path))
    return round(sizes[0] / sizes[1], 4)


def check_outputs(ours, plain):
    """Raises RuntimeError unless two interpreters agree but for steps that XNNPACK may differ."""
    y, expected = (kernel_benchmark.output_of(made).astype(int) for made in (ours, plain))
    if np.abs(y - expected).max() > 4 or len(np.unique(expected)) < 4:
        raise RuntimeError(f"outputs differ. Received: {y.ravel()[:8]}, {expected.ravel()[:8]}")


def measure(key, plain, compressed, repeats, num_threads, table):
    """How many times as fast as XNNPACK's int8 ours is; adds a row to the table."""
    shape = Interpreter(model_content=plain).get_input_details()[0]["shape"]
    x = np.random.default_rng(1).integers(-128, 128, size=shape).astype(np.int8)
    made = {
        "ours": kernel_benchmark.open_interpreter(keras_dc.Interpreter, compressed, num_threads, x),
        "plain": kernel_benchmark.open_interpreter(Interpreter, plain, num_threads, x),
    }
    check_outputs(made["ours"], made["plain"])
    seconds = kernel_benchmark.seconds_in_turn(made, repeats)
    ratio = seconds["plain"] / seconds["ours"]
    times = [f"{seconds[who] * 1e3:.3f}" for who in ("ours", "plain")]
    table.add_row(key, str(num_threads), *times, f"{ratio:.2f}x")
    return round(ratio, 2)


def main():
    keys = [layer[0] for layer in LAYERS] + NETWORKS
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", choices=keys, default=keys)
    parser.add_argument("--save", nargs="?", const="int8", metavar="NAME")
    args = parser.parse_args()
    table = Table(title="Int8", caption=processor.line())
    for column in ("case", "threads", "ours ms", "XNNPACK int8 ms", "faster"):
        table.add_column(column, justify="left" if column == "case" else "right")
    console = Console(width=None if sys.stdout.isatty() else 120)
    figures = {}
    for key, plain in models(args.only):
        with console.status(key):
            compressed = keras_dc.compress(plain)
            for num_threads in args.threads:
                ratio = measure(key, plain, compressed, args.repeats, num_threads, table)
                if num_threads == 1:
                    figures[key] = ratio
            if key == MEMORY_OF:
                figures["weights_memory_ratio"] = memory_ratio(plain, compressed)
    console.print(table)
    if args.save:
        processor.save(args.save, figures)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

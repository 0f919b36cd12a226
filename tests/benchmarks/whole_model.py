"""AlexNet and VGG-16 whole against XNNPACK's dense float32, and what they take of memory.

    python tests/benchmarks/whole_model.py [--repeats N] [--threads N ...] [MODEL.tflite ...]

Networks of the paper's shapes with its densities per layer (Han et al. 2016, tables 4 and
5): random masks, 255 clusters in convolutions and 31 in fully connected layers. A
compressed model that is named on the command line, trained ones that is, is compared to
its own `expand`. Figures are those of one thread: how many times faster than dense
float32; `vgg16_rss_ratio`: resident memory that loading and one invoke add, ours over
dense, each in a process of its own from a file that is mapped, all on one thread;
`vgg16_load_s`: seconds until our interpreter is ready. `..._low_memory` is the same with
weights that are decoded at every invoke.
"""

import argparse
import functools
import json
import pathlib
import subprocess
import sys
import tempfile

import kernel_benchmark
import processor
from ai_edge_litert.interpreter import Interpreter
from kernel_benchmark import RELU, Case, Network
from rich.console import Console

import keras_dc

# Filters, kernel size, stride, SAME, density; a number alone is a maximum pool of size 3 or
# 2 with stride 2.
ALEXNET = [
    (96, 11, 4, False, 0.84),
    3,
    (256, 5, 1, True, 0.38),
    3,
    (384, 3, 1, True, 0.35),
    (384, 3, 1, True, 0.37),
    (256, 3, 1, True, 0.37),
    3,
]
VGG_16 = [
    (64, 3, 1, True, 0.58),
    (64, 3, 1, True, 0.22),
    2,
    (128, 3, 1, True, 0.34),
    (128, 3, 1, True, 0.36),
    2,
    (256, 3, 1, True, 0.53),
    (256, 3, 1, True, 0.24),
    (256, 3, 1, True, 0.42),
    2,
    (512, 3, 1, True, 0.32),
    (512, 3, 1, True, 0.27),
    (512, 3, 1, True, 0.34),
    2,
    (512, 3, 1, True, 0.35),
    (512, 3, 1, True, 0.29),
    (512, 3, 1, True, 0.36),
    2,
]
# Units and density.
ALEXNET_DENSE = [(4096, 0.09), (4096, 0.09), (1000, 0.25)]
VGG_16_DENSE = [(4096, 0.04), (4096, 0.04), (1000, 0.23)]
# Height and width of the images.
ALEXNET_SIZE = 227
VGG_16_SIZE = 224
MIB = 1 << 20


def build(size, layers, dense_layers, make=Network):
    """The plain `.tflite` of a network whose convolutions are all of one group.

    Args:
        size: int, height and width of the image.
        layers: list, see above.
        dense_layers: list, see above.
        make: `Network`, or another that takes the shape of the input, and the same layers.
    """
    network = make([1, size, size, 3])
    seed = 0
    for layer in layers:
        if isinstance(layer, int):
            network.max_pool(size=layer, stride=2)
            continue
        filters, reach, stride, same, density = layer
        shape = filters, reach, reach, network.shape[3]
        kernel = kernel_benchmark.sparse_weights(shape, density, num_clusters=255, seed=seed)
        kernel *= scale_of(kernel)
        network.conv_2d(kernel, stride=stride, same=same, activation=RELU)
        seed += 1
    network.flatten()
    for i, (units, density) in enumerate(dense_layers):
        shape = units, network.shape[1]
        weights = kernel_benchmark.sparse_weights(shape, density, num_clusters=31, seed=seed)
        weights *= scale_of(weights)
        last = i == len(dense_layers) - 1
        network.fully_connected(weights, activation=0 if last else RELU)
        seed += 1
    return network.pack()


def scale_of(weights):
    """Keeps activations from growing from layer to layer."""
    per_unit = (weights != 0).sum() / len(weights)
    return (2.0 / max(per_unit, 1.0)) ** 0.5 / weights[weights != 0].std()


# Runs in a process of its own: prints KiB that loading and one invoke add, and seconds until
# the tensors are allocated.
PROBE = """
import sys, time
import numpy as np
import processor
import keras_dc
from ai_edge_litert.interpreter import Interpreter
def resident_kib():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
who, path = sys.argv[1:]
make = Interpreter if who == "dense" else keras_dc.Interpreter
options = {"low_memory": True} if who == "low_memory" else {}
before, begin = resident_kib(), time.perf_counter()
interpreter = make(model_path=path, num_threads=1, **options)
interpreter.allocate_tensors()
seconds = time.perf_counter() - begin
detail = interpreter.get_input_details()[0]
interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], np.float32))
interpreter.invoke()
print(resident_kib() - before, seconds)
"""


def probe(who, path):
    """(bytes that are resident after an invoke, seconds to load) of a model file.

    Args:
        who: "ours", "low_memory" or "dense".
        path: of the `.tflite` file.
    """
    command = [sys.executable, "-c", PROBE, who, str(path)]
    # Where the sources do not hide the installed package.
    folder = pathlib.Path(__file__).parent
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    kib, seconds = result.stdout.split()
    return int(kib) * 1024, float(seconds)


def memory_figures(case, console, repeats):
    """Prints and returns what a network takes of memory and of time to load."""
    resident, ready = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        dense_path = pathlib.Path(folder) / "dense.tflite"
        path = pathlib.Path(folder) / "compressed.tflite"
        dense_path.write_bytes(case.plain)
        path.write_bytes(case.compressed)
        for who in ("ours", "low_memory", "dense"):
            probes = [probe(who, dense_path if who == "dense" else path) for _ in range(repeats)]
            resident[who], ready[who] = map(min, zip(*probes, strict=True))
    for who, size in resident.items():
        console.print(
            f"{case.key}, {who}: {size / MIB:.1f} MiB resident, ready after {ready[who]:.3f} s"
        )
    return {
        f"{case.key}_rss_ratio": round(resident["ours"] / resident["dense"], 4),
        f"{case.key}_load_s": round(ready["ours"], 3),
        f"{case.key}_low_memory_rss_ratio": round(resident["low_memory"] / resident["dense"], 4),
    }


def low_memory_figures(case, console, repeats):
    """Prints and returns how fast low memory is beside the dense interpreter."""
    x = kernel_benchmark.input_of(case.plain)
    make = functools.partial(keras_dc.Interpreter, low_memory=True)
    interpreters = {
        "low_memory": kernel_benchmark.open_interpreter(make, case.compressed, 1, x),
        "dense": kernel_benchmark.open_interpreter(Interpreter, case.plain, 1, x),
    }
    kernel_benchmark.check_outputs(*interpreters.values())
    seconds = kernel_benchmark.seconds_in_turn(interpreters, repeats)
    ratio = seconds["dense"] / seconds["low_memory"]
    milliseconds = ", ".join(f"{who} {s * 1e3:.1f} ms" for who, s in seconds.items())
    console.print(f"{case.key}, one thread: {milliseconds}: {ratio:.2f}x")
    return {f"{case.key}_low_memory": round(ratio, 2)}


def trained_case(path):
    return Case(path.stem, path.stem, keras_dc.expand(path.read_bytes()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", type=pathlib.Path, metavar="MODEL.tflite")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--save", action="store_true", help="into results/")
    args = parser.parse_args()
    console = Console()
    with console.status("building VGG-16"):
        vgg_16 = build(VGG_16_SIZE, VGG_16, VGG_16_DENSE)
    cases = [
        *map(trained_case, args.models),
        Case("alexnet", "AlexNet", build(ALEXNET_SIZE, ALEXNET, ALEXNET_DENSE)),
        Case("vgg16", "VGG-16", vgg_16),
    ]
    figures = kernel_benchmark.measure_all(
        "Whole models", cases, repeats=args.repeats, threads=args.threads
    )
    for case in cases[-2:]:
        figures.update(low_memory_figures(case, console, args.repeats))
        figures.update(memory_figures(case, console, min(args.repeats, 3)))
    if args.save:
        processor.save("whole_model", figures)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

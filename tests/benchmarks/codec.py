"""The codec on VGG-16's 138M weights against zlib and zstd, one thread.

    python tests/benchmarks/codec.py [--repeats N]

Weights are synthetic, with the paper's densities and bits per layer (Han et al. 2016,
table 5). The rivals decompress the same information in its most compact bytes: one per
position gap and one per cluster index, the symbols that our own streams hold; ours are
timed from blob to columns and indices, with the checksum, which is more work. For
information, the rivals are also timed on the dense float32 weights, as a zipped
`.tflite` holds them. All are measured in turn, medians are reported.
"""

import argparse
import json
import statistics
import time
import zlib

import numpy as np
import zstandard
from rich.console import Console
from rich.table import Table

from keras_dc import codec, shannon

# Name, shape as TFLite has it, kept fraction; 256 clusters for conv, 32 for dense.
VGG_16 = [
    ("conv1_1", (64, 3, 3, 3), 0.58),
    ("conv1_2", (64, 3, 3, 64), 0.22),
    ("conv2_1", (128, 3, 3, 64), 0.34),
    ("conv2_2", (128, 3, 3, 128), 0.36),
    ("conv3_1", (256, 3, 3, 128), 0.53),
    ("conv3_2", (256, 3, 3, 256), 0.24),
    ("conv3_3", (256, 3, 3, 256), 0.42),
    ("conv4_1", (512, 3, 3, 256), 0.32),
    ("conv4_2", (512, 3, 3, 512), 0.27),
    ("conv4_3", (512, 3, 3, 512), 0.34),
    ("conv5_1", (512, 3, 3, 512), 0.35),
    ("conv5_2", (512, 3, 3, 512), 0.29),
    ("conv5_3", (512, 3, 3, 512), 0.36),
    ("fc6", (4096, 25088), 0.04),
    ("fc7", (4096, 4096), 0.04),
    ("fc8", (1000, 4096), 0.23),
]
SHANNON_WEIGHTS = 100_000
RIVALS = ["zlib", "zstd", "dense zlib", "dense zstd"]
ZLIB_LEVEL = 6
ZSTD_LEVEL = 3


def weights_of(shape, density, rng):
    """Pruned and shared weights: a random mask, Laplacian mass over even centroids."""
    num_clusters = 31 if len(shape) == 2 else 255
    size = int(np.prod(shape))
    weights = np.zeros(size, np.float32)
    kept = np.flatnonzero(rng.random(size, dtype=np.float32) < density)
    spread = rng.laplace(scale=num_clusters / 12, size=kept.size)
    indices = np.clip(np.rint(spread + num_clusters / 2), 0, num_clusters - 1).astype(int)
    codebook = (np.linspace(-1, 1, num_clusters) + 1e-3).astype(np.float32) / 8
    weights[kept] = codebook[indices]
    return weights.reshape(shape)


def symbols_of(weights, entries):
    """The same information in bytes: gaps between kept weights, cluster indices."""
    kept = np.flatnonzero(weights.ravel())
    gaps = np.diff(kept, prepend=-1) - 1
    # A gap that a byte cannot hold is bridged by fillers, as in the blob.
    fillers, rest = gaps // 255, gaps % 255
    symbols = np.full(gaps.size + int(fillers.sum()), 255, np.uint8)
    symbols[np.arange(gaps.size) + np.cumsum(fillers)] = rest
    return symbols.tobytes(), entries.indices.tobytes()


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def median_in_turn(functions, repeats):
    """Median seconds of each function, measured by turns."""
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function))
    return {name: statistics.median(values) for name, values in times.items()}


def measure_layer(weights, repeats):
    """Seconds, symbols and sizes of one layer."""
    compress_zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
    decompress_zstd = zstandard.ZstdDecompressor().decompress
    blob = codec.encode(weights)
    entries = codec.decode_entries(blob)
    parts = symbols_of(weights, entries)
    zipped = [zlib.compress(part, ZLIB_LEVEL) for part in parts]
    packed = [compress_zstd(part) for part in parts]
    dense = weights.tobytes()
    dense_zipped, dense_packed = zlib.compress(dense, 1), compress_zstd(dense)
    assert codec.decode(blob).tobytes() == dense
    info = codec.inspect(blob)
    return {
        "encode": statistics.median(seconds(lambda: codec.encode(weights)) for _ in range(3)),
        "symbols": 2 * info.num_kept + info.num_fillers,
        "bytes": len(blob),
        "shannon": len(blob) / shannon.shannon_bytes(weights),
        **median_in_turn(
            {
                "ours": lambda: codec.decode_entries(blob, out=entries),
                "zlib": lambda: [zlib.decompress(part) for part in zipped],
                "zstd": lambda: [decompress_zstd(part) for part in packed],
                "dense zlib": lambda: zlib.decompress(dense_zipped),
                "dense zstd": lambda: decompress_zstd(dense_packed),
            },
            repeats,
        ),
    }


def make_table():
    table = Table(title="VGG-16, one thread")
    for heading in ["layer", "kept %", "blob bytes", "Shannon", "encode ms", "decode ms"]:
        table.add_column(heading, justify="right")
    for heading in ["Gsym/s", *(f"vs {rival}" for rival in RIVALS)]:
        table.add_column(heading, justify="right")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    table = make_table()
    layers = []
    for name, shape, density in VGG_16:
        weights = weights_of(shape, density, rng)
        layer = measure_layer(weights, repeats)
        layers.append((weights.size, layer))
        table.add_row(
            name,
            f"{100 * density:.0f}",
            f"{layer['bytes']:,}",
            f"{layer['shannon']:.4f}x",
            f"{1e3 * layer['encode']:.1f}",
            f"{1e3 * layer['ours']:.2f}",
            f"{layer['symbols'] / layer['ours'] / 1e9:.2f}",
            *(f"{layer[rival] / layer['ours']:.1f}x" for rival in RIVALS),
        )
    total = {key: sum(layer[key] for _, layer in layers) for key in layers[0][1]}
    figures = {
        "encode_s": total["encode"],
        "decode_gsym_s": total["symbols"] / total["ours"] / 1e9,
        "worst_shannon_ratio": max(
            layer["shannon"] for size, layer in layers if size >= SHANNON_WEIGHTS
        ),
    }
    for rival in RIVALS:
        figures[f"decode_vs_{rival.replace(' ', '_')}"] = total[rival] / total["ours"]
    Console().print(table)
    print(json.dumps({key: round(value, 4) for key, value in figures.items()}))


if __name__ == "__main__":
    main()

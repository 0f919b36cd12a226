"""The codec on VGG-16's 138M weights against zlib and zstd, one thread.

    python tests/benchmarks/codec.py [--repeats N]

Weights are synthetic, with the paper's densities and bits per layer (Han et al. 2016,
table 5). Ours is timed from blob to row starts, columns and indices, with the checksum.
"The same information" can be read in four ways, and the rivals are timed in all:

- symbols: one byte per position gap and one per cluster index, the most compact form.
  They stop at these bytes, where ours goes on to positions: the hardest reading, and the
  one that `decode_vs_zlib` and `decode_vs_zstd` report.
- positions: the same bytes, and NumPy makes row starts and columns of the gaps, so that
  both sides end with the same arrays.
- arrays: the row starts, columns and indices themselves, as ours ends with them, the columns
  in the narrowest type that holds them.
- dense: the float32 weights themselves, as a zipped `.tflite` holds them.

All are measured in turn, medians are reported.
"""

import argparse
import json
import statistics
import time
import zlib

import numpy as np
import processor
import zstandard
from rich.console import Console
from rich.table import Table

from keras_dc import codec
from keras_dc.numerics import entropy

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
READINGS = ["symbols", "positions", "arrays", "dense"]
RIVALS = ["zlib", "zstd"]
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


def gaps_of(weights):
    """The positions of kept weights in bytes: the gaps between them."""
    kept = np.flatnonzero(weights.ravel())
    gaps = np.diff(kept, prepend=-1) - 1
    # A gap that a byte cannot hold is bridged by fillers, as in the blob.
    fillers, rest = gaps // 255, gaps % 255
    symbols = np.full(gaps.size + int(fillers.sum()), 255, np.uint8)
    symbols[np.arange(gaps.size) + np.cumsum(fillers)] = rest
    return symbols.tobytes()


def positions_of(gap_symbols, num_columns, num_rows):
    """What `gaps_of` came from: row starts and columns, as the entries have them."""
    gaps = np.frombuffer(gap_symbols, np.uint8)
    is_kept = gaps != 255
    places = np.cumsum(gaps + is_kept, dtype=np.uint32)[is_kept] - np.uint32(1)
    rows, columns = np.divmod(places, np.uint32(num_columns))
    return np.searchsorted(rows, np.arange(num_rows + 1)), columns


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
    parts = gaps_of(weights), entries.indices.tobytes()
    matrix = (len(entries.row_begin) - 1, weights.size // (len(entries.row_begin) - 1))
    narrow = entries.columns.astype(np.min_scalar_type(matrix[1] - 1))
    arrays = [array.tobytes() for array in (entries.row_begin, narrow, entries.indices)]
    dense = weights.tobytes()
    rivals = {
        "zlib": (
            zlib.decompress,
            [zlib.compress(part, ZLIB_LEVEL) for part in parts],
            [zlib.compress(array, ZLIB_LEVEL) for array in arrays],
            zlib.compress(dense, 1),
        ),
        "zstd": (
            decompress_zstd,
            [compress_zstd(part) for part in parts],
            [compress_zstd(array) for array in arrays],
            compress_zstd(dense),
        ),
    }
    row_begin, columns = positions_of(parts[0], matrix[1], matrix[0])
    assert np.array_equal(row_begin, entries.row_begin)
    assert np.array_equal(columns, entries.columns)
    assert codec.decode(blob).tobytes() == dense
    functions = {("ours",): lambda: codec.decode_entries(blob, out=entries)}
    for rival, (decompress, small_parts, small_arrays, small_dense) in rivals.items():
        functions |= {
            ("symbols", rival): lambda d=decompress, s=small_parts: [d(part) for part in s],
            ("arrays", rival): lambda d=decompress, s=small_arrays: [d(part) for part in s],
            ("positions", rival): lambda d=decompress, s=small_parts: (
                positions_of(d(s[0]), matrix[1], matrix[0]),
                d(s[1]),
            ),
            ("dense", rival): lambda d=decompress, s=small_dense: d(s),
        }
    info = codec.inspect(blob)
    return {
        "encode": statistics.median(seconds(lambda: codec.encode(weights)) for _ in range(3)),
        "symbols": 2 * info.num_kept + info.num_fillers,
        "bytes": len(blob),
        "shannon": len(blob) / entropy.shannon_bytes(weights),
        **median_in_turn(functions, repeats),
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
    print(processor.line())
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
            f"{1e3 * layer['ours',]:.2f}",
            f"{layer['symbols'] / layer['ours',] / 1e9:.2f}",
            *(f"{layer['symbols', rival] / layer['ours',]:.1f}x" for rival in RIVALS),
        )
    total = {key: sum(layer[key] for _, layer in layers) for key in layers[0][1]}
    figures = {
        "encode_s": total["encode"],
        "decode_gsym_s": total["symbols"] / total["ours",] / 1e9,
        "worst_shannon_ratio": max(
            layer["shannon"] for size, layer in layers if size >= SHANNON_WEIGHTS
        ),
    }
    readings = Table(title="All layers, times ours")
    for heading in ["the rival ends with", *RIVALS]:
        readings.add_column(heading)
    for reading in READINGS:
        ratios = [total[reading, rival] / total["ours",] for rival in RIVALS]
        readings.add_row(reading, *(f"{ratio:.2f}x" for ratio in ratios))
        suffix = "" if reading == "symbols" else f"_{reading}"
        for rival, ratio in zip(RIVALS, ratios):
            figures[f"decode_vs_{rival}{suffix}"] = ratio
    Console().print(table, readings)
    print(json.dumps({key: round(value, 4) for key, value in figures.items()}))


if __name__ == "__main__":
    main()

"""Many-valued weights by byte planes against zlib and zstd, one thread.

    python tests/benchmarks/planes.py [--repeats N] [--rows N]

Weights are synthetic: Gaussian, in each element type; with half of the rows or columns dead,
as training leaves them; and pruned. All decode to the dense tensor, and are measured in
turn; medians are reported.
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

COLUMNS = 2048


def kinds(rows):
    """`(name, array, dtype)` of each kind of weights."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(rows, COLUMNS)).astype(np.float32)
    tiny = rng.choice(np.array([0, 6e-8, -6e-8], np.float32), size=noise.shape)
    dead = np.where(rng.random(rows)[:, None] < 0.5, tiny, noise).astype(np.float16)
    yield "float32", noise, None
    yield "float16", noise.astype(np.float16), None
    yield "bfloat16", (noise.view(np.uint32) >> 16).astype(np.uint16), "bfloat16"
    yield "dead rows", dead, None
    yield "dead columns", np.ascontiguousarray(dead.T), None
    yield "30 % kept", np.where(rng.random(noise.shape) < 0.3, noise, np.float32(0)), None


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rows", type=int, default=4096)
    arguments = parser.parse_args()
    print(processor.line())
    table = Table(title="Values by byte planes, one thread")
    for heading in ["weights", "MB", "of them", "zlib", "zstd", "GB/s", "vs zlib", "vs zstd"]:
        table.add_column(heading, justify="right")
    figures = {}
    for name, values, dtype in kinds(arguments.rows):
        raw, blob = values.tobytes(), codec.encode(values, dtype=dtype)
        zlib_bytes, zstd_bytes = zlib.compress(raw, 6), zstandard.ZstdCompressor().compress(raw)
        assert codec.decode(blob).tobytes() == raw
        decoders = {
            "ours": lambda blob=blob: codec.decode(blob),
            "zlib": lambda zipped=zlib_bytes: zlib.decompress(zipped),
            "zstd": lambda zipped=zstd_bytes: zstandard.ZstdDecompressor().decompress(zipped),
        }
        times = {decoder: [] for decoder in decoders}
        for _ in range(arguments.repeats):
            for decoder, function in decoders.items():
                times[decoder].append(seconds(function))
        median = {decoder: statistics.median(found) for decoder, found in times.items()}
        sizes = [len(content) / len(raw) for content in (blob, zlib_bytes, zstd_bytes)]
        gb_s = len(raw) / median["ours"] / 1e9
        ratios = [median[rival] / median["ours"] for rival in ("zlib", "zstd")]
        key = name.replace(" % ", "_percent_").replace(" ", "_")
        figures |= {f"{key}_size": sizes[0], f"{key}_gb_s": gb_s, f"{key}_vs_zstd": ratios[1]}
        table.add_row(
            name,
            f"{len(raw) / 1e6:.1f}",
            *(f"{100 * size:.1f} %" for size in sizes),
            f"{gb_s:.2f}",
            *(f"{ratio:.1f}x" for ratio in ratios),
        )
    Console().print(table)
    print(json.dumps({key: round(value, 3) for key, value in figures.items()}))


if __name__ == "__main__":
    main()

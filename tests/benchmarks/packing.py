"""Packed files beside the best zips of the same files.

    python tests/benchmarks/packing.py FILE...

For each file its size, that of gzip -9, xz -9e, zstd -19 and brotli -11 (the last two where
their Python packages are installed), the packed size, and the megabytes of the original that
unpack in a second on one thread. The last line is one JSON object: for each file
`original_bytes`, `best_zip` (name), `best_zip_bytes`, `packed_bytes`, `unpack_mb_s`.
"""

import argparse
import gzip
import importlib
import json
import lzma
import pathlib
import time

import processor

import keras_dc as dc

UNPACKS = 5


def zip_sizes(content):
    """Size in bytes by the name of the zip."""
    sizes = {
        "gzip": len(gzip.compress(content, 9)),
        "xz": len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)),
    }
    for name, compress in [
        ("zstandard", lambda module: module.ZstdCompressor(level=19).compress(content)),
        ("brotli", lambda module: module.compress(content, quality=11)),
    ]:
        try:
            sizes[name] = len(compress(importlib.import_module(name)))
        except ImportError:
            continue
    return sizes


def figures(content):
    """What one file takes: dict."""
    sizes = zip_sizes(content)
    best = min(sizes, key=sizes.get)
    packed = dc.pack(content)
    seconds = []
    for _ in range(UNPACKS):
        begin = time.perf_counter()
        unpacked = dc.unpack(packed)
        seconds.append(time.perf_counter() - begin)
    assert unpacked == content
    return {
        "original_bytes": len(content),
        "best_zip": best,
        "best_zip_bytes": sizes[best],
        "packed_bytes": len(packed),
        "unpack_mb_s": round(len(content) / min(seconds) / 1e6, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    found = {}
    files = parser.parse_args().files
    print(processor.line())
    for path in files:
        row = found[path.name] = figures(path.read_bytes())
        print(
            f"{path.name[:56]:56} {row['original_bytes']:10,} {row['best_zip']:>9} "
            f"{row['best_zip_bytes']:10,} packed {row['packed_bytes']:10,} "
            f"{row['packed_bytes'] / row['best_zip_bytes']:6.3f} {row['unpack_mb_s']:7.1f} MB/s"
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()

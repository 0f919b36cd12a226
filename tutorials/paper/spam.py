"""Spam or not: an embedding and a 1-D convolution over the words of a mail.

    cd tutorials && python -m paper.spam [--seeds 0 1 2]

The SpamAssassin corpus is read from an archive of npm, see `lib.spam`. Bodies alone, each text
once; a fifth is the test part, by a hash of the text. Settings were not searched; `--validate`
tests on another tenth for who wants to. Figures go to a JSON file; a run that is there is not
done again.
"""

import pathlib

import keras
from keras import layers
from lib import spam
from paper import results_file, run_arguments, small_tasks

RESULTS = pathlib.Path(__file__).parent / "results" / "spam.json"
SEEDS = (0, 1, 2)
BATCH_SIZE = 64
SETTINGS = small_tasks.Settings(density=0.03, epochs=(6, 10, 5))


def network():
    """The strongest answer of each filter to any five words decides: 200,000 weights."""
    words = keras.Input((spam.LENGTH,), dtype="int32", name="words")
    x = layers.Embedding(spam.WORDS, 32)(words)
    x = layers.Conv1D(48, 5, activation="relu")(x)
    x = layers.Dropout(0.3)(layers.GlobalMaxPooling1D()(x))
    return keras.Model(words, layers.Dense(2)(x), name="spam")


def run(data, settings, *, seed, validate=False):
    """One run: dict of figures.

    Args:
        data: `spam.Spam`.
        settings: `small_tasks.Settings`.
        seed: int.
        validate: bool, whether to test on the part that settings are chosen on.
    """
    learned, tested = data.split(validate=validate)
    batches = small_tasks.Batches(*learned, BATCH_SIZE, seed)
    return small_tasks.run(network, batches, settings, {"test": tested}, seed=seed)


def main():
    parser = run_arguments.parser(__doc__, seeds=SEEDS, output=RESULTS)
    parser.add_argument("--data", type=pathlib.Path, help="the archive of `npm pack`")
    arguments = run_arguments.parse(parser)
    settings = run_arguments.changed(SETTINGS, arguments)
    data, results = spam.load(arguments.data), results_file.ResultsFile(arguments.output)
    for seed in arguments.seeds:
        name = " ".join([f"seed {seed}", *arguments.set])
        results.add(
            name,
            lambda seed=seed: run(data, settings, seed=seed, validate=arguments.validate),
        )


if __name__ == "__main__":
    main()

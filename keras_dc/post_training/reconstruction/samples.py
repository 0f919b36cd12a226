"""The user's samples as runs of a model, most of them to rebuild from and some held back."""

import dataclasses
import os
import warnings
from typing import NamedTuple

import numpy as np

from keras_dc.numerics.finite import all_finite
from keras_dc.runtime.batches import Batcher
from keras_dc.runtime.sample_inputs import user_samples

LEAST, FEW, MOST = 8, 32, 512
_RUNS = 64
_HELD_BACK = 4


class Runs(NamedTuple):
    """Samples cut into runs of the model, each a dict from the name of an input to an array.

    Attributes:
        all: list of them in the order of the samples.
        used: list of those to rebuild from.
        held_back: list of the others, a quarter.
    """

    all: list
    used: list
    held_back: list


def runs_of(samples, specs, seed):
    """Cut samples into runs, and hold some back.

    Args:
        samples: what `user_samples` takes, or the path of a `.npz` or `.npy` file.
        specs: list of InputSpec of the model.
        seed: int, by which runs are drawn that are held back.

    Returns:
        Runs.

    Raises:
        TypeError: if samples are of no such type.
        ValueError: if samples do not fit the model, are fewer than 8, all zero, or not finite.
        FileNotFoundError: if there is nothing at the path.
    """
    given = _loaded(samples) if isinstance(samples, (str, os.PathLike)) else samples
    # A model that is made for one example takes many, one after the other.
    any_size = [
        dataclasses.replace(spec, shape=(-1, *spec.shape[1:])) if spec.shape else spec
        for spec in specs
    ]
    pieces = list(user_samples(given, any_size))
    _check_values(pieces)
    runs, count = _cut(pieces, specs)
    if count < LEAST:
        raise ValueError(f"`samples` must be {LEAST} at least. Received: {count} samples")
    if count < FEW:
        warnings.warn(
            f"`samples` should be {FEW} to {MOST}: from fewer, layers learn what is chance. "
            f"Received: {count} samples",
            stacklevel=2,
        )
    if count > MOST:
        warnings.warn(
            f"more than {MOST} `samples` take long and gain little. Received: {count} samples",
            stacklevel=2,
        )
    if len(runs) > 1:
        order = np.random.default_rng([seed, 2]).permutation(len(runs))
        held = set(order[: max(1, len(runs) // _HELD_BACK)].tolist())
    else:
        held = set()
        warnings.warn(
            f"no `samples` are held back, so the error is that of those that layers were rebuilt "
            f"from: give more than one batch. Received: {count} samples in one batch",
            stacklevel=2,
        )
    return Runs(
        runs,
        [run for place, run in enumerate(runs) if place not in held],
        [run for place, run in enumerate(runs) if place in held] or runs,
    )


def _loaded(path):
    """The samples of a file: an array, or a dict of arrays by name."""
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        return found
    with found:
        names = [name for name in found.files if name != "y"]
        arrays = {name: found[name] for name in names}
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def _check_values(pieces):
    are_alike = True
    for name in pieces[0]:
        values = [piece[name] for piece in pieces]
        first = values[0][:1]
        are_alike &= all(
            each.ndim > 0 and each.shape[1:] == first.shape[1:] and bool(np.all(each == first))
            for each in values
        )
        if values[0].dtype.kind != "f":
            continue
        if not all(map(all_finite, values)):
            raise ValueError(
                f"`samples` must be finite. Received: NaN or infinity for the input {name!r}"
            )
        if not any(map(np.any, values)):
            raise ValueError(
                f"`samples` must not be all zero. Received: zeros for the input {name!r}"
            )
    if are_alike:
        warnings.warn(
            "`samples` should differ: layers learn from one as much as from many that are alike. "
            "Received: samples that are all equal",
            stacklevel=3,
        )


def _cut(pieces, specs):
    """(runs, number of samples) of pieces, which are put together where their shapes allow it."""
    if any(not spec.shape for spec in specs):
        return pieces, len(pieces)
    counts = [{len(values) for values in piece.values()} for piece in pieces]
    if any(len(count) > 1 for count in counts):
        raise ValueError(
            "all inputs must have as many samples. Received: "
            f"{[{name: values.shape for name, values in piece.items()} for piece in pieces[:1]]}"
        )
    total = sum(map(max, counts))
    batch_sizes = {spec.shape[0] for spec in specs} - {-1}
    shapes = {tuple((n, v.shape[1:]) for n, v in sorted(piece.items())) for piece in pieces}
    if len(shapes) > 1:
        if batch_sizes and {max(count) for count in counts} != batch_sizes:
            raise ValueError(
                "samples of several shapes must each be a batch of the model's size. Received: "
                f"{sorted(max(count) for count in counts)}, for {sorted(batch_sizes)}"
            )
        return pieces, total
    whole = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    batch_size = None if batch_sizes else -(-total // _RUNS)
    batcher = Batcher([specs], batch_size)
    return [run for (run,), _ in batcher.batches(whole)], total

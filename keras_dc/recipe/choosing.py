"""Choices by evidence, before the long trainings: baseline, allocation, clusters, first size."""

import dataclasses
import math

from keras_dc.recipe.allocation import SPARSITIES, Allocation, CodedSizes
from keras_dc.recipe.fitting import DivergedError
from keras_dc.training.sensitivity_scan import Sensitivity, sensitivity
from keras_dc.wrapping.compilation import compile_arguments

# A model that has made no steps, and whose loss is hardly better than with the outputs of
# other samples, is not trained.
_KNOWS_NOTHING = 0.9
# The scan may cost as many samples as an epoch of training has, three times.
_SCAN_SHARE = 3
_FEWEST, _MOST = 256, 2048
# Densities pruned at once, and what their loss tells: trained with regrowth, a fifth of the
# weights does.
_AT_ONCE = (0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05, 0.03)
_TOLERANCE = 10.0
_TRAINED_SHARE = 0.18
# Allocations are compared where it matters: at so much of the first attempt's kernel bytes.
_TRIAL_SHARE = 0.6
_SMALLEST_FIRST, _LARGEST_FIRST = 0.015, 0.5
# Clusters, and the largest density that they are for.
_CLUSTERS_UP_TO = {8: 0.06, 16: 0.2, 32: 1.0}


def is_untrained(model, copy, judge):
    """Whether a model looks as if it was never trained.

    Args:
        model: the caller's compiled model.
        copy: a copy of it.
        judge: `judging.Judge`.
    """
    if int(model.optimizer.iterations) > 0:
        return False
    of_others = judge.of_model(copy, shuffled=True)["loss"]
    return not judge.given_logs["loss"] <= _KNOWS_NOTHING * of_others


def scan(stages, weights, validation, num_train):
    """The loss of each layer at some sparsities, on a part of the validation data.

    Returns:
        `Sensitivity`.
    """

    def compute():
        model = stages.copy(weights)
        model.compile("sgd", **compile_arguments(stages.trainer.given))
        kernels = stages.settings.kernels(model)
        cost = len(kernels) * len(SPARSITIES)
        count = min(_MOST, max(_FEWEST, _SCAN_SHARE * num_train // cost))
        found = sensitivity(
            model,
            validation.some(count),
            sparsities=SPARSITIES,
            filters=stages.settings.filters,
            leave_out=stages.settings.leave_out,
            verbose=stages.trainer.reporter.keras_verbose,
        )
        return dataclasses.asdict(found), []

    info, _ = stages.journal.remembered("sensitivity", compute)
    values = {name: tuple(values) for name, values in info["values"].items()}
    return Sensitivity(**{**info, "sparsities": tuple(info["sparsities"]), "values": values})


def clusters_for(density):
    """How many clusters go well with a density: the fewer weights, the fewer."""
    return next(count for count, largest in _CLUSTERS_UP_TO.items() if density <= largest)


def with_clusters_for(sizes, file_bytes):
    """`sizes` with the number of clusters that goes well with a file of `file_bytes`."""
    for count, largest in _CLUSTERS_UP_TO.items():
        sizes = dataclasses.replace(sizes, num_clusters=count)
        if sizes.file_bytes(dict.fromkeys(sizes.num_weights, largest)) >= file_bytes:
            break
    return sizes


def first_sizes(stages, weights, num_clusters):
    """`CodedSizes` from a file of the model pruned at once."""
    kernels = stages.settings.kernels(stages.copy(weights))
    sizes = CodedSizes({name: kernel.size for name, kernel in kernels.items()}, num_clusters)
    densities = Allocation("global", kernels).densities(
        sizes, sum(0.02 * 4 * kernel.size for kernel in kernels.values())
    )

    def compute():
        pruned = stages.prune_at_once(weights, densities)
        model = stages.shared(pruned, num_clusters, stages.settings.rate_weight)
        size, kernel_bytes = stages.file_sizes(model)
        return {"size": size, "kernel_bytes": kernel_bytes}, []

    info, _ = stages.journal.remembered("first-sizes", compute)
    # Masks of trained models are coded better than those of this one.
    return dataclasses.replace(sizes, other_bytes=info["size"] - info["kernel_bytes"])


def first_density(stages, weights, allocations, sizes, baseline, max_loss):
    """The density of the first attempt at an aim of loss: (float, dict of evidence).

    Each allocation is pruned at once, ever further, until it loses ten times what the aim
    allows; a training with regrowth can do with a fifth of what is kept then.
    """
    num_weights = sum(sizes.num_weights.values())

    def lost_at(allocation, density):
        even = dict.fromkeys(sizes.num_weights, density)
        densities = allocation.densities(sizes, sizes.file_bytes(even))
        model = stages.copy(stages.prune_at_once(weights, densities))
        score = stages.judge.score(stages.judge.of_model(model))
        return stages.judge.loss_of(score, baseline)

    def compute():
        evidence = {allocation.kind: [] for allocation in allocations}
        total = len(allocations) * len(_AT_ONCE)
        with stages.trainer.reporter.stage("Pruned at once", total) as advance:
            for i, allocation in enumerate(allocations):
                for j, density in enumerate(_AT_ONCE):
                    loss = lost_at(allocation, density)
                    evidence[allocation.kind].append([density, loss])
                    if not loss <= _TOLERANCE * max_loss:
                        break
                    advance(i * len(_AT_ONCE) + j + 1)
            advance(total)
        return {"evidence": evidence}, []

    info, _ = stages.journal.remembered("pruned-at-once", compute)
    good = [
        density
        for points in info["evidence"].values()
        for density, loss in points
        if loss <= _TOLERANCE * max_loss
    ]
    density = _TRAINED_SHARE * min(good, default=1.0)
    density = min(max(density, _SMALLEST_FIRST, 20 / num_weights), _LARGEST_FIRST)
    return density, info["evidence"]


def chosen_allocation(stages, weights, allocations, sizes, target_bytes, epochs, rates, history):
    """The allocation that loses least in a short training: (`Allocation`, dict of evidence)."""
    if len(allocations) == 1 or not epochs:
        return allocations[0], {}
    losses = {}
    for allocation in allocations:
        kind = allocation.kind
        densities = allocation.densities(sizes, sizes.scaled(target_bytes, _TRIAL_SHARE))
        try:
            pruned = stages.prune(
                f"trial-{kind}", f"Trial: {kind}", weights, densities, kind, epochs, rates
            )
        except DivergedError:
            losses[kind] = math.inf
            continue
        losses[kind] = stages.judge.of_model(stages.copy(pruned.weights))["loss"]
        history.append(
            {
                "stage": f"trial, {kind}",
                "epochs": epochs,
                "score": pruned.score,
                "densities": pruned.densities,
                "logs": pruned.logs,
            }
        )
    best = min(
        allocations, key=lambda a: math.inf if math.isnan(losses[a.kind]) else losses[a.kind]
    )
    return best, losses

"""The search: an attempt after another, by what the last one's file was like."""

import dataclasses
import math
import warnings
from typing import Any

from keras_dc.recipe.fitting import DivergedError
from keras_dc.recipe.settings import CLUSTERS
from keras_dc.recipe.trimming import trimmed

# How far pruning goes on after a good attempt: bytes times this; further if nothing was lost.
_PUSH, _PUSH_FAR = 0.75, 0.6
# Bytes of the next attempt after one that lost too much, if none was good before.
_BACK, _BACK_FAR = 1.5, 2.2
# Two sizes nearer than this are the same.
_CLOSE = 1.06
# A file that fits is not made larger again for less room than this.
_CLOSE_ENOUGH = 1.15
# A size aim is aimed at with so much room.
_ROOM = 0.975
# Where sharing cannot make up for what pruning lost: times the tolerated loss.
_HOPELESS = 3.0


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A pruned model, and the file that was made of it, None if it was not worth one."""

    pruned: Any
    shared: Any
    loss: float

    @property
    def size_bytes(self):
        """Of the file: int."""
        return self.shared.size_bytes


@dataclasses.dataclass
class Search:
    """Runs the attempts of a plan.

    Attributes:
        aim: `aims.Aim`.
        stages: `stages.Stages`.
        allocation: `allocation.Allocation`.
        sizes: `allocation.CodedSizes`; better known after each file.
        baseline: float, the score of the model given.
        weights: list of arrays, the model to start from.
        rates: `fitting.Rates`.
        max_bytes: int or None, the size that the aim allows.
        first_target: float, the bytes that the first attempt aims at.
        trim: `trimming.trimmed`, or what stands for it.
        num_clusters: int or dict.
        reporter: `progress.Reporter`.
    """

    aim: Any
    stages: Any
    allocation: Any
    sizes: Any
    baseline: float
    weights: list
    rates: Any
    max_bytes: int | None
    num_clusters: Any
    reporter: Any
    attempts: list = dataclasses.field(default_factory=list)
    history: list = dataclasses.field(default_factory=list)
    first_target: float = 0.0
    trim: Any = trimmed

    def run(self, plan):
        """Make the attempts of `plan`: the best one."""
        weights, target_bytes = self.weights, self.first_target
        redo = None
        for i, (prune_epochs, share_epochs) in enumerate(plan.attempts, 1):
            is_last = i == len(plan.attempts)
            if redo is None:
                pruned = self._prune(i, weights, target_bytes, prune_epochs)
            else:
                pruned, share_epochs = redo, prune_epochs + share_epochs
            self._finish(i, pruned, share_epochs, must_share=is_last)
            if is_last:
                break
            move = self._next()
            if move is None:
                self.reporter.say("No better file is to be expected: the other epochs are left.")
                break
            weights, target_bytes, redo = move
        best = self.best()
        return best if self.reaches(best) else self._trimmed(best)

    def best(self):
        """The attempt whose file is nearest to the aim."""
        found = [attempt for attempt in self.attempts if attempt.shared is not None]
        reached = [attempt for attempt in found if self.reaches(attempt)]
        if self.aim.is_about_loss:
            if reached:
                return min(reached, key=lambda attempt: attempt.size_bytes)
            return min(found, key=lambda attempt: attempt.loss)
        if reached:
            return min(reached, key=lambda attempt: attempt.loss)
        return min(found, key=lambda attempt: attempt.size_bytes)

    def reaches(self, attempt):
        """Whether the file of an attempt is what was asked for."""
        if attempt.shared is None:
            return False
        if self.aim.is_about_loss:
            return attempt.loss <= self.aim.max_loss
        return attempt.size_bytes <= self.max_bytes

    def _trimmed(self, attempt):
        """An attempt at a size, without the smallest weights if it fits then."""
        if self.aim.is_about_loss:
            return attempt
        shared = self.trim(self.stages, attempt.pruned, attempt.shared, self.max_bytes)
        if shared is None:
            return attempt
        self.history.append(
            {"stage": "trim", "epochs": 0, "score": shared.score, "size_bytes": shared.size_bytes}
        )
        loss = self.stages.judge.loss_of(shared.score, self.baseline)
        self.attempts.append(Attempt(attempt.pruned, shared, loss))
        self.reporter.say(
            f"The smallest weights go, to fit: {shared.size_bytes:,} bytes, "
            f"{self._told(shared.score)}"
        )
        return self.attempts[-1]

    def _prune(self, i, weights, target_bytes, epochs):
        densities = self.allocation.densities(self.sizes, target_bytes)
        self.reporter.say(
            f"Attempt {i}: prune towards a file of {target_bytes:,.0f} bytes, "
            f"{_kept(densities, self.sizes):.2%} of the weights kept."
        )
        stage, kind = f"attempt-{i}-prune", self.allocation.kind
        pruned = self._with_slower_rates(
            stage,
            lambda name, rates: self.stages.prune(
                name, f"Pruning {i}", weights, densities, kind, epochs, rates
            ),
        )
        self.history.append(
            {
                "stage": f"prune {i}",
                "epochs": epochs,
                "score": pruned.score,
                "densities": pruned.densities,
                "logs": pruned.logs,
            }
        )
        self.reporter.say(f"  pruned: {self._told(pruned.score)}")
        return pruned

    def _finish(self, i, pruned, epochs, *, must_share):
        loss = self.stages.judge.loss_of(pruned.score, self.baseline)
        limit = math.inf if self.aim.max_loss is None else _HOPELESS * self.aim.max_loss
        if loss > limit and not must_share:
            self.reporter.say("  too much is lost already: no file is made of it.")
            self.attempts.append(Attempt(pruned, None, loss))
            return
        clusters = self.num_clusters
        shared = self._with_slower_rates(
            f"attempt-{i}-share",
            lambda name, rates: self.stages.share(
                name,
                f"Sharing {i}",
                pruned,
                clusters,
                self.stages.settings.rate_weight,
                epochs,
                rates,
            ),
        )
        self.history.append(
            {
                "stage": f"share {i}",
                "epochs": epochs,
                "score": shared.score,
                "num_clusters": clusters,
                "size_bytes": shared.size_bytes,
                "logs": shared.logs,
            }
        )
        loss = self.stages.judge.loss_of(shared.score, self.baseline)
        self.attempts.append(Attempt(pruned, shared, loss))
        self.sizes = self.sizes.calibrated(pruned.densities, shared.kernel_bytes, shared.size_bytes)
        self.reporter.say(
            f"  file: {shared.size_bytes:,} bytes, {self._told(shared.score)}"
            f"{'' if self.reaches(self.attempts[-1]) else ': not what was asked for'}"
        )

    def _next(self):
        """(weights to start from, bytes to aim at, pruned model to share anew), None to stop."""
        return self._next_by_loss() if self.aim.is_about_loss else self._next_by_size()

    def _next_by_loss(self):
        last = self.attempts[-1]
        good = [attempt for attempt in self.attempts if self.reaches(attempt)]
        largest_bad = max(
            (self._bytes_of(a) for a in self.attempts if not self.reaches(a)), default=0
        )
        if not self.reaches(last) and last.shared is not None and self._can_share_better(last):
            self.reporter.say(f"  sharing lost it: once more with {self.num_clusters} clusters.")
            return None, None, last.pruned
        if not good:
            factor = _BACK if last.loss <= _HOPELESS * self.aim.max_loss else _BACK_FAR
            return self.weights, self.sizes.scaled(largest_bad, factor), None
        best = min(good, key=lambda attempt: attempt.size_bytes)
        if largest_bad:
            if largest_bad >= best.size_bytes / _CLOSE:
                return None
            return best.pruned.weights, math.sqrt(largest_bad * best.size_bytes), None
        factor = _PUSH_FAR if best.loss <= 0 else _PUSH
        return best.pruned.weights, self.sizes.scaled(best.size_bytes, factor), None

    def _can_share_better(self, attempt):
        """Whether more clusters are worth a try; they are then what comes next."""
        pruned_loss = self.stages.judge.loss_of(attempt.pruned.score, self.baseline)
        clusters = self.num_clusters
        is_fixed = self.stages.settings.num_clusters is not None
        if is_fixed or pruned_loss > self.aim.max_loss or clusters >= CLUSTERS[-1]:
            return False
        self.num_clusters = next(count for count in CLUSTERS if count > clusters)
        return True

    def _next_by_size(self):
        last = self.attempts[-1]
        ratio = self.max_bytes / last.size_bytes
        if 1.0 <= ratio <= _CLOSE_ENOUGH:
            return None
        return last.pruned.weights, _ROOM * (self.max_bytes or 0), None

    def _bytes_of(self, attempt):
        if attempt.shared is not None:
            return attempt.size_bytes
        return self.sizes.file_bytes(attempt.pruned.densities)

    def _with_slower_rates(self, name, train):
        try:
            return train(name, self.rates)
        except DivergedError as error:
            warnings.warn(
                f"The training diverged, and is tried again with a third of its learning rate: "
                f"{error}",
                stacklevel=2,
            )
            self.rates = self.rates.slower(3.0)
        try:
            return train(f"{name}-slower", self.rates)
        except DivergedError as error:
            raise ValueError(
                "the training diverged twice: give a smaller `learning_rate`, and look for NaN "
                f"in the data. Received: {error}"
            ) from error

    def _told(self, score):
        loss = self.stages.judge.loss_of(score, self.baseline)
        change = f"{loss:.4g} lost" if loss > 0 else f"{-loss:.4g} won"
        return f"{self.stages.judge.metric} {score:.4f} ({change})"


def _kept(densities, sizes):
    total = sum(sizes.num_weights[name] for name in densities)
    return sum(d * sizes.num_weights[name] for name, d in densities.items()) / total

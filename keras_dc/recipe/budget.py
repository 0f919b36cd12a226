"""What the caller's epochs buy: how many each stage gets."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Plan:
    """Epochs by stage.

    Attributes:
        baseline: int, to train the model as it is, before all else.
        trial: int, of each of the two short trainings that compare allocations; 0: none.
        attempts: tuple of (epochs of pruning, epochs of sharing), from the first to the last.
    """

    baseline: int
    trial: int
    attempts: tuple

    def rows(self):
        """(stage, epochs) for a table."""
        rows: list[tuple[str, object]] = (
            [("baseline, trained further", self.baseline)] if self.baseline else []
        )
        if self.trial:
            rows.append(("trials of two allocations", 2 * self.trial))
        for i, (prune, share) in enumerate(self.attempts, 1):
            title = f"attempt {i}" + (", if it is needed" if i > 1 else "")
            rows.append((title, f"{prune} pruning + {share} sharing"))
        return rows

    @property
    def total(self):
        """All epochs: int."""
        return self.baseline + 2 * self.trial + sum(map(sum, self.attempts))


def plan_of(epochs, *, baseline_epochs, has_choice, is_about_loss, can_search=True):
    """Share out `epochs`.

    Args:
        epochs: int >= 2, of all stages together.
        baseline_epochs: int, those of the baseline.
        has_choice: whether two allocations are to be compared.
        is_about_loss: whether the aim bounds the loss: then sizes are searched, and the epochs
            are spread over three attempts; else the first gets most.
        can_search: False for one attempt alone.

    Raises:
        ValueError: if there are too few.
    """
    left = epochs - baseline_epochs
    if left < 2:
        raise ValueError(
            "`epochs` must leave one for pruning and one for sharing, after those of the baseline. "
            f"Received: epochs={epochs}, baseline_epochs={baseline_epochs}"
        )
    trial = left // 30 if has_choice else 0
    left -= 2 * trial
    if left < 10 or not can_search:
        return Plan(baseline_epochs, trial, (_split(left),))
    if not is_about_loss:
        second = left // 4
        return Plan(baseline_epochs, trial, (_split(left - second), _split(second)))
    later = left * 3 // 11
    return Plan(baseline_epochs, trial, (_split(left - 2 * later), _split(later), _split(later)))


def _split(epochs):
    """(pruning, sharing): a quarter is for sharing."""
    sharing = max(1, round(epochs / 4))
    return max(1, epochs - sharing), sharing

"""Which attempt follows which, on stages that train nothing."""

import types

import keras  # noqa: F401 (first: keras_dc registers its layers with it)
import pytest

from keras_dc.recipe.aims import aim_of
from keras_dc.recipe.allocation import Allocation, CodedSizes
from keras_dc.recipe.budget import Plan
from keras_dc.recipe.fitting import DivergedError, Rates
from keras_dc.recipe.progress import Reporter
from keras_dc.recipe.search import Search
from keras_dc.recipe.settings import Settings
from keras_dc.recipe.stages import Pruned, Shared
from keras_dc.training import Sensitivity

SIZES = CodedSizes({"fc": 10_000}, 8, factor=1.0, other_bytes=1000)
PLAN = Plan(0, 0, ((4, 1), (2, 1), (2, 1)))
SCAN = Sensitivity("loss", False, (0.5, 0.9), 1.0, {"fc": (1.1, 1.5)})


class Stages:
    """Scores are functions of densities; files have the sizes that were aimed at."""

    def __init__(self, pruned_score, lost_by_sharing=lambda clusters: 0.0, size=1.0, diverges=0):
        self.settings = Settings()
        self.judge = types.SimpleNamespace(
            metric="accuracy", loss_of=lambda score, baseline: baseline - score
        )
        self._score = pruned_score
        self._lost = lost_by_sharing
        self._size = size
        self._diverges = diverges
        self.calls = []

    def prune(self, name, title, weights, densities, kind, epochs, rates):
        if self._diverges:
            self._diverges -= 1
            raise DivergedError("nan")
        self.calls.append((name, weights, rates.pruning))
        return Pruned(name, [name], self._score(densities["fc"]), densities, {})

    def share(self, name, title, pruned, num_clusters, rate_weight, epochs, rates):
        self.calls.append((name, num_clusters, epochs))
        score = pruned.score - self._lost(num_clusters)
        kernel_bytes = self._size * (SIZES.file_bytes(pruned.densities) - 1000)
        tflite = bytes(1000 + int(kernel_bytes))
        return Shared(name, tflite, [], score, num_clusters, int(kernel_bytes), {})


def search(stages, first_target=2000, max_bytes=None, **aim):
    return Search(
        aim_of(**aim), stages, Allocation("layers", {"fc": None}, SCAN), SIZES, 0.9, ["given"],
        Rates(0.003, 0.001, 0.1), max_bytes, 8, Reporter(0), first_target=first_target,
    )  # fmt: skip


def sizes_of(run):
    return [attempt.size_bytes for attempt in run.attempts if attempt.shared is not None]


def test_a_good_file_is_followed_by_smaller_ones():
    stages = Stages(lambda density: 0.95)
    run = search(stages, max_loss=0.01)
    best = run.run(PLAN)
    assert sizes_of(run) == pytest.approx([2000, 1600, 1360], abs=15)
    assert best is run.attempts[-1]
    # Each begins where the last one ended.
    starts = [weights for name, weights, _ in stages.calls if name.endswith("prune")]
    assert starts == [["given"], ["attempt-1-prune"], ["attempt-2-prune"]]


def test_after_a_bad_one_the_search_closes_in_from_the_last_good_state():
    # Down to 5 % of the weights nothing is lost, below it a little.
    stages = Stages(lambda density: 0.9 if density > 0.05 else 0.885)
    run = search(stages, first_target=1800, max_loss=0.01)
    best = run.run(PLAN)
    first, second, third = sizes_of(run)
    assert best is run.attempts[2]
    assert second < third < first
    starts = [weights for name, weights, _ in stages.calls if name.endswith("prune")]
    assert starts == [["given"], ["attempt-1-prune"], ["attempt-1-prune"]]


def test_without_a_good_file_more_weights_are_kept():
    stages = Stages(lambda density: 0.9 if density > 0.2 else 0.88)
    run = search(stages, max_loss=0.01)
    best = run.run(PLAN)
    assert sizes_of(run) == pytest.approx([2000, 2500, 3250], abs=15)
    assert best.loss == pytest.approx(0.0, abs=1e-9)
    starts = [weights for name, weights, _ in stages.calls if name.endswith("prune")]
    assert starts == [["given"], ["given"], ["given"]]


def test_no_file_is_made_where_pruning_lost_all():
    stages = Stages(lambda density: 0.9 if density > 0.4 else 0.1)
    run = search(stages, max_loss=0.01)
    run.run(PLAN)
    assert [attempt.shared is None for attempt in run.attempts] == [True, True, False]


def test_more_clusters_where_sharing_lost_it():
    stages = Stages(lambda density: 0.9, lost_by_sharing=lambda k: 0.02 if k < 16 else 0.0)
    run = search(stages, max_loss=0.01)
    run.run(PLAN)
    shares = [call for call in stages.calls if call[0].endswith("share")]
    # The second attempt has no pruning, so its epochs are all for sharing.
    assert shares[:2] == [("attempt-1-share", 8, 1), ("attempt-2-share", 16, 3)]
    assert not any(name == "attempt-2-prune" for name, *_ in stages.calls)


def test_a_size_that_is_missed_is_aimed_at_again():
    stages = Stages(lambda density: 0.9, size=1.3)
    run = search(stages, first_target=0.975 * 2000, max_bytes=2000, max_loss=None, ratio=50)
    best = run.run(Plan(0, 0, ((4, 1), (2, 1))))
    first, second = sizes_of(run)
    assert first > 2000
    assert 1850 < second <= 2000
    assert run.reaches(best)


def test_a_size_that_is_met_ends_the_search():
    stages = Stages(lambda density: 0.9)
    run = search(stages, first_target=0.975 * 2000, max_bytes=2000, ratio=50)
    run.run(Plan(0, 0, ((4, 1), (2, 1))))
    assert len(run.attempts) == 1


def test_a_training_that_diverges_is_slower_the_second_time():
    stages = Stages(lambda density: 0.9, diverges=1)
    run = search(stages, max_bytes=2000, ratio=50)
    with pytest.warns(UserWarning, match="third of its learning rate"):
        run.run(Plan(0, 0, ((4, 1),)))
    assert stages.calls[0] == ("attempt-1-prune-slower", ["given"], pytest.approx(0.001))


def test_a_size_that_is_missed_to_the_last_is_trimmed():
    stages = Stages(lambda density: 0.9, size=1.3)
    run = search(stages, first_target=0.975 * 2000, max_bytes=2000, ratio=50)
    small = Shared("trimmed", bytes(1990), [], 0.89, 8, 990, {})
    run.trim = lambda stages, pruned, shared, max_bytes: small
    best = run.run(Plan(0, 0, ((4, 1),)))
    assert best.shared is small
    assert best.loss == pytest.approx(0.01)
    assert run.history[-1]["stage"] == "trim"


def test_twice_is_an_error():
    stages = Stages(lambda density: 0.9, diverges=2)
    with (
        pytest.warns(UserWarning, match="third"),
        pytest.raises(ValueError, match="diverged twice"),
    ):
        search(stages, max_bytes=2000, ratio=50).run(Plan(0, 0, ((4, 1),)))

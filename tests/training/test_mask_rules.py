"""Each rule on arrays worked out by hand, and a rule of one's own through `PrunedLayer`."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.training import mask_rules
from keras_dc.training.mask_rules import (
    Blocks,
    Groups,
    Kernel,
    Magnitude,
    RigL,
    StraightThrough,
    options_of,
    rule_of,
)
from keras_dc.training.pruning import PrunedLayer

WEIGHTS = np.float32([[1, -8, 2, 7], [-3, 6, 4, -5]])
FOREVER = dc.ConstantSparsity(0.5, 0)


def kernel(weights=WEIGHTS, mask=None, **options):
    return Kernel(weights, np.ones_like(weights) if mask is None else np.float32(mask), **options)


def assert_masks(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.float32


@pytest.mark.parametrize("rule", [Magnitude(), StraightThrough(freeze_step=9)])
def test_magnitude_keeps_the_largest(rule):
    assert_masks(rule.masks([kernel()], 0.5, progress=0.0), [[[0, 1, 0, 1], [0, 1, 0, 1]]])


def test_magnitude_keeps_a_pruned_weight_pruned():
    pruned = kernel(mask=[[1, 0, 1, 1], [1, 1, 1, 1]])
    assert_masks(Magnitude().masks([pruned], 0.5, progress=0.0), [[[0, 0, 0, 1], [0, 1, 1, 1]]])


def test_a_global_threshold_compares_the_kernels():
    kernels = [kernel(), kernel(WEIGHTS / 4)]
    # 8 to 1 and 2 to 1/4: the largest eight of sixteen are 8 to 2, and one of the two 2s.
    rule = Magnitude(global_threshold=True, min_density=0.0)
    expected = [[[0, 1, 1, 1], [1, 1, 1, 1]], [[0, 1, 0, 0], [0, 0, 0, 0]]]
    assert_masks(rule.masks(kernels, 0.5, progress=0.0), expected)
    # With a floor of two, 1.75 of the second stays, and the 2 of the first goes.
    rule = Magnitude(global_threshold=True, min_density=0.25)
    expected = [[[0, 1, 0, 1], [1, 1, 1, 1]], [[0, 1, 0, 1], [0, 0, 0, 0]]]
    assert_masks(rule.masks(kernels, 0.5, progress=0.0), expected)


def test_blocks_go_by_their_mean_magnitude():
    # Columns of two: means 2, 7, 3 and 6.
    rule = Blocks(block_size=(2, 1))
    assert_masks(rule.masks([kernel()], 0.5, progress=0.0), [[[0, 1, 0, 1], [0, 1, 0, 1]]])
    # Under a global threshold three of eight columns: 7 and 6, and 5.6 of the second kernel.
    rule = Blocks(block_size=(2, 1), global_threshold=True)
    masks = rule.masks([kernel(), kernel(WEIGHTS * 0.8)], 5 / 8, progress=0.0)
    assert_masks(masks, [[[0, 1, 0, 1], [0, 1, 0, 1]], [[0, 1, 0, 0], [0, 1, 0, 0]]])


def test_groups_go_along_the_input_axis():
    rule = Groups(group_size=2)
    columns, rows = kernel(input_axis=-2), kernel(input_axis=-1)
    masks = rule.masks([columns, rows], 0.5, progress=0.0)
    assert_masks(masks, [[[0, 1, 0, 1], [1, 0, 1, 0]], [[0, 1, 0, 1], [0, 1, 0, 1]]])


def test_rigl_drops_the_smallest_and_grows_what_moved_most():
    rule = RigL(regrow_fraction=0.5, freeze_step=9)
    half = kernel(mask=[[1, 1, 1, 1], [0, 0, 0, 0]])
    # Two of four are new: 1 and 2 go, -5 and 6 come.
    assert_masks(rule.masks([half], 0.5, progress=0.0), [[[0, 1, 0, 1], [0, 1, 0, 1]]])
    # A fourth is one of four: half of 0.5, in the middle of the way. At its end none.
    assert_masks(rule.masks([half], 0.5, progress=0.5), [[[0, 1, 1, 1], [0, 1, 0, 0]]])
    assert_masks(rule.masks([half], 0.5, progress=1.0), [half.mask])


LONELY = np.float32([[5, 5, 5, 5], [0, 0, 0, 6], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("rule", [Magnitude, StraightThrough])
def test_squares_a_bit_prefer_full_lines(rule):
    """The 6 is alone in its row, and goes before the four 5s that are together."""
    sparsity = 1 - 4 / LONELY.size
    options = {} if rule is Magnitude else {"freeze_step": 9}
    [plain] = rule(**options).masks([kernel(LONELY)], sparsity, progress=0.0)
    assert plain[1, 3] == 1
    # By the densities of the magnitudes' mask, since nothing is pruned yet; or of the present.
    aware = rule(rate_aware=True, **options)
    present = (LONELY > 0).astype(np.float32)
    for one in (kernel(LONELY), kernel(LONELY, present=present)):
        assert_masks(aware.masks([one], sparsity, progress=0.0), [LONELY == 5])


def test_a_threshold_keeps_what_the_mask_keeps():
    weights = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    present = (np.random.default_rng(1).random((30, 20)) < 0.2).astype(np.float32)
    for options, shape in [({}, ()), ({"rate_aware": True}, weights.shape)]:
        rule = StraightThrough(freeze_step=9, **options)
        kernels = [kernel(weights, present=present)]
        [mask] = rule.masks(kernels, 0.9, progress=0.0)
        [threshold] = rule.thresholds(kernels, [mask], 0.9)
        assert np.shape(threshold) == shape
        np.testing.assert_array_equal(np.abs(weights) >= threshold, mask > 0)
        assert mask.sum() == 60


@pytest.mark.parametrize(
    "options", [{"block_size": (2, 1)}, {"group_size": 2}, {"regrow_fraction": 0.3}]
)
def test_rules_of_no_single_weights_are_not_rate_aware(options):
    name = next(iter(options))
    extra = {"freeze_step": 9} if name == "regrow_fraction" else {}
    with pytest.raises(ValueError, match=f"`{name}` does not. Received: rate_aware=True"):
        rule_of(rate_aware=True, **options, **extra).check(FOREVER)


def test_the_share_of_new_weights_falls_to_none():
    rule = RigL(regrow_fraction=0.4, freeze_step=100)
    assert [rule.fraction_at(at) for at in (0.0, 0.5, 1.0)] == pytest.approx([0.4, 0.2, 0.0])


@pytest.mark.parametrize(
    "rule",
    [
        Magnitude(),
        Magnitude(global_threshold=True, min_density=0.25),
        Blocks(block_size=(4, 2), global_threshold=True),
        Groups(group_size=4),
        StraightThrough(freeze_step=9, global_threshold=True),
        StraightThrough(freeze_step=9, rate_aware=True),
        RigL(regrow_fraction=0.3, freeze_step=9),
    ],
)
def test_each_rule_is_what_its_keywords_ask_for(rule):
    options = options_of(rule)
    assert rule_of(**options) == rule
    others = dict.fromkeys(mask_rules.option_names() - options.keys())
    assert rule_of(**others, **options) == rule
    rule.check(FOREVER)


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="blocksize"):
        rule_of(blocksize=(4, 2))


def test_a_rule_and_keywords_together_are_refused():
    with pytest.raises(ValueError, match="Received: rule=Magnitude.*'group_size': 4"):
        PrunedLayer(layers.Dense(2), 0.5, rule=Magnitude(), group_size=4)


def test_files_of_the_seven_keywords_load():
    """As every PrunedLayer was saved at first: all keywords, `block_size` as JSON has it."""
    layer = PrunedLayer(layers.Dense(2), FOREVER)
    old = {
        "global_threshold": False, "min_density": 0.01, "block_size": [4, 2], "group_size": None,
        "straight_through": False, "regrow_fraction": None, "freeze_step": None,
    }  # fmt: skip
    config = {k: v for k, v in layer.get_config().items() if k not in old}
    rule = PrunedLayer.from_config({**config, **old}).rule
    assert rule == Blocks(block_size=(4, 2), min_density=0.01)


# A rule of one's own


@dataclasses.dataclass(frozen=True, kw_only=True)
class Columns(Magnitude):
    """Keeps whole columns, those of the largest norm."""

    norm: int

    def masks(self, kernels, sparsity, *, progress):
        found = []
        for kernel in kernels:
            norms = np.linalg.norm(kernel.weights, ord=self.norm, axis=0)
            count = round((1 - sparsity) * norms.size)
            found.append(np.ones_like(kernel.weights) * (norms >= np.sort(norms)[-count]))
        return found


def pruned_by_columns(**options):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(4, name="hidden")])
    model.layers[0].kernel.assign(WEIGHTS)
    model = keras.Sequential([keras.Input((2,)), PrunedLayer(model.layers[0], 0.5, **options)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.ones((4, 2), np.float32)
    model.fit(x, np.zeros((4, 4)), verbose=0, callbacks=[dc.PruningCallback()])
    return model


def test_a_new_rule_is_one_class():
    model = pruned_by_columns(rule=Columns(norm=1))
    expected = WEIGHTS * [0, 1, 0, 1]
    np.testing.assert_array_equal(dc.strip(model).layers[0].get_weights()[0], expected)


def test_a_rule_without_a_row_is_not_saved_as_another(tmp_path):
    with pytest.raises(ValueError, match=r"Only a rule in `RULES`.*Received: rule=Columns"):
        pruned_by_columns(rule=Columns(norm=1)).save(tmp_path / "model.keras")


def test_a_new_row_is_a_new_keyword(tmp_path, monkeypatch):
    monkeypatch.setitem(mask_rules.RULES, "norm", Columns)
    # It computes with NumPy, and is given arrays on a GPU, too.
    assert not mask_rules.takes_tensors(Columns(norm=2))
    assert mask_rules.takes_tensors(Groups(group_size=4))
    pruned_by_columns(norm=2).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].rule == Columns(norm=2)
    with pytest.raises(ValueError, match="and `norm` can be used.*Received: group_size, norm"):
        pruned_by_columns(norm=2, group_size=4)

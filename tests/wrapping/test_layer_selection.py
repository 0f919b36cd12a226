import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.support.name_patterns import values_by_name
from keras_dc.wrapping.layer_selection import selected_layers


def conv_model():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, name="conv_a"),
            layers.BatchNormalization(name="norm"),
            layers.DepthwiseConv2D(2, name="conv_b"),
            layers.Flatten(name="flat"),
            layers.Dense(4, name="hidden"),
            layers.Dense(2, name="head"),
        ]
    )


def test_layers_with_a_kernel_are_selected_in_order():
    assert list(selected_layers(conv_model(), None)) == ["conv_a", "conv_b", "hidden", "head"]


@pytest.mark.parametrize(
    ("leave_out", "names"),
    [
        ("first", ["conv_b", "hidden", "head"]),
        ("last", ["conv_a", "conv_b", "hidden"]),
        ("first_and_last", ["conv_b", "hidden"]),
    ],
)
def test_first_and_last_layer_are_left_out_in_one_word(leave_out, names):
    model = conv_model()
    assert list(selected_layers(model, None, leave_out=leave_out)) == names
    pruned = dc.prune(model, dc.ConstantSparsity(0.5, 0), leave_out=leave_out)
    assert [
        layer.name for layer in pruned.layers if isinstance(layer, dc.training.PrunedLayer)
    ] == names
    shared = dc.share_weights(model, 4, leave_out=leave_out)
    assert [
        layer.name for layer in shared.layers if isinstance(layer, dc.training.SharedLayer)
    ] == names


def test_filters_and_leave_out_together_may_select_nothing():
    message = r"\['conv_a', 'conv_b', 'hidden', 'head'\].*filters='head', leave_out='last'"
    with pytest.raises(ValueError, match=message):
        selected_layers(conv_model(), "head", leave_out="last")


def test_unknown_leave_out_is_refused():
    with pytest.raises(ValueError, match="Received: leave_out='ends'"):
        selected_layers(conv_model(), None, leave_out="ends")


def test_the_first_pattern_that_matches_counts():
    names = ["conv_a", "conv_b", "hidden"]
    values = {"conv_b": 1, "conv": 2, "^hid": 3}
    assert values_by_name("x", values, names) == {"conv_b": 1, "conv_a": 2, "hidden": 3}
    assert values_by_name("x", 7, names) == {"conv_a": 7, "conv_b": 7, "hidden": 7}
    # A later pattern may find only what an earlier one took.
    assert values_by_name("x", {".": 1, "conv": 2}, names)["conv_a"] == 1


def test_names_that_no_pattern_finds_get_no_value():
    assert values_by_name("x", {"conv": 2}, ["conv_a", "head"]) == {"conv_a": 2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"conv": 1, "lstm": 2}, r"pattern of `x`.*\['conv_a', 'head'\].*pattern='lstm'"),
        ({}, "must name a layer"),
    ],
)
def test_patterns_that_find_nothing_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        values_by_name("x", values, ["conv_a", "head"])


def test_cluster_counts_by_pattern():
    shared = dc.share_weights(conv_model(), {"conv": 7, "head": 3})
    counts = {
        x.name: x.num_clusters for x in shared.layers if isinstance(x, dc.training.SharedLayer)
    }
    assert counts == {"conv_a": 7, "conv_b": 7, "head": 3}
    kernel = dc.strip(shared).get_layer("head").get_weights()[0]
    assert np.unique(kernel).size == 3


def test_cluster_counts_of_the_paper():
    shared = dc.share_weights(conv_model(), "paper")
    counts = [
        layer.num_clusters for layer in shared.layers if isinstance(layer, dc.training.SharedLayer)
    ]
    assert counts == [256, 256, 32, 32]


def test_cluster_counts_of_the_paper_look_into_layers():
    inside = layers.TimeDistributed(layers.Conv2D(2, 2), name="inside")
    lstm = layers.ConvLSTM2D(2, 2, name="lstm")
    model = keras.Sequential([keras.Input((3, 6, 6, 2)), inside, lstm, layers.Dense(2)])
    counts = [layer.num_clusters for layer in dc.share_weights(model, "paper").layers]
    assert counts == [256, 256, 32]


def test_a_count_in_a_dict_is_checked():
    with pytest.raises(ValueError, match="Received: num_clusters=0"):
        dc.share_weights(conv_model(), {"conv": 7, "head": 0})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_kernel_that_is_not_finite_is_refused_by_name(bad):
    model = conv_model()
    kernel, bias = model.get_layer("hidden").get_weights()
    kernel[1, 2] = bad
    model.get_layer("hidden").set_weights([kernel, bias])
    for refused in (
        lambda: dc.prune(model, dc.ConstantSparsity(0.5, 0)),
        lambda: dc.share_weights(model, 4),
    ):
        with pytest.raises(ValueError, match="must be finite. Received: .* in hidden/kernel"):
            refused()
    dc.prune(model, dc.ConstantSparsity(0.5, 0), filters="conv")

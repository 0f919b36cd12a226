"""The report of `convert` names the Keras layer of each constant."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.conversion.layer_names import _Finder


def few_values(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "moving" not in weight.name:
            weight.assign(rng.choice([0.0, 0.5, -0.25], size=weight.shape))
    return model


@pytest.fixture(scope="module")
def model():
    parts = [
        keras.Input((8, 8, 3), batch_size=1),
        layers.Conv2D(16, 3, use_bias=False, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, name="depthwise"),
        layers.Flatten(),
        layers.Dense(40, activation="relu", name="dense"),
        layers.Dense(40, name="dense_1"),
    ]
    return few_values(keras.Sequential(parts, name="net"))


def test_each_weight_has_its_layer(model):
    content, report = dc.convert(model, return_report=True)
    assert content == dc.convert(model)
    assert {(row.layer, row.role) for row in report if row.role in ("weights", "bias")} >= {
        ("conv", "weights"), ("depthwise", "weights"), ("dense", "weights"), ("dense", "bias"),
        ("dense_1", "weights"), ("dense_1", "bias"),
    }  # fmt: skip
    found = {(row.layer, row.role) for row in report.coded}
    shapes = {row.layer: row.shape for row in report.coded if row.role == "weights"}
    assert (shapes["dense"], shapes["dense_1"]) == ((40, 256), (40, 40))
    rows = dc.inspect(content, original=report)
    assert {(row.layer, row.role) for row in rows} == found
    lines = str(rows).splitlines()
    assert any(line.startswith("dense_1, weights ") for line in lines)
    assert {row.layer for row in dc.inspect(content)} == {""}


def test_quantized_weights_have_their_layer(model):
    _, report = dc.convert(model, return_report=True, optimizations=["DEFAULT"])
    assert {row.layer for row in report.coded} >= {"depthwise", "dense", "dense_1"}


def test_a_pruned_layer_goes_by_the_name_of_what_it_wraps():
    dense = keras.Sequential([keras.Input((20,)), layers.Dense(32, name="hidden")], name="net")
    _, report = dc.convert(dc.prune(dense, 0.8), return_report=True)
    assert [row.layer for row in report.coded] == ["hidden"]


@pytest.mark.parametrize(("text", "expected"), [
    ("net_1/dense_1/MatMul", "dense"),
    ("net_1/dense_1_1/MatMul", "dense_1"),
    ("net/dense_1/MatMul", "dense_1"),
    ("net/dense/MatMul", "dense"),
    ("other/dense_7/MatMul", "dense"),
    ("net_1/relu_1/Relu;net_1/dense_1/BiasAdd", "dense"),
    ("net_1/relu_1/Relu", None),
    ("arith.constant", None),
    ("", None),
])  # fmt: skip
def test_paths_tell_layers(text, expected):
    finder = _Finder("net", {"dense": True, "dense_1": True, "relu": False})
    assert finder.layer(text) == expected

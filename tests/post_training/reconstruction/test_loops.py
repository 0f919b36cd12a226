import numpy as np
import pytest
from support.recurrent_nets import STEPS, UNITS, recurrent_net, sequences

from keras_dc.compression import lossless
from keras_dc.post_training.reconstruction import importance, loops
from keras_dc.post_training.reconstruction import layers as layers_of
from keras_dc.post_training.reconstruction.feed import Feed
from keras_dc.post_training.reconstruction.parts import Part

WHILE = 0


@pytest.fixture(scope="module")
def source():
    return lossless.Source.of(recurrent_net().serialize())


def starts(source, x, loop):
    return Part(source.graph, [0], loop.given)({0: x})


def hidden(source, x):
    """What h is before each step and after the last, by hand."""
    by_name = {source.graph.name(c.tensors[0]): c.values for c in source.constants}
    h, found = np.zeros((1, UNITS), np.float32), []
    for step in x:
        found.append(h)
        h = np.tanh(step @ by_name["kernel"].T + by_name["bias"] + h @ by_name["recurrent"].T)
    return np.stack([*found, h])


def layer_named(source, name):
    layers, _ = layers_of.find_layers(source)
    [layer] = [each for each in layers if source.graph.name(each.weights.tensors[0]) == name]
    return layer


def test_layers_of_a_loop_stand_before_what_follows_it(source):
    layers, others = layers_of.find_layers(source)
    names = [source.graph.name(layer.weights.tensors[0]) for layer in layers]
    assert names == ["kernel", "recurrent", "classes"]
    assert [layer.loop for layer in layers] == [WHILE, WHILE, None]
    assert others == {}


def test_a_bias_that_is_added_to_both_matrices_belongs_to_both():
    source = lossless.Source.of(recurrent_net(adds_bias=True).serialize())
    layers, _ = layers_of.find_layers(source)
    biases = [layer.bias and source.graph.name(layer.bias.tensors[0]) for layer in layers]
    assert biases == ["bias", "bias", None]
    assert {source.graph.op_name(layer.adds) for layer in layers[:2]} == {"ADD"}
    fused, _ = layers_of.find_layers(lossless.Source.of(recurrent_net().serialize()))
    assert [layer.bias is not None for layer in fused] == [True, False, False]


def test_steps_are_those_of_the_loop(source):
    recurrent, x = layer_named(source, "recurrent"), sequences(1)[0]
    loop = loops.Loop(source.graph, WHILE, [recurrent.input])
    values = starts(source, x, loop)
    found = [step[recurrent.input] for step in loop.steps(values)]
    np.testing.assert_allclose(np.stack(found), hidden(source, x)[:-1], atol=1e-6)
    assert loop.length(values) == STEPS


def test_replaced_weights_change_what_later_steps_see(source):
    recurrent, x = layer_named(source, "recurrent"), sequences(1)[0]
    kernel = layer_named(source, "kernel").weights
    replaced = {kernel.buffer: np.zeros(kernel.size_bytes, np.uint8)}
    pair = [loops.Loop(source.graph, WHILE, [recurrent.input], each) for each in ({}, replaced)]
    values = starts(source, x, pair[0])
    [first, second], repeats = loops.joined(pair, [values, values], 2**20)
    assert repeats == 1
    assert first[recurrent.input].shape == second[recurrent.input].shape == (STEPS, UNITS)
    np.testing.assert_array_equal(first[recurrent.input][0], second[recurrent.input][0])
    assert not np.allclose(first[recurrent.input][2], second[recurrent.input][2])


def test_of_many_steps_some_are_kept(source):
    recurrent, x = layer_named(source, "recurrent"), sequences(1)[0]
    loop = loops.Loop(source.graph, WHILE, [recurrent.input])
    values = starts(source, x, loop)
    [found], repeats = loops.joined([loop], [values], 3 * 4 * UNITS)
    np.testing.assert_allclose(found[recurrent.input], hidden(source, x)[[0, 2, 4], 0], atol=1e-6)
    assert repeats == 2


def test_a_loop_without_steps_has_nothing():
    source = lossless.Source.of(recurrent_net().serialize())
    recurrent = layer_named(source, "recurrent")
    loop = loops.Loop(source.graph, WHILE, [recurrent.input])
    values = starts(source, sequences(1)[0], loop)
    values[loop.given[0]] = np.array(STEPS, np.int32)
    assert loops.joined([loop], [values], 2**20) is None


def test_a_feed_gives_all_steps_as_places(source):
    recurrent, x = layer_named(source, "recurrent"), sequences(3)
    feed = Feed(source.graph, [{0: each} for each in x])
    given = [get() for get in feed.inputs(recurrent, {})]
    assert len(given) == 3
    for [inputs], each in zip(given, x):
        assert inputs.new is inputs.original
        assert (inputs.output_shape, inputs.repeats) == ((STEPS, UNITS), 1.0)
        np.testing.assert_allclose(inputs.new, hidden(source, each)[:-1, 0], atol=1e-6)


def test_what_cannot_be_stepped_says_why():
    nested = lossless.Source.of(recurrent_net(nested=True).serialize())
    layers, others = layers_of.find_layers(nested)
    assert len(layers) == 1
    assert set(others.values()) == {"its loop calls other subgraphs"}


@pytest.mark.parametrize("name", ["kernel", "recurrent", "classes"])
def test_importance_says_how_outputs_move_when_weights_in_a_loop_do(source, name):
    x = sequences(60)
    runs = [{0: each} for each in x]
    layer = layer_named(source, name)
    [found] = importance.measure(source.graph, [layer], runs, 0)
    assert found.is_measured
    # Noise on weights, which moves the output of each step by noise times its input.
    rng, outputs = np.random.default_rng(0), [int(source.graph.model.subgraphs[0].outputs[0])]
    given = [get()[0].new for get in Feed(source.graph, runs).inputs(layer, {})]
    square = float(np.mean([np.sum(np.square(each)) for each in given]))
    whole = Part(source.graph, [0], outputs)
    want = [whole(run)[outputs[0]] for run in runs]
    moved = expected = 0.0
    for _ in range(20):
        noise = rng.normal(0, 1e-3, layer.shape).astype(np.float32)
        changed = layer.shaped(layer.rows() + noise)
        replaced = {layer.weights.buffer: changed.reshape(-1).view(np.uint8)}
        part = Part(source.graph, [0], outputs, replaced)
        got = [part(run)[outputs[0]] for run in runs]
        moved += float(np.sum(np.square(np.subtract(got, want))) / np.sum(np.square(want)))
        # Errors of the steps of a sample are alike where their inputs are.
        expected += 1e-6 * square * float(np.sum(found.weights)) * max(found.coherence, 1.0)
    assert 0.3 < expected / moved < 3.0

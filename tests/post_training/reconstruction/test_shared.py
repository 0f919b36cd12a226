import dataclasses

import numpy as np
import pytest
from support.recurrent_nets import shared_net, tied_net

from keras_dc.compression import lossless
from keras_dc.post_training.reconstruction import chance, moments, shared
from keras_dc.post_training.reconstruction import layers as layers_of
from keras_dc.post_training.reconstruction.importance import Importance


def layer_of(graph):
    return layers_of.find_layers(lossless.Source.of(graph.serialize()))[0][0]


def measured(layer, inputs):
    """Moments of each use of a layer, given arrays `(runs, places, inputs)`."""
    runs = [
        [moments.Inputs(use[run], use[run], (*use[run].shape[:-1], 40)) for use in inputs]
        for run in range(len(inputs[0]))
    ]
    return moments.measure(
        list(layer.uses), [lambda each=each: each for each in runs], [1.0] * len(inputs), 0
    )


def drawn(offset, seed, places=4):
    return (offset + np.random.default_rng(seed).normal(size=(30, places, 40))).astype(np.float32)


@pytest.mark.parametrize("has_bias", [True, False])
def test_equal_uses_count_as_one_with_the_places_of_all(has_bias):
    layer = layer_of(shared_net(has_bias=has_bias))
    inputs = [drawn(0.5, 0), drawn(1.5, 1), drawn(-1.0, 2)]
    weight = Importance(np.linspace(1, 2, 40), 1.0, True)
    parts = shared.by_bias(layer, measured(layer, inputs), [weight] * 3)
    assert len(parts) == (1 if has_bias else 3)
    whole, importance = shared.joined(
        [each for _, each, _ in parts], [each for _, _, each in parts], is_centred=False
    )
    x = np.concatenate([each.reshape(-1, 40) for each in inputs]).astype(np.float64)
    # One bias makes up for one mean only.
    want = np.cov(x.T, bias=True) if has_bias else x.T @ x / len(x)
    np.testing.assert_allclose(whole.own[0], want, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(whole.mean, x.mean(axis=0), atol=1e-5)
    assert whole.num_positions == 12
    np.testing.assert_allclose(importance.weights, weight.weights)


def test_a_use_that_matters_more_counts_more():
    layer = layer_of(shared_net(has_bias=False))
    found = measured(layer, [drawn(0, 0), 3 * drawn(0, 1), drawn(0, 2)])
    weights = [Importance(np.full(40, each), 1.0, True) for each in (0.0, 1.0, 0.0)]
    whole, importance = shared.joined(found, weights, is_centred=False)
    np.testing.assert_allclose(whole.own[0], found[1].own[0], rtol=1e-5)
    # Errors of the second use alone, at its four places.
    assert whole.num_positions * importance.weights[0] == pytest.approx(4.0)


def test_differences_of_the_original_are_joined():
    layer = layer_of(shared_net())
    found = measured(layer, [drawn(0, 0), drawn(1, 1), drawn(2, 2)])
    found[2] = dataclasses.replace(
        found[2], cross=[np.eye(40, dtype=np.float32)], original_mean=found[2].mean + 3
    )
    weight = Importance(np.ones(40), 1.0, True)
    whole, _ = shared.joined(found, [weight] * 3, is_centred=True)
    np.testing.assert_allclose(whole.original_mean - whole.mean, np.ones(40))
    # Differences of the three are -1, -1 and 2 from their mean, and inputs -1, 0 and 1 from theirs.
    np.testing.assert_allclose(whole.cross[0], 1 + np.eye(40) / 3, atol=0.2)


def test_rows_that_are_looked_up_count_by_how_often():
    layer = layer_of(tied_net())
    ids = np.array([0, 0, 0, 7], np.int32)
    runs = [lambda: [moments.Inputs(ids, ids, ())]] * 5
    [counts] = moments.measure([layer.uses[0]], runs, [1.0], 0)
    assert counts.num_positions == 4
    assert (counts.rows[0], counts.rows[7], counts.rows.sum()) == (15, 5, 20)
    columns = Importance(np.linspace(1, 3, 16), 1.0, True)
    found, rows = shared.of_lookup(layer.uses[0], counts, columns)
    np.testing.assert_allclose(np.diag(found.own[0]), np.linspace(1, 3, 16) / 2, rtol=1e-6)
    assert rows.weights.sum() == pytest.approx(2)
    assert rows.weights[0] == pytest.approx(16 * rows.weights[1])


def test_means_that_differ_by_chance_are_drawn_together():
    rng = np.random.default_rng(0)
    alike = np.square(rng.normal(size=(64, 50)))
    found = chance.drawn_together(alike.mean(axis=0), np.square(alike).mean(axis=0), 64)
    assert np.ptp(found) < 0.5 * np.ptp(alike.mean(axis=0))
    differ = alike * np.geomspace(0.01, 100, 50)
    found = chance.drawn_together(differ.mean(axis=0), np.square(differ).mean(axis=0), 64)
    np.testing.assert_allclose(found, differ.mean(axis=0), rtol=0.2, atol=0.6)
    same = np.ones(4)
    np.testing.assert_array_equal(chance.drawn_together(same, same, 3), same)

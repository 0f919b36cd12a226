import numpy as np
import pytest
from support.dense_nets import mobile_net

from keras_dc.compression import lossless
from keras_dc.post_training.reconstruction import layers as layers_of
from keras_dc.post_training.reconstruction import moments
from keras_dc.post_training.reconstruction.patches import output_shape, patches


@pytest.fixture(scope="module")
def layers():
    source = lossless.Source.of(mobile_net().serialize())
    return layers_of.find_layers(source)[0]


def measured(layer, runs, originals=None, coherence=1.0):
    inputs = [
        [moments.Inputs(new, original, output_shape(layer, new.shape))]
        for new, original in zip(runs, originals or runs)
    ]
    [found] = moments.measure([layer], [lambda each=each: each for each in inputs], [coherence], 0)
    return found


def inputs_of(shape, count=6, seed=0, offset=3.0):
    rng = np.random.default_rng(seed)
    return [(offset + rng.normal(size=shape)).astype(np.float32) for _ in range(count)]


def test_of_a_dense_layer_it_is_the_covariance(layers):
    runs = inputs_of((5, 48), count=20)
    found, x = measured(layers[3], runs), np.concatenate(runs).astype(np.float64)
    np.testing.assert_allclose(found.own[0], np.cov(x.T, bias=True), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.mean, x.mean(axis=0), rtol=1e-5)
    assert (found.num_positions, found.num_rows, found.cross) == (5, 100, [None])


def test_the_cross_moment_is_that_of_the_difference(layers):
    runs, originals = inputs_of((50, 48)), inputs_of((50, 48), seed=1, offset=2.0)
    found = measured(layers[3], runs, originals)
    x, difference = np.concatenate(runs), np.concatenate(originals) - np.concatenate(runs)
    centred = x - x.mean(axis=0), difference - difference.mean(axis=0)
    np.testing.assert_allclose(found.cross[0], centred[1].T @ centred[0] / len(x), atol=1e-4)
    np.testing.assert_allclose(
        found.original_mean, np.concatenate(originals).mean(axis=0), rtol=1e-5
    )


def test_a_difference_that_is_chance_is_not_made_up_for(layers):
    runs = inputs_of((1, 48), count=240, offset=0.0)
    noise = inputs_of((1, 48), count=240, seed=1, offset=0.0)
    by_chance = measured(layers[3], runs, [x + 0.1 * n for x, n in zip(runs, noise)])
    by_rule = measured(layers[3], runs, [1.1 * x for x in runs])
    assert np.abs(by_chance.cross[0]).max() < 0.02
    assert np.trace(by_rule.cross[0]) > 0.7 * 0.1 * 48


def test_what_a_sample_has_in_common_counts_by_coherence(layers):
    runs = inputs_of((1, 4, 4, 24))
    plain, twice = (measured(layers[2], runs, coherence=c) for c in (1.0, 3.0))
    means = np.stack([run.reshape(16, 24).mean(axis=0) for run in runs]).astype(np.float64)
    np.testing.assert_allclose(
        twice.own[0] - plain.own[0], 2 * np.cov(means.T, bias=True), atol=1e-4
    )


def test_a_channel_has_a_moment_of_its_taps(layers):
    runs = inputs_of((1, 8, 8, 24))
    found = measured(layers[1], runs)
    assert found.own[0].shape == (24, 9, 9)
    places = np.arange(16)
    x = np.concatenate([patches(layers[1], r, (1, 4, 4, 24), places) for r in runs])
    np.testing.assert_allclose(found.own[0][5], np.cov(x[:, 5].T, bias=True), rtol=1e-3, atol=1e-4)


def test_constant_inputs_leave_a_moment_that_can_be_inverted(layers):
    runs = [np.float32(1000) + 1e-3 * run for run in inputs_of((5, 48))]
    found = measured(layers[3], runs)
    assert np.linalg.eigvalsh(found.own[0]).min() > -1e-9
    assert np.abs(found.own[0]).max() < 1e-4


def test_inputs_that_vary_by_chance_are_known_to(layers):
    few = measured(layers[3], inputs_of((1, 48), count=12)).shrinkage[0]
    many = measured(layers[3], inputs_of((40, 48), count=200)).shrinkage[0]
    shared = [run * (1 + 2 * k) for k, run in enumerate(inputs_of((9, 48), count=30))]
    assert 0.5 < few <= 1
    assert many > 0.5  # independent inputs have nothing beside the diagonal
    assert measured(layers[3], shared).shrinkage[0] < 0.3


def test_very_wide_layers_are_cut_into_groups(layers, monkeypatch):
    monkeypatch.setattr(moments, "_MOST_INPUTS", 20)
    found = measured(layers[3], inputs_of((5, 48)))
    assert [group.columns for group in found.groups] == [
        slice(0, 16), slice(16, 32), slice(32, 48)]  # fmt: skip
    assert [own.shape for own in found.own] == [(16, 16)] * 3

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import dense_models
from support.dense_models import X
from support.gradients import gradient

import keras_dc as dc
from keras_dc.training.weight_sharing import SharedLayer, entropy_bits_of


def dense_model(**head_options):
    """The small model with a row of zeros."""
    model = dense_models.dense_model(**head_options)
    kernel, bias = model.get_layer("hidden").get_weights()
    kernel[0] = 0.0
    model.get_layer("hidden").set_weights([kernel, bias])
    return model


def fit(model, *, callbacks=None, **options):
    callbacks = [dc.WeightSharingCallback()] if callbacks is None else callbacks
    return dense_models.fit(model, callbacks=callbacks, learning_rate=0.03, **options)


def indices(model):
    return [ops.convert_to_numpy(i) for layer in model.layers for i in layer.indices]


def moved(model, before):
    return [not np.array_equal(new, old) for new, old in zip(indices(model), before)]


def test_weights_choose_their_centroids_again():
    shared = dc.share_weights(dense_model(), 4, reassign_frequency=2)
    before = indices(shared)
    fit(shared, epochs=3)
    assert moved(shared, before)[0]
    for old, new in zip(before, indices(shared)):
        np.testing.assert_array_equal(old == 0, new == 0)


def test_weights_follow_their_centroid_between_assignments():
    """With a codebook that alone was moved, everything stays in its cluster."""
    shared = dc.share_weights(dense_model(), 4, reassign_frequency=2)
    before = indices(shared)
    for layer in shared.layers:
        layer.codebooks[0].assign(ops.convert_to_numpy(layer.codebooks[0]) + 5.0)
        layer.reassign()
    assert not any(moved(shared, before))
    kernel = ops.convert_to_numpy(shared.layers[0].layer.kernel)
    assert kernel[kernel != 0].min() > 3.0


def test_the_forward_pass_is_that_of_fixed_indices():
    fixed = dc.share_weights(dense_model(), 4)
    moving = dc.share_weights(dense_model(), 4, reassign_frequency=2)
    one, other = moving(X, training=False), fixed(X)
    np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))
    fit(moving, epochs=2)
    np.testing.assert_array_equal(
        dc.strip(moving).predict(X, verbose=0), moving.predict(X, verbose=0)
    )


def test_codebook_and_weights_both_get_their_gradient():
    layer = dc.share_weights(dense_model(), 3, reassign_frequency=2).get_layer("head")
    hidden = np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32)
    of_kernel = gradient(lambda: ops.sum(layer(hidden) ** 2), layer.layer.kernel)
    of_codebook = gradient(lambda: ops.sum(layer(hidden) ** 2), layer.codebooks[0])
    plain = layers.Dense(2)
    plain.build((None, 10))
    index = ops.convert_to_numpy(layer.indices[0])
    plain.kernel.assign(np.append(0, ops.convert_to_numpy(layer.codebooks[0]))[index])
    expected = gradient(lambda: ops.sum(plain(hidden) ** 2), plain.kernel)
    np.testing.assert_allclose(of_kernel, expected, rtol=1e-4)
    sums = [expected[index == i].sum() for i in (1, 2, 3)]
    np.testing.assert_allclose(of_codebook, sums, rtol=1e-4)


def test_rate_aware_reassignment_saves_bits():
    def final_bits(rate_weight):
        shared = dc.share_weights(
            dense_model(),
            8,
            reassign_frequency=4,
            rate_weight=rate_weight,
            initialization="density",
        )
        return fit(shared, epochs=2)["entropy_bits"][-1]

    assert final_bits(0.1) < final_bits(0.02) < final_bits(0.0)


def test_bits_of_places_take_lonely_weights_out():
    model = dense_model()
    kernel, bias = model.get_layer("hidden").get_weights()
    kernel[:] = 0.0
    kernel[1], kernel[4, 2] = 0.5, 0.5
    model.get_layer("hidden").set_weights([kernel, bias])

    def kept(coder):
        options = {"rate_weight": 1e-9, "reassign_frequency": 2, "coder": coder}
        shared = dc.share_weights(model, 2, filters="hidden", **options)
        layer = shared.get_layer("hidden")
        layer.rate_weight = 0.7
        # What the weights have learned: all less, which a centroid cannot follow.
        layer.layer.kernel.assign(kernel * 0.8)
        layer.reassign()
        return ops.convert_to_numpy(layer.indices[0]) > 0

    assert kept("huffman").sum() == 0
    assert kept("arithmetic").sum() == 10
    assert kept("arithmetic")[1].all()


@pytest.mark.parametrize("options", [{}, {"rate_weight": 0.1}, {"reassign_frequency": 2}])
def test_a_coder_that_nothing_counts_by_is_refused(options):
    with pytest.raises(ValueError, match=r"is given to `convert`. Received: coder='arithmetic'"):
        dc.share_weights(dense_model(), 4, coder="arithmetic", **options)


def test_an_unknown_coder_is_refused():
    with pytest.raises(ValueError, match=r"'huffman' or 'arithmetic'. Received: coder='zip'"):
        dc.share_weights(dense_model(), 4, coder="zip")


def test_indices_stand_still_from_freeze_step():
    shared = dc.share_weights(dense_model(), 4, reassign_frequency=2, freeze_step=8)
    fit(shared)
    before = indices(shared)
    fit(shared, epochs=3)
    assert not any(moved(shared, before))


def test_training_without_callback_is_an_error():
    shared = dc.share_weights(dense_model(), 4, reassign_frequency=2)
    with pytest.raises(RuntimeError, match=r"'hidden'.*keras_dc\.WeightSharingCallback\(\)"):
        fit(shared, callbacks=[])


def test_fixed_indices_need_no_callback_and_may_have_one():
    shared = dc.share_weights(dense_model(), 4)
    fit(shared, callbacks=[])
    before = indices(shared)
    history = fit(shared)
    assert not any(moved(shared, before))
    assert history["entropy_bits"] == [pytest.approx(entropy_bits_of(shared.layers))]


def test_entropy_is_that_of_the_indices():
    shared = dc.share_weights(dense_model(), 4)
    bits = 0.0
    for index in indices(shared):
        p = np.unique(index, return_counts=True)[1] / index.size
        bits -= index.size * np.sum(p * np.log2(p))
    assert entropy_bits_of(shared.layers) == pytest.approx(bits / 80)


def test_pruned_and_shared_layers_are_driven_by_their_own_callbacks():
    model = dc.share_weights(dense_model(), 4, reassign_frequency=2, filters="head")
    model = dc.prune(model, dc.ConstantSparsity(0.5, 0), filters="hidden")
    logs = fit(model, callbacks=[dc.PruningCallback(), dc.WeightSharingCallback()])
    assert logs["sparsity"] == [0.5]
    assert 1.0 < logs["entropy_bits"][0] <= 2.0
    with pytest.raises(RuntimeError, match="WeightSharingCallback"):
        fit(model, callbacks=[dc.PruningCallback()])


def test_a_regularizer_counts_once():
    regularizer = keras.regularizers.L2(0.5)
    shared = dc.share_weights(dense_model(kernel_regularizer=regularizer), 3, reassign_frequency=2)
    shared(X)
    kernel = ops.convert_to_numpy(shared.get_layer("head").layer.kernel)
    penalty = ops.convert_to_numpy(sum(shared.losses))
    np.testing.assert_allclose(penalty, 0.5 * np.sum(kernel**2), rtol=1e-5)


def test_training_goes_on_from_a_file_as_if_nothing_had_happened(tmp_path):
    options = {
        "reassign_frequency": 3, "rate_weight": 0.01, "freeze_step": 40, "coder": "arithmetic",
    }  # fmt: skip
    shared = dc.share_weights(dense_model(), 4, num_bias_clusters=2, **options)
    fit(shared, epochs=2)
    shared.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[0], SharedLayer)
    for name in ("num_bias_clusters", *options):
        assert getattr(loaded.layers[0], name) == getattr(shared.layers[0], name)
    fit(shared, epochs=2)
    fit(loaded, epochs=2)
    for one, other in zip(shared.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_float16_exact_codebooks_compute_what_strip_gives(jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch compiles by another compiler")
    shared = dc.share_weights(dense_model(), 5, num_bias_clusters=2, float16_exact=True)
    fit(shared, epochs=2, jit_compile=jit_compile, callbacks=[])
    plain = dc.strip(shared)
    # XLA sums in another order; without the rounding the outputs would differ by 1e-4.
    tolerance = 1e-6 if jit_compile else 0.0
    np.testing.assert_allclose(
        plain.predict(X, verbose=0), shared.predict(X, verbose=0), rtol=0, atol=tolerance
    )
    for weights, exact in zip(
        plain.get_weights(), dc.strip(shared, float16_exact=True).get_weights()
    ):
        np.testing.assert_array_equal(weights, weights.astype(np.float16))
        np.testing.assert_array_equal(weights, exact)
    # What is trained is finer than what is stored.
    codebook = ops.convert_to_numpy(shared.layers[0].codebooks[0])
    assert not np.array_equal(codebook, codebook.astype(np.float16))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reassign_frequency": 0}, "Received: reassign_frequency=0"),
        ({"freeze_step": 9}, "for `reassign_frequency` only"),
        ({"freeze_step": 9, "reassign_frequency": 10}, "Received: freeze_step=9"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dc.share_weights(dense_model(), 4, **options)

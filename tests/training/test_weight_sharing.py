import keras
import numpy as np
import pytest
from keras import layers, ops
from support.dense_models import X, Y, dense_model, fit
from support.gradients import gradient

import keras_dc as dc
from keras_dc.training.weight_sharing import SharedLayer


def kernels(model):
    return [layer.get_weights()[0] for layer in dc.strip(model).layers]


def test_share_weights_returns_a_new_model_with_few_values():
    model = dense_model()
    before = model.get_weights()
    shared = dc.share_weights(model, 4)
    assert all(isinstance(layer, SharedLayer) for layer in shared.layers)
    assert [np.unique(kernel).size for kernel in kernels(shared)] == [4, 4]
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def outputs(model):
    return keras.ops.convert_to_numpy(model(X))


def test_enough_clusters_change_nothing():
    model = dense_model()
    for layer in model.layers:
        kernel, bias = layer.get_weights()
        layer.set_weights([np.round(kernel * 4) / 4, bias])
    np.testing.assert_array_equal(outputs(dc.share_weights(model, 16)), outputs(model))


def test_weights_of_a_cluster_move_together():
    shared = dc.share_weights(dense_model(), 3)
    indices = [np.array(layer.indices[0]) for layer in shared.layers]
    before = kernels(shared)
    fit(shared, epochs=2)
    for kernel, old, index in zip(kernels(shared), before, indices):
        assert np.unique(kernel).size == 3
        assert not np.array_equal(kernel, old)
        for i in range(1, 4):
            assert np.unique(kernel[index == i]).size == 1


def test_zeros_stay_zero():
    model = dense_model()
    kernel, bias = model.layers[0].get_weights()
    kernel[kernel < 0] = 0.0
    model.layers[0].set_weights([kernel, bias])
    shared = dc.share_weights(model, 3)
    fit(shared)
    np.testing.assert_array_equal(kernels(shared)[0] == 0, kernel == 0)


def test_a_kernel_of_zeros_can_be_shared_and_trained():
    shared = dc.share_weights(dense_model(kernel_initializer="zeros"), 3)
    fit(shared)
    assert not kernels(shared)[1].any()


def test_one_cluster():
    shared = dc.share_weights(dense_model(), num_clusters=1)
    fit(shared)
    assert [np.unique(kernel).size for kernel in kernels(shared)] == [1, 1]


def test_gradient_of_a_centroid_is_the_sum_over_its_members():
    layer = dc.share_weights(dense_model(), 3).get_layer("hidden")
    of_codebook = gradient(lambda: ops.sum(layer(X) ** 2), layer.codebooks[0])

    plain = layers.Dense(10, activation="relu")
    plain.build((None, 6))
    index = ops.convert_to_numpy(layer.indices[0])
    plain.kernel.assign(np.append(0, ops.convert_to_numpy(layer.codebooks[0]))[index])
    of_kernel = gradient(lambda: ops.sum(plain(X) ** 2), plain.kernel)
    expected = [of_kernel[index == i].sum() for i in (1, 2, 3)]
    np.testing.assert_allclose(of_codebook, expected, rtol=1e-4)


def test_only_codebooks_and_biases_are_trained():
    shared = dc.share_weights(dense_model(), 3)
    assert [tuple(v.shape) for v in shared.trainable_variables] == [(3,), (10,), (3,), (2,)]


def test_a_layer_whose_clusters_stay_has_no_variables_but_codebooks_and_indices():
    shared = dc.share_weights(dense_model(), 3)
    for layer in shared.layers:
        names = sorted(variable.name for variable in layer.own_weights())
        assert names == ["codebook_0", "index_0"]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_lowers_the_loss(jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch compiles by another compiler")
    losses = fit(
        dc.share_weights(dense_model(), 8),
        epochs=8,
        optimizer=keras.optimizers.Adam(0.01),
        loss="mse",
        jit_compile=jit_compile,
    )["loss"]
    assert losses[-1] < losses[0]


def test_a_regularizer_counts_the_shared_kernel():
    regularized = dense_model(kernel_regularizer=keras.regularizers.L2(0.5))
    shared = dc.share_weights(regularized, 3)
    shared(X)
    penalty = keras.ops.convert_to_numpy(sum(shared.losses))
    np.testing.assert_allclose(penalty, 0.5 * np.sum(kernels(shared)[1] ** 2), rtol=1e-5)


def test_rate_weight_saves_clusters():
    plain = dc.share_weights(dense_model(), 16)
    aware = dc.share_weights(dense_model(), 16, rate_weight=0.1)
    assert np.unique(kernels(aware)[0]).size < np.unique(kernels(plain)[0]).size


def test_a_pruned_model_is_shared_as_it_is():
    pruned = dc.prune(dense_model(), dc.ConstantSparsity(0.5, 0))
    pruned.compile("adam", "mse")
    pruned.fit(X, Y, verbose=0, callbacks=[dc.PruningCallback()])
    shared = dc.share_weights(pruned, 4)
    fit(shared)
    for kernel, pruned_kernel in zip(kernels(shared), kernels(pruned)):
        np.testing.assert_array_equal(kernel == 0, pruned_kernel == 0)
        assert np.mean(kernel == 0) == 0.5


def test_filters_leave_pruned_layers_pruned():
    pruned = dc.prune(dense_model(), 0.5)
    shared = dc.share_weights(pruned, 4, filters="head")
    assert [type(layer).__name__ for layer in shared.layers] == ["PrunedLayer", "SharedLayer"]


def test_forgy_repeats_with_its_seed():
    options = {"initialization": "forgy"}
    first, same, other = (
        kernels(dc.share_weights(dense_model(), 6, seed=seed, **options))[0] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_training_goes_on_from_a_file_as_if_nothing_had_happened(tmp_path):
    shared = dc.share_weights(dense_model(), 4)
    fit(shared, epochs=2)
    shared.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [layer.num_clusters for layer in loaded.layers] == [4, 4]
    fit(shared, epochs=2)
    fit(loaded, epochs=2)
    for one, other in zip(shared.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_mixed_precision_sums_the_gradient_in_float32():
    layer = layers.Dense(512, use_bias=False, dtype="mixed_float16", name="wide")
    model = keras.Sequential([keras.Input((256,)), layer])
    shared = dc.share_weights(model, 1).layers[0]
    ones = ops.ones((1, 256))
    assert keras.backend.standardize_dtype(shared(ones).dtype) == "float16"
    # 131,072 ones: above the largest float16.
    of_codebook = gradient(lambda: ops.sum(ops.cast(shared(ones), "float32")), shared.codebooks[0])
    assert of_codebook.tolist() == [256 * 512]


def with_biases():
    """`dense_model` with biases of many values, a zero among them."""
    model = dense_model()
    model.get_layer("hidden").bias.assign(np.linspace(-1.0, 1.25, 10) * (np.arange(10) != 4))
    model.get_layer("head").bias.assign([0.5, 0.0])
    return model


def test_biases_get_a_codebook_of_their_own():
    model = with_biases()
    shared = dc.share_weights(model, 4, num_bias_clusters=3)
    hidden = shared.get_layer("hidden")
    assert [tuple(v.shape) for v in shared.trainable_variables] == [(4,), (3,), (4,), (3,)]
    assert [weight.name for weight in hidden.shared] == ["hidden/kernel", "hidden/bias"]
    np.testing.assert_array_equal(outputs(dc.strip(shared)), outputs(shared))
    # -1, -0.75, -0.5 | -0.25, 0.25, 0.5 | 0.75, 1, 1.25; the zero apart.
    bias = dc.strip(shared).get_layer("hidden").get_weights()[1]
    np.testing.assert_allclose(bias, [-0.75] * 3 + [1 / 6, 0] + [1 / 6] * 2 + [1] * 3, atol=1e-6)


def test_shared_biases_learn_and_their_zeros_stay():
    shared = dc.share_weights(with_biases(), 4, num_bias_clusters=3)
    before = dc.strip(shared)
    fit(shared, epochs=3)
    after = dc.strip(shared, float16_exact=True)
    for layer, old in zip(after.layers, before.layers):
        bias, old_bias = layer.get_weights()[1], old.get_weights()[1]
        np.testing.assert_array_equal(bias == 0, old_bias == 0)
        assert not np.array_equal(bias, old_bias)
        assert np.unique(bias[bias != 0]).size <= 3
        np.testing.assert_array_equal(bias, bias.astype(np.float16))
        assert layer.bias.trainable


def test_gradient_of_a_bias_centroid_is_the_sum_over_its_members():
    layer = dc.share_weights(with_biases(), 3, num_bias_clusters=2).get_layer("hidden")
    plain = dc.strip(keras.Sequential([keras.Input((6,)), layer])).layers[0]
    gradients = []
    for called, variable in ((layer, layer.codebooks[1]), (plain, plain.bias)):
        gradients.append(gradient(lambda called=called: ops.sum(called(X) ** 2), variable))
    index = ops.convert_to_numpy(layer.indices[1])
    expected = [gradients[1][index == i].sum() for i in (1, 2)]
    np.testing.assert_allclose(gradients[0], expected, rtol=1e-4)


def test_shared_biases_go_on_from_a_file(tmp_path):
    shared = dc.share_weights(with_biases(), 4, num_bias_clusters=3)
    fit(shared)
    shared.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    fit(shared)
    fit(loaded)
    for one, other in zip(shared.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_frozen_layers_stay_frozen():
    model = with_biases()
    model.get_layer("hidden").trainable = False
    shared = dc.share_weights(model, 4, num_bias_clusters=3)
    assert [tuple(v.shape) for v in shared.trainable_variables] == [(4,), (3,)]
    plain = dc.strip(shared)
    assert [tuple(v.shape) for v in plain.trainable_variables] == [(10, 2), (2,)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_clusters": 0}, "Received: num_clusters=0"),
        ({"num_clusters": 65536}, "Received: num_clusters=65536"),
        ({"num_bias_clusters": 0}, "Received: num_bias_clusters=0"),
        ({"initialization": "none"}, "Received: initialization='none'"),
        ({"rate_weight": -0.1}, "Received: rate_weight=-0.1"),
        ({"filters": "conv"}, r"\['hidden', 'head'\].*Received: filters='conv'"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dc.share_weights(dense_model(), **options)


def test_share_twice_is_refused():
    with pytest.raises(ValueError, match="must be stripped first"):
        dc.share_weights(dc.share_weights(dense_model(), 4), 4)

"""What cannot be pruned or shared is refused in a sentence that names the way out."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc

X = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)


def array(value):
    return keras.ops.convert_to_numpy(value)


def net():
    return keras.Sequential([keras.Input((6,)), layers.Dense(16), layers.Dense(4, name="head")])


ACTIONS = {
    "prune": lambda model: dc.prune(model, 0.5),
    "share": lambda model: dc.share_weights(model, 8),
}
if keras.backend.backend() == "tensorflow":
    ACTIONS["convert"] = dc.convert


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_lora_is_refused(action):
    model = net()
    model.layers[0].enable_lora(2)
    with pytest.raises(ValueError, match="LoRA must be merged first.*`model.save_weights"):
        action(model)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_layers_that_keras_quantized_are_refused(action, mode):
    model = net()
    for layer in model.layers:
        layer.quantize(mode)
    with pytest.raises(ValueError, match=f"must be dequantized first.*quantized to {mode}"):
        action(model)


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_a_quantized_layer_that_is_left_out_is_copied(mode):
    model = net()
    model.layers[0].quantize(mode)
    copy = dc.prune(model, 0.0, filters="head")
    np.testing.assert_array_equal(array(copy(X)), array(model(X)))


def test_the_way_out_of_lora(tmp_path):
    model = net()
    model.layers[0].enable_lora(2)
    model.layers[0].lora_kernel_b.assign(np.ones((2, 16)))
    model.save_weights(tmp_path / "merged.weights.h5")
    merged = net()
    merged.load_weights(tmp_path / "merged.weights.h5")
    np.testing.assert_allclose(array(merged(X)), array(model(X)), rtol=1e-4, atol=1e-5)
    dc.prune(merged, 0.5)


def test_lora_and_pruning_of_another_layer_go_together():
    model = net()
    model.layers[0].enable_lora(2)
    model.layers[0].lora_kernel_b.assign(np.ones((2, 16)))
    pruned = dc.prune(model, 0.0, filters="head")
    np.testing.assert_array_equal(array(pruned(X)), array(model(X)))
    assert len(pruned.trainable_variables) == len(model.trainable_variables)
    with pytest.raises(ValueError, match="LoRA must be enabled before"):
        pruned.layers[1].enable_lora(2)


@pytest.mark.parametrize("count", [3.5, "x", True, None, 0, 70_000, np.float32(4)])
def test_counts_must_be_ints(count):
    with pytest.raises(ValueError, match=r"`num_clusters` must be an int in \[1, 65535\]"):
        dc.training.SharedLayer(layers.Dense(2), count)
    if count is not None:
        with pytest.raises(ValueError, match="`num_bias_clusters` must be an int"):
            dc.share_weights(net(), 4, num_bias_clusters=count)
    if not isinstance(count, str):
        with pytest.raises(ValueError, match="`num_clusters` must be"):
            dc.share_weights(net(), count)


def test_numpy_ints_are_counts():
    assert dc.share_weights(net(), np.int64(4)).layers[0].num_clusters == 4


def test_arguments_of_tfmot_are_told_by_ours():
    with pytest.raises(TypeError, match="'number_of_clusters': it is `num_clusters` here"):
        dc.share_weights(net(), number_of_clusters=8)
    with pytest.raises(TypeError, match="'cluster_centroids_init': it is `initialization` here"):
        dc.share_weights(net(), 8, cluster_centroids_init="linear")
    with pytest.raises(TypeError, match="no argument 'clusters': see the signature"):
        dc.share_weights(net(), clusters=8)


@pytest.mark.parametrize(
    "action", [*list(ACTIONS.values())[:2], dc.strip], ids=["prune", "share", "strip"]
)
def test_models_of_tf_keras_are_sent_to_convert(action):
    tf_keras = pytest.importorskip("tf_keras")
    model = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(6,))])
    with pytest.raises(ValueError, match=r"Keras 3.*not of tf_keras.*`keras_dc.convert` takes"):
        action(model)

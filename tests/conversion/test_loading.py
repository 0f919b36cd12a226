import json
import zipfile

import keras
import numpy as np
import pytest

import keras_dc as dc
from keras_dc.conversion import loading


def net(*more):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, name="head"), *more])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_files_of_keras(suffix, tmp_path):
    model = net()
    model.compile("sgd", "mse")
    path = tmp_path / f"model{suffix}"
    model.save(path)
    for given in (path, str(path)):
        loaded = loading.load(given)
        np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_a_file_with_wrappers_is_stripped(tmp_path):
    model = dc.share_weights(dc.prune(net(), 0.5), num_clusters=3)
    model.save(tmp_path / "model.keras")
    with loading.plain_model(loading.load(tmp_path / "model.keras")) as loaded:
        assert type(loaded.get_layer("head")) is keras.layers.Dense
        np.testing.assert_array_equal(loaded.get_weights()[0], dc.strip(model).get_weights()[0])


def test_custom_objects_are_for_files(tmp_path):
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    path = tmp_path / "model.keras"
    net(Doubled()).save(path)
    with pytest.raises(ValueError, match="`custom_objects` for classes .*'Doubled'") as caught:
        loading.load(path)
    assert len(str(caught.value)) < 700
    assert loading.load(path, custom_objects={"Doubled": Doubled}).layers[-1].built
    for other in (net(), tmp_path):
        with pytest.raises(ValueError, match="`custom_objects` are for a .keras or .h5 file"):
            loading.load(other, custom_objects={"Doubled": Doubled})


def test_a_plain_model_is_taken_as_it_is():
    model = net()
    assert loading.load(model) is model


def test_a_saved_model_is_known_by_its_file(tmp_path):
    with pytest.raises(ValueError, match="must be a SavedModel, with saved_model.pb.*Received: '"):
        loading.load(tmp_path)
    tmp_path.joinpath("saved_model.pb").touch()
    assert loading.load(str(tmp_path)) == tmp_path


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="be a model at the path. Received: .*no.keras"):
        loading.load(tmp_path / "no.keras")
    for name, match in [
        ("model.tflite", "call `compress` on it"),
        ("model.onnx", r"must end with .keras, .h5, .hdf5. Received: .*model.onnx"),
        ("model.keras", "Keras must be able to load the file.*Received: .*of which Keras says"),
        ("model.h5", "Keras must be able to load the file.*Received: .*of which Keras says"),
    ]:
        path = tmp_path / name
        path.write_bytes(b"TFL3 or not")
        with pytest.raises(ValueError, match=match):
            loading.load(path)
    for model in (b"TFL3", None, keras.layers.Dense(3), keras.Model):
        with pytest.raises(TypeError, match="`compress` takes .tflite models. Received: "):
            loading.load(model)


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    net().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="Keras must be able to load the file"):
        loading.load(path)
    net().save(path)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    config["class_name"] = "Nothing"
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
    with pytest.raises(ValueError, match="Keras must be able to load the file"):
        loading.load(tmp_path / "other.keras")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_no_number_is_named(bad):
    model = net(keras.layers.BatchNormalization(name="norm"))
    variance = model.get_layer("norm").moving_variance
    values = np.ones(8, np.float32)
    values[[2, 3]] = bad
    variance.assign(values)
    with pytest.raises(
        ValueError, match=r"Received: .*norm/moving_variance with 2 of 8 NaN or infinite"
    ):
        loading.load(model)


def test_integers_and_half_floats_are_weights_too():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(4, dtype="bfloat16"), keras.layers.Dropout(0.5)]
    )
    assert loading.load(model) is model
    model.layers[0].bias.assign([0, 0, np.inf, 0])
    with pytest.raises(ValueError, match="bias with 1 of 4"):
        loading.load(model)


def test_keras_2_is_recognised_by_its_modules():
    base = type("Model", (), {"__module__": "tf_keras.src.engine.training"})
    assert loading.is_tf_keras(type("Net", (base,), {})())
    assert not loading.is_tf_keras(net())
    assert not loading.is_tf_keras(type("Model", (), {"__module__": "tf_keras_like"})())

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.tiny_models import sparse

import keras_dc as dc
from keras_dc import errors
from keras_dc.conversion import convert
from keras_dc.tflite import diff, model_file


@pytest.fixture(scope="module")
def shared():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((40,)),
            keras.layers.Dense(60, activation="relu"),
            keras.layers.Dense(30),
        ]
    )
    return dc.share_weights(model, num_clusters=7)


@pytest.fixture(scope="module")
def original(shared):
    return convert.to_tflite(dc.strip(shared))


def test_convert_compresses_what_the_converter_makes(shared, original):
    compressed = dc.convert(shared)
    assert len(compressed) < len(original) / 4
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []


def test_kernels_come_through_bit_exact(shared):
    kernels = {
        layer.kernel.numpy().T.tobytes()
        for layer in dc.strip(shared).layers
        if hasattr(layer, "kernel")
    }
    model = model_file.parse(dc.expand(dc.convert(shared)))
    constants = {buffer.data.tobytes() for buffer in model.buffers if buffer.data is not None}
    assert kernels <= constants


def test_convert_writes_the_file(shared, tmp_path):
    compressed = dc.convert(shared, tmp_path / "model.tflite")
    assert tmp_path.joinpath("model.tflite").read_bytes() == compressed


def test_convert_prints_nothing(shared, capfd):
    dc.convert(shared)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("place", ["no_such_folder/model.tflite", "."])
def test_an_impossible_place_is_refused_before_the_work(place, tmp_path):
    with pytest.raises(OSError, match="`filepath` must"):
        dc.convert(None, tmp_path / place)


@pytest.mark.parametrize("flaw", ["lossy_coder", "forgetful_op"])
def test_a_failed_verification_leaves_no_file(flaw, request, tmp_path):
    """A bit is lost in the coder; or an activation in the op, which only running shows."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(60, activation="relu")])
    kernel = sparse((40, 60))
    model.set_weights([kernel, np.zeros(60)])
    path = tmp_path / "model.tflite"
    dc.convert(model, path)
    before = path.read_bytes()
    request.getfixturevalue(flaw)
    with pytest.raises(errors.VerificationError):
        dc.convert(model, path)
    assert path.read_bytes() == before
    path.unlink()
    with pytest.raises(errors.VerificationError):
        dc.convert(model, path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_run_is_compared_all_the_same(lossy_coder, original, shared, tmp_path):
    with pytest.raises(errors.VerificationError, match="expanded model must equal"):
        dc.convert(shared, tmp_path / "model.tflite", verify=False)
    assert list(tmp_path.iterdir()) == []


def test_the_users_inputs_are_run(shared):
    x = np.random.default_rng(0).normal(size=(7, 40))
    assert dc.convert(shared, verify_inputs=x) == dc.convert(shared)
    with pytest.raises(ValueError, match=r"must be shaped \(-1, 40\).*Received: \(7, 39\)"):
        dc.convert(shared, verify_inputs=x[:, 1:])
    with pytest.raises(ValueError, match="no effect with `verify=False`"):
        dc.convert(shared, verify=False, verify_inputs=x)


def test_a_list_of_inputs_has_the_models_order():
    keras.utils.set_random_seed(0)
    ids, x = keras.Input((6,), name="tokens", dtype="int32"), keras.Input((8,), name="image")
    table = keras.layers.Embedding(50, 8)
    model = keras.Model([ids, x], keras.layers.Dense(4)(table(ids)[:, 0] + x))
    model = dc.share_weights(model, num_clusters=7)
    tokens, images = np.full((3, 6), 49), np.zeros((3, 8))
    for inputs in ([tokens, images], {"image": images, "tokens": tokens}):
        dc.convert(model, verify_inputs=inputs)
    with pytest.raises(ValueError, match="'image' must be shaped"):
        dc.convert(model, verify_inputs=[images, tokens])


def with_files(model, tmp_path):
    """The same model in all the ways in which `convert` takes it."""
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    dc.strip(model).export(tmp_path / "saved_model", verbose=False)
    return [
        model,
        dc.strip(model),
        tmp_path / "model.keras",
        str(tmp_path / "model.h5"),
        tmp_path / "saved_model",
    ]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_all_that_convert_takes_gives_one_result(shared, original, tmp_path):
    for model in with_files(shared, tmp_path):
        expanded = model_file.parse(dc.expand(dc.convert(model)))
        assert diff.differences(model_file.parse(original), expanded) == []


class Branches(keras.Model):
    def __init__(self):
        super().__init__()
        self.wide = keras.layers.Dense(64, activation="relu")
        self.narrow = keras.layers.Dense(8)

    def call(self, x, training=False):
        return self.narrow(self.wide(x))


def test_subclassed_models():
    keras.utils.set_random_seed(0)
    with pytest.raises(ValueError, match="call it once, or convert it with an `input_signature`"):
        dc.convert(Branches())
    model = Branches()
    compressed = dc.convert(model, input_signature=(None, 40))
    kernel = model.wide.kernel.numpy().T.tobytes()
    buffers = model_file.parse(dc.expand(compressed)).buffers
    assert kernel in {buffer.data.tobytes() for buffer in buffers if buffer.data is not None}
    shared = dc.share_weights(model, num_clusters=7)
    assert len(dc.convert(shared)) < len(compressed) / 3


def images():
    rng = np.random.default_rng(0)
    return ([rng.normal(size=(1, 8, 8, 3)).astype(np.float32)] for _ in range(2))


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizations": ["DEFAULT"]},
        {"optimizations": ["DEFAULT"], "supported_types": ["float16"]},
        {
            "optimizations": ["DEFAULT"],
            "representative_dataset": images,
            "supported_ops": ["TFLITE_BUILTINS_INT8"],
            "inference_input_type": "int8",
            "inference_output_type": "int8",
        },
    ],
    ids=["dynamic", "float16", "integer"],
)
def test_quantized_models_are_compressed_and_verified(settings):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.DepthwiseConv2D(3),
            layers.Flatten(),
            layers.Dense(40, activation="relu"),
            layers.Dense(10),
        ]
    )
    for layer in model.layers:
        weights = layer.get_weights()
        if weights:
            layer.set_weights([sparse(weights[0].shape, density=0.3, num_centroids=7), weights[1]])
    compressed = dc.convert(model, **settings, verify_inputs=images)
    assert len(compressed) < 0.5 * len(dc.expand(compressed))


def test_rounding_to_float16_may_move_outputs():
    """What the converter was asked for is no fault; the stripped model is compared instead."""
    image = keras.Input((64,))
    joined = keras.layers.Concatenate()([image, image])
    model = keras.Model(image, keras.layers.Dense(16)(joined))
    kernel = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)
    # Two terms that nearly cancel: float16 holds the difference badly.
    model.layers[-1].kernel.assign(np.concatenate([kernel, -1.001 * kernel]))
    compressed = dc.convert(model, optimizations=["DEFAULT"], supported_types=["float16"])
    x = np.random.default_rng(1).normal(size=(1, 64)).astype(np.float32)
    interpreter = dc.Interpreter(model_content=compressed)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    want = model.predict(x, verbose=0)
    assert np.max(np.abs(got - want)) > 1e-2 * np.max(np.abs(want))


class CumulativeProduct(keras.layers.Layer):
    """TFLite has no such op."""

    def call(self, x):
        return tf.math.cumprod(x, axis=1)


@pytest.mark.filterwarnings("ignore::UserWarning")  # tf.lite.Interpreter will go.
def test_select_tf_ops():
    keras.utils.set_random_seed(0)
    layers = [CumulativeProduct(), keras.layers.Dense(64)]
    model = dc.share_weights(keras.Sequential([keras.Input((64,)), *layers]), num_clusters=7)
    settings = {"supported_ops": ["TFLITE_BUILTINS", "SELECT_TF_OPS"]}
    compressed = dc.convert(model, **settings, verify=False)
    try:
        tf.lite.Interpreter(model_content=dc.expand(compressed)).allocate_tensors()
        brings_flex = True
    except RuntimeError:
        # TensorFlow 2.18 brings these ops to its own interpreter, 2.21 does not.
        brings_flex = False
    if brings_flex:
        assert dc.convert(model, **settings) == compressed
    else:
        with pytest.raises(errors.VerificationError, match="`verify=False`.*Flex delegate"):
            dc.convert(model, **settings)


def test_integer_inputs_are_verified_too():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,), dtype="int32"), keras.layers.Embedding(50, 16), keras.layers.Dense(30)]
    )
    model = dc.share_weights(model, num_clusters=7)
    # All weights are kept, so the built-in ops are faster with decoded ones.
    assert [row.op for row in dc.inspect(dc.convert(model))] == ["KerasDcDecode"] * 2

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_dc.conversion.loading import load
from keras_dc.conversion.tensorflow_converter import to_tflite
from keras_dc.errors import ConversionError
from keras_dc.tflite import model_file
from keras_dc.tflite.graph import operator_name
from keras_dc.tflite.model_file import schema


class CumulativeProduct(layers.Layer):
    """TFLite has no such op."""

    def call(self, x):
        return tf.math.cumprod(x, axis=1)


def net(*more, units=64):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((64,)), layers.Dense(units), *more])


def images():
    rng = np.random.default_rng(0)
    return ([rng.normal(size=(1, 64)).astype(np.float32)] for _ in range(8))


def types(content):
    """Element types of the constants of 64 bytes or more, and of inputs and outputs."""
    model = model_file.parse(content)
    (graph,) = model.subgraphs
    names = {value: name for name, value in vars(schema.TensorType).items() if name[0] != "_"}
    large = [t for t in graph.tensors if np.size(model.buffers[t.buffer].data) >= 64]
    ends = [graph.tensors[index] for index in [*graph.inputs, *graph.outputs]]
    return [{names[tensor.type] for tensor in tensors} for tensors in (large, ends)]


@pytest.mark.parametrize(
    ("settings", "constants", "ends"),
    [
        ({}, {"FLOAT32"}, {"FLOAT32"}),
        ({"optimizations": ["DEFAULT"]}, {"INT8"}, {"FLOAT32"}),
        ({"optimizations": [tf.lite.Optimize.DEFAULT], "supported_types": ["float16"]},
         {"FLOAT16"}, {"FLOAT32"}),
        ({"optimizations": ["DEFAULT"], "target_spec": {"supported_types": [tf.float16]}},
         {"FLOAT16"}, {"FLOAT32"}),
        ({"optimizations": ["DEFAULT"], "representative_dataset": images,
          "supported_ops": ["TFLITE_BUILTINS_INT8"], "inference_input_type": "int8",
          "inference_output_type": tf.int8}, {"INT8"}, {"INT8"}),
    ],
    ids=["none", "dynamic", "float16", "target_spec", "integer"],
)  # fmt: skip
def test_settings_reach_the_converter(settings, constants, ends):
    assert types(to_tflite(net(), **settings)) == [constants, ends]


def test_a_target_spec_of_tensorflow_is_taken():
    spec = tf.lite.TargetSpec(supported_types=[tf.float16])
    content = to_tflite(net(), optimizations=["DEFAULT"], target_spec=spec)
    assert types(content)[0] == {"FLOAT16"}


def test_unknown_settings_are_refused_with_the_known_ones():
    for name in ("optimisations", "saved_model_dir", "_funcs", "convert"):
        with pytest.raises(TypeError, match=rf"optimizations, .*supported_ops.*Received: {name}$"):
            to_tflite(net(), **{name: ["DEFAULT"]})
    with pytest.raises(TypeError, match="Received: supported_opps"):
        to_tflite(net(), target_spec={"supported_opps": []})
    for values in (["FASTER"], "DEFAULT", tf.lite.Optimize.DEFAULT):
        with pytest.raises(ValueError, match=r"list of \['DEFAULT', .*Received: optimizations="):
            to_tflite(net(), optimizations=values)


def test_settings_without_effect_are_refused():
    with pytest.raises(ValueError, match="`representative_dataset` has no effect without `opt"):
        to_tflite(net(), representative_dataset=images)
    with pytest.raises(ValueError, match="`supported_types` has no effect without `optimizations`"):
        to_tflite(net(), supported_types=["float16"], optimizations=[])
    with pytest.raises(TypeError, match="must be a function without arguments.*Received: ndarray"):
        to_tflite(net(), optimizations=["DEFAULT"], representative_dataset=np.ones((8, 64)))


def test_ops_that_tflite_lacks_are_named_with_the_way_out():
    model = net(CumulativeProduct())
    with pytest.raises(ConversionError, match="SELECT_TF_OPS.*Received: .*TF Select ops: Cumprod"):
        to_tflite(model)
    content = to_tflite(model, supported_ops=["TFLITE_BUILTINS", "SELECT_TF_OPS"])
    codes = model_file.parse(content).operatorCodes
    assert "FlexCumprod" in map(operator_name, codes)


def test_half_precision_is_not_computed_in():
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, dtype=policy)])
    with pytest.raises(ConversionError, match="computes in float16.*policy 'float32'.*Received"):
        to_tflite(model)


def test_inputs_of_any_name_keep_apart():
    a, b = keras.Input((4,), name="my input"), keras.Input((4,), name="2nd one")
    content = to_tflite(keras.Model([a, b], layers.Dense(3)(a - b)))
    (signature,) = model_file.parse(content).signatureDefs
    assert sorted(entry.name for entry in signature.inputs) == [b"2nd_one", b"my_input"]


def test_recurrent_layers_need_a_batch_size():
    model = keras.Sequential([keras.Input((6, 5)), layers.LSTM(4)])
    with pytest.raises(ConversionError, match="known batch size: .* begins with 1. Received: "):
        to_tflite(model)
    graph = model_file.parse(to_tflite(model, input_signature=(1, 6, 5))).subgraphs[0]
    assert graph.tensors[graph.inputs[0]].shape.tolist() == [1, 6, 5]


def test_inference_mode_is_converted_whatever_the_default_of_training():
    class Noisy(keras.Model):
        def call(self, x, training=True):
            return x + 1.0 if training else x * 3.0

    model = Noisy()
    model(np.ones((1, 4), np.float32))
    content = to_tflite(model)
    assert [operator_name(code) for code in model_file.parse(content).operatorCodes] == ["MUL"]


def test_a_model_too_large_for_the_format_is_refused_before_the_work(monkeypatch):
    weights = 4 * (64 * 64 + 64)
    monkeypatch.setattr(model_file, "MAX_FLATBUFFER_BYTES", weights - 1)
    with pytest.raises(ValueError, match=f"less than 2 GB.*Received: .*{weights} bytes of weights"):
        to_tflite(net())
    # Quantized it may fit.
    to_tflite(net(), optimizations=["DEFAULT"])


def test_a_saved_model_is_converted_on_any_backend(monkeypatch, tmp_path):
    folder = saved_model(tmp_path)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert signatures(to_tflite(folder)) == {b"serving_default"}


def saved_model(folder, first="serve"):
    """Two signatures, the first of them also under the name "serving_default"."""
    model = net(units=8)
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, factor in [(first, 1.0), ("twice", 2.0)]:
        archive.add_endpoint(
            name,
            lambda x, factor=factor: factor * model(x),
            [tf.TensorSpec((None, 64), "float32", "x")],
        )
    archive.write_out(folder, verbose=False)
    return load(folder)


def signatures(content):
    return {entry.signatureKey for entry in model_file.parse(content).signatureDefs}


def test_signatures_of_a_saved_model(tmp_path):
    folder = saved_model(tmp_path)
    assert signatures(to_tflite(folder)) == {b"serving_default"}
    assert signatures(to_tflite(folder, signature_keys=["twice"])) == {b"twice"}
    with pytest.raises(ConversionError, match=r"keep the signatures .*Received: \['serving_"):
        to_tflite(folder, signature_keys=["serve", "twice"])
    both = to_tflite(saved_model(tmp_path / "other", "once"), signature_keys=["once", "twice"])
    assert signatures(both) == {b"once", b"twice"}
    with pytest.raises(ConversionError, match="Received: .*nothing"):
        to_tflite(folder, signature_keys=["nothing"])
    with pytest.raises(ValueError, match="signature with which it was saved; `input_signature`"):
        to_tflite(folder, input_signature=(1, 64))
    with pytest.raises(ValueError, match="`signature_keys` are for SavedModels. Received: "):
        to_tflite(net(), signature_keys=["serve"])


def test_a_saved_model_without_default_has_all_its_signatures_converted(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((None, 4))])
    module.g = tf.function(lambda x: 3 * x, input_signature=[tf.TensorSpec((None, 4))])
    tf.saved_model.save(module, tmp_path / "both", signatures={"f": module.f, "g": module.g})
    assert signatures(to_tflite(tmp_path / "both")) == {b"f", b"g"}
    tf.saved_model.save(module, tmp_path / "none", signatures={})
    with pytest.raises(ValueError, match="must have a signature.*Received: '.*none'"):
        to_tflite(tmp_path / "none")


def test_a_damaged_saved_model_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 40)
    with pytest.raises(ValueError, match="be able to load the SavedModel. Received: "):
        to_tflite(tmp_path)


def test_nan_in_a_saved_model_is_named(tmp_path):
    module = tf.Module()
    module.kernel = tf.Variable(np.where(np.eye(64) == 0, 1, np.nan).astype(np.float32))
    module.f = tf.function(
        lambda x: x @ module.kernel, input_signature=[tf.TensorSpec((None, 64), "float32")]
    )
    tf.saved_model.save(module, tmp_path, signatures=module.f)
    with pytest.raises(ValueError, match="tensor '.+' with 64 of 4096 NaN"):
        to_tflite(tmp_path)

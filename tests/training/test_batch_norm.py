import keras
import numpy as np
import pytest
from keras import layers

import keras_dc as dc
from keras_dc.wrapping.layer_tree import layers_of_class, layers_within

RNG = np.random.default_rng(0)


def randomized(model):
    """`model` with statistics, gammas and betas as after training; some gammas < 0."""
    keras.utils.set_random_seed(3)
    for layer in layers_within(model):
        if isinstance(layer, layers.BatchNormalization):
            for variable in layer.variables:
                low, high = (0.5, 2.0) if "variance" in variable.name else (-1.0, 1.0)
                variable.assign(RNG.uniform(low, high, variable.shape))
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(RNG.normal(size=layer.bias.shape))
    return model


def norms(model):
    return layers_of_class(model, layers.BatchNormalization)


def check(model, *shape, left=0):
    """The folded model, which has the same outputs and `left` normalizations."""
    x = RNG.normal(size=(4, *shape)).astype(np.float32)
    randomized(model)
    before = model.get_weights()
    folded = dc.training.fold_batch_norm(model)
    assert type(folded) is type(model)
    assert folded.name == model.name
    assert len(norms(folded)) == left
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        folded.predict(x, verbose=0),
        model.predict(x, verbose=0),
    )
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)
    return folded


KINDS = {
    "dense": (lambda bias: layers.Dense(5, use_bias=bias), (4,)),
    "conv1d": (lambda bias: layers.Conv1D(3, 2, use_bias=bias), (6, 4)),
    "conv2d": (lambda bias: layers.Conv2D(4, 2, groups=2, use_bias=bias), (6, 6, 4)),
    "conv3d": (lambda bias: layers.Conv3D(3, 2, use_bias=bias), (4, 4, 4, 2)),
    "conv1d_transpose": (lambda bias: layers.Conv1DTranspose(3, 2, use_bias=bias), (6, 4)),
    "conv2d_transpose": (lambda bias: layers.Conv2DTranspose(3, 2, use_bias=bias), (4, 4, 2)),
    "depthwise": (
        lambda bias: layers.DepthwiseConv2D(2, depth_multiplier=2, use_bias=bias),
        (6, 6, 3),
    ),
    "separable": (lambda bias: layers.SeparableConv2D(3, 2, use_bias=bias), (6, 6, 2)),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_takes_the_normalization_after_it(kind, bias):
    make, shape = KINDS[kind]
    layer = make(bias)
    model = keras.Sequential([keras.Input(shape), layer, layers.BatchNormalization()])
    folded = check(model, *shape)
    assert [each.name for each in folded.layers] == [layer.name]
    assert folded.layers[0].use_bias


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"epsilon": 0.1}])
def test_options_of_the_normalization(options):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3), layers.BatchNormalization(**options)]
    )
    check(model, 4)


def test_a_dense_layer_takes_the_normalization_before_it():
    model = keras.Sequential(
        [
            keras.Input((5, 4)),
            layers.BatchNormalization(),
            layers.Dense(3, activation="relu", use_bias=False),
            layers.BatchNormalization(),
            layers.Dense(2),
        ]
    )
    check(model, 5, 4)


def test_one_layer_does_not_take_both():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.BatchNormalization(),
            layers.Dense(3),
            layers.BatchNormalization(),
        ]
    )
    check(model, 4, left=1)


def test_a_functional_graph_with_a_branch():
    inputs = keras.Input((6, 6, 2))
    first = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(inputs))
    used_twice = layers.Conv2D(4, 1)(first)
    second = layers.BatchNormalization()(used_twice)
    added = layers.Add()([second, used_twice])
    active = layers.ReLU()(added)
    outputs = {"pooled": layers.GlobalAveragePooling2D()(active), "raw": active}
    folded = check(keras.Model(inputs, outputs), 6, 6, 2, left=1)
    assert folded.output_names == keras.Model(inputs, outputs).output_names


@pytest.mark.parametrize(
    "between",
    [
        lambda: [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()],
        lambda: [layers.Conv2D(4, 3), layers.ReLU(), layers.BatchNormalization()],
        lambda: [layers.Conv2D(4, 3), layers.BatchNormalization(axis=1)],
        lambda: [layers.BatchNormalization(), layers.Conv2D(4, 3, padding="same")],
    ],
)
def test_what_cannot_be_folded_stays(between):
    model = keras.Sequential([keras.Input((6, 6, 2)), *between(), layers.Flatten()])
    check(model, 6, 6, 2, left=1)


def test_layers_called_twice_stay():
    inputs = keras.Input((4,))
    dense, norm = layers.Dense(4), layers.BatchNormalization()
    model = keras.Model(inputs, norm(dense(norm(dense(inputs)))))
    check(model, 4, left=1)


def test_an_output_before_the_normalization_stays():
    inputs = keras.Input((4,))
    hidden = layers.Dense(3)(inputs)
    check(keras.Model(inputs, [hidden, layers.BatchNormalization()(hidden)]), 4, left=1)


def test_nested_models_are_folded():
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(4), layers.BatchNormalization()], name="inner"
    )
    inputs = keras.Input((6,))
    hidden = layers.BatchNormalization()(layers.Dense(6)(inputs))
    check(keras.Model(inputs, inner(hidden)), 6)


def test_a_compiled_model_with_a_loss_of_its_own():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()])
    model.compile("sgd", lambda y, p: keras.ops.mean((y - p) ** 2))
    check(model, 4)
    assert model.compiled


def test_a_model_without_normalization_is_copied():
    check(keras.Sequential([keras.Input((4,)), layers.Dense(3)]), 4)


def test_subclassed_models_are_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs):
            return self.dense(inputs)

    model = Own()
    model(np.ones((1, 3), np.float32))
    with pytest.raises(ValueError, match="fold_batch_norm needs a Sequential or Functional"):
        dc.training.fold_batch_norm(model)


def test_a_folded_model_keeps_its_codebook():
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), layers.Conv2D(16, 3), layers.BatchNormalization()]
    )
    shared = dc.share_weights(dc.training.fold_batch_norm(randomized(model)), 8)
    assert np.unique(dc.strip(shared).layers[0].get_weights()[0]).size == 8


def tensors_of(model):
    tf = pytest.importorskip("tensorflow")
    interpreter = tf.lite.Interpreter(
        model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert(),
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return [
        interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if detail["dtype"] == np.float32 and len(detail["shape"]) in (2, 4)
    ]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs the TFLite converter")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["dense", "conv2d", "depthwise"])
def test_kernels_are_those_of_the_converter(kind):
    make, shape = KINDS[kind]
    if kind == "conv2d":
        make = lambda bias: layers.Conv2D(16, 3, use_bias=bias)  # noqa: E731
    model = keras.Sequential([keras.Input(shape), make(False), layers.BatchNormalization()])
    folded = dc.training.fold_batch_norm(randomized(model))
    kernel = folded.layers[0].get_weights()[0]
    if kind == "dense":
        expected = kernel.T
    elif kind == "conv2d":
        expected = kernel.transpose(3, 0, 1, 2)
    else:
        expected = kernel.reshape(1, *kernel.shape[:2], -1)
    found = [t for t in tensors_of(model) if t.shape == expected.shape]
    assert any(np.array_equal(tensor, expected) for tensor in found)

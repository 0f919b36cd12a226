"""From a Keras model in training to the outputs of the compressed file, in every runtime."""

import keras
import numpy as np
import pytest
from support import runtime_process

import keras_dc as dc


def mlp():
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(80, activation="relu"),
            keras.layers.Dense(40, activation="relu6"),
            keras.layers.Dense(5),
        ]
    )


def conv_net():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(16, 3, strides=2),
            keras.layers.DepthwiseConv2D(3, padding="same"),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )


def pruned_and_shared(model):
    """Trained for a few steps in each stage, as a user would."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, *model.input_shape[1:])).astype(np.float32)
    y = rng.integers(0, 5, size=256)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    schedule = dc.PolynomialDecay(0.0, 0.8, begin_step=0, end_step=12, frequency=2)
    model = dc.prune(model, schedule)
    model.compile("adam", loss)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[dc.PruningCallback()])
    model = dc.share_weights(model, num_clusters=15)
    model.compile("adam", loss)
    model.fit(x, y, verbose=0)
    return model


@pytest.fixture(scope="module", params=[mlp, conv_net], ids=lambda build: build.__name__)
def trained(request):
    keras.utils.set_random_seed(1)
    return pruned_and_shared(request.param())


def test_every_kernel_is_sparse_and_shared(trained):
    for layer in dc.strip(trained).layers:
        for weight in layer.weights:
            if len(weight.shape) > 1:
                values = weight.numpy()
                assert np.mean(values == 0) >= 0.79
                assert len(np.unique(values)) <= 16


def test_outputs_are_those_of_the_stripped_model(trained, process):
    """Float rounding is all that may differ, for one input and for a batch."""
    compressed = dc.convert(trained)
    plain = dc.strip(trained)
    rng = np.random.default_rng(2)
    shape = trained.input_shape[1:]
    feeds = [[rng.normal(size=(batch, *shape)).astype(np.float32)] for batch in (1, 9)]
    small = process(runtime_process.run, compressed, *feeds)
    expanded = process(runtime_process.run_plain, dc.expand(compressed), *feeds)
    for (x,), (output,), (reference,) in zip(feeds, small, expanded):
        np.testing.assert_allclose(output, plain.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(output, reference, rtol=1e-4, atol=1e-5)


def test_the_shared_model_and_the_stripped_one_agree_bit_for_bit(trained):
    x = np.random.default_rng(3).normal(size=(9, *trained.input_shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(
        trained.predict(x, verbose=0), dc.strip(trained).predict(x, verbose=0)
    )

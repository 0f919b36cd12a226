"""Blocks of 4x1, which int8 kernels multiply at once: four neighbouring input channels."""

import keras
import numpy as np
import pytest

import keras_dc as dc


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (keras.layers.Dense(12), (16,)),
        (keras.layers.Conv2D(8, 3), (6, 6, 8)),
        (keras.layers.Conv2D(8, 1), (4, 4, 12)),
    ],
    ids=["dense", "conv2d", "pointwise"],
)
def test_they_lie_side_by_side_where_tflite_has_the_channels_last(layer, shape):
    model = keras.Sequential([keras.Input(shape), type(layer).from_config(layer.get_config())])
    plain = dc.strip(dc.prune(model, 0.75, block_size=(4, 1)))
    kernel = np.asarray(plain.layers[-1].kernel)
    assert np.mean(kernel != 0) == 0.25
    # TFLite puts the output channels first, and the input channels stay last.
    words = np.moveaxis(kernel, -1, 0).reshape(-1, 4) != 0
    assert set(words.sum(axis=1)) == {0, 4}

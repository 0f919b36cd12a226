"""Tensors of scale times codebook (FORMAT.md, 4)."""

import numpy as np
import pytest
from support import reference_decoder
from support.tensors import bits_of, scaled

from keras_dc import codec, errors


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
@pytest.mark.parametrize(
    ("shape", "axis"), [((64, 300), 0), ((64, 3, 3, 9), 0), ((1, 5, 5, 70), -1), ((40, 80), -1)]
)
def test_scaled_tensors_round_trip(shape, axis, dtype, precision):
    values, parts = scaled(shape, axis=axis, dtype=dtype, precision=precision)
    blob = codec.encode_scaled(values, **parts)
    info = codec.inspect(blob)
    assert (info.scale_axis, info.wide) == (axis, precision == np.float64)
    scale_bytes = shape[axis] * np.dtype(precision).itemsize
    assert info.scale_bytes < scale_bytes if info.scale_planes else info.scale_bytes == scale_bytes
    assert info.num_centroids <= 15
    np.testing.assert_array_equal(codec.decode(blob), values, strict=True)
    np.testing.assert_array_equal(reference_decoder.decode(blob), bits_of(values))


def test_scales_beat_a_plain_code_where_channels_differ():
    values, parts = scaled((64, 3, 3, 64), axis=0)
    assert len(codec.encode_scaled(values, **parts)) < 0.4 * len(codec.encode(values))


def test_negative_and_odd_scales_round_trip():
    codebook = np.array([0.5, -3.0, 1e-3, 65504.0])
    scales = np.array([-1.0, 1e30, 3e-42, 0.1], np.float32)
    values = (scales[:, None].astype(float) * codebook).astype(np.float32)
    blob = codec.encode_scaled(values, codebook=codebook, scales=scales, axis=0)
    np.testing.assert_array_equal(codec.decode(blob), values)
    np.testing.assert_array_equal(reference_decoder.decode(blob), bits_of(values))


def test_a_weight_that_is_no_product_is_refused():
    values, parts = scaled((8, 30), axis=0)
    values[3, 4] = 0.123
    with pytest.raises(errors.CodecError):
        codec.encode_scaled(values, **parts)


@pytest.mark.parametrize(
    "change",
    [{"axis": 1}, {"scales": np.ones(7)}, {"codebook": np.ones(257)}, {"codebook": np.ones(0)}],
    ids=str,
)
def test_scaled_arguments_must_fit(change):
    values, parts = scaled((8, 30), axis=0)
    with pytest.raises(errors.CodecError, match="expected .*Received: "):
        codec.encode_scaled(values, **(parts | change))

"""Models that lie about their blobs, shapes or options are refused by the name of the op."""

import pathlib

import numpy as np
import pytest
from support import runtime_process
from support.op_models import (
    builtin,
    coded_dense_model,
    convolution_options,
    fully_connected_options,
    fused_convolution_model,
    random_input,
    sparse_weights,
)
from support.runtime_models import Model
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc import codec


def flip_a_bit(blob):
    middle = len(blob) // 2
    return blob[:middle] + bytes([blob[middle] ^ 1]) + blob[middle + 1 :]


def decode_model(blob, shape, dtype=np.float32):
    """KerasDcDecode whose output, a matrix of `shape`, is the weights of FULLY_CONNECTED."""
    model = Model()
    graph = model.graph()
    x, y = graph.tensor([1, 12]), graph.tensor([1, 5])
    weights = graph.tensor(shape, dtype, name="w")
    graph.op("KerasDcDecode", [graph.constant(blob)], [weights])
    graph.op(builtin.FULLY_CONNECTED, [x, weights, -1], [y], fully_connected_options())
    graph.ends([x], [y])
    return model.pack()


KERNEL = sparse_weights((6, 3, 3, 4))


TRAILING_FILLER = (
    pathlib.Path(__file__).parents[1].joinpath("golden_errors") / "13-trailing_filler.blob"
).read_bytes()


def coded_convolution_model(blob, input_shape=(1, 8, 8, 4)):
    model = Model()
    graph = model.graph()
    x, y = graph.tensor(list(input_shape)), graph.tensor([1, 6, 6, 6], name="y")
    graph.op("KerasDcConv2D", [x, graph.constant(blob)], [y], b"\0\1")
    graph.ends([x], [y])
    return model.pack()


def computed_blob_model():
    model = Model()
    graph = model.graph()
    blob, y = graph.tensor([40], np.uint8), graph.tensor([5, 12], name="w")
    graph.op("KerasDcDecode", [blob], [y])
    graph.ends([blob], [y])
    return model.pack()


# What is wrong -> (model from the blob of a (5, 12) float32 matrix, what the error says).
BAD_MODELS = {
    "fully_connected_flipped_bit": (
        lambda blob: coded_dense_model(flip_a_bit(blob)),
        ["KerasDcFullyConnected 'dense'", "checksum"],
    ),
    "fully_connected_empty_blob": (
        lambda blob: coded_dense_model(b"x"),
        ["KerasDcFullyConnected 'dense'", "cannot decode the blob"],
    ),
    "fully_connected_input_size": (
        lambda blob: coded_dense_model(blob, input_shape=[1, 13]),
        ["KerasDcFullyConnected 'dense'", "[1, 13]", "[5, 12]"],
    ),
    "fully_connected_keep_num_dims": (
        lambda blob: coded_dense_model(blob, input_shape=[12, 1], options=bytes([0, 1])),
        ["KerasDcFullyConnected 'dense'", "[12, 1]", "[5, 12]"],
    ),
    "fully_connected_bias": (
        lambda blob: coded_dense_model(blob, random_input(4), input_shape=[1, 12]),
        ["KerasDcFullyConnected 'dense'", "bias", "[4]", "[5, 12]"],
    ),
    "fully_connected_bias_blob": (
        lambda blob: coded_dense_model(blob, blob, input_shape=[1, 12]),
        ["KerasDcFullyConnected 'dense'", "bias", "[5, 12]"],
    ),
    "fully_connected_activation": (
        lambda blob: coded_dense_model(blob, input_shape=[1, 12], options=b"\5"),
        ["KerasDcFullyConnected 'dense'", "unknown fused activation 5"],
    ),
    "fully_connected_options": (
        lambda blob: coded_dense_model(blob, input_shape=[1, 12], options=bytes(9)),
        ["KerasDcFullyConnected 'dense'", "at most 8 bytes", "got 9"],
    ),
    "fully_connected_int8": (
        lambda blob: coded_dense_model(codec.encode(np.ones((5, 12), np.int8))),
        ["KerasDcFullyConnected 'dense'", "FLOAT32", "INT8"],
    ),
    "fully_connected_rank": (
        lambda blob: coded_dense_model(codec.encode(np.ones((5, 3, 4), np.float32))),
        ["KerasDcFullyConnected 'dense'", "[units, input_size]", "[5, 3, 4]"],
    ),
    "fully_connected_without_a_name": (
        lambda blob: coded_dense_model(flip_a_bit(blob), name=""),
        ["KerasDcFullyConnected (output tensor 1)", "checksum"],
    ),
    "convolution_flipped_bit": (
        lambda blob: coded_convolution_model(flip_a_bit(codec.encode(KERNEL))),
        ["KerasDcConv2D 'y'", "checksum"],
    ),
    "convolution_truncated": (
        lambda blob: coded_convolution_model(codec.encode(KERNEL)[:-5]),
        ["KerasDcConv2D 'y'", "cannot decode the blob"],
    ),
    "convolution_shape": (
        lambda blob: coded_convolution_model(codec.encode(KERNEL), input_shape=[1, 8, 8, 3]),
        ["KerasDcConv2D 'y'", "[1, 8, 8, 3]", "[6, 3, 3, 4]"],
    ),
    "decode_streams": (
        lambda blob: decode_model(TRAILING_FILLER, [2, 8]),
        ["KerasDcDecode 'w'", "position gaps"],
    ),
    "decode_flipped_bit": (
        lambda blob: decode_model(flip_a_bit(blob), [5, 12]),
        ["KerasDcDecode 'w'", "checksum"],
    ),
    "decode_truncated": (
        lambda blob: decode_model(blob[:-3], [5, 12]),
        ["KerasDcDecode 'w'", "cannot decode the blob"],
    ),
    "decode_shape": (
        lambda blob: decode_model(blob, [12, 5]),
        ["KerasDcDecode 'w'", "[5, 12]", "[12, 5]"],
    ),
    "decode_dtype": (
        lambda blob: decode_model(blob, [5, 12], np.int8),
        ["KerasDcDecode 'w'", "FLOAT32", "INT8"],
    ),
    "decode_computed_blob": (
        lambda blob: computed_blob_model(),
        ["KerasDcDecode 'w'", "constant"],
    ),
}


@pytest.mark.parametrize("case", list(BAD_MODELS))
def test_bad_model_is_refused_by_name(process, case):
    make_model, words = BAD_MODELS[case]
    blob = codec.encode(sparse_weights((5, 12)))
    message = process(runtime_process.allocation_error, make_model(blob))
    assert message is not None
    assert [word for word in words if word not in message] == [], message


def test_grouped_convolution_is_refused(process):
    model = fused_convolution_model(
        sparse_weights((6, 3, 3, 2)),
        random_input(6),
        coded=True,
        input_shape=[1, 8, 8, 4],
        options=convolution_options(),
    )
    message = process(runtime_process.allocation_error, model)
    assert "KerasDcConv2D 'conv'" in message
    assert "grouped" in message


def test_a_truncated_file_is_refused(process):
    content = dc.compress(mlp().serialize())
    for size in range(1, len(content), len(content) // 20):
        assert process(runtime_process.interpreter_error, content[:size]), size

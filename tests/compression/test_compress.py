"""The lossless pass over whole files: what comes back, what stays, what is refused."""

import io
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.inspection import operators
from support.tiny_models import (
    Graph,
    conv_net,
    int4,
    mixed_readers,
    mlp,
    quantized,
    shared_weights,
    sparse,
    two_subgraphs,
)

import keras_dc as dc
from keras_dc import codec, errors
from keras_dc.compression import custom_ops
from keras_dc.support import atomic_files
from keras_dc.tflite import compact_writer, diff, model_file
from keras_dc.tflite.graph import Graph as GraphIndex

GRAPHS = {
    "int4": int4,
    "mlp": mlp,
    "conv_net": conv_net,
    "shared_weights": shared_weights,
    "mixed_readers": mixed_readers,
    "two_subgraphs": two_subgraphs,
    "quantized": quantized,
}


@pytest.mark.parametrize("strip_names", [True, False])
@pytest.mark.parametrize("name", GRAPHS)
def test_expand_gives_the_graph_back(name, strip_names):
    original = GRAPHS[name]().serialize()
    compressed = dc.compress(original, strip_names=strip_names)
    assert len(compressed) < len(original)
    expanded = model_file.parse(dc.expand(compressed))
    found = diff.differences(model_file.parse(original), expanded, names=not strip_names)
    assert found == []


@pytest.mark.parametrize("name", GRAPHS)
def test_compressing_twice_changes_nothing(name):
    once = dc.compress(GRAPHS[name]().serialize())
    assert dc.compress(once) == once


def test_a_bias_that_float16_holds_is_coded_beside_the_weights():
    graph = mlp(sizes=(64, 400))
    bias = np.linspace(-1, 1, 400).astype(np.float16).astype(np.float32)
    graph.model.buffers[2].data = bias.view(np.uint8)
    weights, coded_bias = dc.inspect(dc.compress(graph.serialize()))
    assert (weights.shape, coded_bias.shape) == ((400, 64), (400,))
    assert coded_bias.blob_bytes <= 2 * 400 + 20


def test_names_that_users_rely_on_stay():
    graph = mlp()
    graph.model.metadata = [schema.MetadataT(b"TFLITE_METADATA", graph.buffer(np.arange(9)))]
    model = model_file.parse(dc.compress(graph.serialize()))
    tensors = model.subgraphs[0].tensors
    assert tensors[0].name == b"x"
    assert tensors[-1].name == b"y2"
    assert tensors[1].name is None
    assert model.signatureDefs[0].inputs[0].name == b"images"
    assert model.metadata[0].name == b"TFLITE_METADATA"
    assert model.buffers[model.metadata[0].buffer].data.tobytes() == np.arange(9).tobytes()


def test_lenet_300_100_is_little_more_than_its_blobs():
    compressed = dc.compress(mlp(density=0.03).serialize())
    model = model_file.parse(compressed)
    blobs = {
        model.subgraphs[0].tensors[ref.tensor].buffer
        for _, ref in custom_ops.blobs_of(GraphIndex(model))
    }
    biases = 4 * (300 + 100 + 10)
    rest = len(compressed) - biases - sum(len(model.buffers[index].data) for index in blobs)
    assert rest <= 900


def test_compress_takes_a_path(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(mlp().serialize())
    assert dc.compress(path) == dc.compress(mlp().serialize())
    assert dc.compress(str(path)) == dc.compress(path)


def test_compress_refuses_what_is_no_model():
    with pytest.raises(TypeError, match="Received: ndarray"):
        dc.compress(np.zeros(4, np.uint8))
    with pytest.raises(errors.ModelFormatError):
        dc.compress(b"nothing of the kind")


def test_a_buffer_that_contradicts_its_tensor_is_refused():
    graph = mlp()
    graph.model.buffers[1].data = graph.model.buffers[1].data[:-4]
    with pytest.raises(errors.ModelFormatError, match=r"tensor 'w0' .*\(300, 784\)"):
        dc.compress(graph.serialize())


def test_what_blobs_declare_is_added_up_before_one_is_decoded(monkeypatch):
    content = dc.compress(mlp(sizes=(64, 64, 64)).serialize(), strip_names=False)
    declared = 2 * (64 * 64 + 64) * 4
    assert dc.expand(content, max_bytes=declared)
    monkeypatch.setattr(codec, "decode", lambda _: pytest.fail("decoded"))
    with pytest.raises(errors.CompressionError, match="tensor 'b1': .*`max_bytes` decoded"):
        dc.expand(content, max_bytes=declared - 1)


def test_expand_names_the_tensor_of_a_bad_blob():
    model = model_file.parse(dc.compress(mlp().serialize(), strip_names=False))
    blob = model.buffers[1].data.copy()
    blob[30] ^= 1
    model.buffers[1].data = blob
    with pytest.raises(
        errors.CompressionError, match="KerasDcFullyConnected, tensor 'w0': .*checksum"
    ):
        dc.expand(model_file.serialize(model))


def test_expand_refuses_a_blob_of_another_shape():
    graph = quantized()
    graph.subgraph.operators[0].builtinOptions.fusedActivationFunction = 4  # TANH: not fused
    model = model_file.parse(dc.compress(graph.serialize()))
    ((_, (_, index)), *_) = custom_ops.blobs_of(GraphIndex(model))
    other = np.frombuffer(codec.encode(sparse((4, 9, 4), dtype=np.int8)), np.uint8)
    model.buffers[model.subgraphs[0].tensors[index].buffer].data = other
    with pytest.raises(
        errors.CompressionError, match=r"shaped \(4, 9, 9, 4\).*Received: \(4, 9, 4\)"
    ):
        dc.expand(model_file.serialize(model))


def test_expanding_an_ordinary_model_changes_nothing():
    content = mlp().serialize()
    expanded = model_file.parse(dc.expand(content))
    assert diff.differences(mlp().model, expanded, names=True) == []


def test_a_kernel_with_folded_batch_norm_keeps_its_codebook():
    graph = conv_net()
    kernel = sparse((32, 3, 3, 4), density=0.5)
    scales = np.random.default_rng(1).uniform(0.5, 2, size=(32, 1, 1, 1)).astype(np.float32)
    for number, values in enumerate([kernel, kernel * scales]):
        graph = Graph()
        x = graph.input((-1, 8, 8, 4))
        constant = graph.constant(values, "kernel")
        bias = graph.constant(np.ones(32, np.float32), "bias")
        graph.output(graph.conv_2d(x, constant, bias, shape=(-1, 8, 8, 32)))
        original = graph.serialize()
        compressed = dc.compress(original)
        expanded = model_file.parse(dc.expand(compressed))
        assert diff.differences(model_file.parse(original), expanded) == []
        blob = dc.inspect(compressed)[0].blob
        assert blob.num_centroids <= 15
        assert (blob.scale_axis is not None) == (number == 1)


def test_the_arithmetic_coder_is_a_choice():
    original = mlp().serialize()
    huffman = dc.compress(original)
    arithmetic = dc.compress(original, coder="arithmetic")
    assert len(arithmetic) <= len(huffman)
    for content in (huffman, arithmetic):
        expanded = model_file.parse(dc.expand(content))
        assert diff.differences(model_file.parse(original), expanded) == []
    with pytest.raises(ValueError, match="Received: coder='zip'"):
        dc.compress(original, coder="zip")


def test_what_the_converter_notes_of_itself_is_dropped_with_the_names():
    graph = mlp()
    graph.model.description = b"MLIR Converted."
    graph.model.metadata = [
        schema.MetadataT(b"min_runtime_version", graph.buffer(np.zeros(4, np.int32)))
    ]
    dropped = model_file.parse(dc.compress(graph.serialize()))
    assert dropped.description is None
    assert not dropped.metadata
    kept = model_file.parse(dc.compress(graph.serialize(), strip_names=False))
    assert kept.description == b"MLIR Converted."
    assert len(kept.metadata) == 1


def test_associated_files_are_kept():
    original = io.BytesIO(mlp().serialize())
    labels = b"zero\none\n" * 50
    with zipfile.ZipFile(original, "a") as archive:
        archive.writestr("labels.txt", labels, zipfile.ZIP_DEFLATED)
        archive.writestr("LICENSE", b"free", zipfile.ZIP_STORED)
    compressed = dc.compress(original.getvalue())
    assert len(compressed) < len(original.getvalue()) / 4
    assert operators(compressed) == [custom_ops.FULLY_CONNECTED] * 3
    for content in (compressed, dc.expand(compressed)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.namelist() == ["labels.txt", "LICENSE"]
            assert archive.read("labels.txt") == labels
            assert archive.getinfo("labels.txt").compress_type == zipfile.ZIP_DEFLATED
    assert dc.compress(compressed) == compressed


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path, expanded_path = tmp_path / "model.tflite", tmp_path / "expanded.tflite"
    path.write_bytes(mlp().serialize())
    compressed = dc.compress(path, filepath=path)
    assert path.read_bytes() == compressed
    assert dc.expand(path, filepath=expanded_path) == expanded_path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(atomic_files.os, "replace", fail)
    for function in (dc.compress, dc.expand):
        with pytest.raises(OSError, match="disk full"):
            function(expanded_path, filepath=path)
    assert path.read_bytes() == compressed
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(FileNotFoundError, match="folder of `filepath` must exist"):
        dc.compress(path, filepath=tmp_path / "nowhere" / "model.tflite")


def test_what_is_written_is_compared_with_what_was_to_be_written(monkeypatch):
    original, write = mlp().serialize(), compact_writer.write

    def forgetful(model, **options):
        model.subgraphs[0].tensors[1].shape = np.int32([3, 3])
        return write(model, **options)

    monkeypatch.setattr(compact_writer, "write", forgetful)
    with pytest.raises(errors.CompressionError, match=r"fault of keras_dc. Received: .*\.shape"):
        dc.compress(original)

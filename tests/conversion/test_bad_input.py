"""Each function that reads a model refuses what is none, with an error of ours."""

import os

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import Graph, conv_net, mlp, sparse

import keras_dc as dc
from keras_dc.errors import CodecError, CompressionError, ModelFormatError
from keras_dc.tflite import model_file

READERS = {"compress": dc.compress, "expand": dc.expand, "inspect": dc.inspect}


@pytest.fixture(params=READERS)
def reader(request):
    return READERS[request.param]


@pytest.fixture(scope="module")
def plain():
    return mlp(sizes=(64, 64, 10)).serialize()


@pytest.fixture(scope="module")
def compressed(plain):
    return dc.compress(plain)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x89PNG\r\n\x1a\n" * 9, bytes(100)], ids=len)
def test_what_is_no_flatbuffer(reader, content, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    for given in (content, bytearray(content), path):
        with pytest.raises(ModelFormatError, match="identifier 'TFL3' at byte 4. Received: "):
            reader(given)


def test_what_is_cut_short(reader, plain, compressed):
    for content in (plain, compressed):
        for size in range(8, len(content) - 16, len(content) // 25):
            with pytest.raises((ModelFormatError, CompressionError)) as caught:
                reader(content[:size])
            assert "Received: " in str(caught.value)


@pytest.mark.parametrize("version", [0, 1, 2, 4, 2**32 - 1])
def test_another_schema_version(reader, version):
    graph = mlp(sizes=(64, 64))
    graph.model.version = version
    with pytest.raises(ModelFormatError, match=f"must be 3. Received: {version}"):
        reader(graph.serialize())


def test_a_missing_file_a_folder_and_other_types(reader, tmp_path):
    missing = tmp_path / "no_such.tflite"
    for given in (missing, str(missing)):
        with pytest.raises(FileNotFoundError, match="no file at the path.*no_such.tflite"):
            reader(given)
    with pytest.raises(IsADirectoryError, match="path of a file. Received: the folder"):
        reader(tmp_path)
    for given in (None, 7, np.zeros(4, np.uint8), ["model.tflite"]):
        with pytest.raises(TypeError, match="bytes or as the path of a file. Received: "):
            reader(given)


def test_a_large_file_of_another_kind_is_refused_unread(reader, tmp_path):
    path = tmp_path / "model.tflite"
    path.touch()
    # Sparse: it takes no place on the disk, and no machine has the memory to read it.
    os.truncate(path, 2**40)
    with pytest.raises(ModelFormatError, match=f"'TFL3' at byte 4. Received: {2**40} bytes"):
        reader(path)


def test_what_is_compressed_already_comes_back(plain, compressed):
    assert dc.compress(compressed) == compressed
    assert dc.compress(compressed, coder="arithmetic") == compressed
    expanded = dc.expand(compressed)
    assert dc.expand(expanded) == expanded
    assert dc.compress(expanded) == compressed


def not_finite():
    """Kernels with NaN of two kinds, infinities and the negative zero."""
    graph = Graph()
    x = graph.input((-1, 64))
    patterns = sparse((64, 64)).view(np.uint32)
    patterns[:, ::7] = 0x7FC00000
    patterns[:, 1::7] = 0xFFC00001
    patterns[:, 2::7] = 0x7F800000
    patterns[:, 3::7] = 0x80000000
    graph.output(graph.fully_connected(x, graph.constant(patterns.view(np.float32), "w"), None))
    return graph.serialize(), patterns.tobytes()


def test_weights_that_are_no_numbers_are_coded_as_they_are():
    original, patterns = not_finite()
    compressed = dc.compress(original)
    assert len(compressed) < len(original) / 4
    buffers = model_file.parse(dc.expand(compressed)).buffers
    assert patterns in {buffer.data.tobytes() for buffer in buffers if buffer.data is not None}


def test_a_damaged_blob_is_named():
    model = model_file.parse(dc.compress(conv_net().serialize(), strip_names=False))
    (blob,) = {
        tensor.buffer
        for tensor in model.subgraphs[0].tensors
        if tensor.type == schema.TensorType.UINT8
    }
    data = model.buffers[blob].data.copy()
    data[-1] ^= 1
    model.buffers[blob].data = data
    with pytest.raises(CompressionError, match="KerasDcConv2D, tensor 'kernel'"):
        dc.expand(model_file.serialize(model))


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_never_raise_what_is_no_sentence(reader, compressed, seed):
    """A flipped byte raises an error of ours, or leaves a model that can be read."""
    rng = np.random.default_rng(seed)
    messages = []
    for place in rng.integers(8, len(compressed), size=40):
        content = bytearray(compressed)
        content[place] ^= 1 << int(rng.integers(8))
        try:
            reader(content)
        except (ModelFormatError, CompressionError, CodecError) as error:
            messages.append(str(error))
    assert len(messages) > 5
    assert all("Received: " in message for message in messages)

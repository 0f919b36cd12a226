"""Any file comes back byte for byte, and smaller than its xz where it is a model."""

import contextlib
import lzma

import numpy as np
import pytest
from support import sparse_models, tensors, tiny_models

import keras_dc as dc
from keras_dc.codec import packs
from keras_dc.packing import parts
from keras_dc.tflite import compact_writer, model_file

MODELS = {
    "conv_net": tiny_models.conv_net,
    "mlp": lambda: tiny_models.mlp(sizes=(40, 30, 10)),
    "lookup": tiny_models.lookup,
    "quantized": tiny_models.quantized,
    "sparse": sparse_models.densified_twice,
}


def xz(content):
    return len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("coder", [None, "huffman", "arithmetic"])
def test_models_come_back_and_are_smaller_than_their_xz(name, coder):
    content = MODELS[name]().serialize()
    if coder is not None:
        content = dc.compress(content, coder=coder)
    packed = dc.pack(content)
    assert dc.unpack(packed) == content
    assert len(packed) < 0.9 * xz(content)


def test_huffman_codes_are_made_again_from_a_smaller_form():
    content = dc.compress(tiny_models.mlp().serialize())
    chosen = parts.plain_parts(content)
    assert any(part.is_huffman for part in chosen)
    assert dc.unpack(dc.pack(content)) == content


def test_buffers_behind_the_flatbuffer_are_found():
    model = model_file.parse(tiny_models.mlp(sizes=(100, 80, 10)).serialize())
    content = compact_writer.write_with_buffers_behind(model)
    packed = dc.pack(content)
    assert dc.unpack(packed) == content
    assert len(packed) < 0.9 * xz(content)


@pytest.mark.parametrize(
    "again",
    [lambda rows: rows, lambda rows: rows[:, ::-1], lambda rows: -rows],
    ids=["repeated", "mirrored", "negated"],
)
def test_rows_of_floats_are_found_again(again):
    rows = tensors.noise((20, 64))
    sizes = []
    for matrix in (rows, np.concatenate([rows, again(rows)])):
        content = matrix.tobytes()
        part = packs.Part("bytes", len(content), "words", 256)
        packed, _ = packs.pack(content, [part])
        assert packs.unpack(packed) == content
        sizes.append(len(packed))
    assert sizes[1] < 1.2 * sizes[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a",
        b"text " * 50,
        bytes(tensors.noise((500,)).view(np.uint8)),
        b"\x1c\0\0\0TFL3" + bytes(100),
        bytes(3_000_000),
    ],
    ids=["empty", "one_byte", "text", "noise", "no_model", "long"],
)
def test_what_is_no_model_comes_back_too(content):
    packed = dc.pack(content)
    assert dc.unpack(packed) == content
    assert len(packed) < len(content) + 24


def test_a_path_and_the_bytes_mean_the_same(tmp_path):
    content = tiny_models.conv_net().serialize()
    path, packed_path = tmp_path / "model.tflite", tmp_path / "model.kdc"
    path.write_bytes(content)
    packed_path.write_bytes(dc.pack(path))
    assert packed_path.read_bytes() == dc.pack(bytearray(content))
    assert dc.unpack(packed_path) == dc.unpack(str(packed_path)) == content


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(TypeError, match="`tflite` is given as bytes or as the path.*Received: int"):
        dc.pack(3)
    with pytest.raises(FileNotFoundError, match="Received: 'nowhere'"):
        dc.pack("nowhere")
    with pytest.raises(IsADirectoryError, match="`packed` is given as bytes.*Received: the folder"):
        dc.unpack(tmp_path)
    with pytest.raises(TypeError, match="`base` is given as bytes or as the path.*Received: list"):
        dc.pack(b"abc", base=[])


def test_a_model_that_is_not_packed_is_refused():
    content = tiny_models.conv_net().serialize()
    with pytest.raises(dc.errors.CodecError, match="not a keras_dc packed file.*'KDP'.*status 4"):
        dc.unpack(content)


def test_damaged_files_are_refused():
    content = tiny_models.conv_net().serialize()
    packed = dc.pack(content)
    for size in range(len(packed)):
        with pytest.raises(dc.errors.CodecError):
            dc.unpack(packed[:size])
    rng = np.random.default_rng(0)
    for place in rng.choice(len(packed), 60, replace=False):
        mutant = bytearray(packed)
        mutant[place] ^= 1 << int(rng.integers(8))
        # A mutant of sizes that only decide about memory may still be right.
        with contextlib.suppress(dc.errors.CodecError):
            assert dc.unpack(bytes(mutant)) == content


def test_a_packed_file_may_not_declare_more_than_is_allowed():
    packed = dc.pack(b"model" * 100)
    assert len(dc.unpack(packed, max_bytes=500)) == 500
    with pytest.raises(dc.errors.CodecError, match=r"Received: 500 bytes declared, max_bytes=499"):
        dc.unpack(packed, max_bytes=499)

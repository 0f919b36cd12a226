"""ZIP archives of models come back byte for byte; stored models are packed."""

import io
import zipfile

import pytest
from support import tiny_models
from support.packs import archive

import keras_dc as dc
from keras_dc.packing import bundles, parts

MODEL = tiny_models.conv_net().serialize()
OTHER = dc.compress(tiny_models.mlp(sizes=(60, 40, 10)).serialize())


def test_stored_models_are_packed_as_if_alone():
    content = archive(("first.tflite", MODEL), ("notes.txt", b"text" * 9), ("b.tflite", OTHER))
    packed = dc.pack(content)
    assert dc.unpack(packed) == content
    assert len(packed) < len(dc.pack(MODEL)) + len(dc.pack(OTHER)) + 200


@pytest.mark.parametrize("padding", range(4))
def test_a_model_may_begin_at_any_place(padding):
    content = archive(("x" * (padding + 1), MODEL))
    assert len(dc.pack(content)) < len(dc.pack(MODEL)) + 120
    assert dc.unpack(dc.pack(content)) == content


def test_deflated_members_stay_as_they_are():
    content = archive(("model.tflite", MODEL * 3), compression=zipfile.ZIP_DEFLATED)
    assert any(part.kind == "stored" for part in parts.plain_parts(content))
    packed = dc.pack(content)
    assert dc.unpack(packed) == content
    assert len(packed) < len(content)


def test_archives_in_archives_are_looked_into():
    inner = archive(("model.tflite", MODEL))
    content = archive(("a.zip", inner), ("b.txt", b"text"))
    assert len(bundles.find(content).origins) == 2
    assert dc.unpack(dc.pack(content)) == content


def test_files_behind_a_model_come_back():
    made = io.BytesIO(MODEL)
    with zipfile.ZipFile(made, "a") as opened:
        opened.writestr("labels.txt", "cat\ndog\n" * 30, compress_type=zipfile.ZIP_DEFLATED)
        opened.writestr("more.txt", "cat\ndog\n" * 30)
    content = made.getvalue()
    packed = dc.pack(content)
    assert dc.unpack(packed) == content
    assert len(packed) < len(dc.pack(MODEL)) + 300


def test_damaged_archives_come_back_too():
    content = bytearray(archive(("model.tflite", MODEL)))
    for place in (0, 26, len(content) - 4, len(content) - 40):
        mutant = bytearray(content)
        mutant[place] ^= 0x55
        assert dc.unpack(dc.pack(mutant)) == mutant

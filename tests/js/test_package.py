"""The npm package in node: the tests beside this file, on files that are made here."""

import base64
import json
import pathlib
import re
import subprocess
import zipfile
import zlib

import numpy as np
import pytest
from golden_packs import make_golden_packs
from support import web
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc import errors
from keras_dc.codec import packs

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "tflite_ops/js"
GOLDEN = ROOT / "tests/golden_packs"
PATCH_FLAG = 1
SIZES = (300, 100, 10)
TOO_LARGE = 10
MAX_BYTES = 10_000_000


def status_of(packed, base):
    """The status with which the library of this machine unpacks a file; 0 is success.

    A file that declares more than `MAX_BYTES` is refused, as by the package.
    """
    try:
        if packs.info(packed).original_size > MAX_BYTES:
            return TOO_LARGE
        packs.unpack(packed, base=base)
    except errors.CodecError as error:
        return int(re.search(r"status (\d+)$", str(error)).group(1))
    return 0


def mutants_of(packed, rng):
    """A file cut at up to 6 places, and with up to 9 bytes changed, one at a time."""
    for size in np.unique(np.linspace(0, len(packed) - 1, 6, dtype=int)):
        yield packed[:size]
    for at in rng.choice(len(packed), 9, replace=False):
        changed = bytearray(packed)
        changed[at] ^= int(rng.integers(1, 256))
        yield bytes(changed)


def mutants_file(base):
    rng = np.random.default_rng(0)
    files = []
    for path in sorted(GOLDEN.glob("*.kdc")):
        mutants = []
        for packed in mutants_of(path.read_bytes(), rng):
            is_patch = len(packed) > 4 and packed[4] & PATCH_FLAG != 0
            mutants.append({
                "packed": base64.b64encode(packed).decode(),
                "is_patch": is_patch,
                "status": status_of(packed, base if is_patch else None),
            })  # fmt: skip
        files.append({"name": path.stem, "mutants": mutants})
    return {
        "base": base64.b64encode(base).decode(), "max_bytes": MAX_BYTES, "files": files,
    }  # fmt: skip


def huge_tensor():
    """A packed file of some 40 bytes: 2^29 float32 zeros, as much as WebAssembly has in all."""
    body = bytes([*b"KDC", 1, 0x10, 0, 1, 0x80, 0x80, 0x80, 0x80, 2, 0, 0])
    blob = body + zlib.crc32(body).to_bytes(4, "little")
    return make_golden_packs.tensor(blob).finish(b"", size=2**31)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A folder of models, packed files and mutants."""
    folder = tmp_path_factory.mktemp("cases")
    plain, new = (mlp(sizes=SIZES, density=density).serialize() for density in (0.1, 0.11))
    compressed = dc.compress(plain)
    made = {
        "plain.tflite": plain,
        "plain.kdc": dc.pack(plain),
        "compressed.tflite": compressed,
        "compressed.kdc": dc.pack(compressed),
        "new.tflite": new,
        "patch.kdc": dc.pack(new, base=plain),
        "huge_tensor.kdc": huge_tensor(),
        "mutants.json": json.dumps(mutants_file((GOLDEN / "base.bin").read_bytes())).encode(),
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "bundle.zip", "w") as archive:
        archive.writestr("model.tflite", plain)
    return folder


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_in_node(name, cases, monkeypatch):
    monkeypatch.setenv("KERAS_DC_JS", str(web.folder() / "package"))
    monkeypatch.setenv("KERAS_DC_CASES", str(cases))
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", HERE / name],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.search(r"^# pass (\d+)$", done.stdout, re.M).group(1)) >= 3


def test_versions_are_one():
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    cmake = (ROOT / "tflite_ops/CMakeLists.txt").read_text()
    assert f"project(keras_dc VERSION {version} " in cmake


def test_statuses_are_those_of_the_library():
    header = (ROOT / "tflite_ops/include/keras_dc/codec.h").read_text()
    script = (PACKAGE / "errors.js").read_text()
    statuses = re.findall(r"^  ([A-Z_]+): (\d+),$", script, re.M)
    assert len(statuses) == 8
    for name, number in statuses:
        assert f"KDC_{name} = {number}," in header

"""Patches hold what differs from the base, and need that base."""

import numpy as np
import pytest
from support import tensors, tiny_models

import keras_dc as dc
from keras_dc import codec
from keras_dc.codec import packs
from keras_dc.codec.packs import Part
from keras_dc.packing import constants

PLAIN = tiny_models.mlp(sizes=(300, 200, 50, 10)).serialize()


def changed(content, change):
    """A model whose kernels are `change(kernel)`."""
    made = bytearray(content)
    for constant in constants.find(content):
        if len(constant.shape) == 2:
            kernel = np.frombuffer(content, np.float32, constant.size // 4, constant.begin)
            made[constant.begin : constant.end] = change(kernel).astype(np.float32).tobytes()
    return bytes(made)


def retrained(kernel):
    """Each centroid moves, the indices stay."""
    values, indices = np.unique(kernel, return_inverse=True)
    moved = values + np.where(values == 0, 0, np.random.default_rng(0).normal(size=values.size))
    return moved.astype(np.float16).astype(np.float32)[indices]


def reassigned(kernel):
    """As `retrained`, and one weight in fifty gets another centroid; the mask stays."""
    moved = retrained(kernel)
    values, rng = np.unique(moved[moved != 0]), np.random.default_rng(1)
    others = rng.choice(values, moved.size)
    return np.where((moved != 0) & (rng.random(moved.size) < 0.02), others, moved)


# Its centroids are float16 values, as `share_weights` makes them.
BASE = changed(PLAIN, lambda kernel: kernel.astype(np.float16))


@pytest.mark.parametrize("coder", [None, "huffman"])
def test_moved_centroids_take_a_fiftieth(coder):
    files = [BASE, changed(BASE, retrained)]
    if coder is not None:
        files = [dc.compress(file, coder=coder) for file in files]
    base, new = files
    patch = dc.pack(new, base=base)
    assert dc.unpack(patch, base=base) == new
    assert len(patch) <= 0.02 * len(dc.pack(new))


@pytest.mark.parametrize("coder", [None, "huffman"])
def test_some_new_indices_take_a_few_percent(coder):
    files = [BASE, changed(BASE, reassigned)]
    if coder is not None:
        files = [dc.compress(file, coder=coder) for file in files]
    base, new = files
    patch = dc.pack(new, base=base)
    assert dc.unpack(patch, base=base) == new
    assert len(patch) <= 0.15 * len(dc.pack(new))


def test_dense_weights_that_moved_a_little_are_coded_as_differences():
    kernel = tensors.noise((90, 64))
    base = BASE + kernel.tobytes()
    moved = (kernel * np.float32(1.0001)).astype(np.float32)
    new = BASE + moved.tobytes()
    patch = dc.pack(new, base=base)
    assert dc.unpack(patch, base=base) == new


def test_the_same_file_takes_almost_nothing():
    patch = dc.pack(BASE, base=BASE)
    assert dc.unpack(patch, base=BASE) == BASE
    assert len(patch) < 35


@pytest.mark.parametrize("content", [b"", b"a", b"text " * 900, BASE[:2000], BASE + b"tail" * 99])
def test_any_file_may_be_patched(content):
    patch = dc.pack(content, base=BASE)
    assert dc.unpack(patch, base=BASE) == content
    back = dc.pack(BASE, base=content)
    assert dc.unpack(back, base=content) == BASE


def test_another_base_is_refused(tmp_path):
    new = changed(BASE, retrained)
    patch = dc.pack(new, base=BASE)
    path = tmp_path / "base.tflite"
    path.write_bytes(BASE)
    assert dc.unpack(patch, base=path) == new
    with pytest.raises(dc.errors.CodecError, match=r"base of this patch is a file of \d+ bytes"):
        dc.unpack(patch, base=new)
    with pytest.raises(dc.errors.CodecError, match=r"it needs its base.*Received: base=None"):
        dc.unpack(patch)
    with pytest.raises(dc.errors.CodecError, match=r"is unpacked without a base. Received"):
        dc.unpack(dc.pack(BASE), base=BASE)


def test_copies_go_on_behind_plain_values_of_the_base():
    rng = np.random.default_rng(0)
    old, tail = rng.integers(-128, 128, 600).astype(np.int8), rng.bytes(100)
    steps = np.zeros(600, np.int8)
    steps[::50] = 3
    base, new = old.tobytes() + tail, (old + steps).tobytes() + tail
    parts = [
        Part("tensor", 600, source="difference", blob=codec.encode(steps), base_offset=0),
        Part("copy", 100, base_offset=600),
    ]
    packed, _ = packs.pack(new, parts, base=base)
    assert packs.unpack(packed, base=base) == new
    assert len(packed) < 100

"""The benchmark of coders at tiny size: its rows, the layouts that rivals get, its figures."""

import importlib
import sys
import zlib

import numpy as np
import pytest

from keras_dc import codec


def zlib_alone():
    return {"zlib": (zlib.compress, zlib.decompress)}, ["all others"]


def test_coders(figures_of, monkeypatch):
    """Rows of a tiny net, a tiny dense layer and a tiny VGG-16, zlib and made-up figures."""
    rng = np.random.default_rng(0)
    kernel = np.where(rng.random((60, 40)) < 0.1, rng.choice([0.5, -1.0], (60, 40)), 0)
    nets = {
        "lenet_300_100_quickstart": {"w0": kernel.astype(np.float32), "b0": np.zeros(40)},
        "dense_32": {"w0": rng.choice([0.25, 1.0, -1.0], (30, 20)).astype(np.float32)},
    }
    coders, rivals = map(importlib.import_module, ("coders", "rivals"))
    monkeypatch.setattr(coders.trained, "load", lambda: nets)
    monkeypatch.setattr(rivals, "compressors", zlib_alone)
    seconds = {"encode_s": 1, "decode_s": 1e-9}

    def nncodec(tensors, python, repeats):
        assert (python, repeats) == ("some-python", 1)
        return {name: {"bytes": values.size, **seconds} for name, values in tensors.items()}

    monkeypatch.setattr(rivals, "nncodec", nncodec)
    layers = [("conv1_1", (16, 3, 3, 8), 0.3), ("fc6", (40, 700), 0.1)]
    options = ["--repeats=1", "--nncodec-python=some-python"]
    figures = figures_of("coders", *options, VGG_16=layers)
    stored = np.ascontiguousarray(kernel.T, np.float32)
    context = len(codec.recode(codec.encode(stored)))
    assert figures["lenet_kernels_bytes"] == figures["bytes"]["lenet_300_100_quickstart"] == context
    assert figures["dense32_bytes"] == figures["bytes"]["dense_32"]
    gaps_and_indices = rivals.layouts(stored)["gaps and indices"]
    zipped = sum(len(zlib.compress(part)) for part in gaps_and_indices[0]) + 3 * 2
    best = figures["best_rival"]["lenet_300_100_quickstart"]
    assert best["name"] == "zlib"
    assert best["bytes"] <= zipped
    assert figures["larger_than_rival"] == [
        name
        for name, row in figures["best_rival"].items()
        if figures["bytes"][name] >= row["bytes"]
    ]
    assert figures["slower_than_nncodec"] == [*nets, "fc6"]
    assert 0.9 < figures["fc6_shannon_ratio"] < 1.1
    assert figures["context_decode_mweights_s"] > 0
    assert figures["context_encode_s"] > 0
    assert figures["context_load_s"] > 0
    assert figures["context_load_2_threads_s"] > 0
    assert figures["cpu"]
    quick = figures_of("coders", *options, "--quick", "--rows", "dense_32", VGG_16=layers)
    assert list(quick["bytes"]) == ["dense_32"]
    assert "context_encode_s" not in quick


def test_coders_refuses_rows_that_it_does_not_know(figures_of, capsys):
    with pytest.raises(SystemExit):
        figures_of("coders", "--rows", "dense_33")
    assert "--rows must be of " in (printed := capsys.readouterr().err)
    assert "Received: dense_33" in printed


def test_rivals_have_each_layout_and_give_it_back():
    rivals = importlib.import_module("rivals")
    values = np.array([[0, 0, 0.5], [0, -2, 0]], np.float32)
    found = rivals.layouts(values)
    # The codebook of three values that float16 holds: 6 bytes.
    assert found["gaps and indices"] == ([bytes([2, 1]), bytes([2, 0])], 6)
    assert found["indices"] == ([bytes([1, 1, 2, 1, 0, 1])], 6)
    assert found["indices by columns"] == ([bytes([1, 1, 1, 0, 2, 1])], 6)
    assert found["packed indices"] == ([bytes([0b01011001, 0b00010000])], 6)
    assert found["values"] == ([values.tobytes()], 0)
    assert found["planes"][0][0] == values.reshape(-1, 1).view(np.uint8).T.tobytes()
    nibbles = rivals.layouts(np.array([1, -1, -8], np.int8), "int4")
    assert nibbles["values"] == ([bytes([0xF1, 0x08])], 0)
    installed, missing = rivals.compressors()
    assert len(installed) + len(missing) == 6
    for functions in installed.values():
        best = rivals.smallest(rivals.layouts(np.tile(values, (40, 1))), *functions)
        assert 0 < best["bytes"] < 40 * values.nbytes


def test_nncodec_is_given_integers_without_loss(monkeypatch, tmp_path):
    """A script in its place takes a byte for each weight, and ten for one that is not small."""
    rivals = importlib.import_module("rivals")
    child = tmp_path / "child.py"
    child.write_text(
        "import json, sys, numpy as np\n"
        "for name, array in np.load(sys.argv[1]).items():\n"
        "    size = array.size + 10 * int(np.sum(np.abs(array) > 300))\n"
        "    print(json.dumps(dict(name=name, bytes=size, encode_s=1, decode_s=2)))\n"
    )
    monkeypatch.setattr(rivals, "CHILD", child)
    shared = np.array([[0, 0.5, -2.0], [0, 0, 0]], np.float32)
    many = np.linspace(-1, 1, 600, dtype=np.float16)
    tensors = {"shared": shared, "int8": np.array([-128, 5], np.int8), "many": many}
    found = rivals.nncodec(tensors, sys.executable, 1)
    assert [found[name]["bytes"] for name in tensors] == [6 + 6, 2, 2 * 600]
    assert [found[name]["layout"] for name in tensors] == ["indices", "values", "planes"]
    assert found["many"]["decode_s"] == 4
    np.testing.assert_array_equal(
        rivals.integers_of(shared)["indices"][0][0], [[0, 1, -1], [0, 0, 0]]
    )
    [signed] = rivals.integers_of(np.array([1.0, -1.0, *many], np.float16))["sign and magnitude"][0]
    assert signed[0] == -signed[1] == 0x3C00

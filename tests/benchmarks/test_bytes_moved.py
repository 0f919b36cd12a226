"""Bytes that are read: the counts of a small network, and the page's table."""

import importlib
import json

import numpy as np
import pytest

from keras_dc import codec


@pytest.fixture
def bytes_moved():
    return importlib.import_module("bytes_moved")


def test_layers_are_counted_one_by_one(bytes_moved):
    told_of = []

    def count(blob, told):
        told_of.append((codec.decode(blob).shape, told))
        return {"blob_bytes": len(blob), "avx2": {"form_bytes": 7, "num_readings": 3}}

    layers = bytes_moved.whole_model.build(
        12,
        [(4, 3, 2, False, 0.5), 2, (6, 3, 1, True, 0.5)],
        [(5, 0.3)],
        make=lambda shape: bytes_moved.Counter(shape, count),
    )
    assert told_of == [
        ((4, 3, 3, 3), ["conv", "12", "12", "2", "valid"]),
        ((6, 3, 3, 4), ["conv", "2", "2", "1", "same"]),
        ((5, 24), ["fc"]),
    ]
    assert [layer["dense_bytes"] for layer in layers] == [4 * 108, 4 * 216, 4 * 120]
    assert [layer["activation_bytes"] for layer in layers] == [
        4 * (432 + 100), 4 * (16 + 24), 4 * (24 + 5)
    ]  # fmt: skip
    sums = bytes_moved.totals(layers, "avx2")
    assert sums["fc"]["form_bytes"] == 7
    assert sums["conv"] == {
        "dense_bytes": 4 * 324,
        "form_bytes": 14,
        "blob_bytes": layers[0]["blob_bytes"] + layers[1]["blob_bytes"],
    }
    assert sums["all"]["cached_bytes"] == 63
    assert sums["all"]["activation_bytes"] == 4 * (532 + 40 + 29)


def test_the_program_is_asked_for_each_instruction_set(bytes_moved, tmp_path):
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho "$(wc -c < $2) $3" $KERAS_DC_ISA >&2\necho 40 $3\n')
    program.chmod(0o755)
    count = bytes_moved.counted_by(program, ["avx2", "portable"])
    assert count(b"12345", ["conv", "9"]) == {
        "blob_bytes": 5,
        "avx2": {"form_bytes": 40, "num_readings": 9},
        "portable": {"form_bytes": 40, "num_readings": 9},
    }


def test_table_is_that_of_the_results(bytes_moved):
    results = json.loads(bytes_moved.RESULTS.read_text())
    page = bytes_moved.PAGE.read_text()
    assert bytes_moved.in_page(page, results) == page
    with pytest.raises(ValueError, match="marks"):
        bytes_moved.in_page("no table", results)


def test_layers_of_the_results_are_the_papers(bytes_moved):
    networks = json.loads(bytes_moved.RESULTS.read_text())["networks"]
    assert [layer["shape"] for layer in networks["VGG-16"][-3:]] == [
        [4096, 25088], [4096, 4096], [1000, 4096]
    ]  # fmt: skip
    num_weights = sum(int(np.prod(layer["shape"])) for layer in networks["VGG-16"])
    assert num_weights == 138_344_128
    for layers in networks.values():
        for layer in layers:
            for instruction_set in bytes_moved.INSTRUCTION_SETS:
                form_bytes = layer[instruction_set]["form_bytes"]
                assert layer["blob_bytes"] < form_bytes < layer["dense_bytes"]
                assert layer["kind"] == "conv" or layer[instruction_set]["num_readings"] == 1

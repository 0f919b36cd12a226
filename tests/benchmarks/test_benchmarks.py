"""Each kernel benchmark runs, at tiny size, and ends with its figures as JSON."""

import importlib
import json
import math
import pathlib
import sys

import pytest

pytest.importorskip("ai_edge_litert")

BENCHMARKS = pathlib.Path(__file__).parent / "benchmarks"
TINY_FC = [("fc6_4", 40, 70, 0.2, 1), ("fc6_4_b32", 40, 70, 0.2, 8)]
TINY_CONV = [("conv3x3_35", 6, 8, 3, 0.3)]


@pytest.fixture
def figures_of(monkeypatch, capsys):
    """Runs a script with tiny layers in place of its own; its figures as a dict."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def run(name, *args, **constants):
        module = importlib.import_module(name)
        for key, value in constants.items():
            place, _, constant = key.rpartition("__")
            target = importlib.import_module(place) if place else module
            assert hasattr(target, constant)
            monkeypatch.setattr(target, constant, value)
        monkeypatch.setattr(sys, "argv", [name, *args])
        module.main()
        figures = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert all(math.isfinite(value) for value in figures.values())
        return figures

    return run


def test_fully_connected(figures_of):
    figures = figures_of("fully_connected", "--repeats", "1", LAYERS=TINY_FC)
    assert list(figures) == ["fc6_4_warm", "fc6_4_cold", "fc6_4_b32"]


def test_conv2d(figures_of):
    assert list(figures_of("conv2d", "--repeats", "1", LAYERS=TINY_CONV)) == ["conv3x3_35"]


def test_threads(figures_of):
    figures = figures_of(
        "threads",
        "--repeats=1",
        "--rounds=2",
        LAYERS={"fc6_4": importlib.import_module("fully_connected")},
        fully_connected__LAYERS=TINY_FC,
    )
    assert list(figures) == ["fc6_4"]


def test_whole_model(figures_of):
    figures = figures_of(
        "whole_model",
        "--repeats=1",
        ALEXNET=[(8, 3, 2, False, 0.4), 3],
        ALEXNET_DENSE=[(20, 0.3), (10, 0.4)],
        ALEXNET_SIZE=17,
        VGG_16=[(8, 3, 1, True, 0.4), 2],
        VGG_16_DENSE=[(10, 0.3)],
        VGG_16_SIZE=8,
    )
    assert {"alexnet", "vgg16", "vgg16_rss_ratio", "vgg16_load_s"} <= set(figures)
    assert {"vgg16_low_memory", "vgg16_low_memory_rss_ratio"} <= set(figures)


def test_prepare(figures_of):
    layers = [("fc", (40, 70), None, 0.2, 31), ("conv", (8, 3, 3, 8), 6, 0.2, 31)]
    figures = figures_of("prepare", "--repeats=1", LAYERS=layers)
    assert list(figures) == ["fc", "fc_bytes", "conv", "conv_bytes"]


def test_decoded(figures_of):
    layers = [
        ("depthwise", "", (1, 3, 3, 64), (1, 5, 5, 64), "depthwise"),
        ("grouped", "", (16, 3, 3, 8), (1, 5, 5, 16), "conv"),
        ("fc_dynamic", "", (40, 70), (1, 70), "fc_int8"),
        ("conv_integer", "", (16, 3, 3, 16), (1, 5, 5, 16), "conv_integer"),
    ]
    figures = figures_of("decoded", "--repeats=1", LAYERS=layers)
    assert list(figures) == [key + end for key, *_ in layers for end in ("", "_memory")]


def test_planes(figures_of):
    pytest.importorskip("zstandard")
    figures = figures_of("planes", "--repeats=1", "--rows=64")
    sizes = [value for key, value in figures.items() if key.endswith("_size")]
    assert len(sizes) == 6
    assert all(size < 0.95 for size in sizes)


@pytest.mark.slow
def test_trained_lenet(figures_of):
    figures = figures_of(
        "trained_lenet", "--only=lenet_300_100", "--images=1280", "--epochs=1", "--repeats=1"
    )
    assert list(figures) == ["lenet_300_100"]

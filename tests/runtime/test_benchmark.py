import json
import sys

import numpy as np
import pytest
from support.tiny_models import Graph, lookup, mlp

import keras_dc as dc
from keras_dc import runtime
from keras_dc.errors import ModelFormatError
from keras_dc.runtime import benchmark_process
from keras_dc.support import progress

CONTENT = mlp(sizes=(2000, 400, 4), density=0.1).serialize()
SMALL = dc.compress(CONTENT)


def test_two_files_side_by_side(tmp_path):
    path = tmp_path / "dense.tflite"
    path.write_bytes(CONTENT)
    told = []
    with progress.told_to(lambda *what: told.append(what)):
        found = dc.benchmark(path, SMALL, repeats=7, runtime="litert")
    dense, small = found.rows
    assert (dense.name, small.name) == ("dense.tflite", "second")
    assert (dense.size_bytes, small.size_bytes) == (len(CONTENT), len(SMALL))
    for row in found.rows:
        assert row.num_invokes == 7
        assert 0 < row.p50_ms <= row.p90_ms
        assert row.load_ms > 0
        assert (row.runtime, row.num_threads, row.low_memory) == ("litert", 1, False)
    if sys.platform == "linux":
        # 3.2 MB of weights, mapped and packed again.
        assert dense.memory_bytes > 3_000_000
        assert dense.peak_memory_bytes >= dense.memory_bytes > small.memory_bytes > 0
    assert told[0] == ("loading dense.tflite", 0, 0)
    assert told[-1] == ("running", 14, 14)


def test_figures_are_json_and_a_table():
    found = dc.benchmark(SMALL, repeats=1, num_threads=2, low_memory=True, batch_size=3)
    values = json.loads(json.dumps(found.to_dict()))
    (row,) = values["rows"]
    assert set(values) == {"rows", "cpu", "instruction_set"}
    assert (row["num_threads"], row["low_memory"], row["num_invokes"]) == (2, True, 1)
    assert values["instruction_set"] in ("portable", "neon", "avx2", "avx512", "amx")
    heading, line, where = str(found).splitlines()
    assert " ".join(heading.split()) == "file p50 ms p90 ms load ms memory KB peak KB file KB"
    assert line.startswith("first ")
    assert "2 threads, low memory; " in where


def test_two_files_of_one_name_are_told_apart(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.tflite").write_bytes(SMALL)
    paths = [tmp_path / name / "model.tflite" for name in ("a", "b")]
    found = dc.benchmark(*paths, repeats=1)
    assert [row.name for row in found.rows] == list(map(str, paths))


@pytest.mark.parametrize("name", ["litert", "tflite_runtime"])
def test_each_light_runtime(name):
    if name not in runtime.available_runtimes():
        pytest.skip(f"{name} is not installed")
    (row,) = dc.benchmark(lookup().serialize(), runtime=name, seconds=1e-6).rows
    assert row.runtime == name
    assert row.num_invokes == 10


def test_open_sizes_are_tried_until_one_fits():
    """A window of 20 does not fit into 16 positions, and a table of 64 rows into 65."""
    graph = Graph()
    x = graph.input((1, -1, 3))
    kernel = graph.constant(np.ones((2, 20, 1, 3), np.float32), "kernel")
    bias = graph.constant(np.zeros(2, np.float32), "bias")
    image = graph.builtin("EXPAND_DIMS", [x, graph.constant(np.int32([2]), "axis")], (1, -1, 1, 3))
    graph.output(graph.conv_2d(image, kernel, bias, shape=(1, -1, 1, 2)))
    graph.subgraph.operators[-1].builtinOptions.padding = 1
    (row,) = dc.benchmark(graph.serialize(), repeats=1).rows
    assert row.num_invokes == 1


def test_samples_are_run_in_place_of_random_inputs(tmp_path):
    x = np.ones((5, 2000), np.float32)
    for samples in (x, {"images": x}):
        assert dc.benchmark(SMALL, samples=samples, repeats=1).rows[0].num_invokes == 1
        assert dc.benchmark(SMALL, SMALL, samples, repeats=1, batch_size=4).rows[1].num_invokes == 1
    with pytest.raises(RuntimeError, match=r"'images' must be shaped \(-1, 2000\)"):
        dc.benchmark(SMALL, samples=x[:, :7], repeats=1)
    with pytest.raises(RuntimeError, match=r"for the names \['images'\]"):
        dc.benchmark(SMALL, samples={"x": x, "y": x}, repeats=1)


def test_what_no_runtime_runs_is_an_error_with_the_name():
    graph = mlp(sizes=(20, 4))
    weights = graph.subgraph.operators[0].inputs[1]
    graph.subgraph.tensors[weights].shape = np.array([4, 19], np.int32)
    graph.model.buffers[graph.subgraph.tensors[weights].buffer].data = np.zeros(304, np.uint8)
    with pytest.raises(RuntimeError, match="first: RuntimeError: the runtime cannot run the model"):
        dc.benchmark(graph.serialize())


def test_a_process_that_dies_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="that runs first must answer. Received: exit status 1"):
        dc.benchmark(SMALL)


def test_memory_that_the_system_does_not_tell_is_none():
    unknown = {"memory_bytes": None, "peak_memory_bytes": None}
    assert benchmark_process.memory_figures(None, None, None) == unknown
    found = benchmark_process.memory_figures(100, 150, 140)
    assert found == {"memory_bytes": 50, "peak_memory_bytes": 50}


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"num_threads": 0}, ValueError, "`num_threads` must be a positive int.*num_threads=0"),
        ({"repeats": 1.5}, ValueError, "`repeats` must be a positive int.*repeats=1.5"),
        ({"batch_size": True}, ValueError, "`batch_size` must be a positive int"),
        ({"seconds": 0}, ValueError, "`seconds` must be positive. Received: seconds=0"),
        ({"runtime": "onnx"}, ValueError, "Received: runtime='onnx'"),
        ({"second": CONTENT[:99]}, ModelFormatError, "cut short"),
        ({"second": "/nothing"}, FileNotFoundError, "no file"),
        ({"second": 3}, TypeError, "as bytes or as the path.*Received: int"),
    ],
    ids=range(8),
)
def test_wrong_arguments_are_refused_before_anything_runs(options, error, sentence):
    with pytest.raises(error, match=sentence):
        dc.benchmark(SMALL, **options)

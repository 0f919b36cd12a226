"""Commands that write nothing: inspect, verify, diff, explore, benchmark, doctor."""

import importlib.util
import subprocess

import numpy as np
import pytest
from support.tiny_models import mlp, quantized

import keras_dc as dc
from keras_dc.cli import doctor as cli_doctor
from keras_dc.cli.answers import DIFFERENT
from keras_dc.codec import library


def test_inspect_shows_the_table_and_explains_it(folder):
    assert folder.run("inspect", "small.tflite") == 0
    table = str(dc.inspect(folder.small))
    assert folder.out.startswith(table)
    assert "kept%: weights that are coded one by one" in folder.out
    assert "Shannon" not in folder.out
    values = folder.json("inspect", "small.tflite", "--original", "model.tflite")
    assert values["kind"] == "compressed"
    assert values["size_bytes"] == len(folder.small)
    rows = dc.inspect(folder.small, original=folder.content)
    assert [each["name"] for each in values["tensors"]] == [row.name for row in rows]
    assert [each["coded_bytes"] for each in values["tensors"]] == [row.blob_bytes for row in rows]
    assert values["tensors"][0]["shape"] == [8, 20]


def test_inspect_measured_explains_shannon_and_zip(folder):
    assert folder.run("inspect", "small.tflite", "--measured") == 0
    assert "Shannon: the bytes that an ideal code takes" in folder.out
    assert "zip: the" in folder.out
    row = folder.json("inspect", "small.tflite", "--measured")["tensors"][0]
    expected = dc.inspect(folder.small)[0]
    assert (row["shannon_bytes"], row["zip_bytes"]) == (expected.shannon_bytes, expected.zip_bytes)


def test_inspect_tells_what_an_ordinary_file_is(folder):
    values = folder.json("inspect", "model.tflite")
    assert values["kind"] == "tflite"
    assert values["ops"] == ["FULLY_CONNECTED"]
    (main,) = values["subgraphs"]
    assert main["inputs"] == [{"name": "x", "shape": [-1, 20], "dtype": "float32"}]
    assert main["num_ops"] == 2
    assert values["constant_bytes"] == 4 * (8 * 20 + 8 + 4 * 8 + 4)
    assert folder.run("inspect", "model.tflite") == 0
    assert "input 'x': float32 ?x20\n" in folder.out
    assert "`keras-dc explore model.tflite`" in folder.out


def test_inspect_tells_what_a_packed_file_is(folder):
    values = folder.json("inspect", "packed.kdc")
    assert (values["kind"], values["original_bytes"]) == ("packed", len(folder.content))
    assert folder.json("inspect", "patch.kdc")["base_bytes"] == len(folder.content)
    assert folder.run("inspect", "patch.kdc") == 0
    assert f"needs its base, a file of {len(folder.content):,} bytes" in folder.out


def test_verify_a_lossless_file(folder):
    values = folder.json("verify", "model.tflite", "small.tflite", "--samples", "x.npy")
    assert values["lossless"] is values["equal"] is values["on_samples"] is True
    assert values["tolerance"] == 1e-4
    assert values["outputs"][0]["num_values"] == 40
    assert folder.run("verify", "model.tflite", "small.tflite") == 0
    assert "lossless: expanding gives the graph and weights" in folder.out
    assert "on a random input" in folder.out


def test_verify_says_how_far_outputs_move(folder):
    small = dc.compress(folder.content, sparsity=0.8)
    (folder.path / "pruned.tflite").write_bytes(small)
    arguments = ["verify", "model.tflite", "pruned.tflite", "--samples", "x.npy"]
    values = folder.json(*arguments, code=DIFFERENT)
    assert values["lossless"] is values["equal"] is False
    moved = values["outputs"][0]["largest_error"]
    assert moved > 0.01
    assert folder.run(*arguments) == DIFFERENT
    assert "NOT within the tolerance of 0.0001" in folder.out
    assert folder.run(*arguments, "--tolerance", str(1.01 * moved)) == 0
    assert folder.run(*arguments, "--tolerance", str(0.99 * moved)) == DIFFERENT
    assert folder.run(*arguments, "--tolerance", "-1") == 2


def test_verify_gives_quantized_models_room(folder):
    content = quantized().serialize()
    (folder.path / "q.tflite").write_bytes(content)
    (folder.path / "qs.tflite").write_bytes(dc.compress(content))
    assert folder.json("verify", "q.tflite", "qs.tflite")["tolerance"] == 0.02


def test_verify_packed_files_by_their_bytes(folder):
    assert folder.json("verify", "model.tflite", "packed.kdc")["equal"] is True
    assert folder.json("verify", "small.tflite", "packed.kdc", code=DIFFERENT)["equal"] is False
    patch = ["verify", "small.tflite", "patch.kdc"]
    assert folder.run(*patch, "--base", "model.tflite") == 0
    assert folder.run(*patch) == 1
    assert "it needs its base" in folder.err
    assert folder.run("verify", "model.tflite", "small.tflite", "--base", "x.npy") == 2


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        ("wrong.npy", "'images' must be shaped (-1, 20)"),
        ("names.npz", "for the names ['images']"),
        ("objects.npy", "must be an .npy or .npz file of arrays of numbers"),
        ("none.npz", "none.npz holds no array"),
        ("absent.npy", "there is no file absent.npy"),
    ],
)
def test_samples_that_do_not_fit_are_told(folder, samples, sentence):
    np.savez(folder.path / "names.npz", a=folder.x, b=folder.x)
    np.savez(folder.path / "none.npz")
    np.save(folder.path / "objects.npy", np.array([{}, None], object))
    assert folder.run("verify", "model.tflite", "small.tflite", "--samples", samples) == 1
    assert sentence in folder.err


def test_samples_by_name_are_taken(folder):
    np.savez(folder.path / "named.npz", images=folder.x)
    values = folder.json("verify", "model.tflite", "small.tflite", "--samples", "named.npz")
    assert values["outputs"][0]["num_values"] == 40


def test_diff_looks_through_compression(folder):
    for other in ("model.tflite", "small.tflite", "packed.kdc"):
        values = folder.json("diff", "model.tflite", other)
        assert (values["equal"], values["differences"]) == (True, [])
    assert folder.run("diff", "model.tflite", "patch.kdc") == 1
    assert "patch.kdc is a patch; get the file by `keras-dc unpack --base`" in folder.err


def test_diff_names_what_differs(folder):
    other = mlp(sizes=(20, 8, 4), density=0.5)
    data = np.array(other.model.buffers[1].data)
    data[:3] ^= 1
    other.model.buffers[1].data = data
    (folder.path / "other.tflite").write_bytes(other.serialize())
    (line,) = folder.json("diff", "model.tflite", "other.tflite", code=DIFFERENT)["differences"]
    assert line.startswith("'w0', model.subgraphs[0].tensors[1].buffer: ")
    assert "3 of 640 bytes differ" in line
    assert folder.run("diff", "model.tflite", "other.tflite") == DIFFERENT
    assert folder.out == line + "\n"


def test_diff_counts_names_and_signs_if_asked(folder):
    other = mlp(sizes=(20, 8, 4), density=0.5)
    other.subgraph.tensors[1].name = b"renamed"
    data = np.array(other.model.buffers[1].data).view(np.float32)
    data[data == 0] = -0.0
    other.model.buffers[1].data = data.view(np.uint8)
    (folder.path / "other.tflite").write_bytes(other.serialize())
    arguments = ["diff", "model.tflite", "other.tflite"]
    assert folder.run(*arguments) == 0
    assert "but for the sign of zeros" in folder.out
    assert folder.run(*arguments, "--names") == DIFFERENT
    assert folder.run(*arguments, "--signed-zeros") == DIFFERENT


def test_diff_prints_some_lines_or_all(folder):
    other = mlp(sizes=(20, 8, 8, 8, 8, 8, 8, 8, 4))
    longer = mlp(sizes=(20, 8, 8, 8, 8, 8, 8, 8, 4), density=0.3)
    (folder.path / "a.tflite").write_bytes(other.serialize())
    for tensor in longer.subgraph.tensors:
        tensor.hasRank, tensor.isVariable, tensor.name = False, True, b"n" + tensor.name
    (folder.path / "b.tflite").write_bytes(longer.serialize())
    arguments = ["diff", "a.tflite", "b.tflite", "--names"]
    assert folder.run(*arguments) == DIFFERENT
    lines = folder.out.splitlines()
    assert len(lines) == 41
    assert lines[-1].endswith("more; --all prints them")
    assert folder.run(*arguments, "--all") == DIFFERENT
    assert len(folder.out.splitlines()) == 40 + int(lines[-1].split()[2])


def test_explore_shows_settings_beside_the_best_zip(folder):
    values = folder.json("explore", "model.tflite", "--clusters", "8", "--clusters", "2")
    assert [each["settings"] for each in values["settings"]] == [
        {"num_clusters": 8},
        {"num_clusters": 2},
    ]
    coarse = values["settings"][1]
    small, report = dc.compress(folder.content, num_clusters=2, return_report=True)
    assert coarse["size_bytes"] == len(small)
    assert coarse["ratio"] == len(folder.content) / len(small)
    assert coarse["weight_error"] == max(row.relative_error for row in report) > 0
    assert coarse["output_error"] is coarse["accuracy"] is None
    assert 0 < coarse["zip_bytes"] < len(folder.content)


def test_explore_runs_samples(folder):
    logits = dc.Interpreter(model_content=folder.content).get_signature_runner()(images=folder.x)
    labels = np.argmax(logits["logits"], axis=1)
    np.savez(folder.path / "data.npz", x=folder.x, y=labels)
    np.save(folder.path / "y.npy", labels)
    arguments = ["explore", "model.tflite", "--sparsity", "0", "--sparsity", "0.9"]
    values = folder.json(*arguments, "--samples", "data.npz")
    assert values["accuracy"] == 1.0
    plain, bold = values["settings"]
    assert plain["output_error"] < 1e-5
    assert (plain["same_class"], plain["accuracy"]) == (1.0, 1.0)
    assert bold["output_error"] > bold["weight_error"] / 2 > 0.1
    assert bold["accuracy"] == bold["same_class"] < 1
    assert folder.json(*arguments, "--samples", "x.npy", "--labels", "y.npy") == values
    assert folder.run(*arguments, "--samples", "data.npz") == 0
    assert "--sparsity 0.9" in folder.out
    assert "outputs off" in folder.out
    assert folder.run("explore", "model.tflite", "--labels", "y.npy") == 2


def test_explore_goes_from_lossless_to_bold(folder):
    assert folder.run("explore", "model.tflite") == 0
    assert "lossless" in folder.out
    assert "--sparsity 0.6 --clusters 16" in folder.out
    assert folder.run("explore", "small.tflite") == 1
    assert "compressed already" in folder.err


def test_benchmark_two_files(folder):
    arguments = ["benchmark", "model.tflite", "small.tflite", "--repeats", "3"]
    values = folder.json(*arguments, "--threads", "2", "--low-memory")
    assert [row["name"] for row in values["rows"]] == ["model.tflite", "small.tflite"]
    assert {row["num_threads"] for row in values["rows"]} == {2}
    assert {row["low_memory"] for row in values["rows"]} == {True}
    ratio = values["rows"][0]["p50_ms"] / values["rows"][1]["p50_ms"]
    assert values["speedup"] == ratio
    assert folder.run(*arguments) == 0
    assert " times as fast as model.tflite" in folder.out
    assert folder.run("benchmark", "packed.kdc") == 1


def test_doctor_says_that_all_is_well(folder):
    values = folder.json("doctor")
    assert values["problems"] == []
    assert values["library"] == dc.op_library_path()
    assert values["instruction_set"] == library.instruction_set()
    packages = {package["name"]: package for package in values["packages"]}
    assert packages["numpy"]["version"] == np.__version__
    assert packages["ai-edge-litert"]["works"] is True
    assert packages["tensorflow"]["works"] is None
    assert folder.run("doctor") == 0
    assert "Files can be compressed and run (by ai-edge-litert" in folder.out


def test_doctor_names_what_is_missing_and_what_installs_it(folder, monkeypatch):
    gone = {"ai_edge_litert", "tflite_runtime", "tensorflow", "keras"}
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in gone else find(name)
    )
    values = folder.json("doctor", code=1)
    assert values["runtimes"] == []
    assert values["problems"] == [
        "ai-edge-litert is missing: pip install ai-edge-litert",
        "there is no runtime to run files: pip install ai-edge-litert",
    ]
    assert folder.run("doctor") == 1
    assert "pip install 'keras-dc[train]'" in folder.out
    assert "PROBLEM: ai-edge-litert is missing" in folder.out


def test_doctor_says_that_a_device_with_one_runtime_can_run_files(folder, monkeypatch):
    gone = {"ai_edge_litert", "flatbuffers", "tensorflow", "keras"}
    find = importlib.util.find_spec

    def look(name):
        return None if name in gone else find("numpy" if name == "tflite_runtime" else name)

    monkeypatch.setattr(importlib.util, "find_spec", look)
    monkeypatch.setattr(cli_doctor, "_try", lambda runtime: (True, None))
    values = folder.json("doctor", code=1)
    assert (values["can_run"], values["can_compress"]) == (True, False)
    assert values["runtimes"] == ["tflite-runtime"]
    assert folder.run("doctor") == 1
    assert folder.out.endswith("Files can be run (by tflite-runtime), not compressed.\n")


def test_doctor_finds_a_library_and_a_runtime_that_fail(folder, monkeypatch):
    def missing():
        raise FileNotFoundError("the native library must lie beside the package")

    def fail(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nImportError: numpy 2")

    monkeypatch.setattr(library, "op_library_path", missing)
    monkeypatch.setattr(cli_doctor.subprocess, "run", fail)
    values = folder.json("doctor", code=1)
    assert values["library"] is values["instruction_set"] is None
    assert not values["can_run"]
    assert not values["can_compress"]
    assert values["problems"][0] == "the native library must lie beside the package"
    assert "ai-edge-litert does not work: ImportError: numpy 2" in values["problems"]


def test_doctor_finds_a_runtime_that_hangs(monkeypatch):
    def hang(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(cli_doctor.subprocess, "run", hang)
    assert cli_doctor._try("litert") == (False, "no answer within 60 s")


def test_doctor_knows_packages_of_another_name():
    assert cli_doctor._version_of_a_twin("no_such_module") == "unknown"
    assert cli_doctor._version_of_a_twin("numpy") == f"{np.__version__} (numpy)"


def test_doctor_refuses_an_unknown_instruction_set(folder, monkeypatch):
    class Native:
        def kdc_instruction_set(self):
            return None

    monkeypatch.setenv("KERAS_DC_ISA", "sse9")
    monkeypatch.setattr(library, "library", Native)
    assert "KERAS_DC_ISA='sse9'" in folder.json("doctor", code=1)["problems"][0]

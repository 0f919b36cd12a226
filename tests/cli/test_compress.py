import json
import pathlib

import click
import numpy as np
import pytest
from support.dense_nets import mobile_net, pictures
from support.tiny_models import lookup, mlp

import keras_dc as dc
from keras_dc.cli import compress as cli_compress


def test_a_tflite_becomes_what_the_api_makes(folder):
    values = folder.json("compress", "model.tflite", "-o", "out.tflite")
    assert (folder.path / "out.tflite").read_bytes() == folder.small
    assert values == {
        "input": "model.tflite",
        "output": "out.tflite",
        "input_bytes": len(folder.content),
        "output_bytes": len(folder.small),
        "ratio": len(folder.content) / len(folder.small),
        "num_coded": len(dc.inspect(folder.small)),
        "num_left": 4 - len(dc.inspect(folder.small)),
    }
    assert folder.run("compress", "model.tflite", "-o", "out.tflite") == 0
    assert folder.err == ""
    assert folder.out.startswith(f"out.tflite: {len(folder.content):,} bytes -> ")


def test_settings_reach_the_api(folder):
    arguments = [
        "--coder",
        "arithmetic",
        "--min-saving",
        "0.3",
        "--keep-names",
        "--sparsity",
        "w0=0.7",
    ]
    arguments += ["--clusters", "4", "-o", "out.tflite"]
    values = folder.json("compress", "model.tflite", *arguments)
    expected = dc.compress(
        folder.content,
        coder="arithmetic",
        min_saving=0.3,
        strip_names=False,
        sparsity={"w0": 0.7},
        num_clusters=4,
    )
    assert (folder.path / "out.tflite").read_bytes() == expected
    assert values["weight_error"] > 0


def test_lossy_settings_tell_how_far_outputs_move(folder):
    lossy = ["compress", "model.tflite", "-o", "out.tflite", "--sparsity", "0.8"]
    assert folder.run(*lossy) == 0
    assert "weights are off by" in folder.out
    assert "--samples FILE tells by how much" in folder.out
    values = folder.json(*lossy, "--samples", "x.npy")
    (change,) = values["outputs"]
    (expected,) = dc.compare_outputs(folder.content, folder.path / "out.tflite", folder.x)
    assert change == vars(expected)
    assert change["relative_error"] > 0.1
    assert folder.run(*lossy, "--samples", "x.npy") == 0
    assert "output 'logits' moves by" in folder.out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--sparsity", "1"], 2, "1.0 is not in the range 0<=x<1"),
        (["--sparsity", "w0=x"], 2, "'x' is not a valid float range"),
        (["--sparsity", "0.5", "--sparsity", "w0=0.5"], 2, "must all be NAME=VALUE"),
        (["--clusters", "0"], 2, "0 is not in the range 1<=x<=256"),
        (["--min-saving", "-1"], 2, "not in the range 0<=x<1"),
        (["--sparsity", "absent=0.5"], 1, "selects no tensor"),
        (["--samples", "wrong.npy", "--sparsity", "0.5"], 1, "must be shaped (-1, 20)"),
        (["--samples", "text.tflite"], 1, "must be an .npy or .npz file"),
        (["--samples", "none.npy"], 1, "there is no file none.npy"),
        (["--input-shape", "1,20"], 2, "--input-shape must come with a Keras model"),
        (["--quantize", "int8", "--no-verify"], 2, "--quantize, --no-verify must come with"),
        (["--input-shape", "1,x"], 2, "'1,x' is neither a shape such as 1,28,28,1"),
        (["--report", "r.pdf"], 2, "--report must end in .html or .json. Received: r.pdf"),
        (["--report", "none/r.html"], 1, "the folder of none/r.html does not exist"),
        (["--report", "model.tflite"], 1, "would overwrite the input"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_written(folder, arguments, code, sentence):
    before = folder.names()
    assert folder.run("compress", "model.tflite", "-o", "out.tflite", *arguments) == code
    assert sentence in folder.err
    assert folder.names() == before


def test_what_is_compressed_or_packed_is_refused(folder):
    assert folder.run("compress", "small.tflite", "-o", "out.tflite") == 1
    assert "small.tflite is compressed already; `keras-dc expand` it first" in folder.err
    assert folder.run("compress", "packed.kdc", "-o", "out.tflite") == 1
    assert "packed.kdc is a packed file; get the .tflite by `keras-dc unpack`" in folder.err


@pytest.fixture
def reported(monkeypatch):
    """Calls of `dc.report`, which stands in for the real one."""
    calls = []

    class Report:
        def save(self, path):
            pathlib.Path(path).write_text("figures")

    def report(compressed, **options):
        calls.append((compressed, options))
        return Report()

    monkeypatch.setattr(dc, "report", report, raising=False)
    return calls


def test_the_report_is_that_of_the_api(folder, reported):
    arguments = ["compress", "model.tflite", "-o", "out.tflite", "--report", "r.html"]
    assert folder.json(*arguments)["report"] == "r.html"
    assert (folder.path / "r.html").read_text() == "figures"
    ((content, options),) = reported
    assert content == folder.small
    assert [row.name for row in options.pop("names")] == ["w0", "b0", "w1", "b1"]
    assert options == {"original": pathlib.Path("model.tflite"), "title": "r"}


@pytest.fixture
def converted(monkeypatch):
    """Calls of `dc.convert`, which stands in for TensorFlow's converter."""
    calls = []

    def convert(model, **options):
        calls.append((model, options))
        content = mlp(sizes=(20, 8, 4), density=0.5).serialize()
        names = options["strip_names"]
        return dc.compress(content, strip_names=names, return_report=True)

    monkeypatch.setattr(dc, "convert", convert)
    return calls


def test_a_keras_model_is_converted(folder, converted, reported):
    (folder.path / "m.keras").write_bytes(b"keras")
    arguments = [
        "compress",
        "m.keras",
        "-o",
        "out.tflite",
        "--input-shape",
        "1,?,20",
        "--samples",
        "x.npy",
    ]
    values = folder.json(*arguments, "--quantize", "float16", "--report", "r.json")
    assert (folder.path / "out.tflite").read_bytes() == folder.small
    ((model, options),) = converted
    assert model == pathlib.Path("m.keras")
    np.testing.assert_array_equal(options.pop("verify_inputs"), folder.x)
    assert options == {
        "coder": "huffman",
        "min_saving": 0.0,
        "strip_names": True,
        "input_signature": (1, None, 20),
        "verify": True,
        "return_report": True,
        "optimizations": ["DEFAULT"],
        "supported_types": ["float16"],
    }
    # The size of the file that TensorFlow makes.
    assert values["input_bytes"] == len(dc.expand(folder.small))
    # The report of `convert` knows the layers' names.
    assert [row.name for row in reported[0][1]["original"]] == ["w0", "b0", "w1", "b1"]


def test_a_saved_model_and_named_shapes(folder, converted):
    (folder.path / "saved").mkdir()
    (folder.path / "saved" / "saved_model.pb").write_bytes(b"")
    arguments = ["compress", "saved", "-o", "o.tflite", "--no-verify"]
    arguments += ["--input-shape", "a=1,2", "--input-shape", "b=3"]
    assert folder.run(*arguments) == 0
    assert converted[0][1]["input_signature"] == {"a": (1, 2), "b": (3,)}
    assert converted[0][1]["verify"] is False


def test_a_keras_model_is_pruned_by_names(folder, converted):
    (folder.path / "m.h5").write_bytes(b"keras")
    arguments = [
        "compress",
        "m.h5",
        "-o",
        "out.tflite",
        "--sparsity",
        "w1=0.9",
        "--clusters",
        "w1=3",
    ]
    values = folder.json(*arguments)
    assert converted[0][1]["strip_names"] is False
    assert values["weight_error"] > 0
    report = dc.inspect(folder.path / "out.tflite", original=folder.content)
    assert report[1].name == "w1"
    assert report[1].blob.num_centroids <= 3


def test_int8_takes_the_ranges_of_samples(folder, converted):
    (folder.path / "m.keras").write_bytes(b"keras")
    arguments = ["compress", "m.keras", "-o", "out.tflite", "--quantize", "int8"]
    assert folder.run(*arguments) == 2
    assert "--quantize int8 needs --samples" in folder.err
    assert folder.run(*arguments, "--samples", "x.npy") == 0
    batches = list(converted[0][1]["representative_dataset"]())
    assert len(batches) == 10
    np.testing.assert_array_equal(batches[3][0], folder.x[3:4])
    np.savez(folder.path / "two.npz", a=folder.x, b=folder.x + 1)
    assert folder.run(*arguments, "--samples", "two.npz") == 0
    batches = list(converted[1][1]["representative_dataset"]())
    np.testing.assert_array_equal(batches[9]["b"], folder.x[9:] + 1)


def test_a_keras_file_that_is_missing_is_told(folder):
    assert folder.run("compress", "absent.keras", "-o", "out.tflite") == 1
    assert folder.err == "keras-dc: error: there is no file absent.keras\n"


def test_one_real_keras_model(folder):
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(8), keras.layers.Dense(4)])
    model.save(folder.path / "m.keras")
    folder.run("compress", "m.keras", "-o", "out.tflite", "--json", "--samples", "x.npy")
    values = json.loads(folder.out)
    assert values["output_bytes"] == (folder.path / "out.tflite").stat().st_size
    outputs = []
    dc.evaluate(
        folder.path / "out.tflite", (folder.x, folder.x), lambda y, _: outputs.append(y) or 0
    )
    np.testing.assert_allclose(outputs[0], model.predict(folder.x, verbose=0), rtol=1e-4, atol=1e-5)


def test_values_by_name_are_merged():
    assert cli_compress.merged((), "--x") is None
    assert cli_compress.merged(((None, 3),), "--x") == 3
    assert cli_compress.merged((("a", 3), ("b", 4)), "--x") == {"a": 3, "b": 4}
    with pytest.raises(click.UsageError, match="several --x"):
        cli_compress.merged(((None, 3), (None, 4)), "--x")


def test_expand_gives_the_graph_back(folder):
    values = folder.json("expand", "small.tflite", "-o", "out.tflite")
    content = (folder.path / "out.tflite").read_bytes()
    assert content == dc.expand(folder.small)
    assert values["output_bytes"] == len(content)
    assert folder.run("expand", "model.tflite", "-o", "out.tflite") == 1
    assert "is an ordinary .tflite file: there is nothing to expand" in folder.err


@pytest.mark.parametrize("arguments", [["unpack", "packed.kdc"], ["expand", "small.tflite"]])
def test_no_more_is_decoded_than_is_allowed(folder, arguments):
    command = [*arguments, "-o", "out.tflite", "--max-bytes"]
    assert folder.run(*command, "10") == 1
    assert "max_bytes=10" in folder.err
    assert not (folder.path / "out.tflite").exists()
    assert folder.run(*command, str(2**20)) == 0


def test_pack_and_unpack(folder):
    values = folder.json("pack", "model.tflite", "-o", "o.kdc")
    assert (folder.path / "o.kdc").read_bytes() == dc.pack(folder.content)
    assert values["base"] is None
    assert folder.run("unpack", "o.kdc", "-o", "o.tflite") == 0
    assert (folder.path / "o.tflite").read_bytes() == folder.content
    assert folder.run("pack", "small.tflite", "--base", "model.tflite", "-o", "p.kdc") == 0
    assert folder.run("unpack", "p.kdc", "--base", "model.tflite", "-o", "o.tflite") == 0
    assert (folder.path / "o.tflite").read_bytes() == folder.small


def test_a_patch_needs_its_base(folder):
    for arguments, sentence in [
        (["patch.kdc"], "is a patch: it needs its base, of"),
        (["patch.kdc", "--base", "small.tflite"], "the base of this patch is a file of"),
        (["patch.kdc", "--base", "absent"], "there is no file absent"),
        (["packed.kdc", "--base", "model.tflite"], "unpacked without a base"),
        (["model.tflite"], "model.tflite is not a packed file"),
    ]:
        assert folder.run("unpack", *arguments, "-o", "out.tflite") == 1
        assert sentence in folder.err
    assert "out.tflite" not in folder.names()


def test_a_packed_file_that_is_cut_short_is_named(folder):
    (folder.path / "cut.kdc").write_bytes((folder.path / "packed.kdc").read_bytes()[:12])
    for arguments in (["inspect", "cut.kdc"], ["unpack", "cut.kdc", "-o", "out.tflite"]):
        assert folder.run(*arguments) == 1
        assert "cut.kdc: " in folder.err


def test_integers_as_samples(folder):
    (folder.path / "lookup.tflite").write_bytes(lookup().serialize())
    np.save(folder.path / "ids.npy", np.arange(12).reshape(2, 6))
    arguments = ["compress", "lookup.tflite", "-o", "o.tflite", "--clusters", "2"]
    assert folder.json(*arguments, "--samples", "ids.npy")["outputs"][0]["num_values"] == 96


def test_samples_and_a_budget_reach_the_api(folder):
    net, samples = mobile_net().serialize(), pictures(48)
    (folder.path / "net.tflite").write_bytes(net)
    np.savez(folder.path / "samples.npz", samples)
    made = ["compress", "net.tflite", "-o", "out.tflite", "--samples", "samples.npz"]
    made += ["--ratio", "3"]
    values = folder.json(*made, "--seed", "5", "--report", "page.json")
    expected, rows = dc.compress(net, samples=samples, ratio=3, seed=5, return_report=True)
    assert (folder.path / "out.tflite").read_bytes() == expected
    assert values["outputs"] == [vars(change) for change in rows.outputs]
    page = json.loads((folder.path / "page.json").read_text())
    found = {row["method"]: row["output_error"] for row in page["tensors"]}
    assert found["second order"] > 0
    assert folder.run(*made) == 0
    assert "on the samples that were held back:" in folder.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ratio", "3"], "--ratio needs --samples"),
        (["--ratio", "3", "--max-error", "0.1", "--samples", "x.npy"], "one of --max-error"),
        (["--seed", "3", "--samples", "x.npy"], "--seed needs one of --max-error"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_a_budget_that_is_none_is_told(folder, arguments, message):
    assert folder.run("compress", "model.tflite", "-o", "out.tflite", *arguments) == 2
    assert message in folder.err
    assert not (folder.path / "out.tflite").exists()

"""The README's commands, and the quickstart in small."""

import json
import pathlib
import re
import sys

import numpy as np
import pytest
import quickstart
from lib import lenet_300_100, mnist, sample_report, trained

ROOT = pathlib.Path(__file__).parents[2]


def test_ci_runs_the_readmes_commands():
    shell = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = [line for block in shell for line in block.splitlines()]
    assert 'pip install ".[train]" && python tutorials/quickstart.py' in commands
    assert 'pip install ".[test]" && pytest' in commands
    ci = (ROOT / ".ci" / "run").read_text()
    for command in commands:
        for part in command.split(" && "):
            assert part in ci, part


def test_mnist_is_the_published_one():
    data = mnist.load()
    assert data.x_train.shape == (60000, 28, 28)
    assert data.x_test.shape == (10000, 28, 28)
    assert data.x_train.dtype == np.float32
    assert data.x_train.min() == 0
    assert data.x_train.max() == 1
    assert np.bincount(data.y_train).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(data.y_test).sum() == 10000


def test_mnist_with_another_checksum_is_refused(tmp_path):
    path = tmp_path / "mnist.npz"
    path.write_bytes(mnist.PATH.read_bytes()[:-1])
    with pytest.raises(ValueError, match="must have the SHA-256 .*Received: "):
        mnist.load(path)


def test_trained_networks_recognize_digits():
    """The arrays are those of the networks, in the order and the layout of Keras."""
    data = mnist.load()
    images, labels = data.x_test[:500], data.y_test[:500]
    nets = trained.load()
    assert trained.PATH.stat().st_size <= 200 * 1024
    for name, net in nets.items():
        kernels = trained.kernels_as_stored(net)
        assert all(len(np.unique(kernel)) <= 32 for kernel in kernels)
        if name == "dense_32":
            assert [kernel.shape for kernel in kernels] == [(300, 784)]
            assert np.all(kernels[0])
        else:
            assert sum(map(np.count_nonzero, kernels)) < 0.04 * sum(k.size for k in kernels)
            logits = trained.build(name, net)(images.reshape(500, *trained.input_shape(name)))
            assert np.mean(np.argmax(logits, axis=-1) != labels) < 0.025


def test_kernels_come_back_from_codebooks_and_indices(tmp_path):
    rng = np.random.default_rng(0)
    net = {"w0": rng.choice([-0.5, 0, 0.25], (6, 4)), "b0": rng.normal(size=4)}
    np.savez(tmp_path / "nets.npz", **trained.members({"net": net}))
    [loaded] = trained.load(tmp_path / "nets.npz").values()
    assert loaded["w0"].dtype == loaded["b0"].dtype == np.float32
    np.testing.assert_array_equal(loaded["w0"], net["w0"])
    np.testing.assert_array_equal(loaded["b0"], net["b0"].astype(np.float32))
    np.testing.assert_array_equal(trained.kernels_as_stored(loaded), [net["w0"].T])


def test_the_quickstart_in_small(monkeypatch, tmp_path, capsys):
    """All stages, tables and figures, on a little of the data; only the training is short."""
    whole = mnist.load()
    little = mnist.Mnist(
        whole.x_train[:8576], whole.y_train[:8576], whole.x_test[:1000], whole.y_test[:1000]
    )
    stages = {name: getattr(lenet_300_100, name) for name in
              ("train_dense", "prune_and_train", "share_and_train")}  # fmt: skip
    monkeypatch.setattr(mnist, "load", lambda: little)
    for name, epochs in [("train_dense", 2), ("prune_and_train", 4), ("share_and_train", 1)]:
        monkeypatch.setattr(
            lenet_300_100,
            name,
            lambda *args, stage=stages[name], few=epochs, epochs=None: stage(*args, epochs=few),
        )
    figures_path, model_path = tmp_path / "figures.json", tmp_path / "model.tflite"
    page_path = tmp_path / "report.html"
    paths = {"--json": figures_path, "--output": model_path, "--report": page_path}
    arguments = [text for name, path in paths.items() for text in (name, str(path))]
    monkeypatch.setattr(sys, "argv", ["quickstart.py", *arguments])
    quickstart.main()
    figures = json.loads(figures_path.read_text())
    assert figures["compressed_bytes"] == model_path.stat().st_size
    assert figures["ratio"] == figures["float_bytes"] / figures["compressed_bytes"]
    assert figures["ratio"] > 45
    assert figures["best_zip_bytes"] > 1.3 * figures["compressed_bytes"]
    assert figures["compressed_error"] == pytest.approx(figures["shared_error"], abs=0.11)
    assert 0 < figures["dense_error"] < 30
    assert [row["weights"] for row in figures["layers"]] == [235200, 30000, 1000]
    assert figures["weight_bytes"] == sum(row["bytes"] for row in figures["layers"])
    assert "LeNet-300-100 on MNIST" in page_path.read_text()
    printed = capsys.readouterr().out
    for text in ["Layers", "Test error", "Whole files", "Shannon", "gzip", "xz", "zstd"]:
        assert text in printed


def test_the_sample_report(tmp_path):
    whole = mnist.load().flattened()
    data = mnist.Mnist(whole.x_train[:1], whole.y_train[:1], whole.x_test[:500], whole.y_test[:500])
    found = sample_report.make(tmp_path / "report.html", data).to_dict()
    assert (tmp_path / "report.html").stat().st_size > 100_000
    assert found["ratio"] > 130
    assert [tensor["layer"] for tensor in found["tensors"]] == ["fc1"] * 2 + ["fc2"] * 2 + [
        "fc3"
    ] * 2
    ratios = [point["ratio"] for point in found["curve"]]
    assert ratios == sorted(ratios)
    assert all(point["score"] > 0.96 for point in found["curve"])

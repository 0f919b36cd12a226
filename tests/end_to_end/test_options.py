"""What options and teachers buy: short runs."""

import dataclasses

import pytest
from lib import mnist
from paper import (
    distillation,
    mnist_images,
    options,
    options_page,
    results_file,
)


@pytest.fixture(scope="module")
def little():
    whole = mnist.load()
    return mnist.Mnist(
        whole.x_train[:1024], whole.y_train[:1024], whole.x_test[:200], whole.y_test[:200]
    )


def test_variants_change_the_file(little, tmp_path):
    epochs = {"dense": 1, "pruned": 8, "shared": 1}
    network = dataclasses.replace(options.NETWORKS["LeNet-5"], epochs=epochs, dtype="float32")
    results = results_file.ResultsFile(tmp_path / "options.json")
    names = ["base", "group_size", "Huffman codes", "dead units kept"]
    arguments = "LeNet-5", little.with_channel(), 0, results, tmp_path / "kept"
    options.measure(*arguments, network=network, variants=names, train_only=True)
    assert results.runs == {}
    trained = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*.keras")}
    # The dense network; two that are pruned, of which three variants share one; four variants.
    assert len(trained) == 1 + 2 + 4
    options.measure(*arguments, network=network, variants=names)
    assert trained == {path: path.stat().st_mtime_ns for path in trained}
    base, groups, huffman, dead = results.runs.values()
    assert dead["kept_weights"] == pytest.approx(430_500 / 16, rel=0.01)
    assert base["kept_weights"] < dead["kept_weights"]
    assert groups["kept_weights"] != base["kept_weights"]
    assert base["compressed_bytes"] < min(huffman["compressed_bytes"], dead["compressed_bytes"])
    assert base["dense_error_percent"] < 60
    lines = options.table(list(results.runs.values()), "LeNet-5")
    assert len(lines) == 2 + len(names)


def test_each_network_has_the_options_that_concern_it():
    names = {name: options.variants_of(made.build()) for name, made in options.NETWORKS.items()}
    assert names["LeNet-5, Dropout"] == ["base", "rescale_dropout"]
    assert "fold_batch_norm" in names["small MobileNet"]
    assert set(names["small MobileNet"]) - set(names["LeNet-5"]) == {"fold_batch_norm"}
    assert set(options.VARIANTS) == set().union(*names.values())


def test_a_teacher_is_heard(little, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist_images, "VALIDATION", 200)
    teachers = mnist_images.Teachers(count=2, filters=(4, 8), units=20, epochs=1, copies=1)
    monkeypatch.setattr(mnist_images, "TEACHERS", teachers)
    recipe = dataclasses.replace(distillation.RECIPE, epochs=2, sharing_epochs=1, copies=2)
    images = mnist_images.Images(little, tmp_path / "work")
    results = results_file.ResultsFile(tmp_path / "distillation.json")
    for teacher in distillation.TEACHERS:
        of_run = dataclasses.replace(recipe, density=0.05, teacher=teacher)
        distillation.measure(images, results, of_run, 0)
    errors = {run["error_percent"] for run in results.runs.values()}
    assert len(results.runs) == 3
    assert len(errors) > 1
    lines = distillation.table(list(results.runs.values()))
    assert len(lines) == 3
    assert lines[-1].startswith("| 5 % |")


def test_the_page_has_the_committed_figures():
    page = options_page.PAGE.read_text()
    assert options_page.in_page(page) == page


def test_a_variant_has_run_with_all_seeds_or_with_none():
    seeds = {}
    for run in options_page.runs(options.RESULTS):
        seeds.setdefault((run["network"], run["variant"]), []).append(run["seed"])
    assert all(sorted(found) == list(options.SEEDS) for found in seeds.values())
    names = {name: options.variants_of(made.build()) for name, made in options.NETWORKS.items()}
    assert set(seeds) == {
        (name, variant) for name, variants in names.items() for variant in variants
    }

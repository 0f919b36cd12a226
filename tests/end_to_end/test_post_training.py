"""`paper.post_training`: a short run of a stand-in, and what the committed results promise."""

import json

import numpy as np
import pytest
from paper import post_training, results_file, whole_files
from support.dense_nets import mobile_net, pictures


def committed():
    return json.loads(post_training.RESULTS.read_text())["runs"]


def test_a_short_run(tmp_path):
    net, tested = mobile_net(channels=32, end=None).serialize(), pictures(30, seed=1)
    expected = whole_files.outputs(net, tested).argmax(axis=-1)

    def judge(tflite):
        found = whole_files.outputs(tflite, tested).argmax(axis=-1)
        return {"as_original_percent": float(100 * np.mean(found == expected))}

    case = post_training.Case(net, net, pictures(48), {"samples": "48 pictures"}, judge)
    results = results_file.ResultsFile(tmp_path / "results.json")
    post_training.measure(results, "net", case, [4], seed=0)
    runs = results.runs
    assert list(runs) == ["net, original", "net, int8", "net, 4x", "net, 4x by weights alone"]
    made, alone = runs["net, 4x"], runs["net, 4x by weights alone"]
    assert len(net) / 4.3 < made["bytes"] <= len(net) / 4
    assert made["as_original_percent"] > alone["as_original_percent"]
    assert made["loads_keras"] is False
    assert made["methods"] == ["second order"]
    # What is there is not done again.
    post_training.measure(results, "net", case, [4], seed=0)
    assert results.runs == runs


def test_results_have_what_was_promised():
    runs = committed()
    assert runs["EfficientNet-Lite0, 6x"]["as_original_percent"] >= 97
    assert runs["EfficientNet-Lite0, 8x"]["as_original_percent"] >= 93
    lost = runs["LeNet-5, 20x"]["error_percent"] - runs["LeNet-5, original"]["error_percent"]
    assert lost <= 0.1
    assert runs["CREPE, 12x"]["near_original_percent"] >= 98
    assert all(percent <= 1 for percent in runs["HED, 12x"]["difference_percent"].values())
    assert runs["EfficientNet-Lite0, 6x"]["seconds"] <= 180
    assert runs["EfficientNet-Lite0, 6x"]["peak_megabytes"] <= 4096
    for network in ("Spoken digits by LSTM", "Spoken digits by GRU"):
        assert runs[f"{network}, 12x"]["methods"] == ["second order"]
        errors = [runs[f"{network}, {name}"]["error_percent"] for name in ("original", "12x")]
        assert errors[1] <= errors[0] + 1.0
        assert runs[f"{network}, 12x by weights alone"]["error_percent"] > errors[1] + 30
    for name, run in runs.items():
        if "seed" in run:
            network, ratio = name.split(", ")
            assert run["ratio"] >= float(ratio.removesuffix("x"))
            assert run["bytes"] * run["ratio"] == pytest.approx(
                runs[f"{network}, original"]["bytes"], rel=0.01
            )
            assert not run["loads_keras"]

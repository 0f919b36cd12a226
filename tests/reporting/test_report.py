"""What a report says in JSON and in rows, and what it refuses."""

import gzip
import json
import lzma

import numpy as np
import pytest
from support import reports
from support.tiny_models import Graph, conv_net, mlp

import keras_dc as dc
from keras_dc import errors
from keras_dc.compression.report import Report


@pytest.fixture(scope="module")
def full():
    return reports.full_report()


@pytest.fixture(scope="module")
def compressed():
    return dc.compress(conv_net().serialize())


def test_a_file_alone_tells_what_it_holds(compressed):
    report = dc.report(compressed)
    found = report.to_dict()
    expanded = dc.expand(compressed)
    (row,) = dc.inspect(compressed)
    assert found["file_bytes"] == len(compressed)
    assert found["ratio"] == len(expanded) / len(compressed)
    assert found["ratio_to"] == "same weights, uncompressed"
    assert found["weight_bytes"] == row.blob_bytes
    assert found["original_weight_bytes"] == row.original_bytes == 576
    assert found["rest_bytes"] == len(compressed) - row.blob_bytes
    assert found["shannon_bytes"] == pytest.approx(row.shannon_bytes)
    (file,) = found["files"]
    assert file["bytes"] == len(expanded)
    assert file["zip_bytes"]["gzip -9"] == len(gzip.compress(expanded, 9))
    assert file["zip_bytes"]["xz -9e"] == len(lzma.compress(expanded, preset=9 | 1 << 31))
    # What was not given is not there.
    for name in ("int8", "sensitivity", "benchmark"):
        assert found[name] is None
    assert (found["scores"], found["curve"], found["choices"]) == ({}, [], {})
    assert found["title"] == "Compressed model"
    assert repr(report) == (
        f"<CompressionReport 'Compressed model': {len(compressed):,} bytes, "
        f"{found['ratio']:.1f}x smaller, 1 tensors>"
    )


def test_the_energy_is_that_of_reading_each_byte_once(compressed):
    estimate = dc.report(compressed).to_dict()["energy_estimate"]
    assert "ISSCC 2014" in estimate["source"]
    # 144 weights of 32 bits: 640 pJ each from DRAM, 5 pJ from SRAM.
    assert estimate["original_weights_microjoules"] == {
        "dram": pytest.approx(144 * 640e-6),
        "sram": pytest.approx(144 * 5e-6),
    }


def test_rows_are_flat_and_alike(full):
    rows = full.rows()
    assert len(rows) == 5
    assert len({tuple(row) for row in rows}) == 1
    for row in rows:
        assert all(
            isinstance(value, (str, int, float, tuple, type(None))) for value in row.values()
        )
    first = rows[0]
    assert (first["name"], first["role"], first["shape"]) == ("w0", "weights", (60, 200))
    assert first["op"] == "KerasDcFullyConnected"
    assert first["weights"] == 12000
    assert first["kept_percent"] == 100 * first["kept"] / 12000
    assert first["centroids"] == 15
    assert first["index_bits_fixed"] == 4
    assert 3.5 < first["index_bits_huffman"] < 4.5
    assert first["written_percent_of_float32"] == first["written_bytes"] / 480
    bias = rows[1]
    assert (bias["role"], bias["centroids"], bias["p_q_bytes"]) == ("bias", None, None)


def test_what_is_given_is_told_as_it_was_given(full):
    found = full.to_dict()
    assert list(found["scores"].items()) == list(reports.SCORES.items())
    assert found["curve"][0] == reports.CURVE[0]
    assert found["curve"][2]["label"] == ""
    assert found["sensitivity"]["values"][reports.NASTY] == [0.96, None]  # NaN is not JSON
    assert found["choices"]["prune"] == reports.CHOICES["prune"]
    assert found["benchmark"]["rows"][1]["p50_ms"] == 0.011
    assert found["int8"]["bytes"] == len(conv_net().serialize())
    assert [file["label"] for file in found["files"]] == [
        "original", "pruned", "same weights, uncompressed",
    ]  # fmt: skip
    assert found["ratio"] == len(reports.small_model()) / found["file_bytes"]
    tensor = found["tensors"][0]
    assert tensor["histogram_before"]["label"] == "pruned"
    assert sum(tensor["histogram_before"]["counts"]) == tensor["kept"]
    assert sum(tensor["histogram"]["counts"]) == tensor["kept"]
    assert len(tensor["index_code_lengths"]) == tensor["centroids"]
    assert np.dot(tensor["index_code_lengths"], tensor["index_counts"]) == pytest.approx(
        tensor["index_bits_huffman"] * tensor["kept"]
    )


def test_json_is_written_whole(full, tmp_path):
    path = tmp_path / "report.json"
    full.save(path)
    assert json.loads(path.read_text()) == full.to_dict()
    with pytest.raises(ValueError, match=r"\.html or \.json\. Received: .*report\.pdf"):
        full.save(tmp_path / "report.pdf")
    with pytest.raises(FileNotFoundError, match="the folder of `filepath` must exist"):
        full.save(tmp_path / "no" / "report.json")
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def test_a_path_is_refused_before_the_work(compressed, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_dc.reporting.report.expand", None)
    with pytest.raises(ValueError, match=r"Received: filepath='report\.txt'"):
        dc.report(compressed, filepath="report.txt")
    with pytest.raises(FileNotFoundError):
        dc.report(compressed, filepath=tmp_path / "no" / "report.html")


def test_the_page_is_written_with_the_report(compressed, tmp_path):
    (tmp_path / "small.tflite").write_bytes(compressed)
    report = dc.report(tmp_path / "small.tflite", filepath=tmp_path / "small.HTML")
    assert report.to_dict()["title"] == "small.tflite"
    assert (tmp_path / "small.HTML").read_text() == report.html()


def test_names_come_from_the_original_or_a_report():
    original = mlp(sizes=(200, 60, 100, 10)).serialize()
    compressed, names = dc.compress(original, return_report=True)
    for given in ({"original": original}, {"original": names}, {"names": names}):
        report = dc.report(compressed, **given)
        assert [row["name"] for row in report.rows()] == ["w0", "b0", "w1", "b1", "w2"]
    files = dc.report(compressed, original=names).to_dict()["files"]
    assert [file["label"] for file in files] == ["same weights, uncompressed"]
    with pytest.raises(ValueError, match="must be a report with names"):
        dc.report(compressed, names=Report())


def test_an_original_of_other_shapes_is_compared_with_and_noted(compressed):
    """So it is where units without effect were removed."""
    report = dc.report(compressed, original=reports.small_model())
    found = report.to_dict()
    assert found["ratio"] == len(reports.small_model()) / len(compressed)
    assert found["tensors"][0]["name"] == "CONV_2D 1, weights"
    assert "histogram_before" not in found["tensors"][0]
    (note,) = found["notes"]
    assert "other shapes" in note
    with pytest.raises(ValueError, match="must be the model that was compressed"):
        dc.report(compressed, names=reports.small_model())


def test_zips_are_those_of_the_same_weights_whatever_the_original_is(compressed):
    expanded = dc.expand(compressed)
    report = dc.report(compressed, original=expanded, stages={"later": reports.small_model()})
    assert [file["label"] for file in report.to_dict()["files"]] == ["original", "later"]
    assert report.to_dict()["files"][0]["zip_bytes"]["gzip -9"] == len(gzip.compress(expanded, 9))
    assert report._content.same_weights is report._content.rivals[0]
    report = dc.report(compressed, stages={"shared": expanded})
    found = report.to_dict()
    labels = [file["label"] for file in found["files"]]
    assert labels == ["same weights, uncompressed", "shared"]
    assert found["ratio_to"] == found["same_weights"] == labels[0]


def test_a_large_original_is_not_zipped(compressed, monkeypatch):
    monkeypatch.setattr("keras_dc.reporting.report._MOST_BYTES_OF_A_DENSE_FILE", 1000)
    first, *_ = dc.report(compressed, original=reports.small_model()).to_dict()["files"]
    assert first == {"label": "original", "bytes": len(reports.small_model()), "zip_bytes": {}}


def test_a_file_without_blobs_has_a_report():
    graph = Graph()
    x = graph.input((1, 2))
    graph.output(graph.fully_connected(x, graph.constant(np.ones((2, 2), np.float32), "w"), None))
    report = dc.report(graph.serialize())
    assert report.rows() == []
    assert report.to_dict()["notes"] == ["No constant of this file is coded."]
    assert "No constant of this file is coded." in report.html()


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"scores": {"dense": "high"}}, r"`scores` must be .* Received: \{'dense': 'high'\}"),
        ({"scores": [0.5]}, r"`scores` must be .* Received: \[0\.5\]"),
        ({"scores": {"dense": True}}, "`scores` must be"),
        ({"curve": [{"ratio": 4}]}, r"`curve` must be .* Received: \{'ratio': 4\}"),
        ({"sensitivity": {}}, "`sensitivity` must be what `keras_dc.training.sensitivity`"),
        ({"benchmark": 3}, "`benchmark` must be what `keras_dc.benchmark` returns"),
        ({"choices": [1]}, "`choices` must be a dict. Received"),
    ],
)
def test_what_is_no_such_part_is_refused(compressed, given, error):
    with pytest.raises(ValueError, match=error):
        dc.report(compressed, **given)


def test_broken_files_are_refused(compressed):
    with pytest.raises(errors.ModelFormatError):
        dc.report(b"no model")
    for name in ("original", "int8"):
        with pytest.raises(errors.ModelFormatError):
            dc.report(compressed, **{name: b"no model"})
    with pytest.raises(errors.ModelFormatError):
        dc.report(compressed, stages={"pruned": b"no model"})
    with pytest.raises(FileNotFoundError):
        dc.report("no such file.tflite")
    with pytest.raises(errors.CompressionError, match="max_bytes=500"):
        dc.report(compressed, max_bytes=500)

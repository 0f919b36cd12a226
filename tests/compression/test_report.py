import lzma
import zlib

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import Graph, conv_net, int4, lookup, mlp, sparse

import keras_dc as dc
from keras_dc import codec, errors
from keras_dc.compression.report import CodedTensor, LeftTensor, Report
from keras_dc.numerics import entropy


def small_mlp():
    return mlp(sizes=(200, 60, 100, 10))


def test_a_row_for_each_blob():
    rows = dc.inspect(dc.compress(small_mlp().serialize(), strip_names=False))
    # The last bias is too small.
    assert [row.name for row in rows] == ["w0", "b0", "w1", "b1", "w2"]
    assert (rows[3].op, rows[3].shape) == ("KerasDcFullyConnected", (100,))
    del rows[3], rows[1]
    assert [row.shape for row in rows] == [(60, 200), (100, 60), (10, 100)]
    for layer, row in enumerate(rows):
        weights = sparse(row.blob.shape, seed=layer)
        assert row.op == "KerasDcFullyConnected"
        assert row.num_weights == weights.size
        assert row.original_bytes == weights.nbytes
        assert row.density == np.count_nonzero(weights) / weights.size
        assert row.blob_bytes == len(codec.encode(weights))
        zipped = zlib.compress(weights.tobytes(), 9), lzma.compress(weights.tobytes())
        assert row.blob_bytes < row.zip_bytes <= min(map(len, zipped))
        assert row.shannon_bytes == entropy.shannon_bytes(weights)
        assert row.index_bits[0] == 4
        assert 3 < row.index_bits[1] <= 4.2
        assert row.gap_bits[1] < row.gap_bits[0] or row.gap_bits[0] == 1


def test_a_tensor_without_a_name_goes_by_its_op():
    rows = dc.inspect(dc.compress(mlp().serialize()))
    assert [row.name for row in rows] == [
        "FULLY_CONNECTED 1, weights",
        "FULLY_CONNECTED 1, bias",
        "FULLY_CONNECTED 2, weights",
        "FULLY_CONNECTED 2, bias",
        "FULLY_CONNECTED 3, weights",
    ]
    assert [row.role for row in rows] == ["weights", "bias", "weights", "bias", "weights"]
    (table,) = dc.inspect(dc.compress(lookup(rows=60).serialize()))
    assert (table.name, table.op, table.role) == ("GATHER 1, input 0", "KerasDcDecode", "input 0")


def test_names_come_from_the_original_or_its_report(tmp_path):
    original = mlp().serialize()
    compressed, report = dc.compress(original, return_report=True)
    (tmp_path / "original.tflite").write_bytes(original)
    for source in (original, report, tmp_path / "original.tflite", report.coded):
        rows = dc.inspect(compressed, original=source)
        assert [row.name for row in rows] == ["w0", "b0", "w1", "b1", "w2"]
        assert str(rows).splitlines()[1].startswith("w0 ")
    named = dc.inspect(dc.compress(original, strip_names=False))
    assert [row.name for row in named] == [row.name for row in rows]
    again = dc.inspect(compressed, original=named)
    assert [row.name for row in again] == [row.name for row in rows]


def test_another_original_is_refused():
    compressed = dc.compress(mlp().serialize())
    with pytest.raises(ValueError, match=r"tensor 1 shaped \(300, 784\).*Received: \(60, 200\)"):
        dc.inspect(compressed, original=small_mlp().serialize())
    with pytest.raises(ValueError, match="a report with names"):
        dc.inspect(compressed, original=Report())
    with pytest.raises(errors.ModelFormatError):
        dc.inspect(compressed, original=b"nothing of the kind")


def test_a_kernel_of_two_readers_is_one_row():
    rows = dc.inspect(dc.compress(conv_net().serialize(), strip_names=False))
    assert [(row.name, row.op) for row in rows] == [("kernel", "KerasDcConv2D")]


def test_an_ordinary_model_has_no_rows():
    assert dc.inspect(mlp().serialize()) == []


def test_int4_values_are_counted_as_they_are_packed():
    (row,) = dc.inspect(dc.compress(int4().serialize()))
    assert row.num_weights == 25 * 33
    assert row.original_bytes == (25 * 33 + 1) // 2


def words_of(table):
    """The lines of a table with single blanks."""
    return [" ".join(line.split()) for line in table.splitlines()]


def test_the_table_of_a_compressed_file():
    content = dc.compress(small_mlp().serialize(), strip_names=False)
    report = dc.inspect(content)
    heading, *rows, graph, total = words_of(str(report))
    assert heading == "tensor op shape kept% clusters coding bytes coded"
    assert (
        rows[0]
        == f"w0 KerasDcFullyConnected 60x200 10.2 15 huffman 48,000 {report[0].blob_bytes:,}"
    )
    assert len(rows) == 5
    assert rows[3].startswith("b1 KerasDcFullyConnected 100 100.0 - huffman, no codebook, planes ")
    coded, original = (sum(getattr(row, name) for row in report)
                       for name in ("blob_bytes", "original_bytes"))  # fmt: skip
    rest = len(content) - coded
    assert graph == f"graph and other constants {rest:,} {rest:,}"
    assert total == f"total {original + rest:,} {len(content):,}"
    assert str(dc.inspect(mlp().serialize())) == ""


def test_the_measured_table_has_the_rivals():
    report = dc.inspect(dc.compress(small_mlp().serialize(), strip_names=False))
    heading, row, *_ = words_of(report.table(measured=True))
    assert heading == "tensor op shape kept% clusters coding bytes coded Shannon zip"
    assert row.endswith(f" {report[0].shannon_bytes:,.0f} {report[0].zip_bytes:,}")


def test_the_measured_table_tells_the_true_fraction_of_kept_weights():
    """Without position gaps a blob codes zeros one by one, and its header counts them."""
    weights = np.random.default_rng(0).choice(np.float32([0, 0.5, -0.25, 1]), (60, 60))
    graph = Graph()
    x = graph.input((1, 60))
    graph.output(graph.fully_connected(x, graph.constant(weights, "weights"), None))
    report = dc.inspect(dc.compress(graph.serialize(), strip_names=False))
    (row,) = report
    assert (row.density, row.blob.gap_bits) == (1.0, 0)
    assert row.kept_fraction == np.count_nonzero(weights) / weights.size
    assert f" {100 * row.kept_fraction:.1f} " in report.table(measured=True)


def test_headers_alone_are_read_unless_figures_are_asked_for(monkeypatch):
    content = dc.compress(small_mlp().serialize())

    def refuse(*_):
        raise AssertionError("decoded")

    for name in ("decode", "decode_entries"):
        monkeypatch.setattr(codec, name, refuse)
    report = dc.inspect(content)
    assert str(report)
    with pytest.raises(AssertionError, match="decoded"):
        report.table(measured=True)
    with pytest.raises(
        errors.CodecError, match="Received: 76,640 bytes declared, max_bytes=76,639"
    ):
        report.table(measured=True, max_bytes=76_639)


def folded_graph():
    """A kernel whose channels have a scale each."""
    graph = Graph()
    x = graph.input((-1, 8, 8, 8))
    scales = np.random.default_rng(1).uniform(0.5, 2, size=(64, 1, 1, 1)).astype(np.float32)
    kernel = graph.constant(sparse((64, 3, 3, 8), density=0.4) * scales, "kernel")
    bias = graph.constant(np.ones(64, np.float32), "bias")
    graph.output(graph.conv_2d(x, kernel, bias, shape=(-1, 8, 8, 64)))
    return graph


def test_the_bound_of_a_scaled_kernel_counts_its_scales_not_its_products():
    (row, *_) = dc.inspect(dc.compress(folded_graph().serialize()))
    assert row.coding == "huffman, scales, planes"
    unscaled = sparse((64, 3, 3, 8), density=0.4)
    assert row.blob.scale_bytes < 4 * 64
    expected = entropy.shannon_bytes(unscaled) + row.blob.scale_bytes
    assert row.shannon_bytes == pytest.approx(expected)
    assert row.shannon_bytes < row.blob_bytes < 1.2 * row.shannon_bytes


@pytest.mark.parametrize("coder", ["huffman", "arithmetic"])
def test_the_report_names_every_constant(coder):
    graph = small_mlp()
    z = graph.tensor((-1, 10), "z")
    noise_values = np.random.default_rng(0).normal(size=100).astype(np.float32)
    noise = graph.constant(noise_values, "noise")
    for name, values in [("integers", np.arange(99, dtype=np.int32)), ("unread", np.ones(64))]:
        graph.constant(values.astype(np.float32) if name == "unread" else values, name)
    graph.operator(schema.BuiltinOperator.ADD, [graph.subgraph.outputs[0], noise], [z],
                   schema.BuiltinOptions.AddOptions, schema.AddOptionsT())  # fmt: skip
    graph.operator(schema.BuiltinOperator.ADD, [z, len(graph.subgraph.tensors) - 2], [z],
                   schema.BuiltinOptions.AddOptions, schema.AddOptionsT())  # fmt: skip
    content = graph.serialize()
    compressed, report = dc.compress(content, return_report=True, coder=coder)
    assert compressed == dc.compress(content, coder=coder)
    assert [row.name for row in report.coded] == ["w0", "b0", "w1", "b1", "w2"]
    assert all(isinstance(row, CodedTensor) for row in report.coded)
    assert all(isinstance(row, LeftTensor) for row in report.left)
    reasons = {row.name: row.reason for row in report.left}
    assert list(reasons) == ["b2", "noise", "integers", "unread"]
    assert reasons["b2"] == "does not save enough: 68 bytes against 40"
    blob = codec.encode(noise_values)
    blob_bytes = len(blob if coder == "huffman" else codec.recode(blob))
    assert reasons["noise"] == f"does not save enough: {blob_bytes + 96 + 64} bytes against 400"
    assert reasons["integers"].startswith("INT32 is not among float32, ")
    assert reasons["unread"] == "a tensor of this buffer is read by no operator"
    assert "left as they are:" in str(report)
    assert all(row.reason in str(report) for row in report.left)


def test_the_report_of_a_compressed_model_says_so():
    _, report = dc.compress(dc.compress(mlp().serialize()), return_report=True)
    # The kernel that is large, and a bundle of what is small.
    assert [row.reason for row in report.left].count("coded already") == 2


def test_a_tensor_must_save_what_is_asked():
    content = small_mlp().serialize()
    rows = {row.name: row for row in dc.compress(content, return_report=True)[1].coded}
    # All but the first join it in a bundle, and save a tensor and a buffer of their own.
    overhead = {"w0": 16, "w1": -32, "w2": -32}
    saving = {
        name: 1 - (rows[name].blob_bytes + more) / rows[name].original_bytes
        for name, more in overhead.items()
    }
    between = (saving["w1"] + saving["w2"]) / 2
    assert saving["w2"] < between < saving["w1"]
    compressed, report = dc.compress(content, return_report=True, min_saving=between)
    assert [row.name for row in report.coded] == ["w0", "w1"]
    assert len(dc.inspect(compressed)) == 2
    (reason,) = (row.reason for row in report.left if row.name == "w2")
    assert reason.endswith(f"bytes against 4000, {4000 * between:.0f} to be saved")
    assert len(dc.inspect(dc.compress(content, min_saving=saving["w0"]))) == 2
    for wrong in (-0.1, 1):
        with pytest.raises(ValueError, match=f"Received: min_saving={wrong}"):
            dc.compress(content, min_saving=wrong)


def test_negative_zeros_are_named():
    # A table that is looked up: there the sign of a zero may matter.
    graph = lookup(rows=60)
    values = graph.model.buffers[1].data.view(np.float32).copy()
    values[np.flatnonzero(values == 0)[:3]] = -0.0
    graph.model.buffers[1].data = values.view(np.uint8)
    (row,) = dc.inspect(dc.compress(graph.serialize()))
    assert row.num_negative_zeros == 3
    assert row.coding == "huffman"
    assert " huffman, -0.0 " in dc.inspect(dc.compress(graph.serialize())).table(measured=True)

"""`compress` with samples: whole files."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support import runtime_process
from support.dense_nets import mobile_net, pictures, weights
from support.recurrent_nets import (
    INPUTS,
    STEPS,
    fused_net,
    grouped_net,
    recurrent_net,
    sequences,
    shared_net,
    tied_net,
)
from support.tiny_models import Graph, int4, lookup, mlp

import keras_dc as dc
from keras_dc.runtime.program import Program

SAMPLES = pictures(96)
UNSEEN = pictures(100, seed=1)


@pytest.fixture(scope="module")
def net():
    return mobile_net(channels=48).serialize()


def error(original, compressed, samples=UNSEEN):
    [change] = dc.compare_outputs(original, compressed, samples)
    return change.relative_error


@pytest.mark.parametrize("coder", ["huffman", "arithmetic"])
@pytest.mark.parametrize("ratio", [4, 6])
def test_a_ratio_is_met_and_outputs_stay_nearer_than_by_weights_alone(net, ratio, coder):
    small, report = dc.compress(net, samples=SAMPLES, ratio=ratio, coder=coder, return_report=True)
    assert 0.9 * len(net) / ratio < len(small) <= len(net) / ratio
    counts = (4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
    alone = next(
        file
        for file in (dc.compress(net, num_clusters=n, coder=coder) for n in reversed(counts))
        if len(file) <= len(small)
    )
    assert error(net, small) < 0.6 * error(net, alone)
    weights = [row for row in report if row.method]
    assert [row.method for row in weights] == ["second order"] * 4
    assert all(0 < row.output_error < 0.5 for row in weights)
    [change] = report.outputs
    assert change.num_values == 24 * 30
    # The error that is told is that of samples that nobody saw.
    assert 0.5 < change.relative_error / error(net, small) < 2


def test_max_bytes_and_ratio_are_one(net):
    first = dc.compress(net, samples=SAMPLES, ratio=5)
    assert dc.compress(net, samples=SAMPLES, max_bytes=len(net) / 5) == first


@pytest.mark.parametrize("bound", [0.02, 0.1])
def test_an_error_is_met(net, bound):
    small, report = dc.compress(net, samples=SAMPLES, max_error=bound, return_report=True)
    assert 0.6 * bound < report.outputs[0].relative_error <= bound
    assert len(small) < len(net) / 2


def test_the_seed_makes_the_file(net, tmp_path):
    files = [dc.compress(net, samples=SAMPLES, ratio=5, seed=seed) for seed in (3, 3, 4)]
    assert files[0] == files[1] != files[2]
    np.savez(tmp_path / "samples.npz", x=SAMPLES)
    path = tmp_path / "small.tflite"
    dc.compress(net, samples=tmp_path / "samples.npz", ratio=5, seed=3, filepath=path)
    assert path.read_bytes() == files[0]


def test_a_metric_takes_the_place_of_the_error(net):
    labels = np.random.default_rng(0).integers(0, 30, len(SAMPLES))
    seen = []

    def loss(outputs):
        assert outputs.shape == (96, 30)
        seen.append(float(-np.mean(np.log(outputs[np.arange(96), labels] + 1e-9))))
        return seen[-1]

    first = dc.compress(net, samples=SAMPLES, max_error=1e9, metric=loss)
    assert len(first) < len(net) / 10
    bound = seen[0] * 1.001
    dc.compress(net, samples=SAMPLES, max_error=bound, metric=loss)
    assert min(seen) <= bound
    with pytest.raises(ValueError, match="finite number"):
        dc.compress(net, samples=SAMPLES, max_error=1.0, metric=lambda outputs: np.nan)


def test_clusters_and_sparsity_may_be_given_instead(net):
    few = dc.compress(net, samples=SAMPLES, num_clusters=8, sparsity=0.5)
    alone = dc.compress(net, num_clusters=8, sparsity=0.5)
    for row in dc.inspect(few):
        if row.role == "weights":
            assert row.blob.num_centroids <= 8
            assert row.kept_fraction <= 0.5 + 1e-3
    assert error(net, few) < 0.7 * error(net, alone)
    only = {"num_clusters": {"classes": 4}}
    left, report = dc.compress(net, samples=SAMPLES, return_report=True, **only)
    assert [bool(row.relative_error) for row in report if row.role == "weights"].count(True) == 1
    assert error(net, left) < error(net, dc.compress(net, **only))


def test_pruning_alone_moves_what_is_kept(net):
    pruned = dc.compress(net, samples=SAMPLES, sparsity=0.5)
    assert error(net, pruned) < 0.6 * error(net, dc.compress(net, sparsity=0.5))


@pytest.mark.parametrize("batch", [-1, 4])
def test_models_for_other_batches(batch):
    net = mobile_net(batch=batch).serialize()
    small = dc.compress(net, samples=SAMPLES, ratio=4)
    assert len(small) <= len(net) / 4


def test_half_precision_is_rebuilt_too():
    net = mobile_net(dtype=np.float16, channels=48).serialize()
    small, report = dc.compress(net, samples=SAMPLES, max_error=0.05, return_report=True)
    rows = [row for row in report if row.method]
    assert [(row.method, row.blob.dtype) for row in rows] == [("second order", "float16")] * 4
    assert len(small) < 0.6 * len(net)


def test_each_runtime_serves(net, process):
    small = process(runtime_process.compress, net, SAMPLES[:40], num_clusters=32)
    assert error(net, small) < 0.5 * error(net, dc.compress(net, num_clusters=32))


def test_what_has_no_second_order_support_is_told():
    graph = mobile_net(end=None)
    table = graph.constant(np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32), "t")
    last = graph.subgraph.outputs.pop()
    options = schema.BatchMatMulOptionsT(adjY=True)
    graph.output(graph.builtin("BATCH_MATMUL", [table, last], (40, 1), options=options))
    net = graph.serialize()
    small, report = dc.compress(net, samples=SAMPLES, max_error=0.05, return_report=True)
    [row] = [row for row in report if row.method and row.method != "second order"]
    assert row.method == "weights alone: BATCH_MATMUL has no second-order support"
    assert row.output_error is None
    assert 0 < row.relative_error < 0.1
    assert len(small) < len(net) / 3


BAD = [
    ({}, "need `max_error`"),
    ({"ratio": 4, "max_error": 0.1}, "one budget"),
    (
        {"max_bytes": 300},
        r"at most 300 bytes was found; the smallest has [\d,]+ bytes",
    ),
    ({"ratio": 4, "metric": lambda outputs: 0.0}, "`metric` needs `max_error`"),
    ({"ratio": 4, "seed": -1}, "Received: seed=-1"),
    ({"ratio": 4, "seed": "0"}, "Received: seed='0'"),
    ({"ratio": 4, "samples": np.zeros((64, 8, 8, 3), np.float32)}, "all zero"),
    ({"ratio": 4, "samples": pictures(64, shape=(8, 9, 3))}, "must be shaped"),
    ({"ratio": 4, "samples": 1e30 * SAMPLES}, r"Received: numbers up to \d"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_arguments_are_refused(net, arguments, message, tmp_path):
    path = tmp_path / "small.tflite"
    with pytest.raises(ValueError, match=message):
        dc.compress(net, **{"samples": SAMPLES, **arguments}, filepath=path)
    assert not path.exists()


@pytest.mark.parametrize(
    "alone",
    [{"ratio": 4}, {"runtime": "litert"}, {"num_threads": 2}, {"metric": np.sum}],
    ids=lambda alone: next(iter(alone)),
)
def test_what_needs_samples_is_refused_without_them(net, alone):
    with pytest.raises(ValueError, match="need `samples`"):
        dc.compress(net, **alone)


def test_models_that_cannot_be_changed_are_refused(net):
    with pytest.raises(ValueError, match="not compressed"):
        dc.compress(dc.compress(net, num_clusters=16), samples=SAMPLES, ratio=4)
    with pytest.raises(ValueError, match="only a model with float weights"):
        dc.compress(int4().serialize(), samples=np.ones((64, 33), np.float32), ratio=4)
    graph = mobile_net()
    kernel = next(t for t in graph.subgraph.tensors if t.name == b"stem")
    values = np.full((24, 3, 3, 3), np.nan, np.float32)
    graph.model.buffers[kernel.buffer].data = values.reshape(-1).view(np.uint8)
    with pytest.raises(ValueError, match="finite"):
        dc.compress(graph.serialize(), samples=SAMPLES, ratio=4)


def test_a_model_that_no_runtime_runs_is_refused():
    graph = mobile_net()
    graph.subgraph.operators[2].inputs[1] = graph.subgraph.operators[0].inputs[1]
    with pytest.raises((RuntimeError, ValueError)):
        dc.compress(graph.serialize(), samples=SAMPLES, ratio=4)


def test_integers_and_lookups_are_run_too():
    rng, graph = np.random.default_rng(0), lookup(rows=400)
    table = rng.normal(size=(400, 8)).astype(np.float32)
    graph.model.buffers[1].data = table.reshape(-1).view(np.uint8)
    net, ids = graph.serialize(), rng.integers(0, 400, (64, 6)).astype(np.int32)
    small, report = dc.compress(net, samples=ids, ratio=4, return_report=True)
    assert [row.method for row in report] == ["weights alone: GATHER has no second-order support"]
    assert error(net, small, ids) < 0.3


def test_weights_of_few_values_may_stay():
    samples = np.abs(np.random.default_rng(0).normal(size=(64, 784))).astype(np.float32)
    net = mlp().serialize()
    lossless = dc.compress(net)
    assert len(dc.compress(net, samples=samples, max_bytes=0.8 * len(lossless))) < len(lossless)


def smaller(net, samples, ratio, unseen):
    """(methods by name, error from samples, error by weights alone) at the same size."""
    small, report = dc.compress(net, samples=samples, ratio=ratio, return_report=True)
    alone = next(
        file
        for file in (dc.compress(net, num_clusters=n) for n in range(40, 1, -1))
        if len(file) <= len(small)
    )
    methods = {row.name: row.method for row in report if row.method}
    return methods, *(
        float(np.mean([error(net, file, each) for each in unseen])) for file in (small, alone)
    )


@pytest.mark.parametrize("kind", [{}, {"is_stateful": True}, {"adds_bias": True}])
def test_weights_in_a_loop_are_rebuilt(kind):
    net = recurrent_net(**kind).serialize()
    methods, ours, alone = smaller(net, iter(sequences(60)), 2.2, sequences(20, seed=1))
    assert methods == dict.fromkeys(["kernel", "recurrent", "classes"], "second order")
    assert ours < 0.7 * alone


def test_a_bias_behind_an_add_makes_up_for_the_mean():
    graph = Graph()
    x = graph.input((1, 40))
    kernel = graph.constant(weights((20, 40), 40, 0), "kernel")
    bias = graph.constant(weights((1, 20), 4, 1), "bias")
    inputs = [graph.fully_connected(x, kernel, None), bias]
    graph.subgraph.tensors[inputs[0]].shapeSignature = None
    graph.output(graph.builtin("ADD", inputs, (1, 20), options=schema.AddOptionsT()))
    net = graph.serialize()
    samples = (5 + np.random.default_rng(0).normal(size=(200, 40))).astype(np.float32)
    small = dc.compress(net, samples=samples, num_clusters=3)
    outputs = [
        np.stack([Program.main(file).numbers({"x": each[None]})["y1"] for each in samples[:60]])
        for file in (net, small)
    ]
    difference = (outputs[1] - outputs[0]).reshape(60, 20)
    assert np.abs(difference.mean(axis=0)).max() < 0.5 * difference.std(axis=0).mean()


def test_fused_lstms_are_rebuilt_as_loops():
    net = fused_net().serialize()
    drawn = [sequences(count, seed=seed).reshape(-1, STEPS, INPUTS) for count, seed in
             ((60, 0), (20, 1))]  # fmt: skip
    methods, ours, alone = smaller(net, drawn[0], 3, [each[None] for each in drawn[1]])
    assert set(methods.values()) == {"second order"}
    assert len(methods) == 9
    assert ours < 0.7 * alone


def test_loops_that_call_others_are_told_and_changed_alone():
    net = recurrent_net(nested=True).serialize()
    methods, ours, _ = smaller(net, iter(sequences(60)), 2, sequences(20, seed=1))
    why = "weights alone: its loop calls other subgraphs"
    assert methods == {"kernel": why, "recurrent": why, "classes": "second order"}
    assert ours < 0.5


@pytest.mark.parametrize("has_bias", [True, False])
def test_weights_that_several_ops_read_are_rebuilt_for_all_of_them(has_bias):
    net = shared_net(has_bias=has_bias).serialize()
    mix = np.random.default_rng(9).normal(size=(5, 40))

    def drawn(count, seed):
        rng = np.random.default_rng(seed)
        return (rng.normal(size=(count, 5)) @ mix + 1).astype(np.float32)

    methods, ours, alone = smaller(net, drawn(200, 0), 3, [drawn(100, 1)])
    assert methods == dict.fromkeys(["shared", "last"], "second order")
    assert ours < 0.7 * alone


def test_shared_half_precision_is_rebuilt():
    net = shared_net(dtype=np.float16).serialize()
    samples = np.random.default_rng(0).normal(size=(64, 40)).astype(np.float32)
    _, report = dc.compress(net, samples=samples, max_error=0.2, return_report=True)
    assert [row.method for row in report if row.method] == ["second order"] * 2


def test_tied_tables_are_rebuilt_where_rows_are_read():
    net = tied_net().serialize()

    def drawn(count, seed):
        return np.random.default_rng(seed).integers(0, 30, (4 * count,)).astype(np.int32)

    small, report = dc.compress(net, samples=drawn(60, 0), ratio=3, return_report=True)
    assert {row.method for row in report if row.method} == {"second order"}
    assert report.outputs[0].relative_error < 0.2
    assert len(small) <= len(net) / 3


@pytest.mark.parametrize("groups", [4, 16])
def test_convolutions_by_groups_are_rebuilt(groups):
    net = grouped_net(groups=groups).serialize()
    methods, ours, alone = smaller(net, SAMPLES, 4, [UNSEEN])
    assert methods == dict.fromkeys(["stem", "grouped", "last"], "second order")
    assert ours < 0.6 * alone

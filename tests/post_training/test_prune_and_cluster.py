import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.inspection import outputs
from support.sparse_models import densified_float16
from support.tiny_models import Graph, conv_net, int4, mlp, sparse

import keras_dc as dc
from keras_dc.compression import custom_ops
from keras_dc.post_training.prune_and_cluster import approximate
from keras_dc.tflite import diff, model_file


def noise(shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def dense_mlp():
    """As `mlp`, with weights that nobody pruned or shared."""
    graph = mlp(sizes=(64, 48, 32))
    for layer, index in enumerate((1, 3)):
        shape = graph.subgraph.tensors[1 + 3 * layer].shape
        graph.model.buffers[index].data = noise(shape, seed=layer).reshape(-1).view(np.uint8)
    return graph


def constants(content):
    """Values of each float constant, by the name of its tensor."""
    model = model_file.parse(content)
    return {
        tensor.name.decode(): model.buffers[tensor.buffer].data.view(np.float32)
        for tensor in model.subgraphs[0].tensors
        if tensor.buffer and tensor.type == schema.TensorType.FLOAT32
    }


def test_two_clusters_worked_out_by_hand():
    values = np.array([[1.0, 1.5, 0, -3.0], [-4.0, 1.25, 0, 0.25]], np.float32)
    changed, factors = approximate(values, sparsity=3 / 8, num_clusters=2)
    np.testing.assert_array_equal(changed, [[1.25, 1.25, 0, -3.5], [-3.5, 1.25, 0, 0]])
    assert factors is None


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.93])
def test_the_largest_magnitudes_are_kept(sparsity, dtype):
    values = noise((40, 50), dtype)
    changed, _ = approximate(values, sparsity=sparsity)
    kept = changed != 0
    assert np.count_nonzero(kept) == round((1 - sparsity) * 2000)
    np.testing.assert_array_equal(changed[kept], values[kept])
    assert sparsity == 0 or np.abs(values[~kept]).max() <= np.abs(values[kept]).min()
    assert changed.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_clusters_are_few_and_zeros_stay(dtype):
    values = np.where(noise((60, 70), seed=1) > 0, noise((60, 70), dtype), dtype(0))
    changed, _ = approximate(values, num_clusters=16)
    assert len(np.unique(changed[changed != 0])) <= 16
    np.testing.assert_array_equal(changed == 0, values == 0)
    assert np.sqrt(np.mean((changed - values) ** 2) / np.mean(values**2)) < 0.12


def test_what_is_shared_already_comes_back_as_it_is():
    values = sparse((30, 40), num_centroids=15)
    changed, _ = approximate(values, num_clusters=15, axis=0)
    np.testing.assert_array_equal(changed, values)


def test_a_shared_kernel_with_folded_batch_norm_comes_back_as_it_is():
    scales = np.random.default_rng(1).uniform(0.1, 5, size=(64, 1)).astype(np.float32)
    values = sparse((64, 90), density=0.4, num_centroids=31) * scales
    changed, (axis, factors) = approximate(values, num_clusters=31, axis=0)
    np.testing.assert_array_equal(changed, values)
    assert axis == 0
    assert len(factors.codebook) <= 31


@pytest.mark.parametrize("axis", [0, -1])
def test_channels_of_unlike_scale_get_one_each(axis):
    values = noise((64, 300)) * np.exp(noise((64, 1), seed=2) * 2)
    values = np.ascontiguousarray(np.moveaxis(values, 0, axis))
    plain, _ = approximate(values, num_clusters=16)
    scaled, (found_axis, factors) = approximate(values, num_clusters=16, axis=axis)
    assert found_axis == axis
    assert len(factors.codebook) <= 16
    around = tuple(index for index in range(2) if index != axis % 2)
    energies = np.sum(values**2, axis=around)
    errors = [np.sum((new - values) ** 2, axis=around) / energies for new in (plain, scaled)]
    assert np.mean(errors[1]) < 0.1 * np.mean(errors[0])
    for channel in np.moveaxis(scaled, axis, 0):
        assert len(np.unique(channel)) <= 16


def test_channels_of_one_scale_need_none():
    assert approximate(noise((64, 300)), num_clusters=16, axis=0)[1] is None


def test_a_model_is_pruned_and_clustered_and_biases_stay():
    original = dense_mlp().serialize()
    compressed, report = dc.compress(
        original, sparsity=0.8, num_clusters=16, strip_names=False, return_report=True
    )
    before, after = constants(original), constants(dc.expand(compressed))
    assert list(before) == list(after) == ["w0", "b0", "w1", "b1"]
    rows = {row.name: row for row in report}
    for name in ("w0", "w1"):
        assert np.count_nonzero(after[name]) == round(0.2 * before[name].size)
        assert len(np.unique(after[name])) <= 17
        error = after[name].astype(np.float64) - before[name]
        relative = np.sqrt(np.sum(error**2) / np.sum(before[name].astype(np.float64) ** 2))
        assert rows[name].relative_error == pytest.approx(relative)
        assert rows[name].largest_error == pytest.approx(np.abs(error).max())
    for name in ("b0", "b1"):
        np.testing.assert_array_equal(before[name], after[name])
        assert rows[name].relative_error == 0
    assert "error  largest" in str(report)
    assert len(compressed) < len(original) / 5
    expanded = outputs(dc.expand(compressed))
    np.testing.assert_allclose(outputs(compressed), expanded, rtol=1e-4, atol=1e-4)


def test_once_more_changes_nothing():
    options = {"sparsity": 0.8, "num_clusters": {"w": 16}, "strip_names": False}
    once = dc.compress(dense_mlp().serialize(), **options)
    assert dc.compress(dc.expand(once), **options) == once


def test_tensors_are_chosen_by_name():
    original = dense_mlp().serialize()
    compressed = dc.compress(
        original, sparsity={"w0": 0.9, "w": 0.5}, num_clusters={"w1": 4}, strip_names=False
    )
    before, after = constants(original), constants(dc.expand(compressed))
    assert np.mean(after["w0"] == 0) == pytest.approx(0.9, abs=1e-3)
    assert np.mean(after["w1"] == 0) == 0.5
    assert len(np.unique(after["w0"])) > 200
    assert len(np.unique(after["w1"])) == 5
    only_one = dc.compress(original, num_clusters={"w1": 4}, strip_names=False)
    np.testing.assert_array_equal(constants(dc.expand(only_one))["w0"], before["w0"])


def test_float16_weights_behind_densify_and_dequantize():
    original = densified_float16().serialize()
    compressed, report = dc.compress(original, num_clusters=7, return_report=True)
    (row,) = report.coded
    assert (row.name, row.op, row.blob.num_centroids) == ("stored", custom_ops.CONV_2D, 7)
    assert 0 < row.relative_error < 0.2
    expanded = model_file.parse(dc.expand(compressed))
    assert expanded.subgraphs[0].tensors[1].sparsity is not None
    again, _ = dc.compress(dc.expand(compressed), return_report=True)
    assert again == compressed
    got, expected = map(outputs, (compressed, dc.expand(compressed)))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_a_sparse_constant_that_is_not_coded_is_changed_all_the_same():
    options = {"sparsity": 0.95, "min_saving": 0.99}
    compressed, report = dc.compress(densified_float16().serialize(), return_report=True, **options)
    assert not report.coded
    assert report[0].relative_error > 0
    assert "(error " in str(report)
    assert outputs(compressed)[0].shape == (1, 8, 8, 32)
    model = model_file.parse(compressed)
    assert model.buffers[1].data.size == 2 * round(0.05 * 32 * 3 * 3 * 64)


def depthwise_net():
    """DEPTHWISE_CONV_2D whose channels, its last dimension, differ in scale."""
    graph = Graph()
    x = graph.input((-1, 8, 8, 64))
    values = noise((1, 7, 7, 64)) * np.exp(noise(64, seed=2) * 2)
    kernel = graph.constant(values.astype(np.float32), "kernel")
    bias = graph.constant(np.zeros(64, np.float32), "bias")
    y = graph.tensor((-1, 8, 8, 64), "y")
    graph.operator(schema.BuiltinOperator.DEPTHWISE_CONV_2D, [x, kernel, bias], [y],
                   schema.BuiltinOptions.DepthwiseConv2DOptions,
                   schema.DepthwiseConv2DOptionsT(0, 1, 1, 1))  # fmt: skip
    graph.output(y)
    return graph


def test_depthwise_channels_are_the_last_dimension():
    rows = dc.inspect(dc.compress(depthwise_net().serialize(), num_clusters=16))
    assert rows[0].blob.scale_axis == -1
    assert rows[0].blob.num_centroids <= 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.0}, "Received: sparsity=1.0"),
        ({"sparsity": -0.1}, "Received: sparsity=-0.1"),
        ({"num_clusters": 0}, "Received: num_clusters=0"),
        ({"num_clusters": 257}, "Received: num_clusters=257"),
        ({"num_clusters": 2.5}, "Received: num_clusters=2.5"),
        ({"sparsity": {"b": 0.5}}, r"selects no tensor.*\['w0', 'w1'\].*Received: pattern='b'"),
        ({"num_clusters": {}}, "must name a tensor at least"),
    ],
    ids=str,
)
def test_wrong_numbers_and_names_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dc.compress(dense_mlp().serialize(), **options)


def test_weights_that_are_not_finite_are_refused():
    graph = dense_mlp()
    values = noise(48 * 64)
    values[7] = np.nan
    graph.model.buffers[1].data = values.view(np.uint8)
    with pytest.raises(ValueError, match="Received: tensor 'w0' with NaN"):
        dc.compress(graph.serialize(), num_clusters=4)
    dc.compress(graph.serialize(), num_clusters={"w1": 4})


def test_models_without_float_weights_are_refused():
    with pytest.raises(ValueError, match="only a model with float weights .* Received: 1 other"):
        dc.compress(int4().serialize(), num_clusters=4)


def test_a_compressed_model_is_refused():
    compressed = dc.compress(conv_net().serialize())
    with pytest.raises(ValueError, match="`expand` it first. Received: a model with KerasDcConv2D"):
        dc.compress(compressed, sparsity=0.5)
    expanded = model_file.parse(dc.expand(dc.compress(dc.expand(compressed), num_clusters=15)))
    assert diff.differences(conv_net().model, expanded) == []

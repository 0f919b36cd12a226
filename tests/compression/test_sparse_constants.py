"""Constants that TFLite stores sparse: coded without their DENSIFY, and restored with it."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import OpResolverType
from support.inspection import operators, outputs
from support.sparse_models import (
    DENSE,
    csr,
    densified,
    densified_and_dense,
    densified_float16,
    densified_float16_and_dense,
    densified_float16_table,
    densified_float16_twice,
    densified_twice,
    read_directly,
    read_directly_by_a_builtin_op,
)

import keras_dc as dc
from keras_dc import errors
from keras_dc.compression import custom_ops, restore_metadata
from keras_dc.tflite import diff, model_file
from keras_dc.tflite.dense_and_sparse import SparseForm

BUILTIN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
GRAPHS = {
    densified: [custom_ops.CONV_2D],
    densified_and_dense: [custom_ops.DECODE],
    densified_twice: [custom_ops.FULLY_CONNECTED, custom_ops.FULLY_CONNECTED],
    densified_float16: [custom_ops.CONV_2D],
    densified_float16_and_dense: [custom_ops.DECODE],
    densified_float16_table: [custom_ops.DECODE],
    densified_float16_twice: [custom_ops.FULLY_CONNECTED, custom_ops.FULLY_CONNECTED],
    read_directly: [custom_ops.FULLY_CONNECTED],
    read_directly_by_a_builtin_op: [custom_ops.DECODE],
}


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_a_sparse_model_is_compressed_and_comes_back(build):
    original = build().serialize()
    compressed, report = dc.compress(original, return_report=True)
    assert [row.op for row in report.coded] == GRAPHS[build]
    assert all(row.blob_bytes < row.original_bytes for row in report.coded)
    is_fused = {*GRAPHS[build]} != {custom_ops.DECODE}
    assert "DENSIFY" not in operators(compressed)
    # XNNPACK unpacks the float16 kernel of a convolution by itself.
    is_unpacked = build is densified_float16_and_dense
    assert ("DEQUANTIZE" in operators(compressed)) == is_unpacked
    assert (custom_ops.DECODE in operators(compressed)) != is_fused
    assert dc.compress(compressed) == compressed
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    assert expanded.metadata is None
    tensors = model_file.parse(compressed).subgraphs[0].tensors
    assert not any(tensor.sparsity for tensor in tensors)
    # XNNPACK forgets to unpack a table that GATHER reads.
    options = {"experimental_op_resolver_type": BUILTIN} if build is densified_float16_table else {}
    expected = outputs(original, **options)
    np.testing.assert_allclose(outputs(compressed, **options), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("second_units", [1, 24])
def test_a_densify_that_stays_is_put_back_in_its_place(second_units):
    original = densified_twice(second_units).serialize()
    for min_saving in (0.0, 0.9999):
        compressed, report = dc.compress(original, return_report=True, min_saving=min_saving)
        num_coded = 0 if min_saving else 1 + (second_units > 1)
        assert len(report.coded) == num_coded
        assert operators(compressed).count("DENSIFY") == 2 - num_coded
        expanded = model_file.parse(dc.expand(compressed))
        assert diff.differences(model_file.parse(original), expanded) == []


def left_because(graph):
    _, report = dc.compress(graph.serialize(), return_report=True)
    return report.left[0].reason


def test_what_could_not_be_restored_is_left_with_its_reason():
    graph = read_directly()
    leaves = graph.model.buffers[1].data.copy()
    leaves[:16] = 0
    graph.model.buffers[1].data = leaves
    assert "would not be written again" in left_because(graph)

    graph = densified()
    graph.output(1 + 1)
    assert left_because(graph) == "sparse, and its dense form is an output"

    graph = densified()
    graph.subgraph.tensors[2].shape = np.array([32, 9, 16], np.int32)
    assert left_because(graph) == "sparse, and its dense form has another shape"

    graph = densified()
    stored = graph.subgraph.tensors[1]
    twin = graph.tensor(stored.shape, "twin", buffer=stored.buffer)
    graph.subgraph.tensors[twin].sparsity = stored.sparsity
    graph.operator(schema.BuiltinOperator.DENSIFY, [twin], [graph.tensor(stored.shape, "two")])
    assert left_because(graph) == "sparse, and shared by several tensors"


def test_expand_refuses_notes_that_do_not_fit():
    model = model_file.parse(dc.compress(densified_float16().serialize()))
    ((place, note),) = restore_metadata.take_notes(model).items()
    form = SparseForm((0, 1, 2), (), (), (DENSE, DENSE, csr()))
    restore_metadata.write_notes(model, {place: dataclasses.replace(note, form=form)})
    with pytest.raises(errors.CompressionError, match="must fit what is noted"):
        dc.expand(model_file.serialize(model))
    model.buffers[model.metadata[0].buffer].data = np.arange(9, dtype=np.uint8)
    with pytest.raises(errors.CompressionError, match="KERAS_DC_NOTES.*Received"):
        dc.expand(model_file.serialize(model))


@pytest.mark.parametrize("removed", [(99, 0), (-1, 0), (2, -1)])
def test_expand_refuses_to_put_a_densify_back_outside_its_subgraph(removed):
    model = model_file.parse(dc.compress(densified().serialize()))
    ((place, note),) = restore_metadata.take_notes(model).items()
    (step,) = note.steps
    assert step.place == (2, 0)
    changed = dataclasses.replace(note, steps=(step._replace(place=removed),))
    restore_metadata.write_notes(model, {place: changed})
    with pytest.raises(errors.CompressionError, match="tensors of its subgraph.*Received"):
        dc.expand(model_file.serialize(model))


def test_tensorflows_own_sparse_models():
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(16, 3), keras.layers.Flatten(), keras.layers.Dense(32)]
    model = keras.Sequential([keras.Input((6, 6, 16)), *layers])
    for layer in (layers[0], layers[2]):
        kernel = layer.kernel.numpy()
        keep = np.random.default_rng(0).random(kernel.size // kernel.shape[-1] // 4) < 0.2
        layer.kernel.assign(kernel * np.repeat(keep, 4).reshape(*kernel.shape[:-1], 1))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    original = converter.convert()
    parsed = model_file.parse(original)
    assert sum(tensor.sparsity is not None for tensor in parsed.subgraphs[0].tensors) == 2
    compressed, report = dc.compress(original, return_report=True)
    assert [row.op for row in report.coded if len(row.shape) > 1] == [
        custom_ops.CONV_2D,
        custom_ops.FULLY_CONNECTED,
    ]
    assert diff.differences(parsed, model_file.parse(dc.expand(compressed))) == []
    np.testing.assert_allclose(outputs(compressed), outputs(original), rtol=1e-4, atol=1e-5)

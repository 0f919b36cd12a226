import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import Graph, sparse

import keras_dc as dc
from keras_dc import errors, runtime
from keras_dc.compression import custom_ops, restore_metadata
from keras_dc.tflite import dense_and_sparse, diff, model_file
from keras_dc.tflite.dense_and_sparse import SparseForm, SparseFormError

DENSE = (0, 0, 0)


def compressed(segments=3, indices=3):
    """A level in compressed form; the numbers of index types are the schema's."""
    return (1, segments, indices)


FORMS = {
    "csr": ((6, 10), SparseForm((0, 1), (), (), (DENSE, compressed()))),
    "rows_of_bytes": ((6, 10), SparseForm((0, 1), (), (), (compressed(1), compressed(2, 1)))),
    "columns_first": ((6, 10), SparseForm((1, 0), (), (), (DENSE, compressed()))),
    "blocks_1x4": ((6, 12), SparseForm((0, 1, 2), (1,), (4,), (DENSE, compressed(), DENSE))),
    "blocks_2x3": (
        (6, 12),
        SparseForm((0, 1, 2, 3), (0, 1), (2, 3), (DENSE, compressed(), DENSE, DENSE)),
    ),
    "blocks_turned_round": (
        (6, 12),
        SparseForm((1, 0, 3, 2), (1, 0), (3, 2), (compressed(2, 2), compressed(), DENSE, DENSE)),
    ),
    "convolution": (
        (5, 3, 3, 8),
        SparseForm((0, 1, 2, 3), (), (), (DENSE, DENSE, DENSE, compressed())),
    ),
    "all_dense": ((6, 10), SparseForm((0, 1), (), (), (DENSE, DENSE))),
}


@pytest.mark.parametrize("name", FORMS)
def test_dense_and_sparse_are_each_others_inverse(name):
    shape, form = FORMS[name]
    dense = sparse(shape, density=0.3)
    dense[2] = 0
    sparsity, leaves = dense_and_sparse.to_sparse(form, dense)
    assert leaves.size >= np.count_nonzero(dense)
    found, again = dense_and_sparse.canonical_dense(sparsity, leaves, shape)
    np.testing.assert_array_equal(again, dense)
    assert found == form


def test_a_matrix_worked_out_by_hand():
    shape, form = (2, 6), SparseForm((0, 1, 2), (1,), (2,), (DENSE, compressed(), DENSE))
    dense = np.array([[0, 0, 1, 0, 0, 2], [0, 0, 0, 0, 0, 0]], np.float32)
    sparsity, leaves = dense_and_sparse.to_sparse(form, dense)
    np.testing.assert_array_equal(leaves, [1, 0, 0, 2])
    rows, columns, block = sparsity.dimMetadata
    assert (rows.denseSize, block.denseSize) == (2, 2)
    np.testing.assert_array_equal(columns.arraySegments.values, [0, 2, 2])
    np.testing.assert_array_equal(columns.arrayIndices.values, [1, 2])
    assert columns.arrayIndices.values.dtype == np.uint8
    assert dense_and_sparse.size_bytes(sparsity) == 5
    np.testing.assert_array_equal(dense_and_sparse.to_dense(sparsity, leaves, shape), dense)


def broken(change):
    """What is refused of a good sparse constant after `change` edited it."""
    dense = sparse((6, 10), density=0.3)
    sparsity, leaves = dense_and_sparse.to_sparse(FORMS["csr"][1], dense)
    leaves = change(sparsity, sparsity.dimMetadata[1], leaves)
    with pytest.raises(SparseFormError) as error:
        dense_and_sparse.canonical_dense(sparsity, leaves, dense.shape)
    return str(error.value)


def test_what_contradicts_itself_is_refused():
    def shorter(_, __, leaves):
        return leaves[:-1]

    def index_outside(_, level, leaves):
        level.arrayIndices.values[0] = 10
        return leaves

    def segments_fall(_, level, leaves):
        level.arraySegments.values[1] = 200
        return leaves

    def no_indices(_, level, leaves):
        level.arrayIndices = None
        return leaves

    def unknown_kind(_, level, leaves):
        level.format = 7
        return leaves

    def twice(sparsity, _, leaves):
        sparsity.traversalOrder = np.array([0, 0], np.int32)
        return leaves

    def too_few_levels(sparsity, _, leaves):
        sparsity.dimMetadata = sparsity.dimMetadata[:1]
        return leaves

    def explicit_zero(_, __, leaves):
        leaves[0] = 0
        return leaves

    assert "and its buffer holds" in broken(shorter)
    assert "outside it" in broken(index_outside)
    assert "do not ascend" in broken(segments_fall)
    assert "lacks its segments" in broken(no_indices)
    assert "neither dense nor compressed" in broken(unknown_kind)
    assert "each dimension once" in broken(twice)
    assert "differ in number" in broken(too_few_levels)
    assert "written again" in broken(explicit_zero)


def test_a_form_that_does_not_fit_is_refused():
    with pytest.raises(SparseFormError, match="do not divide"):
        dense_and_sparse.to_sparse(FORMS["blocks_1x4"][1], np.ones((6, 10), np.float32))
    wide = SparseForm((0, 1), (), (), (DENSE, compressed()))
    with pytest.raises(SparseFormError, match="too large for its type"):
        dense_and_sparse.to_sparse(wide, np.ones((2, 300), np.float32))


def add_sparse_constant(graph, dense, form, name):
    sparsity, leaves = dense_and_sparse.to_sparse(form, dense)
    index = graph.tensor(dense.shape, name, dtype=dense.dtype, buffer=graph.buffer(leaves))
    graph.subgraph.tensors[index].sparsity = sparsity
    return index


def densified(dtype=np.float32, density=0.1):
    """CONV_2D whose kernel comes from DENSIFY, as in MediaPipe's graphs."""
    graph = Graph()
    x = graph.input((-1, 8, 8, 16))
    form = SparseForm((0, 1, 2, 3), (), (), (DENSE, DENSE, DENSE, compressed(2, 3)))
    stored = add_sparse_constant(
        graph, sparse((32, 3, 3, 16), dtype=dtype, density=density), form, "stored"
    )
    kernel = graph.tensor((32, 3, 3, 16), "kernel", dtype=dtype)
    graph.operator(schema.BuiltinOperator.DENSIFY, [stored], [kernel],
                   schema.BuiltinOptions.DensifyOptions, schema.DensifyOptionsT())  # fmt: skip
    if dtype == np.float16:
        wide = graph.tensor((32, 3, 3, 16), "wide")
        graph.operator(schema.BuiltinOperator.DEQUANTIZE, [kernel], [wide],
                       schema.BuiltinOptions.DequantizeOptions,
                       schema.DequantizeOptionsT(), version=3)  # fmt: skip
        kernel = wide
    bias = graph.constant(np.linspace(-1, 1, 32, dtype=np.float32), "bias")
    graph.output(graph.conv_2d(x, kernel, bias, shape=(-1, 8, 8, 32)))
    return graph


def densified_and_dense():
    """Too dense for a fused op."""
    return densified(density=0.6)


def densified_twice(second_units=24):
    """Two layers with a DENSIFY each, in the order of TensorFlow's converter."""
    graph = Graph()
    x = graph.input((1, 32))
    form = SparseForm((0, 1), (), (), (DENSE, compressed(2, 3)))
    kernels = []
    for number, shape in enumerate([(48, 32), (second_units, 48)]):
        stored = add_sparse_constant(graph, sparse(shape), form, f"stored{number}")
        kernels.append(graph.tensor(shape, f"kernel{number}"))
        graph.operator(schema.BuiltinOperator.DENSIFY, [stored], kernels[-1:])
    for number, kernel in enumerate(kernels):
        x = graph.fully_connected(x, kernel, None, name=f"y{number}")
    graph.output(x)
    return graph


def densified_float16():
    return densified(np.float16)


def read_directly(density=0.1):
    """FULLY_CONNECTED that reads sparse weights, in blocks of 1x4."""
    graph = Graph()
    x = graph.input((-1, 64))
    shape, form = (48, 64), SparseForm((0, 1, 2), (1,), (4,), (DENSE, compressed(2, 3), DENSE))
    weights = add_sparse_constant(graph, sparse(shape, density=density), form, "weights")
    bias = graph.constant(np.linspace(-1, 1, 48, dtype=np.float32), "bias")
    graph.output(graph.fully_connected(x, weights, bias))
    # Runtimes look for sparsity from this version on.
    graph.model.operatorCodes[-1].version = 8
    return graph


def read_directly_by_a_builtin_op():
    return read_directly(density=0.6)


GRAPHS = {
    densified: [custom_ops.CONV_2D],
    densified_and_dense: [custom_ops.DECODE],
    densified_twice: [custom_ops.FULLY_CONNECTED, custom_ops.FULLY_CONNECTED],
    densified_float16: [custom_ops.DECODE],
    read_directly: [custom_ops.FULLY_CONNECTED],
    read_directly_by_a_builtin_op: [custom_ops.DECODE],
}


def operators(content):
    model = model_file.parse(content)
    codes = [operator.opcodeIndex for operator in model.subgraphs[0].operators]
    return [model_file.operator_name(model.operatorCodes[code]) for code in codes]


def outputs(content):
    interpreter = runtime.Interpreter(model_content=content, runtime="litert")
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    values = np.random.default_rng(0).normal(size=detail["shape"]).astype(np.float32)
    interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_a_sparse_model_is_compressed_and_comes_back(build):
    original = build().serialize()
    compressed, report = dc.compress(original, return_report=True)
    assert [row.op for row in report.coded] == GRAPHS[build]
    assert all(row.blob_bytes < row.original_bytes for row in report.coded)
    is_fused = {*GRAPHS[build]} != {custom_ops.DECODE}
    assert "DENSIFY" not in operators(compressed)
    assert (custom_ops.DECODE in operators(compressed)) != is_fused
    assert dc.compress(compressed) == compressed
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(original), expanded) == []
    assert expanded.metadata is None
    tensors = model_file.parse(compressed).subgraphs[0].tensors
    assert not any(tensor.sparsity for tensor in tensors)
    np.testing.assert_allclose(outputs(compressed), outputs(original), rtol=1e-5, atol=1e-5)


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
    form = SparseForm((0, 1, 2), (), (), (DENSE, DENSE, compressed()))
    restore_metadata.write_notes(model, {place: restore_metadata.Note(form, note.densify)})
    with pytest.raises(errors.CompressionError, match="must fit what is noted"):
        dc.expand(model_file.serialize(model))
    model.buffers[model.metadata[0].buffer].data = np.arange(9, dtype=np.uint8)
    with pytest.raises(errors.CompressionError, match="KERAS_DC_NOTES.*Received"):
        dc.expand(model_file.serialize(model))


@pytest.mark.parametrize("lifted", [(99, 0), (-1, 0), (2, -1)])
def test_expand_refuses_to_put_a_densify_back_outside_its_subgraph(lifted):
    model = model_file.parse(dc.compress(densified().serialize()))
    ((place, note),) = restore_metadata.take_notes(model).items()
    assert note.lifted == (2, 0)
    restore_metadata.write_notes(model, {place: dataclasses.replace(note, lifted=lifted)})
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

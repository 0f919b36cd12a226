import io
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.inspection import operators
from support.tiny_models import Graph, conv_net, int4, mlp, sparse

from keras_dc import codec, errors
from keras_dc.compression import compress, custom_ops, report
from keras_dc.support import atomic_files
from keras_dc.tflite import diff, model_file


def shared_weights():
    """Two layers that read one weight tensor, and a third with its own tensor, same buffer."""
    graph = Graph()
    x = graph.input((-1, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    twin = graph.tensor((64, 64), "twin", buffer=graph.subgraph.tensors[weights].buffer)
    for tensor in (weights, weights, twin):
        x = graph.fully_connected(x, tensor, None, name=f"y{tensor}")
    graph.output(x)
    return graph


def mixed_readers():
    """One kernel read by a fusable op and by ADD, so it must be decoded for both."""
    graph = Graph()
    x = graph.input((64, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    y = graph.fully_connected(x, weights, None)
    z = graph.tensor((64, 64), "z")
    graph.operator(schema.BuiltinOperator.ADD, [y, weights], [z], schema.BuiltinOptions.AddOptions,
                   schema.AddOptionsT())  # fmt: skip
    graph.output(z)
    return graph


def two_subgraphs():
    graph = conv_net()
    main = graph.subgraph
    graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], b"body"))
    x = graph.input((-1, 64))
    graph.output(graph.fully_connected(x, graph.constant(sparse((32, 64)), "w"), None))
    graph.model.subgraphs.reverse()
    assert graph.model.subgraphs[1] is main
    return graph


def quantized():
    """An int8 kernel with per-channel scales, which must outlive the pass."""
    graph = Graph()
    x = graph.input((-1, 8, 8, 4), dtype=np.int8)
    kernel = graph.constant(sparse((4, 9, 9, 4), dtype=np.int8), "kernel")
    bias = graph.constant(np.arange(4, dtype=np.int32), "bias")
    y = graph.tensor((-1, 8, 8, 4), "y", dtype=np.int8)
    graph.operator(schema.BuiltinOperator.CONV_2D, [x, kernel, bias], [y],
                   schema.BuiltinOptions.Conv2DOptions, schema.Conv2DOptionsT(0, 1, 1),
                   version=3)  # fmt: skip
    for index, scales in [(x, [0.5]), (kernel, [0.1, 0.2, 0.3, 0.4]), (y, [0.25])]:
        graph.subgraph.tensors[index].quantization = schema.QuantizationParametersT(
            scale=np.array(scales, np.float32), zeroPoint=np.zeros(len(scales), np.int64)
        )
    graph.output(y)
    return graph


GRAPHS = {
    "int4": int4,
    "mlp": mlp,
    "conv_net": conv_net,
    "shared_weights": shared_weights,
    "mixed_readers": mixed_readers,
    "two_subgraphs": two_subgraphs,
    "quantized": quantized,
}


@pytest.mark.parametrize("strip_names", [True, False])
@pytest.mark.parametrize("name", GRAPHS)
def test_expand_gives_the_graph_back(name, strip_names):
    original = GRAPHS[name]().serialize()
    compressed = compress.compress(original, strip_names=strip_names)
    assert len(compressed) < len(original)
    expanded = model_file.parse(compress.expand(compressed))
    found = diff.differences(model_file.parse(original), expanded, names=not strip_names)
    assert found == []


@pytest.mark.parametrize("name", GRAPHS)
def test_compressing_twice_changes_nothing(name):
    once = compress.compress(GRAPHS[name]().serialize())
    assert compress.compress(once) == once


def test_fully_connected_layers_are_fused():
    assert operators(compress.compress(mlp().serialize())) == [custom_ops.FULLY_CONNECTED] * 3


def test_sparse_convolutions_are_fused():
    assert operators(compress.compress(conv_net().serialize())) == [custom_ops.CONV_2D] * 2


def test_a_dense_kernel_is_decoded_once_for_all_its_readers():
    compressed = compress.compress(conv_net(density=0.8).serialize())
    assert operators(compressed) == [custom_ops.DECODE, "CONV_2D", "CONV_2D"]


def test_other_ops_read_a_decoded_kernel():
    compressed = compress.compress(quantized().serialize())
    assert operators(compressed) == [custom_ops.DECODE, "CONV_2D"]


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (5, 0)])
def test_fused_convolutions_keep_their_options(stride, padding, dilation):
    graph = conv_net()
    options = graph.subgraph.operators[0].builtinOptions
    options.strideH, options.strideW, options.padding = stride, stride + 1, padding
    options.dilationHFactor, options.dilationWFactor = dilation, dilation + 1
    graph.model.operatorCodes[0].version = 5
    compressed = compress.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.CONV_2D] * 2
    expanded = model_file.parse(compress.expand(compressed))
    assert diff.differences(graph.model, expanded) == []


def test_kernels_that_reach_far_are_not_fused():
    graph = conv_net()
    options = graph.subgraph.operators[0].builtinOptions
    height, width = graph.subgraph.tensors[graph.subgraph.operators[0].inputs[1]].shape[1:3]
    options.dilationHFactor, options.dilationWFactor = 256 // height, 256 // width
    assert operators(compress.compress(graph.serialize())) == [custom_ops.CONV_2D] * 2
    options.dilationHFactor, options.dilationWFactor = 256 // height, 260 // width + 1
    assert operators(compress.compress(graph.serialize())) == [
        custom_ops.DECODE,
        "CONV_2D",
        "CONV_2D",
    ]


def test_grouped_convolutions_are_not_fused():
    graph = Graph()
    x = graph.input((-1, 8, 8, 8))
    kernel = graph.constant(sparse((8, 3, 3, 4), density=0.2), "kernel")
    bias = graph.constant(np.linspace(-1, 1, 8, dtype=np.float32), "bias")
    graph.output(graph.conv_2d(x, kernel, bias, shape=(-1, 8, 8, 8)))
    assert operators(compress.compress(graph.serialize())) == [custom_ops.DECODE, "CONV_2D"]


def test_a_kernel_with_another_reader_is_not_fused():
    compressed = compress.compress(mixed_readers().serialize())
    assert operators(compressed) == [custom_ops.DECODE, "FULLY_CONNECTED", "ADD"]


def test_a_buffer_of_two_tensors_is_coded_once():
    model = model_file.parse(compress.compress(shared_weights().serialize()))
    blobs = [index for *_, index in custom_ops.blob_tensors(model)]
    assert len(set(blobs)) == 2
    assert len({model.subgraphs[0].tensors[index].buffer for index in blobs}) == 1


def test_tensors_of_one_buffer_but_two_shapes_are_left_alone():
    graph = Graph()
    x = graph.input((-1, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    other = graph.tensor((32, 128), "other", buffer=graph.subgraph.tensors[weights].buffer)
    graph.output(graph.fully_connected(x, weights, None))
    z = graph.input((-1, 128), "z")
    graph.output(graph.fully_connected(z, other, None))
    assert operators(compress.compress(graph.serialize())) == ["FULLY_CONNECTED"] * 2


def test_a_buffer_with_a_tensor_that_nobody_reads_is_left_alone():
    graph = mlp(sizes=(64, 64))
    graph.tensor((64, 64), "unread", buffer=graph.subgraph.tensors[1].buffer)
    assert operators(compress.compress(graph.serialize())) == ["FULLY_CONNECTED"]


def test_what_does_not_pay_stays_as_it_is():
    graph = Graph()
    x = graph.input((-1, 64))
    # Every byte is random; of other noise the exponents are not.
    noise = np.frombuffer(np.random.default_rng(0).bytes(64 * 64 * 4), np.float32)
    graph.output(graph.fully_connected(x, graph.constant(noise.reshape(64, 64), "w"), None))
    assert operators(compress.compress(graph.serialize())) == ["FULLY_CONNECTED"]


def test_noise_is_coded_by_byte_planes():
    graph = Graph()
    x = graph.input((-1, 64))
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    graph.output(graph.fully_connected(x, graph.constant(noise, "w"), None))
    compressed = compress.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.DECODE, "FULLY_CONNECTED"]
    assert len(compressed) < 0.9 * len(graph.serialize())
    (row,) = report.inspect(compressed)
    assert row.coding == "huffman, no codebook, planes"


def test_a_constant_that_is_an_output_is_left_alone():
    graph = mlp()
    graph.subgraph.outputs.append(1)
    names = operators(compress.compress(graph.serialize()))
    assert next(name for name in names if name != custom_ops.DECODE) == "FULLY_CONNECTED"


@pytest.mark.parametrize(
    "options",
    [
        {"weightsFormat": 1},
        {"fusedActivationFunction": 5},
        {"quantizedBiasType": 2},
    ],
    ids=str,
)
def test_options_that_the_fused_op_lacks_keep_the_builtin_op(options):
    graph = mlp(sizes=(64, 64))
    vars(graph.subgraph.operators[0].builtinOptions).update(options)
    compressed = compress.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.DECODE, "FULLY_CONNECTED"]


@pytest.mark.parametrize("version", [1, 12])
@pytest.mark.parametrize("activation", [0, 1, 2, 3, 4])
def test_fused_options_are_kept(activation, version):
    graph = Graph()
    x = graph.input((-1, 4, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    y = graph.fully_connected(x, weights, None, activation=activation, keep_num_dims=True)
    graph.subgraph.operators[0].builtinOptions.asymmetricQuantizeInputs = activation % 2 == 1
    graph.model.operatorCodes[0].version = version
    graph.output(y)
    compressed = compress.compress(graph.serialize())
    assert operators(compressed) == [custom_ops.FULLY_CONNECTED]
    expanded = model_file.parse(compress.expand(compressed))
    assert diff.differences(graph.model, expanded) == []


def test_a_bias_that_float16_holds_is_coded_beside_the_weights():
    graph = mlp(sizes=(64, 400))
    bias = np.linspace(-1, 1, 400).astype(np.float16).astype(np.float32)
    graph.model.buffers[2].data = bias.view(np.uint8)
    model = model_file.parse(compress.compress(graph.serialize()))
    assert len(list(custom_ops.blob_tensors(model))) == 2
    assert len(model.buffers[2].data) <= 2 * 400 + 20


def test_names_that_users_rely_on_stay():
    graph = mlp()
    graph.model.metadata = [schema.MetadataT(b"TFLITE_METADATA", graph.buffer(np.arange(9)))]
    model = model_file.parse(compress.compress(graph.serialize()))
    tensors = model.subgraphs[0].tensors
    assert tensors[0].name == b"x"
    assert tensors[-1].name == b"y2"
    assert tensors[1].name is None
    assert model.signatureDefs[0].inputs[0].name == b"images"
    assert model.metadata[0].name == b"TFLITE_METADATA"
    assert model.buffers[model.metadata[0].buffer].data.tobytes() == np.arange(9).tobytes()


def test_lenet_300_100_is_little_more_than_its_blobs():
    compressed = compress.compress(mlp(density=0.03).serialize())
    model = model_file.parse(compressed)
    blobs = {model.subgraphs[0].tensors[i].buffer for *_, i in custom_ops.blob_tensors(model)}
    biases = 4 * (300 + 100 + 10)
    rest = len(compressed) - biases - sum(len(model.buffers[index].data) for index in blobs)
    assert rest <= 1200


def test_compress_takes_a_path(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(mlp().serialize())
    assert compress.compress(path) == compress.compress(mlp().serialize())
    assert compress.compress(str(path)) == compress.compress(path)


def test_compress_refuses_what_is_no_model():
    with pytest.raises(TypeError, match="Received: ndarray"):
        compress.compress(np.zeros(4, np.uint8))
    with pytest.raises(errors.ModelFormatError):
        compress.compress(b"nothing of the kind")


def test_a_buffer_that_contradicts_its_tensor_is_refused():
    graph = mlp()
    graph.model.buffers[1].data = graph.model.buffers[1].data[:-4]
    with pytest.raises(errors.ModelFormatError, match=r"tensor 'w0' .*\(300, 784\)"):
        compress.compress(graph.serialize())


def test_expand_names_the_tensor_of_a_bad_blob():
    model = model_file.parse(compress.compress(mlp().serialize(), strip_names=False))
    blob = model.buffers[1].data.copy()
    blob[30] ^= 1
    model.buffers[1].data = blob
    with pytest.raises(
        errors.CompressionError, match="KerasDcFullyConnected, tensor 'w0': .*checksum"
    ):
        compress.expand(model_file.serialize(model))


def test_expand_refuses_a_blob_of_another_shape():
    model = model_file.parse(compress.compress(quantized().serialize()))
    (*_, index), *_ = custom_ops.blob_tensors(model)
    other = np.frombuffer(codec.encode(sparse((4, 9, 4), dtype=np.int8)), np.uint8)
    model.buffers[model.subgraphs[0].tensors[index].buffer].data = other
    with pytest.raises(
        errors.CompressionError, match=r"shaped \(4, 9, 9, 4\).*Received: \(4, 9, 4\)"
    ):
        compress.expand(model_file.serialize(model))


def test_expanding_an_ordinary_model_changes_nothing():
    content = mlp().serialize()
    expanded = model_file.parse(compress.expand(content))
    assert diff.differences(mlp().model, expanded, names=True) == []


def test_a_kernel_with_folded_batch_norm_keeps_its_codebook():
    graph = conv_net()
    kernel = sparse((32, 3, 3, 4), density=0.5)
    scales = np.random.default_rng(1).uniform(0.5, 2, size=(32, 1, 1, 1)).astype(np.float32)
    for number, values in enumerate([kernel, kernel * scales]):
        graph = Graph()
        x = graph.input((-1, 8, 8, 4))
        constant = graph.constant(values, "kernel")
        bias = graph.constant(np.ones(32, np.float32), "bias")
        graph.output(graph.conv_2d(x, constant, bias, shape=(-1, 8, 8, 32)))
        original = graph.serialize()
        compressed = compress.compress(original)
        expanded = model_file.parse(compress.expand(compressed))
        assert diff.differences(model_file.parse(original), expanded) == []
        model = model_file.parse(compressed)
        (*_, index), *_ = custom_ops.blob_tensors(model)
        blob = model.buffers[model.subgraphs[0].tensors[index].buffer].data.tobytes()
        assert codec.inspect(blob).num_centroids <= 15
        assert (codec.inspect(blob).scale_axis is not None) == (number == 1)


def test_the_arithmetic_coder_is_a_choice():
    original = mlp().serialize()
    huffman = compress.compress(original)
    arithmetic = compress.compress(original, coder="arithmetic")
    assert len(arithmetic) <= len(huffman)
    for content in (huffman, arithmetic):
        expanded = model_file.parse(compress.expand(content))
        assert diff.differences(model_file.parse(original), expanded) == []
    with pytest.raises(ValueError, match="Received: coder='zip'"):
        compress.compress(original, coder="zip")


def test_what_the_converter_notes_of_itself_is_dropped_with_the_names():
    graph = mlp()
    graph.model.description = b"MLIR Converted."
    graph.model.metadata = [
        schema.MetadataT(b"min_runtime_version", graph.buffer(np.zeros(4, np.int32)))
    ]
    dropped = model_file.parse(compress.compress(graph.serialize()))
    assert dropped.description is None
    assert not dropped.metadata
    kept = model_file.parse(compress.compress(graph.serialize(), strip_names=False))
    assert kept.description == b"MLIR Converted."
    assert len(kept.metadata) == 1


def test_associated_files_are_kept():
    original = io.BytesIO(mlp().serialize())
    labels = b"zero\none\n" * 50
    with zipfile.ZipFile(original, "a") as archive:
        archive.writestr("labels.txt", labels, zipfile.ZIP_DEFLATED)
        archive.writestr("LICENSE", b"free", zipfile.ZIP_STORED)
    compressed = compress.compress(original.getvalue())
    assert len(compressed) < len(original.getvalue()) / 4
    assert operators(compressed) == [custom_ops.FULLY_CONNECTED] * 3
    for content in (compressed, compress.expand(compressed)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.namelist() == ["labels.txt", "LICENSE"]
            assert archive.read("labels.txt") == labels
            assert archive.getinfo("labels.txt").compress_type == zipfile.ZIP_DEFLATED
    assert compress.compress(compressed) == compressed


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path, expanded_path = tmp_path / "model.tflite", tmp_path / "expanded.tflite"
    path.write_bytes(mlp().serialize())
    compressed = compress.compress(path, filepath=path)
    assert path.read_bytes() == compressed
    assert compress.expand(path, filepath=expanded_path) == expanded_path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(atomic_files.os, "replace", fail)
    for function in (compress.compress, compress.expand):
        with pytest.raises(OSError, match="disk full"):
            function(expanded_path, filepath=path)
    assert path.read_bytes() == compressed
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(FileNotFoundError, match="folder of `filepath` must exist"):
        compress.compress(path, filepath=tmp_path / "nowhere" / "model.tflite")

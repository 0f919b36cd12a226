import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.inspection import outputs
from support.tiny_models import conv_net, mlp, quantized, sparse, two_subgraphs

import keras_dc as dc
from keras_dc import errors
from keras_dc.tflite import compact_writer, diff, model_file
from keras_dc.tflite.graph import operator_name


def test_serialize_is_the_inverse_of_parse():
    content = mlp().serialize()
    model = model_file.parse(content)
    assert diff.differences(mlp().model, model, names=True) == []
    assert model_file.serialize(model) == content


def test_constants_are_aligned_to_16_bytes_where_asked():
    graph = mlp(sizes=(33, 7, 5))
    weights = graph.model.buffers[1].data.tobytes()
    for unaligned, aligned in [((), True), ((1, 2, 3, 4), False)]:
        graph.model.buffers[2].data = graph.model.buffers[2].data[:25]
        content = model_file.serialize(graph.model, unaligned_buffers=unaligned)
        places = [content.find(buffer.data.tobytes()) for buffer in graph.model.buffers[1:]]
        assert content.find(weights) % 16 == 0 or not aligned
        assert all(place % 16 == 0 for place in places) == aligned


def test_equal_parts_are_written_once():
    alone = len(mlp(sizes=(8, 8)).serialize())
    many = mlp(sizes=(8,) * 9)
    for subgraph in many.model.subgraphs:
        for tensor in subgraph.tensors:
            tensor.name = None
    constants = sum(len(buffer.data) for buffer in many.model.buffers[1:])
    # An operator, three tensors and two buffers, without names and shapes.
    assert len(model_file.serialize(many.model)) - constants < alone + 7 * 190


def test_sharing_keeps_apart_what_only_looks_equal():
    """Vectors of offsets have equal bytes in places where they mean different things."""
    graph = mlp(sizes=(8, 8, 8))
    graph.model.signatureDefs.append(
        schema.SignatureDefT(
            [schema.TensorMapT(b"other", 0)], [schema.TensorMapT(b"logits", 6)], b"other"
        )
    )
    model = model_file.parse(graph.serialize())
    assert [entry.inputs[0].name for entry in model.signatureDefs] == [b"images", b"other"]
    assert [entry.signatureKey for entry in model.signatureDefs] == [b"serving_default", b"other"]


def test_it_is_smaller_than_the_object_api_makes_it():
    import flatbuffers

    model = model_file.parse(mlp().serialize())
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    # The object API does not align constants, so neither does the other side.
    compact = model_file.serialize(model, unaligned_buffers=range(len(model.buffers)))
    assert len(compact) < len(builder.Output())


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"\x00" * 100, b"PK\x03\x04" + b"\x00" * 50], ids=len
)
def test_parse_refuses_what_is_no_model(content):
    with pytest.raises(errors.ModelFormatError, match="'TFL3' at byte 4"):
        model_file.parse(content)


def test_parse_refuses_a_model_that_is_cut_short():
    content = mlp().serialize()
    for size in range(8, len(content) - 16, len(content) // 40):
        with pytest.raises(errors.ModelFormatError, match="Received: "):
            model_file.parse(content[:size])


def test_parse_refuses_another_schema_version():
    graph = mlp()
    graph.model.version = 2
    with pytest.raises(errors.ModelFormatError, match="must be 3. Received: 2"):
        model_file.parse(graph.serialize())


def with_buffers_behind(graph):
    """The model as a file whose constants lie behind the flatbuffer."""
    return compact_writer.write_with_buffers_behind(graph.model)


@pytest.mark.parametrize("make", [mlp, conv_net, quantized, two_subgraphs])
def test_buffers_behind_the_flatbuffer_are_read(make):
    plain, behind = make().serialize(), with_buffers_behind(make())
    packed = schema.ModelT.InitFromPackedBuf(behind, 0)
    used = [buffer for buffer in packed.buffers if buffer.size]
    assert used
    assert all(buffer.data is None and buffer.offset % 16 == 0 for buffer in used)
    assert diff.differences(model_file.parse(plain), model_file.parse(behind), names=True) == []
    assert dc.compress(behind) == dc.compress(plain)


def test_runtimes_run_a_file_with_buffers_behind():
    np.testing.assert_array_equal(outputs(with_buffers_behind(mlp())), outputs(mlp().serialize()))


def test_a_large_model_keeps_its_buffers_behind(monkeypatch):
    monkeypatch.setattr(model_file, "MAX_FLATBUFFER_BYTES", 10_000)
    content = model_file.serialize(mlp().model)
    assert content == with_buffers_behind(mlp())
    compressed = dc.compress(content)
    assert diff.differences(mlp().model, model_file.parse(dc.expand(compressed))) == []
    np.testing.assert_allclose(outputs(compressed), outputs(content), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("offset", "size"), [(2**40, 64), (4096, 2**63), (4096, 10**7)])
def test_parse_refuses_buffers_outside_the_file(offset, size):
    graph = mlp()
    graph.model.buffers[1] = schema.BufferT(offset=offset, size=size)
    builder = flatbuffers.Builder()
    builder.Finish(graph.model.Pack(builder), b"TFL3")
    with pytest.raises(errors.ModelFormatError, match="lie within the file. Received: bytes"):
        model_file.parse(bytes(builder.Output()))


def test_custom_options_behind_the_flatbuffer_are_read():
    graph = mlp()
    operator = graph.subgraph.operators[0]
    operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize = 4, 4
    builder = flatbuffers.Builder()
    builder.Finish(graph.model.Pack(builder), b"TFL3")
    parsed = model_file.parse(bytes(builder.Output())).subgraphs[0].operators[0]
    assert bytes(parsed.customOptions) == b"TFL3"
    assert (parsed.largeCustomOptionsOffset, parsed.largeCustomOptionsSize) == (0, 0)


@pytest.mark.parametrize("place", ["buffer", "opcode", "input", "output", "graph_input"])
def test_parse_refuses_a_model_that_points_outside_itself(place):
    graph = mlp()
    operator = graph.subgraph.operators[0]
    if place == "buffer":
        graph.subgraph.tensors[1].buffer = 99
    elif place == "opcode":
        operator.opcodeIndex = 99
    elif place == "graph_input":
        graph.subgraph.inputs = [99]
    else:
        setattr(operator, f"{place}s", [99])
    with pytest.raises(errors.ModelFormatError, match="Received: index 99"):
        model_file.parse(graph.serialize())


def test_operator_names():
    codes = mlp().model.operatorCodes
    assert operator_name(codes[0]) == "FULLY_CONNECTED"
    custom = schema.OperatorCodeT(32, b"Mine", 1, 32)
    assert operator_name(custom) == "Mine"
    old = schema.OperatorCodeT(deprecatedBuiltinCode=3)
    assert operator_name(old) == "CONV_2D"


def test_differences_names_the_place():
    first, second = mlp(), mlp()
    second.model.subgraphs[0].operators[1].builtinOptions.keepNumDims = True
    weights = sparse((300, 784), seed=0)
    weights[0, 0] = 7
    second.model.buffers[1].data = weights.view(np.uint8).reshape(-1)
    found = diff.differences(first.model, second.model)
    assert [difference.split(":")[0] for difference in found] == [
        "model.subgraphs[0].tensors[1].buffer",
        "model.subgraphs[0].operators[1].builtinOptions.keepNumDims",
    ]


@pytest.mark.parametrize("make", [mlp, conv_net, quantized, two_subgraphs])
def test_a_large_model_is_written_without_building_its_constants(make, monkeypatch):
    plain = compact_writer.write(make().model)
    monkeypatch.setattr(compact_writer, "_MOST_BUILT_BYTES", 1)
    model = make().model
    large = compact_writer.write(model)
    assert all(buffer.data is None for buffer in model.buffers)
    assert diff.differences(model_file.parse(plain), model_file.parse(large), names=True) == []
    assert len(large) < len(plain) + 64
    for got, want in zip(outputs(large), outputs(plain), strict=True):
        np.testing.assert_array_equal(got, want)
    compressed = dc.compress(large)
    expanded = model_file.parse(dc.expand(compressed))
    assert diff.differences(model_file.parse(plain), expanded) == []
    for got, want in zip(outputs(compressed), outputs(plain), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "quantization",
    [
        schema.QuantizationParametersT(scale=np.float32([0.0]), zeroPoint=np.int64([0])),
        schema.QuantizationParametersT(scale=np.float32([0.0])),
        schema.QuantizationParametersT(min=np.float32([0.0]), max=np.float32([0.0])),
        schema.QuantizationParametersT(quantizedDimension=1),
    ],
    ids=["scale and zero point", "scale", "range", "dimension"],
)
def test_a_quantization_of_zeros_survives(quantization):
    graph = mlp()
    graph.subgraph.tensors[0].quantization = quantization
    original = graph.serialize()
    parsed = model_file.parse(original)
    assert parsed.subgraphs[0].tensors[0].quantization is not None
    expanded = model_file.parse(dc.expand(dc.compress(original)))
    assert diff.differences(graph.model, expanded) == []


def arrays_of(value):
    """All arrays in a model."""
    if isinstance(value, np.ndarray):
        return [value]
    parts = value if isinstance(value, list) else getattr(value, "__dict__", {}).values()
    return [array for part in parts for array in arrays_of(part)]


@pytest.mark.parametrize("make", [conv_net, mlp, quantized, two_subgraphs])
def test_a_detached_model_lets_go_of_its_file(make, monkeypatch):
    content = make().serialize()
    file, model = np.frombuffer(content, np.uint8), model_file.parse(content)
    detached = model_file.detached(model)
    assert diff.differences(model, detached, names=True) == []
    assert any(np.shares_memory(array, file) for array in arrays_of(model))
    assert not any(np.shares_memory(array, file) for array in arrays_of(detached))
    monkeypatch.setattr(model_file, "_MOST_COPIED_BYTES", 0)
    for old, new in zip(model.buffers, model_file.detached(model).buffers, strict=True):
        assert new.data is old.data

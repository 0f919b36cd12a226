import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import Graph, lookup, mlp, sparse

import keras_dc as dc
from keras_dc.conversion import verification
from keras_dc.conversion.verification import verify
from keras_dc.errors import VerificationError
from keras_dc.tflite import model_file

RELU = schema.ActivationFunctionType.RELU


def check(want, got, *, steps=None, tolerance=1e-4):
    verification._check_output("y", np.asarray(want), np.asarray(got), steps, tolerance)


def relu_net():
    graph = Graph()
    x = graph.input((-1, 64))
    for layer in range(2):
        weights = graph.constant(sparse((64, 64), seed=layer), f"w{layer}")
        x = graph.fully_connected(x, weights, None, name=f"y{layer}", activation=RELU)
    graph.output(x)
    return graph.serialize()


@pytest.mark.parametrize("make", [relu_net, lambda: mlp().serialize()], ids=["plain", "signed"])
def test_what_compress_makes_is_right(make):
    verify(make(), dc.compress(make()))


def test_a_lost_bit_is_found_out(lossy_coder):
    original = relu_net()
    with pytest.raises(VerificationError, match=r"must equal the original.*tensors\[1\].buffer"):
        verify(original, dc.compress(original))


def test_a_lost_activation_is_found_out(forgetful_op):
    original = relu_net()
    compressed = dc.compress(original)
    verification.check_expanded(original, dc.expand(compressed))
    with pytest.raises(VerificationError, match="'y1' must agree .*Received: a difference of"):
        verify(original, compressed)


def test_the_users_inputs_are_those_that_count(forgetful_op):
    original = relu_net()
    compressed = dc.compress(original)
    zeros = np.zeros((3, 64))
    verify(original, compressed, inputs=zeros)
    with pytest.raises(VerificationError, match="must agree"):
        verify(original, compressed, inputs=iter([zeros, np.ones((1, 64))]))


def test_a_lost_bit_shows_in_the_expanded_models_outputs(lossy_coder, monkeypatch):
    """Were the files never compared."""
    original = relu_net()
    compressed = dc.compress(original)
    monkeypatch.setattr(verification, "check_expanded", lambda *_: None)
    with pytest.raises(VerificationError, match="expanded output 'y1' must equal.*bit for bit"):
        verify(original, compressed, inputs=np.eye(64))


def test_another_graph_is_found_out():
    compressed = dc.compress(mlp(sizes=(784, 300, 10)).serialize())
    with pytest.raises(VerificationError, match="must equal the original"):
        verify(mlp().serialize(), compressed)


def test_a_signature_on_a_subgraph_of_its_own_is_verified(forgetful_op):
    graph = mlp(sizes=(64, 8))
    graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], b"other"))
    x = graph.input((-1, 64))
    weights = graph.constant(sparse((64, 64)), "w")
    graph.output(graph.fully_connected(x, weights, None, activation=RELU))
    graph.model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction = RELU
    graph.model.signatureDefs.append(
        schema.SignatureDefT(
            [schema.TensorMapT(b"x", 0)], [schema.TensorMapT(b"y", 2)], b"other", 1
        )
    )
    # With small outputs of the first one, the fault shows in the second alone.
    bias = graph.model.buffers[graph.model.subgraphs[0].tensors[2].buffer]
    bias.data = np.full(8, 1e6, np.float32).view(np.uint8)
    original = graph.serialize()
    with pytest.raises(VerificationError, match="output 'y' must agree"):
        verify(original, dc.compress(original))


def test_rows_of_a_small_table_are_looked_up():
    original = lookup(rows=1).serialize()
    verify(original, dc.compress(original))


def test_an_open_axis_gets_a_size_that_the_model_takes():
    """Sums an open axis with a constant of 64: only that size runs."""
    graph = Graph()
    x = graph.input((-1, -1))
    addend = graph.constant(sparse((2, 64), density=0.5), "addend")
    y = graph.tensor((-1, 64), "y")
    graph.operator(schema.BuiltinOperator.ADD, [x, addend], [y], schema.BuiltinOptions.AddOptions,
                   schema.AddOptionsT())  # fmt: skip
    graph.output(y)
    original = graph.serialize()
    verify(original, dc.compress(original))


def unknown_op():
    graph = Graph()
    x = graph.input((-1, 64))
    y = graph.tensor((-1, 64), "y")
    graph.operator(schema.BuiltinOperator.CUSTOM, [x], [y])
    graph.model.operatorCodes[0].customCode = b"Nowhere"
    graph.output(graph.fully_connected(y, graph.constant(sparse((64, 64)), "w"), None, name="z"))
    return graph.serialize()


@pytest.mark.parametrize("inputs", [None, np.ones((1, 64))], ids=["random", "given"])
def test_a_model_that_no_runtime_runs_cannot_be_verified(inputs):
    original = unknown_op()
    compressed = dc.compress(original)
    verification.check_expanded(original, dc.expand(compressed))
    with pytest.raises(VerificationError, match="`verify=False`.*Received: .*Nowhere"):
        verify(original, compressed, inputs=inputs)


def test_a_model_that_does_not_run_any_more_is_found_out(monkeypatch):
    original = relu_net()
    compressed = dc.compress(original)
    # An op that the library does not have.
    model = model_file.parse(compressed)
    model.operatorCodes[0].customCode = b"KerasDcNowhere"
    monkeypatch.setattr(verification, "check_expanded", lambda *_: None)
    with pytest.raises(VerificationError, match="must run where the original.*KerasDcNowhere"):
        verify(original, model_file.serialize(model))


@pytest.mark.parametrize(
    "values",
    [
        [1.0, np.nan, 2.0],
        [np.inf, -np.inf, 3.0],
        [np.nan, np.inf],
        [],
        [0.0, -0.0],
    ],
    ids=str,
)
def test_what_is_no_number_agrees_with_itself(values):
    check(np.float32(values), np.float32(values))


@pytest.mark.parametrize(
    ("want", "got"),
    [
        ([1.0, np.nan], [1.0, 1.0]),
        ([1.0, 1.0], [1.0, np.nan]),
        ([1.0, np.inf], [1.0, 1.0]),
        ([1.0, 1.0], [1.0, np.inf]),
        ([1.0, np.inf], [1.0, -np.inf]),
        ([1.0, np.inf], [1.0, np.nan]),
        ([np.inf, 1.0], [np.inf, 1.001]),
        ([np.nan, 1.0], [np.nan, 1.001]),
    ],
    ids=str,
)
def test_what_is_no_number_agrees_with_nothing_else(want, got):
    with pytest.raises(VerificationError, match="'y' must agree"):
        check(np.float32(want), np.float32(got))


def test_the_tolerance_is_relative_to_the_largest_finite_output():
    check(np.float32([1000, 0, np.inf]), np.float32([1000, 0.09, np.inf]))
    with pytest.raises(VerificationError, match="a difference of 0.0001[12]"):
        check(np.float32([1000, 0, np.inf]), np.float32([1000, 0.115, np.inf]))
    # A softmax over many classes has small outputs, and they count.
    with pytest.raises(VerificationError):
        check(np.float32([2e-3, 1e-3]), np.float32([2e-3, 1.001e-3]))
    check(np.float32([1e-9]), np.float32([2e-9]))


def test_quantized_outputs_may_differ_by_steps_and_other_integers_not_at_all():
    check(np.int8([0, 100]), np.int8([5, 97]), steps=255, tolerance=0.02)
    with pytest.raises(VerificationError, match="must agree"):
        check(np.int8([0, 100]), np.int8([6, 100]), steps=255, tolerance=0.02)
    check(np.int64([3, 4]), np.int64([3, 4]))
    with pytest.raises(VerificationError, match="must equal.*1 of 2 values that differ"):
        check(np.int64([3, 4]), np.int64([3, 5]), tolerance=0.02)
    check(np.array([b"a", b"b"], object), np.array([b"a", b"b"], object))
    for want, got in [([b"a"], [b"b"]), ([True], [False]), ([1j], [2j])]:
        with pytest.raises(VerificationError, match="must equal"):
            check(np.array(want), np.array(got))
    with pytest.raises(VerificationError, match="must be float32 shaped .2,."):
        check(np.float32([3, 4]), np.float32([3]))
    with pytest.raises(VerificationError, match="must be int64 shaped"):
        check(np.int64([3, 4]), np.int32([3, 4]))


def test_bit_for_bit_means_what_it_says():
    values = np.float32([np.nan, -0.0, np.inf])
    for same in ([np.nan, -0.0, np.inf], [np.nan, 0.0, np.inf]):
        verification._check_equal("y", values, np.float32(same))
    for other in ([np.nan, 1e-45, np.inf], [-np.nan, -0.0, np.inf]):
        with pytest.raises(VerificationError, match="1 of 3 values that differ"):
            verification._check_equal("y", values, np.float32(other))


def test_texts_are_made_up():
    graph = Graph()
    graph.subgraph.inputs.append(graph.tensor((-1, 4), "text", dtype=np.uint8))
    graph.subgraph.tensors[0].type = schema.TensorType.STRING
    x = graph.input((-1, 64))
    graph.output(graph.fully_connected(x, graph.constant(sparse((64, 64)), "w"), None))
    original = graph.serialize()
    verify(original, dc.compress(original))

"""Which constants count as weights, through the ops that pass them on."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.tiny_models import Graph

import keras_dc as dc
from keras_dc.compression.lossless import Source

OPTIONS = schema.BuiltinOptions


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def float_weights_of(graph):
    """FloatWeight of each constant that is one, by its shape."""
    source = Source.of(graph.serialize())
    return {
        constant.shape: source.float_weights[constant.buffer]
        for constant in source.constants
        if constant.buffer in source.float_weights
    }


def branch(graph, name, body):
    """A subgraph of the inputs x and w; `body` says what it computes of them."""
    graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], name.encode()))
    x, weights = graph.input((1, 32), "x"), graph.input((16, 32), "w")
    graph.output(body(graph, x, weights))


def multiply(graph, x, weights):
    y = graph.tensor((1, 16), "y")
    options = OPTIONS.FullyConnectedOptions, schema.FullyConnectedOptionsT()
    graph.operator(schema.BuiltinOperator.FULLY_CONNECTED, [x, weights, -1], [y], *options)
    return y


def look_up(graph, _x, weights):
    y = graph.tensor((1, 32), "y")
    axis = graph.constant(np.zeros(1, np.int32), "row")
    options = OPTIONS.GatherOptions, schema.GatherOptionsT()
    graph.operator(schema.BuiltinOperator.GATHER, [weights, axis], [y], *options)
    return y


def if_model(then, otherwise):
    """IF(condition, x, w): the weights are a constant of the graph outside."""
    graph = Graph()
    condition = graph.input((1,), "condition", np.bool_)
    x = graph.input((1, 32))
    weights = graph.constant(noise(16, 32), "weights")
    y = graph.tensor((1, 16), "y")
    graph.operator(schema.BuiltinOperator.IF, [condition, x, weights], [y],
                   OPTIONS.IfOptions, schema.IfOptionsT(1, 2))  # fmt: skip
    graph.output(y)
    branch(graph, "then", then)
    branch(graph, "else", otherwise)
    return graph


@pytest.mark.parametrize(
    ("otherwise", "axis", "is_summed"),
    [
        (multiply, 0, True),
        (look_up, 0, False),
        (lambda graph, x, weights: weights, 0, False),
        (lambda graph, x, weights: x, 0, True),
    ],
    ids=["multiplied", "looked up", "returned", "not read"],
)
def test_weights_reach_the_branches_of_an_if(otherwise, axis, is_summed):
    weight = float_weights_of(if_model(multiply, otherwise))[16, 32]
    assert (weight.axis, weight.is_summed) == (axis, is_summed)


def test_what_no_branch_multiplies_is_no_weight():
    assert not float_weights_of(
        if_model(lambda graph, x, weights: weights, lambda graph, x, weights: x)
    )


def test_weights_reach_the_body_of_a_while():
    graph = Graph()
    x = graph.input((1, 32))
    weights = graph.constant(noise(16, 32), "weights")
    outputs = [graph.tensor((1, 32), "y"), graph.tensor((16, 32), "w")]
    graph.operator(schema.BuiltinOperator.WHILE, [x, weights], outputs,
                   OPTIONS.WhileOptions, schema.WhileOptionsT(1, 2))  # fmt: skip
    graph.output(outputs[0])
    branch(graph, "condition", lambda graph, x, weights: x)
    branch(graph, "body", multiply)
    # A loop gives its variables back.
    graph.output(graph.subgraph.inputs[1])
    weight = float_weights_of(graph)[16, 32]
    assert (weight.axis, weight.is_summed) == (0, False)


def test_subgraphs_that_do_not_exist_are_passed_over():
    graph = if_model(multiply, multiply)
    graph.model.subgraphs[0].operators[0].builtinOptions = schema.IfOptionsT(7, -2)
    assert not float_weights_of(graph)


def test_weights_behind_an_if_are_clustered_and_computed_with():
    graph = if_model(multiply, multiply)
    compressed, report = dc.compress(graph.serialize(), num_clusters=4, return_report=True)
    (row,) = report.coded
    assert (row.op, row.blob.num_centroids) == ("KerasDcDecode", 4)
    results = []
    for content in (compressed, dc.expand(compressed)):
        interpreter = dc.Interpreter(model_content=content)
        interpreter.allocate_tensors()
        condition, x = interpreter.get_input_details()
        interpreter.set_tensor(condition["index"], np.array([True]))
        interpreter.set_tensor(x["index"], noise(1, 32))
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    np.testing.assert_array_equal(*results)

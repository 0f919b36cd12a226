"""Gradients against differences of what the interpreter computes."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from support.dense_nets import mobile_net, pictures, weights
from support.tiny_models import Graph

from keras_dc.compression import lossless
from keras_dc.post_training.reconstruction import backward_ops, importance
from keras_dc.post_training.reconstruction import layers as layers_of
from keras_dc.post_training.reconstruction.parts import Part
from keras_dc.tflite.graph import OpRef

STEP = 1e-2


def constant(values):
    return np.array(values, np.int32)


CONV = weights((6, 3, 3, 4), 36, 0)
DEPTHWISE = weights((1, 3, 3, 8), 9, 0)
POOL = {"padding": 0, "strideW": 2, "strideH": 2, "filterWidth": 3, "filterHeight": 3}
# Name, shape of the input, other inputs, shape of the output, options.
OPS = {
    "ADD": ((2, 5, 4), [weights((1, 4), 1, 1)], (2, 5, 4), schema.AddOptionsT()),
    "ADD, RELU": ((2, 5, 4), [weights((1, 4), 1, 1)], (2, 5, 4), schema.AddOptionsT(1)),
    "SUB": ((2, 5, 4), [weights((1, 4), 1, 1)], (2, 5, 4), schema.SubOptionsT()),
    "MUL": ((2, 5, 4), [weights((5, 1), 1, 1)], (2, 5, 4), schema.MulOptionsT()),
    "FULLY_CONNECTED": ((3, 8), [weights((5, 8), 8, 0)], (3, 5), schema.FullyConnectedOptionsT(0)),
    "CONV_2D": ((2, 7, 6, 4), [CONV, np.zeros(6, np.float32)], (2, 4, 6, 6),
                schema.Conv2DOptionsT(0, 1, 2, 3)),
    "CONV_2D, VALID": ((2, 7, 6, 4), [CONV, np.zeros(6, np.float32)], (2, 3, 2, 6),
                       schema.Conv2DOptionsT(1, 1, 1, 0, 2, 2)),
    "CONV_2D, groups": ((2, 7, 6, 8), [CONV, np.zeros(6, np.float32)], (2, 4, 6, 6),
                        schema.Conv2DOptionsT(0, 1, 2)),
    "BATCH_MATMUL": ((2, 3, 4), [weights((4, 5), 4, 0)], (2, 3, 5), schema.BatchMatMulOptionsT()),
    "BATCH_MATMUL, turned": ((2, 4, 3), [weights((2, 5, 4), 4, 0)], (2, 3, 5),
                             schema.BatchMatMulOptionsT(True, True)),
    "DIV": ((2, 5, 4), [1 + np.abs(weights((4,), 1, 1))], (2, 5, 4), schema.DivOptionsT()),
    "SQUARED_DIFFERENCE": ((2, 5, 4), [weights((1, 5, 4), 1, 1)], (2, 5, 4),
                           schema.SquaredDifferenceOptionsT()),
    "MAXIMUM": ((2, 9), [weights((2, 9), 1, 1)], (2, 9), schema.MaximumMinimumOptionsT()),
    "MINIMUM": ((2, 9), [weights((2, 9), 1, 1)], (2, 9), schema.MaximumMinimumOptionsT()),
    "DEPTHWISE_CONV_2D": ((2, 7, 6, 4), [DEPTHWISE, np.zeros(8, np.float32)], (2, 4, 3, 8),
                          schema.DepthwiseConv2DOptionsT(0, 2, 2, 2, 1)),
    "AVERAGE_POOL_2D": ((2, 7, 6, 4), [], (2, 4, 3, 4), schema.Pool2DOptionsT(**POOL)),
    "MAX_POOL_2D": ((2, 7, 6, 4), [], (2, 4, 3, 4), schema.Pool2DOptionsT(**POOL)),
    "MEAN": ((2, 5, 4, 3), [constant([1, 2])], (2, 3), schema.ReducerOptionsT(False)),
    "SUM": ((2, 5, 4), [constant([-1])], (2, 5, 1), schema.ReducerOptionsT(True)),
    "RESHAPE": ((2, 6), [constant([3, 4])], (3, 4), schema.ReshapeOptionsT()),
    "TRANSPOSE": ((2, 3, 4), [constant([2, 0, 1])], (4, 2, 3), schema.TransposeOptionsT()),
    "PAD": ((2, 3), [constant([[1, 0], [0, 2]])], (3, 5), schema.PadOptionsT()),
    "CONCATENATION": ((2, 3), [weights((2, 4), 1, 0)], (2, 7), schema.ConcatenationOptionsT(1)),
    "PACK": ((2, 3), [weights((2, 3), 1, 0)], (2, 2, 3), schema.PackOptionsT(2, 1)),
    "GATHER": ((5, 3, 4), [constant([[2, 0], [2, 1]])], (5, 2, 2, 4), schema.GatherOptionsT(1)),
    "SLICE": ((4, 5), [constant([1, 2]), constant([2, -1])], (2, 3), schema.SliceOptionsT()),
    "STRIDED_SLICE": ((4, 7, 3), [constant([2, 1, 0]), constant([3, 6, 9]), constant([1, 2, 1])],
                      (3, 3), schema.StridedSliceOptionsT(4, 4, 0, 0, 1)),
    "DYNAMIC_UPDATE_SLICE": ((4, 5), [weights((2, 1), 1, 0), constant([3, 1])], (4, 5),
                             schema.DynamicUpdateSliceOptionsT()),
    "REVERSE_V2": ((4, 5), [constant([1])], (4, 5), schema.ReverseV2OptionsT()),
    "EXP": ((2, 9), [], (2, 9), schema.ExpOptionsT()),
    "ELU": ((2, 9), [], (2, 9), None),
    "GELU": ((2, 9), [], (2, 9), schema.GeluOptionsT(False)),
    "NEG": ((2, 9), [], (2, 9), schema.NegOptionsT()),
    "SQUARE": ((2, 9), [], (2, 9), schema.SquareOptionsT()),
    "RELU": ((2, 9), [], (2, 9), None),
    "RELU6": ((2, 9), [], (2, 9), None),
    "LOGISTIC": ((2, 9), [], (2, 9), None),
    "TANH": ((2, 9), [], (2, 9), None),
    "HARD_SWISH": ((2, 9), [], (2, 9), schema.HardSwishOptionsT()),
    "LEAKY_RELU": ((2, 9), [], (2, 9), schema.LeakyReluOptionsT(0.2)),
    "SOFTMAX": ((2, 9), [], (2, 9), schema.SoftmaxOptionsT(1.0)),
    "RESIZE_BILINEAR": ((1, 3, 4, 2), [constant([7, 9])], (1, 7, 9, 2),
                        schema.ResizeBilinearOptionsT(False, True)),
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_the_gradient_is_that_of_the_interpreter(name):
    shape, others, output_shape, options = OPS[name]
    model = Graph()
    x = model.input(shape)
    inputs = [x, *(model.constant(values, f"c{i}") for i, values in enumerate(others))]
    model.output(model.builtin(name.split(",")[0], inputs, output_shape, options=options))
    graph = lossless.Source.of(model.serialize()).graph
    output = int(graph.model.subgraphs[0].outputs[0])
    part = Part(graph, [x], [output])
    rng = np.random.default_rng(0)
    values = rng.normal(0, 2, shape).astype(np.float32)
    weight = rng.normal(size=output_shape).astype(np.float32)
    computed = part({x: values})[output]
    op = backward_ops.Op(graph.operator(OpRef(0, 0)).builtinOptions, [values, *others], computed)
    got = backward_ops.gradients(graph.builtin(OpRef(0, 0)), op, weight)[0]
    assert got.shape == shape
    # Differences on both sides; kinks are passed over by the median.
    misses = []
    for place in list(np.ndindex(*shape))[:: max(1, values.size // 40)]:
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[place] += sign * STEP
            ends.append(float(np.sum(part({x: moved})[output] * weight, dtype=np.float64)))
        slope = (ends[0] - ends[1]) / (2 * STEP)
        misses.append(abs(got[place] - slope) / (0.05 + abs(slope)))
    assert np.quantile(misses, 0.9) < 0.02
    assert np.any(got != 0)


@pytest.mark.parametrize(("padding", "size"), [(0, (10, 12)), (1, (11, 13))])
def test_the_gradient_of_a_transposed_convolution(padding, size):
    model = Graph()
    shape = model.constant(constant([2, *size, 6]), "shape")
    kernel = weights((6, 3, 4, 5), 60, 0)
    x = model.input((2, 5, 4, 5))
    options = schema.TransposeConvOptionsT(padding, 3, 2)
    inputs = [shape, model.constant(kernel, "kernel"), x]
    model.output(model.builtin("TRANSPOSE_CONV", inputs, (2, *size, 6), options=options))
    graph = lossless.Source.of(model.serialize()).graph
    output = int(graph.model.subgraphs[0].outputs[0])
    part, rng = Part(graph, [x], [output]), np.random.default_rng(0)
    values, moved = (rng.normal(size=(2, 5, 4, 5)).astype(np.float32) for _ in range(2))
    weight = rng.normal(size=(2, *size, 6)).astype(np.float32)
    operator = graph.operator(OpRef(0, 0))
    op = backward_ops.Op(operator.builtinOptions, [None, kernel, values], part({x: values})[output])
    got = backward_ops.gradients(graph.builtin(OpRef(0, 0)), op, weight)[2]
    # What is linear changes by the gradient times the change.
    change = part({x: values + moved})[output] - part({x: values})[output]
    assert float(np.sum(got * moved)) == pytest.approx(float(np.sum(change * weight)), rel=1e-3)


def test_an_unknown_op_or_activation_has_no_gradient():
    ones = np.ones((2, 2), np.float32)
    op = backward_ops.Op(None, [], ones)
    assert backward_ops.gradients(schema.BuiltinOperator.TILE, op, ones) is None
    odd = schema.AddOptionsT(schema.ActivationFunctionType.SIGN_BIT)
    op = backward_ops.Op(odd, [ones, ones], ones)
    assert backward_ops.gradients(schema.BuiltinOperator.ADD, op, ones) is None


def several_outputs(name, inputs, output_shapes, options):
    """An op with several outputs: its Op in a run, a function that runs it, and its number."""
    model = Graph()
    places, given = [], []
    for values in inputs:
        is_given = values.dtype == np.float32
        place = model.input(values.shape) if is_given else model.constant(values, "c")
        places.append(place)
        given += [place] if is_given else []
    outputs = [model.tensor(shape, f"y{n}") for n, shape in enumerate(output_shapes)]
    code = getattr(schema.BuiltinOperator, name)
    kind = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    model.operator(code, places, outputs, kind, options)
    model.subgraph.outputs += outputs
    graph = lossless.Source.of(model.serialize()).graph
    part = Part(graph, given, outputs)

    def run(values):
        found = part({given[0]: values})
        return [found[tensor] for tensor in outputs]

    return graph.operator(OpRef(0, 0)).builtinOptions, run, code


@pytest.mark.parametrize(
    ("name", "inputs", "shapes", "options", "place"),
    [
        ("SPLIT", [np.array(1, np.int32), weights((2, 6), 1, 0)], [(2, 2)] * 3,
         schema.SplitOptionsT(3), 1),
        ("SPLIT_V", [weights((2, 6), 1, 0), constant([1, 5]), np.array(1, np.int32)],
         [(2, 1), (2, 5)], schema.SplitVOptionsT(2), 0),
        ("UNPACK", [weights((2, 3, 4), 1, 0)], [(2, 4)] * 3, schema.UnpackOptionsT(3, 1), 0),
    ],
)  # fmt: skip
def test_gradients_of_ops_with_several_outputs(name, inputs, shapes, options, place):
    options, run, code = several_outputs(name, inputs, shapes, options)
    rng, values = np.random.default_rng(0), inputs[place]
    first, *more = run(values)
    backs = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    backs[-1] = None  # of an output that nobody reads
    op = backward_ops.Op(options, inputs, first, tuple(more))
    got = backward_ops.gradients(code, op, *backs)
    assert [each is None for each in got] == [n != place for n in range(len(inputs))]
    moved = rng.normal(size=values.shape).astype(np.float32)
    change = [b - a for a, b in zip(run(values), run(values + moved))]
    want = sum(float(np.sum(c * b)) for c, b in zip(change, backs) if b is not None)
    assert float(np.sum(got[place] * moved)) == pytest.approx(want, rel=1e-4)


def test_gradients_of_a_choice_go_where_it_was_taken():
    condition = np.array([True, False, True])
    first, second = np.ones((2, 3), np.float32), np.ones((1, 3), np.float32)
    op = backward_ops.Op(None, [condition, first, second], first)
    got = backward_ops.gradients(schema.BuiltinOperator.SELECT_V2, op, 2 * first)
    assert got[0] is None
    np.testing.assert_array_equal(got[1], [[2, 0, 2], [2, 0, 2]])
    np.testing.assert_array_equal(got[2], [[0, 4, 0]])


def test_gradients_of_what_was_repeated_are_added():
    gradient = np.arange(6, dtype=np.float32).reshape(2, 3)
    shape, one = np.array([2, 3], np.int32), np.ones((1, 3), np.float32)
    op = backward_ops.Op(None, [one, shape], gradient)
    [got, _] = backward_ops.gradients(schema.BuiltinOperator.BROADCAST_TO, op, gradient)
    np.testing.assert_array_equal(got, [[3, 5, 7]])
    op = backward_ops.Op(None, [shape, np.float32(1)], gradient)
    assert backward_ops.gradients(schema.BuiltinOperator.FILL, op, gradient)[1] == 15


@pytest.mark.parametrize(("name", "slope"), [("SQRT", 0.25), ("RSQRT", -1 / 16)])
def test_gradients_of_roots(name, slope):
    four = np.full(1, 4, np.float32)
    output = np.sqrt(four) if name == "SQRT" else 1 / np.sqrt(four)
    op = backward_ops.Op(None, [four], output)
    [got] = backward_ops.gradients(getattr(schema.BuiltinOperator, name), op, np.ones(1))
    assert got[0] == pytest.approx(slope)


def measured(graph_of_model, seed=0):
    source = lossless.Source.of(graph_of_model.serialize())
    layers, _ = layers_of.find_layers(source)
    runs = [{0: each[None]} for each in pictures(64)]
    return source.graph, layers, runs, importance.measure(source.graph, layers, runs, seed)


def test_importance_says_how_outputs_move():
    """Noise on the weights of a layer, of its own for each place: what outputs move by."""
    graph, layers, runs, found = measured(mobile_net(end=None))
    outputs = [int(t) for t in graph.model.subgraphs[0].outputs]
    rng = np.random.default_rng(0)
    for layer, each in zip(layers, found):
        assert each.is_measured
        rest = Part(graph, [layer.output], outputs)
        head = Part(graph, [0], [layer.output, *outputs])
        expected = moved = energy = 0.0
        for run in runs:
            values = head(run)
            noise = rng.normal(0, 1e-2, values[layer.output].shape).astype(np.float32)
            # A rectified output has no gradient where it is 0.
            noise *= (values[layer.output] > 0) & (values[layer.output] < 6) | (layer is layers[-1])
            want = values[outputs[0]]
            got = rest({layer.output: values[layer.output] + noise})[outputs[0]]
            moved += float(np.sum(np.square(got - want, dtype=np.float64)))
            energy += float(np.sum(np.square(want, dtype=np.float64)))
            share = max(np.mean(noise != 0), 1e-9)
            expected += noise.size / noise.shape[-1] * 1e-4 * float(np.sum(each.weights))
            assert share > 0
        assert 0.5 < expected / len(runs) / (moved / energy) < 2.0


def test_an_op_without_gradient_leaves_layers_before_it_to_their_outputs():
    net = mobile_net(end=None)
    last = net.subgraph.outputs.pop()
    y = net.tensor((1, 60), "tiled")
    times = net.constant(np.array([1, 2], np.int32), "times")
    net.operator(schema.BuiltinOperator.TILE, [last, times], [y],
                 schema.BuiltinOptions.TileOptions, schema.TileOptionsT())  # fmt: skip
    net.output(y)
    _, layers, _, found = measured(net)
    assert [each.is_measured for each in found] == [False] * len(layers)
    assert all(np.ptp(each.weights) == 0 and each.weights[0] > 0 for each in found)

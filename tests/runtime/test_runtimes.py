"""The ops in every installed runtime, on models built by hand."""

import importlib.util
import itertools
import pathlib

import numpy as np
import pytest
from support import runtime_models, runtime_process
from support.tiny_models import mlp

import keras_dc as dc
from keras_dc import codec
from keras_dc.codec import library

schema = runtime_models.schema
builtin = schema.BuiltinOperator

ACTIVATIONS = {
    "NONE": lambda x: x,
    "RELU": lambda x: np.maximum(x, 0),
    "RELU_N1_TO_1": lambda x: np.clip(x, -1, 1),
    "RELU6": lambda x: np.clip(x, 0, 6),
    "TANH": np.tanh,
}
KEEP_NUM_DIMS = 1


@pytest.fixture(scope="module", params=list(runtime_process.MODULES))
def process(request):
    package = runtime_process.MODULES[request.param].split(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    process = runtime_process.RuntimeProcess(request.param, library.op_library_path())
    yield process
    process.close()


def sparse_weights(shape, density=0.2, seed=0):
    """Float32 array with few distinct values, most of them 0."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=shape) * 4).astype(np.float32) / 8
    return np.where(rng.random(shape) < density, values, np.float32(0))


def random_input(shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def fully_connected_options(activation=0, keep_num_dims=False):
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = activation
    options.keepNumDims = keep_num_dims
    return options


def coded_dense_model(weights, bias=None, options=b"", input_shape=None, name="dense"):
    """One KerasDcFullyConnected; `weights` is an array, or the bytes of a blob."""
    model = runtime_models.Model()
    graph = model.graph()
    units, input_size = (1, 1) if isinstance(weights, bytes) else weights.shape
    x = graph.tensor(input_shape or [1, input_size])
    y = graph.tensor([1, units], name=name)
    blob = weights if isinstance(weights, bytes) else codec.encode(weights)
    inputs = [x, graph.constant(blob)]
    if bias is not None:
        inputs.append(graph.constant(bias))
    graph.op("KerasDcFullyConnected", inputs, [y], options)
    graph.ends([x], [y])
    return model.pack()


def plain_dense_model(weights, bias, activation):
    model = runtime_models.Model()
    graph = model.graph()
    x, y = graph.tensor([1, weights.shape[1]]), graph.tensor([1, weights.shape[0]])
    inputs = [x, graph.constant(weights), -1 if bias is None else graph.constant(bias)]
    graph.op(builtin.FULLY_CONNECTED, inputs, [y], fully_connected_options(activation))
    graph.ends([x], [y])
    return model.pack()


def convolution_model(kernel, bias, *, coded, code=builtin.CONV_2D, scales=None):
    """One convolution, 3x3 or so; `scales` are those of input, kernel and output if int8."""
    dtype = kernel.dtype
    x_scale, kernel_scale, y_scale = scales or (None, None, None)
    is_depthwise = code == builtin.DEPTHWISE_CONV_2D
    kernel_options = {"scale": kernel_scale, "scale_axis": 3 if is_depthwise else 0}
    model = runtime_models.Model()
    graph = model.graph()
    x = graph.tensor([1, 8, 8, kernel.shape[3]], dtype, scale=x_scale)
    if coded:
        weights = graph.tensor(kernel.shape, dtype, name="kernel", **kernel_options)
        graph.op("KerasDcDecode", [graph.constant(codec.encode(kernel))], [weights])
    else:
        weights = graph.constant(kernel, **kernel_options)
    bias_scale = None if scales is None else np.asarray(kernel_scale) * x_scale
    units = kernel.shape[3] if is_depthwise else kernel.shape[0]
    y = graph.tensor([1, 8, 8, units], dtype, scale=y_scale)
    options = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = 1
    if is_depthwise:
        options.depthMultiplier = 1
    graph.op(code, [x, weights, graph.constant(bias, scale=bias_scale)], [y], options)
    graph.ends([x], [y])
    return model.pack()


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_fully_connected_agrees_with_numpy(process, activation, with_bias):
    weights = sparse_weights((7, 30))
    bias = random_input(7, seed=2) if with_bias else None
    options = bytes([getattr(schema.ActivationFunctionType, activation), 0, 1])
    x = random_input((3, 30)) * 3
    [[y]] = process(runtime_process.run, coded_dense_model(weights, bias, options), [x])
    expected = ACTIVATIONS[activation](x @ weights.T + (0 if bias is None else bias))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_a_bias_may_be_a_blob(process):
    weights = sparse_weights((7, 30))
    bias = random_input(7, seed=2).astype(np.float16).astype(np.float32)
    feeds = [[random_input((batch, 30), seed=batch)] for batch in (1, 5)]
    coded = coded_dense_model(weights, codec.encode(bias))
    plain = coded_dense_model(weights, bias)
    results = process(runtime_process.run, coded, *feeds)
    expected = process(runtime_process.run, plain, *feeds)
    for [y], [y_expected] in zip(results, expected, strict=True):
        np.testing.assert_array_equal(y, y_expected)


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "TANH"])
def test_fully_connected_agrees_with_the_built_in_op(process, activation):
    weights, bias = sparse_weights((7, 30)), random_input(7, seed=2)
    number = getattr(schema.ActivationFunctionType, activation)
    x = random_input((3, 30)) * 3
    [[y]] = process(runtime_process.run, coded_dense_model(weights, bias, bytes([number])), [x])
    plain = plain_dense_model(weights, bias, number)
    [[expected]] = process(runtime_process.run_plain, plain, [x])
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_non_finite_inputs_agree_with_the_built_in_op(process):
    weights = sparse_weights((7, 30))
    weights[:3, 0] = 1, -1, 2
    x = random_input((3, 30))
    x[0, 0], x[1, 1] = np.inf, np.nan
    [[y]] = process(runtime_process.run, coded_dense_model(weights), [x])
    plain = plain_dense_model(weights, None, schema.ActivationFunctionType.NONE)
    [[expected]] = process(runtime_process.run_plain, plain, [x])
    assert list(np.isfinite(expected).any(axis=1)) == [False, False, True]
    assert np.isinf(expected[0, :3]).all()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_fully_connected_follows_the_batch_size(process):
    weights = sparse_weights((5, 12))
    feeds = [random_input((batch, 12), seed=batch) for batch in (1, 4, 33, 4, 1)]
    results = process(runtime_process.run, coded_dense_model(weights), *[[x] for x in feeds])
    for x, [y] in zip(feeds, results, strict=True):
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-5, atol=1e-5)


def test_fully_connected_flattens_the_batch(process):
    weights = sparse_weights((5, 12))
    x = random_input((2, 3, 4))
    [[y]] = process(runtime_process.run, coded_dense_model(weights), [x])
    np.testing.assert_allclose(y, x.reshape(2, 12) @ weights.T, rtol=1e-5, atol=1e-5)


def test_fully_connected_keeps_num_dims(process):
    weights = sparse_weights((5, 12))
    model = coded_dense_model(weights, options=bytes([0, KEEP_NUM_DIMS]))
    feeds = [random_input((2, 3, 12)), random_input((4, 1, 2, 12))]
    results = process(runtime_process.run, model, *[[x] for x in feeds])
    for x, [y] in zip(feeds, results, strict=True):
        assert y.shape == (*x.shape[:-1], 5)
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-5, atol=1e-5)


def test_three_fully_connected_in_a_row(process):
    sizes = [20, 16, 9, 4]
    model = runtime_models.Model()
    graph = model.graph()
    tensors = [graph.tensor([1, size]) for size in sizes]
    layers = [sparse_weights((n, m), seed=n) for m, n in itertools.pairwise(sizes)]
    for i, weights in enumerate(layers):
        blob = graph.constant(codec.encode(weights))
        graph.op("KerasDcFullyConnected", [tensors[i], blob, -1], tensors[i + 1 : i + 2], b"\1")
    graph.ends(tensors[:1], tensors[-1:])

    feeds = [random_input((batch, 20)) for batch in (1, 9, 2)]
    results = process(runtime_process.run, model.pack(), *[[x] for x in feeds])
    for x, [y] in zip(feeds, results, strict=True):
        for weights in layers:
            x = np.maximum(x @ weights.T, 0)
        np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("code", [builtin.CONV_2D, builtin.DEPTHWISE_CONV_2D])
def test_decoded_convolution_gives_the_bits_of_the_plain_one(process, code):
    shape = (16, 3, 3, 4) if code == builtin.CONV_2D else (1, 3, 3, 4)
    kernel = sparse_weights(shape, density=0.5)
    bias = random_input(shape[0] if code == builtin.CONV_2D else 4)
    feeds = [[random_input((batch, 8, 8, 4), seed=batch)] for batch in (1, 3, 2, 1)]
    coded = convolution_model(kernel, bias, coded=True, code=code)
    plain = convolution_model(kernel, bias, coded=False, code=code)
    for [y], [expected] in zip(
        process(runtime_process.run, coded, *feeds),
        process(runtime_process.run_plain, plain, *feeds),
        strict=True,
    ):
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"num_threads": 2},
        {"experimental_preserve_all_tensors": True},
        {"resolver": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"},
        {"resolver": "BUILTIN_REF"},
    ],
    ids=lambda options: str(*options.values()),
)
def test_decoded_convolution_under_other_interpreter_options(process, options):
    kernel, bias = sparse_weights((16, 3, 3, 4), density=0.5), random_input(16)
    feeds = [[random_input((batch, 8, 8, 4), seed=batch)] for batch in (2, 1)]
    coded = convolution_model(kernel, bias, coded=True)
    plain = convolution_model(kernel, bias, coded=False)
    results = process(runtime_process.run, coded, *feeds, **options)
    expected = process(runtime_process.run_plain, plain, *feeds, **options)
    for [y], [y_expected] in zip(results, expected, strict=True):
        np.testing.assert_array_equal(y, y_expected)


def fused_convolution_model(kernel, bias, *, coded, input_shape, options):
    """One KerasDcConv2D, or the CONV_2D of the same `options` (a Conv2DOptionsT)."""
    model = runtime_models.Model()
    graph = model.graph()
    x, y = graph.tensor(input_shape), graph.tensor([1, 1, 1, kernel.shape[0]], name="conv")
    if coded:
        o = options
        strides = [o.strideH - 1, o.strideW - 1, o.dilationHFactor - 1, o.dilationWFactor - 1]
        custom = bytes([o.fusedActivationFunction, o.padding, 0, *strides])
        inputs = [x, graph.constant(codec.encode(kernel)), graph.constant(codec.encode(bias))]
        graph.op("KerasDcConv2D", inputs, [y], custom.rstrip(b"\0"))
    else:
        graph.op(builtin.CONV_2D, [x, graph.constant(kernel), graph.constant(bias)], [y], options)
    graph.ends([x], [y])
    return model.pack()


def convolution_options(padding="SAME", stride=(1, 1), dilation=(1, 1), activation="NONE"):
    options = schema.Conv2DOptionsT()
    options.padding = getattr(schema.Padding, padding)
    options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
    options.strideH, options.strideW = stride
    options.dilationHFactor, options.dilationWFactor = dilation
    return options


FUSED_CONVOLUTIONS = [
    ((6, 1, 1, 5), {}),
    ((6, 1, 1, 5), {"stride": (2, 3)}),
    ((6, 3, 3, 5), {"activation": "RELU"}),
    ((6, 3, 3, 5), {"padding": "VALID", "activation": "RELU6"}),
    ((6, 3, 2, 5), {"stride": (2, 1), "activation": "RELU_N1_TO_1"}),
    ((6, 5, 5, 5), {"padding": "VALID", "stride": (2, 2)}),
    ((6, 3, 3, 5), {"dilation": (2, 3)}),
    ((33, 7, 7, 3), {"stride": (2, 2)}),
]


@pytest.mark.parametrize(("shape", "options"), FUSED_CONVOLUTIONS, ids=str)
def test_convolution_agrees_with_the_built_in_op(process, shape, options):
    kernel, bias = sparse_weights(shape, density=0.3), random_input(shape[0], seed=2)
    coded, plain = (
        fused_convolution_model(
            kernel,
            bias,
            coded=coded,
            input_shape=[1, 13, 15, shape[3]],
            options=convolution_options(**options),
        )
        for coded in (True, False)
    )
    feeds = [[random_input((n, h, 15, shape[3]), seed=n)] for n, h in ((1, 13), (3, 22), (1, 13))]
    results = process(runtime_process.run, coded, *feeds)
    expected = process(runtime_process.run_plain, plain, *feeds)
    for [y], [y_expected] in zip(results, expected, strict=True):
        np.testing.assert_allclose(y, y_expected, rtol=1e-4, atol=1e-5)


def pooling_model(code, options, *, behind_convolution, channels):
    """One pooling; `behind_convolution` puts a KerasDcConv2D first that changes nothing."""
    model = runtime_models.Model()
    graph = model.graph()
    x, y = graph.tensor([1, 9, 10, channels]), graph.tensor([1, 1, 1, channels])
    features = x
    if behind_convolution:
        features = graph.tensor([1, 9, 10, channels])
        kernel = np.eye(channels, dtype=np.float32).reshape(channels, 1, 1, channels)
        graph.op("KerasDcConv2D", [x, graph.constant(codec.encode(kernel))], [features])
    graph.op(code, [features], [y], options)
    graph.ends([x], [y])
    return model.pack()


POOLINGS = [
    {"window": (2, 2), "stride": (2, 2)},
    {"window": (3, 3), "stride": (2, 2), "padding": "SAME", "activation": "RELU"},
    {"window": (3, 2), "stride": (1, 3), "padding": "SAME", "activation": "RELU6"},
    {"window": (4, 5), "stride": (1, 1), "activation": "RELU_N1_TO_1"},
]


@pytest.mark.parametrize("resolver", ["AUTO", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"])
@pytest.mark.parametrize("settings", POOLINGS, ids=str)
def test_poolings_behind_a_convolution_give_what_the_built_in_op_gives(process, settings, resolver):
    options = schema.Pool2DOptionsT()
    options.padding = getattr(schema.Padding, settings.get("padding", "VALID"))
    activation = settings.get("activation", "NONE")
    options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
    options.filterHeight, options.filterWidth = settings["window"]
    options.strideH, options.strideW = settings["stride"]
    for code, tolerance in ((builtin.MAX_POOL_2D, 0), (builtin.AVERAGE_POOL_2D, 1e-6)):
        ours, plain = (
            pooling_model(code, options, behind_convolution=coded, channels=21)
            for coded in (True, False)
        )
        feeds = [[random_input((n, h, 10, 21), seed=n) * 4] for n, h in ((1, 9), (3, 12), (1, 9))]
        results = process(runtime_process.run, ours, *feeds, resolver=resolver)
        expected = process(runtime_process.run_plain, plain, *feeds, resolver=resolver)
        for [y], [y_expected] in zip(results, expected, strict=True):
            np.testing.assert_allclose(y, y_expected, rtol=tolerance, atol=tolerance)


def test_grouped_convolution_is_refused(process):
    model = fused_convolution_model(
        sparse_weights((6, 3, 3, 2)),
        random_input(6),
        coded=True,
        input_shape=[1, 8, 8, 4],
        options=convolution_options(),
    )
    message = process(runtime_process.allocation_error, model)
    assert "KerasDcConv2D 'conv'" in message
    assert "grouped" in message


def test_decoded_int8_convolution_gives_the_bits_of_the_plain_one(process):
    rng = np.random.default_rng(0)
    kernel = np.where(rng.random((6, 3, 3, 4)) < 0.4, rng.integers(-9, 10, (6, 3, 3, 4)), 0)
    bias = rng.integers(-99, 99, 6).astype(np.int32)
    scales = 0.5, [0.1 + 0.02 * i for i in range(6)], 1.5
    feeds = [[rng.integers(-128, 128, (batch, 8, 8, 4)).astype(np.int8)] for batch in (1, 2)]
    models = [
        convolution_model(kernel.astype(np.int8), bias, coded=coded, scales=scales)
        for coded in (True, False)
    ]
    results = process(runtime_process.run, models[0], *feeds)
    expected = process(runtime_process.run_plain, models[1], *feeds)
    np.testing.assert_array_equal(results[0], expected[0])
    np.testing.assert_array_equal(results[1], expected[1])
    assert len(np.unique(results[0])) > 10


def test_decoded_weights_can_be_read(process):
    kernel = sparse_weights((6, 3, 3, 4))
    model = convolution_model(kernel, random_input(6), coded=True)
    kernel_index = 1
    values = process(runtime_process.read_after_resize, model, kernel_index, (5, 8, 8, 4))
    np.testing.assert_array_equal(values[0], kernel)
    np.testing.assert_array_equal(values[1], kernel)


def loop_model(fused, decoded):
    """WHILE i < 3: x = relu(fused(x)); x = decoded(x); both (8, 8) matrices."""
    model = runtime_models.Model()
    main, condition, body = model.graph(), model.graph(), model.graph()
    i, x = main.tensor([], np.int32), main.tensor([1, 8])
    i_end, x_end = main.tensor([], np.int32), main.tensor([1, 8])
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    main.op(builtin.WHILE, [i, x], [i_end, x_end], options)
    main.ends([i, x], [i_end, x_end])

    i, x = condition.tensor([], np.int32), condition.tensor([1, 8])
    goes_on = condition.tensor([], np.bool_)
    limit = condition.constant(np.array(3, np.int32))
    condition.op(builtin.LESS, [i, limit], [goes_on], schema.LessOptionsT())
    condition.ends([i, x], [goes_on])

    i, x, next_i = body.tensor([], np.int32), body.tensor([1, 8]), body.tensor([], np.int32)
    one = body.constant(np.array(1, np.int32))
    body.op(builtin.ADD, [i, one], [next_i], schema.AddOptionsT())
    between, next_x = body.tensor([1, 8]), body.tensor([1, 8])
    body.op("KerasDcFullyConnected", [x, body.constant(codec.encode(fused))], [between], b"\1")
    weights = body.tensor([8, 8])
    body.op("KerasDcDecode", [body.constant(codec.encode(decoded))], [weights])
    options = fully_connected_options()
    body.op(builtin.FULLY_CONNECTED, [between, weights, -1], [next_x], options)
    body.ends([i, x], [next_i, next_x])
    return model.pack()


def test_ops_in_the_body_of_a_loop(process):
    fused, decoded = (sparse_weights((8, 8), density=0.6, seed=seed) for seed in (3, 4))
    x = random_input((1, 8))
    start = np.array(0, np.int32)
    results = process(runtime_process.run, loop_model(fused, decoded), [start, x], [start, x])
    for _ in range(3):
        x = np.maximum(x @ fused.T, 0) @ decoded.T
    for _, y in results:
        np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-5)


def mixed_models():
    """Two models of equal structure and different weights."""
    return [
        convolution_model(sparse_weights((6, 3, 3, 4), seed=seed), random_input(6), coded=coded)
        for coded in (True, False)
        for seed in (1, 2)
    ]


def test_two_interpreters_share_a_delegate(process):
    coded, plain = mixed_models()[:2], mixed_models()[2:]
    feeds = [[random_input((batch, 8, 8, 4), seed=batch)] for batch in (1, 2, 1)]
    results = process(runtime_process.run_interleaved, coded, feeds)
    for model, outputs in zip(plain, results, strict=True):
        expected = process(runtime_process.run_plain, model, *feeds)
        for [y], [y_expected] in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(y, y_expected)


def test_a_delegate_outlives_interpreters(process):
    coded, plain = mixed_models()[:2], mixed_models()[2:]
    x = random_input((1, 8, 8, 4))
    results = process(runtime_process.run_in_sequence, coded * 3, [x])
    expected = [process(runtime_process.run_plain, model, [x])[0] for model in plain]
    np.testing.assert_array_equal(results, expected * 3)


def test_interpreters_in_two_threads(process):
    weights = sparse_weights((64, 100))
    feeds = [[random_input((batch, 100), seed=batch)] for batch in (1, 8)]
    results = process(runtime_process.run_in_threads, coded_dense_model(weights), feeds, 5)
    for [x], [y] in zip(feeds, results, strict=True):
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-4, atol=1e-5)


def flip_a_bit(blob):
    middle = len(blob) // 2
    return blob[:middle] + bytes([blob[middle] ^ 1]) + blob[middle + 1 :]


def decode_model(blob, shape, dtype=np.float32):
    """KerasDcDecode whose output, a matrix of `shape`, is the weights of FULLY_CONNECTED."""
    model = runtime_models.Model()
    graph = model.graph()
    x, y = graph.tensor([1, 12]), graph.tensor([1, 5])
    weights = graph.tensor(shape, dtype, name="w")
    graph.op("KerasDcDecode", [graph.constant(blob)], [weights])
    graph.op(builtin.FULLY_CONNECTED, [x, weights, -1], [y], fully_connected_options())
    graph.ends([x], [y])
    return model.pack()


KERNEL = sparse_weights((6, 3, 3, 4))
TRAILING_FILLER = (
    pathlib.Path(__file__).parents[1].joinpath("golden_errors") / "13-trailing_filler.blob"
).read_bytes()


def coded_convolution_model(blob, input_shape=(1, 8, 8, 4)):
    model = runtime_models.Model()
    graph = model.graph()
    x, y = graph.tensor(list(input_shape)), graph.tensor([1, 6, 6, 6], name="y")
    graph.op("KerasDcConv2D", [x, graph.constant(blob)], [y], b"\0\1")
    graph.ends([x], [y])
    return model.pack()


def computed_blob_model():
    model = runtime_models.Model()
    graph = model.graph()
    blob, y = graph.tensor([40], np.uint8), graph.tensor([5, 12], name="w")
    graph.op("KerasDcDecode", [blob], [y])
    graph.ends([blob], [y])
    return model.pack()


# What is wrong -> (model from the blob of a (5, 12) float32 matrix, what the error says).
BAD_MODELS = {
    "fully_connected_flipped_bit": (
        lambda blob: coded_dense_model(flip_a_bit(blob)),
        ["KerasDcFullyConnected 'dense'", "checksum"],
    ),
    "fully_connected_empty_blob": (
        lambda blob: coded_dense_model(b"x"),
        ["KerasDcFullyConnected 'dense'", "cannot decode the blob"],
    ),
    "fully_connected_input_size": (
        lambda blob: coded_dense_model(blob, input_shape=[1, 13]),
        ["KerasDcFullyConnected 'dense'", "[1, 13]", "[5, 12]"],
    ),
    "fully_connected_keep_num_dims": (
        lambda blob: coded_dense_model(blob, input_shape=[12, 1], options=bytes([0, 1])),
        ["KerasDcFullyConnected 'dense'", "[12, 1]", "[5, 12]"],
    ),
    "fully_connected_bias": (
        lambda blob: coded_dense_model(blob, random_input(4), input_shape=[1, 12]),
        ["KerasDcFullyConnected 'dense'", "bias", "[4]", "[5, 12]"],
    ),
    "fully_connected_bias_blob": (
        lambda blob: coded_dense_model(blob, blob, input_shape=[1, 12]),
        ["KerasDcFullyConnected 'dense'", "bias", "[5, 12]"],
    ),
    "fully_connected_activation": (
        lambda blob: coded_dense_model(blob, input_shape=[1, 12], options=b"\5"),
        ["KerasDcFullyConnected 'dense'", "unknown fused activation 5"],
    ),
    "fully_connected_options": (
        lambda blob: coded_dense_model(blob, input_shape=[1, 12], options=bytes(9)),
        ["KerasDcFullyConnected 'dense'", "at most 8 bytes", "got 9"],
    ),
    "fully_connected_float16": (
        lambda blob: coded_dense_model(codec.encode(np.ones((5, 12), np.float16))),
        ["KerasDcFullyConnected 'dense'", "FLOAT32", "FLOAT16"],
    ),
    "fully_connected_rank": (
        lambda blob: coded_dense_model(codec.encode(np.ones((5, 3, 4), np.float32))),
        ["KerasDcFullyConnected 'dense'", "[units, input_size]", "[5, 3, 4]"],
    ),
    "fully_connected_without_a_name": (
        lambda blob: coded_dense_model(flip_a_bit(blob), name=""),
        ["KerasDcFullyConnected (output tensor 1)", "checksum"],
    ),
    "convolution_flipped_bit": (
        lambda blob: coded_convolution_model(flip_a_bit(codec.encode(KERNEL))),
        ["KerasDcConv2D 'y'", "checksum"],
    ),
    "convolution_truncated": (
        lambda blob: coded_convolution_model(codec.encode(KERNEL)[:-5]),
        ["KerasDcConv2D 'y'", "cannot decode the blob"],
    ),
    "convolution_shape": (
        lambda blob: coded_convolution_model(codec.encode(KERNEL), input_shape=[1, 8, 8, 3]),
        ["KerasDcConv2D 'y'", "[1, 8, 8, 3]", "[6, 3, 3, 4]"],
    ),
    "decode_streams": (
        lambda blob: decode_model(TRAILING_FILLER, [2, 8]),
        ["KerasDcDecode 'w'", "position gaps"],
    ),
    "decode_flipped_bit": (
        lambda blob: decode_model(flip_a_bit(blob), [5, 12]),
        ["KerasDcDecode 'w'", "checksum"],
    ),
    "decode_truncated": (
        lambda blob: decode_model(blob[:-3], [5, 12]),
        ["KerasDcDecode 'w'", "cannot decode the blob"],
    ),
    "decode_shape": (
        lambda blob: decode_model(blob, [12, 5]),
        ["KerasDcDecode 'w'", "[5, 12]", "[12, 5]"],
    ),
    "decode_dtype": (
        lambda blob: decode_model(blob, [5, 12], np.int8),
        ["KerasDcDecode 'w'", "FLOAT32", "INT8"],
    ),
    "decode_computed_blob": (
        lambda blob: computed_blob_model(),
        ["KerasDcDecode 'w'", "constant"],
    ),
}


@pytest.mark.parametrize("case", list(BAD_MODELS))
def test_bad_model_is_refused_by_name(process, case):
    make_model, words = BAD_MODELS[case]
    blob = codec.encode(sparse_weights((5, 12)))
    message = process(runtime_process.allocation_error, make_model(blob))
    assert message is not None
    assert [word for word in words if word not in message] == [], message


def test_a_truncated_file_is_refused(process):
    content = dc.compress(mlp().serialize())
    for size in range(1, len(content), len(content) // 20):
        assert process(runtime_process.interpreter_error, content[:size]), size


def test_signatures_work(process):
    content = dc.compress(mlp().serialize())
    x = random_input((1, 784))
    logits = process(runtime_process.run_signature, content, "serving_default", {"images": x})
    [[expected]] = process(runtime_process.run_plain, mlp().serialize(), [x])
    assert list(logits) == ["logits"]
    np.testing.assert_allclose(logits["logits"], expected, rtol=1e-4, atol=1e-5)


def test_a_model_of_several_subgraphs_is_compressed_whole(process):
    fused, decoded = (sparse_weights((8, 8), density=0.6, seed=seed) for seed in (3, 4))
    plain = dc.expand(loop_model(fused, decoded))
    inputs = [np.array(0, np.int32), random_input((1, 8))]
    [[_, expected]] = process(runtime_process.run_plain, plain, inputs)
    compressed = dc.compress(plain)
    assert len(dc.inspect(compressed)) == 2
    [[_, y]] = process(runtime_process.run, compressed, inputs)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_low_memory_gives_what_decoding_once_gives(process):
    weights = sparse_weights((64, 100))
    dense = coded_dense_model(weights, random_input(64), options=b"\1")
    convolutions = {}
    # The large kernel takes more than one block.
    for filters, channels, activation in ((6, 5, "TANH"), (512, 64, "RELU")):
        convolutions[channels] = fused_convolution_model(
            sparse_weights((filters, 3, 3, channels), density=0.3),
            random_input(filters),
            coded=True,
            input_shape=[1, 8, 8, channels],
            options=convolution_options(activation=activation),
        )
    models = [(dense, (100,)), *((m, (8, 8, c)) for c, m in convolutions.items())]
    for model, shape in models:
        feeds = [[random_input((batch, *shape), seed=batch)] for batch in (1, 5, 2)]
        feeds[1][0].flat[7] = np.inf
        options = {"low_memory": "true"}
        results = process(runtime_process.run_with_options, options, model, *feeds)
        expected = process(runtime_process.run, model, *feeds)
        for [y], [y_expected] in zip(results, expected, strict=True):
            np.testing.assert_allclose(y, y_expected, rtol=1e-4, atol=1e-5)


def test_the_instruction_set_can_be_chosen(process):
    weights = sparse_weights((64, 100))
    model = coded_dense_model(weights)
    feeds = [[random_input((batch, 100), seed=batch)] for batch in (1, 5)]
    results = process(runtime_process.run_with_isa, "portable", model, *feeds)
    for [x], [y] in zip(feeds, results, strict=True):
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-4, atol=1e-5)
    with pytest.raises(RuntimeError, match="cannot run KERAS_DC_ISA=mmx"):
        process(runtime_process.run_with_isa, "mmx", model, *feeds)


def test_unknown_delegate_option_is_refused(process):
    message = process(runtime_process.option_error, {"fast": "1"})
    assert "unknown option 'fast'" in message

"""Models around one op of ours, and their twins with the built-in op."""

import numpy as np
from support.runtime_models import Model, schema

from keras_dc import codec

builtin = schema.BuiltinOperator


def sparse_weights(shape, density=0.2, seed=0):
    """Float32 array with few distinct values, most of them 0."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=shape) * 4).astype(np.float32) / 8
    return np.where(rng.random(shape) < density, values, np.float32(0))


def random_input(shape, seed=1):
    """Float32 normal values."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def fully_connected_options(activation=0, keep_num_dims=False):
    """Options of the built-in FULLY_CONNECTED; the activation is the schema's number."""
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = activation
    options.keepNumDims = keep_num_dims
    return options


def coded_dense_model(weights, bias=None, options=b"", input_shape=None, name="dense"):
    """One KerasDcFullyConnected; `weights` is an array, or the bytes of a blob."""
    model = Model()
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
    """The built-in FULLY_CONNECTED of the same weights."""
    model = Model()
    graph = model.graph()
    x, y = graph.tensor([1, weights.shape[1]]), graph.tensor([1, weights.shape[0]])
    inputs = [x, graph.constant(weights), -1 if bias is None else graph.constant(bias)]
    graph.op(builtin.FULLY_CONNECTED, inputs, [y], fully_connected_options(activation))
    graph.ends([x], [y])
    return model.pack()


def convolution_options(padding="SAME", stride=(1, 1), dilation=(1, 1), activation="NONE"):
    """Conv2DOptionsT, with padding and activation by their names in the schema."""
    options = schema.Conv2DOptionsT()
    options.padding = getattr(schema.Padding, padding)
    options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
    options.strideH, options.strideW = stride
    options.dilationHFactor, options.dilationWFactor = dilation
    return options


def convolution_model(kernel, bias, *, coded, code=builtin.CONV_2D, scales=None):
    """One convolution, 3x3 or so; `scales` are those of input, kernel and output if int8."""
    dtype = kernel.dtype
    x_scale, kernel_scale, y_scale = scales or (None, None, None)
    is_depthwise = code == builtin.DEPTHWISE_CONV_2D
    kernel_options = {"scale": kernel_scale, "scale_axis": 3 if is_depthwise else 0}
    model = Model()
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


def fused_convolution_model(kernel, bias, *, coded, input_shape, options):
    """One KerasDcConv2D, or the CONV_2D of the same `options` (a Conv2DOptionsT)."""
    model = Model()
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


def loop_model(fused, decoded):
    """WHILE i < 3: x = relu(fused(x)); x = decoded(x); both (8, 8) matrices."""
    model = Model()
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

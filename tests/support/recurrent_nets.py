"""Small TFLite models with loops, with weights that several ops read, or with variables."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from support.dense_nets import weights
from support.tiny_models import Graph

CODE = schema.BuiltinOperator
STEPS, INPUTS, UNITS, CLASSES = 6, 8, 24, 10


def subgraph(graph, name):
    """Begin a further subgraph, in which `graph` goes on."""
    graph.model.subgraphs.append(schema.SubGraphT([], [], [], [], name))


def scalar(graph, value, name, dtype=np.int32):
    return graph.constant(np.array(value, dtype), name)


def add(graph, first, second, shape, dtype=np.float32):
    options = schema.AddOptionsT()
    return graph.builtin("ADD", [first, second], shape, options=options, dtype=dtype)


def recurrent_net(*, steps=STEPS, batch=1, nested=False, is_stateful=False, adds_bias=False):
    """A loop of h = tanh(W x[t] + U h + b) over x of `(steps, batch, INPUTS)`, and a layer of h.

    Args:
        steps: int.
        batch: int.
        nested: whether the body calls a further subgraph.
        adds_bias: whether an ADD adds b.
        is_stateful: whether h begins with what a variable holds, which is 0.1 at first.
    """
    graph = Graph()
    x = graph.input((steps, batch, INPUTS))
    t0 = scalar(graph, 0, "t0")
    h0 = graph.constant(np.zeros((batch, UNITS), np.float32), "h0")
    if is_stateful:
        once = schema.CallOnceOptionsT(3)
        graph.operator(CODE.CALL_ONCE, [], [], schema.BuiltinOptions.CallOnceOptions, once)
        h0 = graph.builtin("READ_VARIABLE", [variable(graph)], (batch, UNITS),
                           options=schema.ReadVariableOptionsT())  # fmt: skip
    ends = [
        graph.tensor((), "t_end", dtype=np.int32),
        graph.tensor((batch, UNITS), "h_end"),
        graph.tensor((steps, batch, INPUTS), "x_end"),
    ]
    options = schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2)
    graph.operator(CODE.WHILE, [t0, h0, x], ends, schema.BuiltinOptions.WhileOptions, options)
    kernel = graph.constant(weights((CLASSES, UNITS), UNITS, 3), "classes")
    graph.output(graph.fully_connected(ends[1], kernel, None, name="logits"))
    graph.subgraph.tensors[-1].shapeSignature = None
    if is_stateful:
        graph.operator(CODE.ASSIGN_VARIABLE, [variable(graph), ends[1]], [])
    for name in (b"condition", b"body"):
        subgraph(graph, name)
        t = graph.input((), "t", dtype=np.int32)
        h, x = graph.input((batch, UNITS), "h"), graph.input((steps, batch, INPUTS), "x")
        if name == b"condition":
            inputs = [t, scalar(graph, steps, "steps")]
            options = schema.LessOptionsT()
            graph.output(graph.builtin("LESS", inputs, (), options=options, dtype=np.bool_))
            continue
        graph.output(add(graph, t, scalar(graph, 1, "one"), (), np.int32))
        kernel = graph.constant(weights((UNITS, INPUTS), INPUTS, 0), "kernel")
        recurrent = graph.constant(weights((UNITS, UNITS), UNITS, 1), "recurrent")
        bias = graph.constant(weights((UNITS,), 4, 2), "bias")
        now = graph.builtin("GATHER", [x, t], (batch, INPUTS), options=schema.GatherOptionsT(0))
        first = graph.fully_connected(now, kernel, None if adds_bias else bias)
        total = add(graph, first, graph.fully_connected(h, recurrent, None), (batch, UNITS))
        if adds_bias:
            total = add(graph, total, bias, (batch, UNITS))
        new = graph.builtin("TANH", [total], (batch, UNITS))
        if nested:
            again = graph.tensor((batch, UNITS), "again")
            inputs = [scalar(graph, True, "yes", np.bool_), new]
            graph.operator(CODE.IF, inputs, [again], schema.BuiltinOptions.IfOptions,
                           schema.IfOptionsT(3, 3))  # fmt: skip
            new = again
        graph.output(new)
        graph.output(x)
    if nested:
        subgraph(graph, b"branch")
        h = graph.input((batch, UNITS), "h")
        graph.output(graph.builtin("ABS", [h], (batch, UNITS), options=schema.AbsOptionsT()))
    if is_stateful:
        subgraph(graph, b"first values")
        value = graph.constant(np.full((batch, UNITS), 0.1, np.float32), "first")
        graph.operator(CODE.ASSIGN_VARIABLE, [variable(graph), value], [])
    return graph


def variable(graph):
    """A handle of the only variable: the index of a tensor."""
    handle = graph.builtin("VAR_HANDLE", [], (), options=schema.VarHandleOptionsT(b"", b"state"))
    graph.subgraph.tensors[handle].type = schema.TensorType.RESOURCE
    return handle


def sequences(count, *, steps=STEPS, seed=0):
    """Correlated numbers: float32 array `(count * steps, 1, INPUTS)`, one sequence after other."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(9).normal(size=(3, INPUTS))
    values = rng.normal(size=(count, steps, 1, 3)) @ mix + 0.1 * rng.normal(
        size=(count, steps, 1, INPUTS)
    )
    return values.astype(np.float32)


def shared_net(*, has_bias=True, dtype=np.float32):
    """A layer of 40 units three times, and one of 10."""
    graph = Graph()
    x = graph.input((1, 40))
    kernel = weights((40, 40), 40, 0).astype(dtype)
    shared = graph.constant(kernel, "shared")
    if dtype == np.float16:
        shared = graph.builtin("DEQUANTIZE", [shared], (40, 40))
    bias = graph.constant(0.3 * weights((40,), 1, 1), "shared_bias") if has_bias else None
    for number in range(3):
        x = graph.fully_connected(x, shared, bias, name=f"y{number}", activation=1)
        graph.subgraph.tensors[x].shapeSignature = None
    last = graph.constant(weights((10, 40), 40, 2), "last")
    graph.output(graph.fully_connected(x, last, None, name="logits"))
    return graph


def tied_net(*, rows=60, columns=16):
    """Rows of a table are looked up, go through a layer, and are multiplied with the table."""
    graph = Graph()
    ids = graph.input((4,), "ids", dtype=np.int32)
    table = graph.constant(weights((rows, columns), 4, 0), "table")
    x = graph.builtin("GATHER", [table, ids], (4, columns), options=schema.GatherOptionsT(0))
    kernel = graph.constant(weights((columns, columns), columns, 1), "inner")
    x = graph.fully_connected(x, kernel, None, name="inner_y", activation=1)
    graph.output(graph.fully_connected(x, table, None, name="scores"))
    return graph


def grouped_net(*, groups=4, channels=32):
    """Two convolutions, the second by groups, MEAN and a layer, on `(8, 8, 3)`."""
    graph = Graph()
    x = graph.input((1, 8, 8, 3))
    stem = graph.constant(weights((channels, 3, 3, 3), 27, 0), "stem")
    bias = graph.constant(weights((channels,), 9, 1), "stem_bias")
    x = graph.conv_2d(x, stem, bias, activation=1, shape=(1, 8, 8, channels))
    shape = (2 * channels, 3, 3, channels // groups)
    kernel = graph.constant(weights(shape, 9 * channels // groups, 2), "grouped")
    bias = graph.constant(weights((2 * channels,), 9, 3), "grouped_bias")
    x = graph.conv_2d(x, kernel, bias, activation=1, shape=(1, 8, 8, 2 * channels))
    axes = graph.constant(np.array([1, 2], np.int32), "axes")
    options = schema.ReducerOptionsT(False)
    x = graph.builtin("MEAN", [x, axes], (1, 2 * channels), options=options)
    last = graph.constant(weights((10, 2 * channels), 2 * channels, 4), "last")
    graph.output(graph.fully_connected(x, last, None, name="logits"))
    return graph


def fused_net(*, is_time_major=False, batch=1, clip=0.0, has_peepholes=False, dtype=np.float32):
    """UNIDIRECTIONAL_SEQUENCE_LSTM over `STEPS` steps, its last step, and a layer of it."""
    graph = Graph()
    order = (STEPS, batch) if is_time_major else (batch, STEPS)
    x = graph.input((*order, INPUTS))

    def constants(shape, names, seed):
        return [
            half(graph.constant(weights(shape, shape[-1], seed + n).astype(dtype), name))
            for n, name in enumerate(names)
        ]

    def half(tensor):
        if dtype == np.float32:
            return tensor
        return graph.builtin("DEQUANTIZE", [tensor], graph.subgraph.tensors[tensor].shape)

    places = [x, *constants((UNITS, INPUTS), ("xi", "xf", "xc", "xo"), 0)]
    places += constants((UNITS, UNITS), ("hi", "hf", "hc", "ho"), 4)
    peepholes = constants((UNITS,), ("pi", "pf", "po"), 8) if has_peepholes else [-1] * 3
    places += [*peepholes, *constants((UNITS,), ("bi", "bf", "bc", "bo"), 11), -1, -1]
    for name in ("h", "c"):
        places.append(graph.tensor((batch, UNITS), name))
        graph.subgraph.tensors[-1].isVariable = True
    options = schema.UnidirectionalSequenceLSTMOptionsT(4, clip, 0.0, is_time_major)
    places += [-1] * 4
    y = graph.builtin("UNIDIRECTIONAL_SEQUENCE_LSTM", places, (*order, UNITS), options=options)
    turns = [graph.constant(np.array(each, np.int32), "at") for each in
             (((STEPS - 1, 0, 0), (1, batch, UNITS)) if is_time_major
              else ((0, STEPS - 1, 0), (batch, 1, UNITS)))]  # fmt: skip
    shape = (1, batch, UNITS) if is_time_major else (batch, 1, UNITS)
    last = graph.builtin("SLICE", [y, *turns], shape, options=schema.SliceOptionsT())
    flat = graph.constant(np.array([batch, UNITS], np.int32), "shape")
    last = graph.builtin("RESHAPE", [last, flat], (batch, UNITS), options=schema.ReshapeOptionsT())
    kernel = graph.constant(weights((CLASSES, UNITS), UNITS, 20), "classes")
    graph.output(graph.fully_connected(last, kernel, None, name="logits"))
    graph.subgraph.tensors[-1].shapeSignature = None
    return graph

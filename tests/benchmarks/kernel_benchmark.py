"""What the kernel benchmarks share: models made by hand, timing in turn, the table.

Ours is a compressed model in `keras_dc.Interpreter`; the rivals are the plain model in
ai-edge-litert, that is XNNPACK with dense float32 weights, and for information the same
weights in int8 (dynamic range). All interpreters of a case live side by side and are
invoked in turn; medians are reported. The outputs are compared in the same run.
"""

import dataclasses
import functools
import json
import statistics
import sys
import time

import numpy as np
import processor
from ai_edge_litert.interpreter import Interpreter
from rich.console import Console
from rich.table import Table

import keras_dc
from keras_dc.tflite.model_file import schema, serialize

# Streamed through the cache before an invoke that is to find it cold.
COLD_BYTES = 64 << 20
# Sums in another order differ in the last bits.
TOLERANCE = 1e-4

builtin = schema.BuiltinOperator
RELU = schema.ActivationFunctionType.RELU


def sparse_weights(shape, density, *, num_clusters, seed=0):
    """Float32 array: a random mask over Gaussian mass in `num_clusters` centroids."""
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(rng.random(np.prod(shape), dtype=np.float32) < density)
    codebook = (np.linspace(-1, 1, num_clusters) + 1e-3).astype(np.float32)
    scale = num_clusters / 6
    places = np.rint(rng.standard_normal(kept.size, dtype=np.float32) * scale + num_clusters / 2)
    weights = np.zeros(np.prod(shape), np.float32)
    weights[kept] = codebook[np.clip(places, 0, num_clusters - 1).astype(np.int64)]
    return weights.reshape(shape)


class Network:
    """A plain `.tflite` under construction, one layer after the other."""

    def __init__(self, input_shape):
        self._model = schema.ModelT(version=3, operatorCodes=[], buffers=[schema.BufferT()])
        self._graph = schema.SubGraphT([], [], [], [], b"main")
        self._model.subgraphs = [self._graph]
        self._shape = list(input_shape)
        self._graph.inputs = [self._tensor(self._shape)]
        self._last = 0

    @property
    def shape(self):
        """Shape of what the last layer gives."""
        return self._shape

    def _tensor(self, shape, values=None, scales=None):
        tensor = schema.TensorT(np.array(shape, np.int32), hasRank=True)
        tensor.name = b"t%d" % len(self._graph.tensors)
        if values is not None:
            self._model.buffers.append(schema.BufferT(values.reshape(-1).view(np.uint8)))
            tensor.buffer = len(self._model.buffers) - 1
        if scales is not None:
            tensor.type = schema.TensorType.INT8
            tensor.quantization = schema.QuantizationParametersT(
                scale=scales, zeroPoint=np.zeros(len(scales), np.int64)
            )
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _operator(self, code, inputs, shape, options_type, options):
        self._model.operatorCodes.append(schema.OperatorCodeT(code, version=1, builtinCode=code))
        self._shape = list(shape)
        self._last = self._tensor(self._shape)
        index = len(self._model.operatorCodes) - 1
        operator = schema.OperatorT(index, inputs, [self._last], options_type, options)
        self._graph.operators.append(operator)

    def _weights(self, weights, int8):
        if not int8:
            return self._tensor(weights.shape, weights)
        scales = np.abs(weights).reshape(len(weights), -1).max(axis=1) / 127
        scales = np.where(scales > 0, scales, 1).astype(np.float32)
        rounded = np.rint(weights / scales.reshape(-1, *[1] * (weights.ndim - 1)))
        return self._tensor(weights.shape, rounded.astype(np.int8), scales)

    def _bias(self, units):
        return self._tensor([units], np.linspace(-1, 1, units, dtype=np.float32))

    def fully_connected(self, weights, *, activation=0, int8=False):
        inputs = [self._last, self._weights(weights, int8), self._bias(len(weights))]
        self._operator(
            builtin.FULLY_CONNECTED,
            inputs,
            [self._shape[0], len(weights)],
            schema.BuiltinOptions.FullyConnectedOptions,
            schema.FullyConnectedOptionsT(activation),
        )

    def conv_2d(self, kernel, *, stride=1, same=True, activation=0, int8=False):
        reach = np.array(kernel.shape[1:3])
        size = np.array(self._shape[1:3])
        size = -(-size // stride) if same else (size - reach) // stride + 1
        inputs = [self._last, self._weights(kernel, int8), self._bias(len(kernel))]
        padding = schema.Padding.SAME if same else schema.Padding.VALID
        self._operator(
            builtin.CONV_2D,
            inputs,
            [self._shape[0], *size, len(kernel)],
            schema.BuiltinOptions.Conv2DOptions,
            schema.Conv2DOptionsT(padding, stride, stride, activation),
        )

    def max_pool(self, *, size, stride):
        height, width = ((n - size) // stride + 1 for n in self._shape[1:3])
        self._operator(
            builtin.MAX_POOL_2D,
            [self._last],
            [self._shape[0], height, width, self._shape[3]],
            schema.BuiltinOptions.Pool2DOptions,
            schema.Pool2DOptionsT(schema.Padding.VALID, stride, stride, size, size),
        )

    def flatten(self):
        shape = [self._shape[0], int(np.prod(self._shape[1:]))]
        inputs = [self._last, self._tensor([2], np.array(shape, np.int32))]
        self._graph.tensors[inputs[1]].type = schema.TensorType.INT32
        self._operator(
            builtin.RESHAPE,
            inputs,
            shape,
            schema.BuiltinOptions.ReshapeOptions,
            schema.ReshapeOptionsT(shape),
        )

    def pack(self):
        self._graph.outputs = [self._last]
        return serialize(self._model)


@dataclasses.dataclass
class Case:
    """One model under several forms.

    Attributes:
        key: name in the JSON.
        label: name in the table.
        plain: bytes of the float32 `.tflite`.
        int8: bytes of the int8 one, or None.
        cold: whether the cold figure is measured too.
        invokes: how many invokes one timing spans.
    """

    key: str
    label: str
    plain: bytes
    int8: bytes | None = None
    cold: bool = False
    invokes: int = 1

    @functools.cached_property
    def compressed(self):
        """The bytes of `plain` as compressed."""
        return keras_dc.compress(self.plain)


def open_interpreter(make, model, num_threads, x):
    interpreter = make(model_content=model, num_threads=num_threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter


def input_of(model):
    """A random input for a model."""
    shape = Interpreter(model_content=model).get_input_details()[0]["shape"]
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


def output_of(interpreter):
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def check_outputs(ours, dense):
    """Raises RuntimeError unless two interpreters hold the same output."""
    y, expected = output_of(ours), output_of(dense)
    error = np.abs(y - expected).max() / np.abs(expected).max()
    if not error < TOLERANCE:
        raise RuntimeError(f"outputs differ. Received: relative error={error}")


def seconds_in_turn(interpreters, repeats, *, cold=False, invokes=1):
    """Median seconds of an invoke of each of `interpreters`, a dict by name.

    Args:
        interpreters: dict of interpreters, each of which was invoked before.
        repeats: int, timings of each.
        cold: whether the cache is emptied before each timing.
        invokes: int, how many invokes one timing spans.

    Returns:
        dict of floats.
    """
    seconds = {name: [] for name in interpreters}
    stream = np.zeros(COLD_BYTES, np.uint8) if cold else None
    for _ in range(repeats):
        for name, interpreter in interpreters.items():
            if cold:
                stream += 1
            begin = time.perf_counter()
            for _ in range(invokes):
                interpreter.invoke()
            seconds[name].append((time.perf_counter() - begin) / invokes)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure(case, repeats, num_threads):
    """Seconds by name and by warm/cold: {"warm": {"ours": .., "dense": ..}, ..}."""
    x = input_of(case.plain)
    interpreters = {
        "ours": open_interpreter(keras_dc.Interpreter, case.compressed, num_threads, x),
        "dense": open_interpreter(Interpreter, case.plain, num_threads, x),
    }
    check_outputs(interpreters["ours"], interpreters["dense"])
    if case.int8 is not None:
        interpreters["int8"] = open_interpreter(Interpreter, case.int8, num_threads, x)
    results = {"warm": seconds_in_turn(interpreters, repeats, invokes=case.invokes)}
    if case.cold:
        results["cold"] = seconds_in_turn(interpreters, repeats, cold=True)
    return results


def add_row(table, label, temperature, num_threads, seconds):
    milliseconds = [
        f"{seconds[name] * 1e3:.3f}" if name in seconds else ""
        for name in ("ours", "dense", "int8")
    ]
    ratios = [
        f"{seconds[name] / seconds['ours']:.2f}x" if name in seconds else ""
        for name in ("dense", "int8")
    ]
    table.add_row(label, str(num_threads), temperature, *milliseconds, *ratios)


def new_table(title):
    table = Table(title=title, caption=processor.line())
    columns = ["case", "threads", "cache", "ours ms", "dense ms", "int8 ms"]
    for column in [*columns, "faster than dense", "than int8"]:
        table.add_column(column, justify="left" if column == "case" else "right")
    return table


def measure_all(title, cases, *, repeats, threads=(1, 2)):
    """Measures each of `cases`, an iterable of Case, and prints the table.

    Returns:
        dict of times faster than dense on one thread, by key.
    """
    table = new_table(title)
    figures = {}
    console = Console(width=None if sys.stdout.isatty() else 120)
    for case in cases:
        for num_threads in threads:
            with console.status(f"{case.label}, {num_threads} threads"):
                results = measure(case, repeats, num_threads)
            for temperature, seconds in results.items():
                add_row(table, case.label, temperature, num_threads, seconds)
                if num_threads == 1:
                    key = f"{case.key}_{temperature}" if case.cold else case.key
                    figures[key] = round(seconds["dense"] / seconds["ours"], 2)
    console.print(table)
    return figures


def run(title, cases, *, repeats, threads=(1, 2), save_as=None):
    """As `measure_all`, and prints the figures as JSON in the last line.

    With `save_as`, a name, they go into the file of this processor, too.
    """
    figures = measure_all(title, cases, repeats=repeats, threads=threads)
    if save_as:
        processor.save(save_as, figures)
    print(json.dumps(figures))

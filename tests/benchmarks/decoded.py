"""Layers without a fused kernel: what KerasDcDecode costs beside the original model.

    python tests/benchmarks/decoded.py [--repeats N] [--only KEY ...]

Depthwise and grouped convolutions of which a quarter of the weights is kept, and int8 layers
(dynamic range: float32 activations; integer: int8 activations) that keep too many weights to
be fused. The rival is the model that was compressed, in ai-edge-litert, interleaved on one
thread, and its outputs are the same bits. Loading and memory are those of a process of its
own. Figures: times faster than the original (1 is as fast); `KEY_memory`: memory beside the
file, ours over the original's.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import kernel_benchmark
import numpy as np
import prepare
import processor
from ai_edge_litert.interpreter import Interpreter
from kernel_benchmark import Network, builtin, schema
from rich.console import Console
from rich.table import Table

import keras_dc

DENSITY = 0.25
INT8_DENSITY = 0.7
# Key, label, shape of the weights, shape of the input, how the weights are used.
LAYERS = [
    ("depthwise", "depthwise 3x3", (1, 3, 3, 512), (1, 56, 56, 512), "depthwise"),
    ("grouped", "grouped 3x3, 4 groups", (256, 3, 3, 64), (1, 28, 28, 256), "conv"),
    ("fc_dynamic", "dense, dynamic range", (4096, 4096), (1, 4096), "fc_int8"),
    ("conv_dynamic", "3x3, dynamic range", (256, 3, 3, 256), (1, 28, 28, 256), "conv_int8"),
    ("fc_integer", "dense, integer", (4096, 4096), (1, 4096), "fc_integer"),
    ("conv_integer", "3x3, integer", (256, 3, 3, 256), (1, 28, 28, 256), "conv_integer"),
]


class DepthwiseNetwork(Network):
    """Adds the layer that no other benchmark needs."""

    def depthwise_conv_2d(self, kernel):
        channels = kernel.shape[3]
        self._operator(
            builtin.DEPTHWISE_CONV_2D,
            [self._last, self._weights(kernel, False), self._bias(channels)],
            self._shape,
            schema.BuiltinOptions.DepthwiseConv2DOptions,
            schema.DepthwiseConv2DOptionsT(schema.Padding.SAME, 1, 1, 1),
        )


class IntegerNetwork(Network):
    """A network whose activations are int8 too."""

    INPUT_SCALE = 1 / 32
    OUTPUT_SCALE = 1.0

    def __init__(self, input_shape):
        super().__init__(input_shape)
        self._make_int8(self._last, self.INPUT_SCALE)

    def _make_int8(self, index, scale):
        tensor = self._graph.tensors[index]
        tensor.type = schema.TensorType.INT8
        tensor.quantization = schema.QuantizationParametersT(scale=[scale], zeroPoint=[0])

    def _weights(self, weights, int8):
        index = super()._weights(weights, True)
        self._scales = self._graph.tensors[index].quantization.scale
        return index

    def _bias(self, units):
        scales = [self.INPUT_SCALE * scale for scale in self._scales]
        index = self._tensor([units], np.arange(units, dtype=np.int32), scales)
        self._graph.tensors[index].type = schema.TensorType.INT32
        return index

    def _operator(self, *operands):
        super()._operator(*operands)
        self._make_int8(self._last, self.OUTPUT_SCALE)


def model_of(weights, input_shape, use):
    """The plain `.tflite` of one layer."""
    kind, _, form = use.partition("_")
    network = {"depthwise": DepthwiseNetwork}.get(kind, Network)(input_shape)
    if form == "integer":
        network = IntegerNetwork(input_shape)
    if kind == "depthwise":
        network.depthwise_conv_2d(weights)
    elif kind == "fc":
        network.fully_connected(weights, int8=form == "int8")
    else:
        network.conv_2d(weights, int8=form == "int8")
    return network.pack()


def input_of(model):
    """A random input of the type that a model takes."""
    detail = Interpreter(model_content=model).get_input_details()[0]
    values = np.random.default_rng(1).standard_normal(detail["shape"], dtype=np.float32)
    return values if detail["dtype"] == np.float32 else np.rint(values * 32).astype(np.int8)


def seconds_of(plain, compressed, repeats):
    """Median seconds of an invoke by "ours" and "plain".

    Raises:
        RuntimeError: if the outputs differ, or not all is decoded.
    """
    ops = {row.op for row in keras_dc.inspect(compressed) if len(row.blob.shape) > 1}
    if ops != {"KerasDcDecode"}:
        raise RuntimeError(f"the weights must be decoded. Received: {ops}")
    x = input_of(plain)
    interpreters = {
        "ours": kernel_benchmark.open_interpreter(keras_dc.Interpreter, compressed, 1, x),
        "plain": kernel_benchmark.open_interpreter(Interpreter, plain, 1, x),
    }
    outputs = [kernel_benchmark.output_of(made) for made in interpreters.values()]
    if not np.array_equal(*outputs) or not outputs[0].any():
        raise RuntimeError(f"outputs differ or are zeros. Received: {outputs}")
    return kernel_benchmark.seconds_in_turn(interpreters, repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=101)
    parser.add_argument("--only", nargs="+", choices=[layer[0] for layer in LAYERS])
    args = parser.parse_args()
    print(processor.line())
    kept = f"{DENSITY:.0%} kept, of int8 {INT8_DENSITY:.0%}"
    table = Table(title=f"Decoded layers, {kept}, one thread")
    for column in ["layer", "ours ms", "original ms", "faster", "ready ms", "MiB"]:
        table.add_column(column, justify="left" if column == "layer" else "right")
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {who: pathlib.Path(folder) / f"{who}.tflite" for who in ("ours", "dense")}
        for key, label, shape, input_shape, use in LAYERS:
            if args.only and key not in args.only:
                continue
            density = INT8_DENSITY if "int" in use else DENSITY
            weights = kernel_benchmark.sparse_weights(shape, density, num_clusters=31)
            plain = model_of(weights, input_shape, use)
            compressed = keras_dc.compress(plain)
            seconds = seconds_of(plain, compressed, args.repeats)
            paths["ours"].write_bytes(compressed)
            paths["dense"].write_bytes(plain)
            ready, held = {}, {}
            for who, path in paths.items():
                ready[who], held[who] = prepare.best(who, path, path, min(args.repeats, 3))
            figures[key] = round(seconds["plain"] / seconds["ours"], 2)
            figures[f"{key}_memory"] = round(held["ours"] / max(held["dense"], 1), 2)
            table.add_row(
                label,
                f"{seconds['ours'] * 1e3:.3f}",
                f"{seconds['plain'] * 1e3:.3f}",
                f"{figures[key]:.2f}x",
                " / ".join(f"{ready[who] * 1e3:.2f}" for who in paths),
                " / ".join(f"{held[who] / 2**20:.2f}" for who in paths),
            )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

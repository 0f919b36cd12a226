"""What several interpreters of one file in one process take of memory.

    python tests/benchmarks/interpreters.py [--only KEY ...] [--save]

Two layers of 2048 x 2048 as float16 constants behind DEQUANTIZE: with a tenth of the weights,
which are fused; with all of them and 31 distinct values, which are decoded for XNNPACK; and a
table of 2048 x 2048 that GATHER reads. Each file and its original are opened five times in a
process of its own, by path, and run once. Figures in MB of resident memory, mapped files
included: `KEY_first`, what the first interpreter adds, `KEY_further`, what the median of the
others adds, and the same of the original with `_original` behind. With `--save` they go into the
file of this processor in `results/`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import kernel_benchmark
import numpy as np
import processor
from kernel_benchmark import builtin, schema
from rich.console import Console
from rich.table import Table

import keras_dc
from keras_dc.tflite import model_file

COUNT = 5
WIDTH = 2048
# Key, label, density, whether GATHER reads the weights.
FILES = [
    ("fused", "two layers, 10 % kept", 0.1, False),
    ("dense", "two layers, all kept", 1.0, False),
    ("table", "a table of GATHER, 90 % kept", 0.9, True),
]
# Prints the bytes of resident memory that each interpreter adds.
PROBE = """
import json, sys
import numpy, keras_dc
from ai_edge_litert.interpreter import Interpreter
def resident_bytes():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
make = keras_dc.Interpreter if sys.argv[1] == "ours" else Interpreter
made, added = [], []
for path in [sys.argv[3]] + [sys.argv[2]] * int(sys.argv[4]):
    before = resident_bytes()
    interpreter = make(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    interpreter.set_tensor(detail["index"], numpy.ones(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    made.append(interpreter)
    added.append(resident_bytes() - before)
print(json.dumps(added[1:]))
"""


def model_of(density, is_table, width):
    """A `.tflite` whose constants are float16 behind DEQUANTIZE."""
    graph = schema.SubGraphT([], [0], [], [])
    model = schema.ModelT(version=3, operatorCodes=[], subgraphs=[graph], buffers=[])
    model.buffers.append(schema.BufferT())

    def tensor(shape, kind, values=None):
        if values is not None:
            model.buffers.append(schema.BufferT(np.frombuffer(values.tobytes(), np.uint8)))
        buffer = 0 if values is None else len(model.buffers) - 1
        graph.tensors.append(schema.TensorT(np.array(shape, np.int32), kind, buffer))
        return len(graph.tensors) - 1

    def operator(code, inputs, shape, options):
        y = tensor(shape, schema.TensorType.FLOAT32)
        model.operatorCodes.append(schema.OperatorCodeT(code, version=3, builtinCode=code))
        kind = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        place = len(model.operatorCodes) - 1
        graph.operators.append(schema.OperatorT(place, inputs, [y], kind, options))
        return y

    x_type = schema.TensorType.INT32 if is_table else schema.TensorType.FLOAT32
    x = tensor([4] if is_table else [1, width], x_type)
    for seed in range(1 if is_table else 2):
        weights = kernel_benchmark.sparse_weights((width, width), density, num_clusters=31)
        weights = np.roll(weights, seed).astype(np.float16)
        stored = tensor(weights.shape, schema.TensorType.FLOAT16, weights)
        options = schema.DequantizeOptionsT()
        wide = operator(builtin.DEQUANTIZE, [stored], weights.shape, options)
        if is_table:
            x = operator(builtin.GATHER, [wide, x], [4, width], schema.GatherOptionsT())
        else:
            options = schema.FullyConnectedOptionsT()
            x = operator(builtin.FULLY_CONNECTED, [x, wide, -1], [1, width], options)
    graph.outputs = [x]
    return model_file.serialize(model)


def added_bytes(who, path, warm_up, count):
    """Bytes of memory that each of `count` interpreters of a file adds: list of int.

    Args:
        who: "ours" or "original".
        path: the file.
        warm_up: a small file that is opened before.
        count: int.
    """
    command = [sys.executable, "-c", PROBE, who, path, warm_up, str(count)]
    # The installed package, not its sources, where this is run from a checkout.
    folder = pathlib.Path(__file__).parent
    run = subprocess.run(
        [*map(str, command)], check=True, capture_output=True, text=True, cwd=folder
    )
    return json.loads(run.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[entry[0] for entry in FILES])
    parser.add_argument("--save", action="store_true", help="into results/")
    args = parser.parse_args()
    print(processor.line())
    table = Table(title=f"MB of memory, {COUNT} interpreters of one float16 file")
    for column in ["file", "first", "each further", "original's first", "each further"]:
        table.add_column(column, justify="left" if column == "file" else "right")
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {who: pathlib.Path(folder) / f"{who}.tflite" for who in ("ours", "original")}
        warm_ups = {who: pathlib.Path(folder) / f"warm_up_{who}.tflite" for who in paths}
        for key, label, density, is_table in FILES:
            if args.only and key not in args.only:
                continue
            cells = []
            for place, width in ((paths, WIDTH), (warm_ups, 64)):
                plain = model_of(density, is_table, width)
                place["original"].write_bytes(plain)
                place["ours"].write_bytes(keras_dc.compress(plain))
            for who, end in (("ours", ""), ("original", "_original")):
                first, *further = added_bytes(who, paths[who], warm_ups[who], COUNT)
                added = first / 1e6, float(np.median(further)) / 1e6
                figures[f"{key}_first{end}"], figures[f"{key}_further{end}"] = (
                    round(megabytes, 1) for megabytes in added
                )
                cells += [f"{megabytes:.1f}" for megabytes in added]
            table.add_row(label, *cells)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if args.save:
        processor.save("interpreters", figures)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

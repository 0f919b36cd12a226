"""Interpreters of one file in one process hold what they decode once."""

import json
import subprocess
import sys

import numpy as np
import pytest
from support.float16_models import float16_constant, layers, widened
from support.tiny_models import Graph, schema, sparse

import keras_dc as dc

# The most that each further interpreter may take, of a float16 file of two layers of 2048.
MOST_BYTES = 3e6

# Prints what resident memory each of five interpreters adds, and whether all gave the same.
PROBE = """
import json, sys
import numpy as np
import keras_dc as dc
def resident_bytes():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
def run(path):
    interpreter = dc.Interpreter(path, num_threads=1, runtime="litert")
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    interpreter.set_tensor(detail["index"], np.ones(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    output = interpreter.get_output_details()[0]["index"]
    return interpreter, interpreter.get_tensor(output)
run(sys.argv[1])
made, added = [], []
for _ in range(5):
    before = resident_bytes()
    made.append(run(sys.argv[2]))
    added.append(resident_bytes() - before)
outputs = [output for _, output in made]
for i in range(4):
    made[i] = None
again = made[4][0]
again.invoke()
outputs.append(again.get_tensor(again.get_output_details()[0]["index"]))
print(json.dumps([added, all(np.array_equal(outputs[0], output) for output in outputs)]))
"""


def table(rows=2048, width=2048):
    """GATHER from a float16 table."""
    graph = Graph()
    x = graph.input((6,), dtype=np.int32)
    stored = float16_constant(graph, sparse((rows, width), density=0.9))
    options = schema.GatherOptionsT()
    wide = widened(graph, stored)
    graph.output(graph.builtin("GATHER", [wide, x], (6, width), options=options))
    return graph


FILES = {
    "fused": lambda: layers(units=(2048, 2048), input_size=2048),
    "decoded": table,
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", FILES)
def test_a_further_interpreter_takes_little(kind, tmp_path):
    paths = [str(tmp_path / name) for name in ("small.tflite", "large.tflite")]
    for path, graph in zip(paths, (layers(), FILES[kind]()), strict=True):
        dc.compress(graph.serialize(), filepath=path)
    probe = [sys.executable, "-c", PROBE, *paths]
    run = subprocess.run(probe, check=True, capture_output=True, text=True, cwd=tmp_path)
    added, are_equal = json.loads(run.stdout)
    assert are_equal
    assert max(added[1:]) <= min(MOST_BYTES, added[0] / 2), added

"""What `compress` and `expand` of large dense weights take, in times the file."""

import os
import subprocess
import sys

import numpy as np
import pytest
from support.tiny_models import Graph

# Smaller layers are tried in more ways, and several at once. At a GB it is 2.0 times the file.
SIDE, NUM_LAYERS = 4096, 4
# Of a process of its own: what the weights of other tests took may be used again.
SCRIPT = """
import sys
import keras_dc as dc

def status(name):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

before = status("VmRSS")
getattr(dc, sys.argv[1])(sys.argv[2], filepath=sys.argv[3])
print(status("VmHWM") - before)
"""


def peak_bytes(*arguments):
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    # Where the sources do not hide the installed package.
    return int(subprocess.check_output(command, cwd=os.path.dirname(__file__), text=True))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux counts the memory")
def test_the_peak_is_about_twice_the_file(tmp_path):
    rng = np.random.default_rng(0)
    graph = Graph()
    x = graph.input((1, SIDE))
    for layer in range(NUM_LAYERS):
        weights = rng.normal(size=(SIDE, SIDE)).astype(np.float32)
        x = graph.fully_connected(x, graph.constant(weights, f"w{layer}"), None)
    graph.output(x)
    original, small, again = (tmp_path / name for name in ("a.tflite", "b.tflite", "c.tflite"))
    original.write_bytes(graph.serialize())
    size = original.stat().st_size
    assert peak_bytes("compress", original, small) < 2.4 * size
    assert small.stat().st_size < 0.9 * size
    assert peak_bytes("expand", small, again) < 2.4 * size

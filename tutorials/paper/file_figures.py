"""What a compressed file weighs, what is in it, and whether each TFLite runtime runs it."""

import importlib.metadata
import importlib.util
import json
import lzma
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from lib.baselines import zip_sizes

import keras_dc as dc

FOLDER = pathlib.Path(__file__).parent
# The package that holds each runtime. Not TensorFlow: its own is tested beside the others.
RUNTIMES = {"litert": "ai_edge_litert", "tflite_runtime": "tflite_runtime"}
_FLOATS = {schema.TensorType.FLOAT32: "<f4", schema.TensorType.FLOAT16: "<f2"}
# Above this, xz alone and at its usual level: the others take minutes to make larger files.
_LARGE_BYTES = 2**27


def parse(tflite):
    """The `schema.ModelT` of a model's bytes."""
    return schema.ModelT.InitFromPackedBuf(tflite)


def same_model(first, second, *, zero_signs=True):
    """Whether two models have the same ops on the same tensors, with the same bits in them.

    Args:
        first: bytes of a `.tflite` model.
        second: bytes of a `.tflite` model.
        zero_signs: bool, whether -0.0 differs from 0.0, as which weights that enter sums
            may come back.
    """
    return _described(parse(first), zero_signs) == _described(parse(second), zero_signs)


def _described(model, zero_signs):
    def numbers(values):
        return [] if values is None else list(values)

    def bits(tensor):
        data = model.buffers[tensor.buffer].data
        if data is None:
            return b""
        if zero_signs or tensor.type not in _FLOATS:
            return data.tobytes()
        return (np.frombuffer(data.tobytes(), _FLOATS[tensor.type]) + 0).tobytes()

    codes = [
        # Old files have the code in the field of one byte alone.
        (max(code.builtinCode, code.deprecatedBuiltinCode), code.customCode, code.version)
        for code in model.operatorCodes
    ]
    return [
        (
            [(numbers(tensor.shape), tensor.type, bits(tensor)) for tensor in graph.tensors],
            [
                (codes[op.opcodeIndex], numbers(op.inputs), numbers(op.outputs))
                for op in graph.operators
            ],
        )
        for graph in model.subgraphs
    ]


def run_in_runtimes(original, compressed, expanded, inputs):
    """Run three files in every runtime that is installed, TensorFlow's own aside.

    Args:
        original: bytes of a `.tflite` model.
        compressed: bytes, what `dc.compress` made of it.
        expanded: bytes, what `dc.expand` made of that.
        inputs: list of arrays, in the order of the model's inputs.

    Returns:
        dict by runtime: see `in_runtime.compare`.
    """
    contents = {"original": original, "compressed": compressed, "expanded": expanded}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents.items():
            pathlib.Path(folder, f"{name}.tflite").write_bytes(content)
        # It keeps the order of its arguments.
        np.savez(pathlib.Path(folder, "inputs.npz"), *inputs)
        return {
            name: _run_in(name, folder)
            for name, package in RUNTIMES.items()
            if importlib.util.find_spec(package)
        }


def _run_in(name, folder):
    command = [sys.executable, str(FOLDER / "in_runtime.py"), name, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"runs": False, "reason": f"exit {done.returncode}: {last}"}
    return json.loads(done.stdout.splitlines()[-1])


def sizes(original, compressed, *, zipped=None):
    """Bytes of a model's files, and of what is in the compressed one.

    Args:
        original: bytes of a `.tflite` model.
        compressed: bytes, what `dc.compress` made of it.
        zipped: bytes, the model to zip, if not the original.

    Returns:
        dict of ints, ratios and the name of the best zip.
    """
    zipped = original if zipped is None else zipped
    is_large = len(zipped) >= _LARGE_BYTES
    zips = {"xz -6": len(lzma.compress(zipped))} if is_large else zip_sizes(zipped)
    best = min(zips, key=zips.get)
    rows = dc.inspect(compressed)
    model = parse(compressed)
    buffers = sum(0 if buffer.data is None else len(buffer.data) for buffer in model.buffers)
    blobs = sum(row.blob_bytes for row in rows)
    return {
        "float_bytes": len(original),
        "best_zip": best,
        "zip_bytes": zips[best],
        "compressed_bytes": len(compressed),
        "ratio": round(len(original) / len(compressed), 2),
        "ratio_to_zip": round(zips[best] / len(compressed), 3),
        "coded_tensors": len(rows),
        "blob_bytes": blobs,
        "uncoded_constant_bytes": buffers - blobs,
        "graph_bytes": len(compressed) - buffers,
    }

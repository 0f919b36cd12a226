"""The releases of LiteRT whose CompiledModel runs compressed files, and others that are refused.

    python -m tests.litert.check

From each release's wheel: tutorials/cpp/run_model.cc linked against its library, and Python's
`dc.CompiledModel`. Needs the installed keras_dc, a C++ compiler, and pip with a registry; a release
that cannot be had is said and left out.
"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
# The newest release of each that is known, and what the library says of older ones.
KNOWN = ["2.3.0", "2.2.0"]
OLDER = ["2.1.6", "2.1.0"]
SENTENCE = "this LiteRT is older than 2.2"
# Makes the files; runs one in CompiledModel, in the folder of a release.
MAKE = """
import pathlib, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from support.tiny_models import mlp
import keras_dc as dc
folder = pathlib.Path(sys.argv[2])
content = mlp().with_fixed_shapes().serialize()
(folder / "model.tflite").write_bytes(dc.compress(content))
x = np.random.default_rng(0).normal(size=(1, 784)).astype(np.float32)
(folder / "inputs.f32").write_bytes(x.tobytes())
interpreter = dc.Interpreter(model_content=content)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
interpreter.invoke()
print(*interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
print(dc.op_library_path())
"""
RUN = """
import sys
import numpy as np
import keras_dc as dc
try:
    model = dc.CompiledModel(sys.argv[1] + "/model.tflite")
except ImportError as error:
    sys.exit(str(error))
inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
inputs[0].write(np.fromfile(sys.argv[1] + "/inputs.f32", np.float32))
model.run_by_index(0, inputs, outputs)
print(*outputs[0].read(10, np.float32))
"""


def run(command, **options):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)


def checked(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def release_in(version, folder):
    """The folder of an unpacked release, or None with a sentence."""
    place = folder / version
    done = run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", place,
                f"ai-edge-litert=={version}"])  # fmt: skip
    if done.returncode != 0:
        print(f"NOT RUN: LiteRT {version}: {done.stderr.strip()[-300:]}", flush=True)
        return None
    return place


def program_for(place, library, folder):
    """run_model.cc, linked against the LiteRT of a release."""
    runtime = place / "ai_edge_litert"
    program = folder / f"run_model-{place.name}"
    checked(["c++", "-std=c++17", "-O1", f"-I{ROOT / 'tflite_ops/include'}",
             ROOT / "tutorials/cpp/run_model.cc", "-o", program, library, runtime / "libLiteRt.so",
             "-Wl,--allow-shlib-undefined", "-Wl,--unresolved-symbols=ignore-all",
             f"-Wl,-rpath,{folder}:{library.parent}:{runtime}"])  # fmt: skip
    return program


def same(printed, expected):
    values = [float(number) for number in printed.split()]
    return len(values) == len(expected) and all(
        abs(a - b) <= 1e-5 * (1 + abs(b)) for a, b in zip(values, expected)
    )


def check(version, place, library, expected, folder):
    with open(folder / "inputs.f32") as inputs:
        in_cpp = run([program_for(place, library, folder), folder / "model.tflite"], stdin=inputs)
    path = ":".join([str(place), *filter(None, sys.path[1:])])
    in_python = run([sys.executable, "-c", RUN, folder], env={"PYTHONPATH": path}, cwd=folder)
    if version in KNOWN:
        for done in (in_cpp, in_python):
            if done.returncode != 0 or not same(done.stdout, expected):
                sys.exit(f"LiteRT {version}: {(done.stdout + done.stderr)[-2000:]}")
        return f"LiteRT {version}: runs in C++ and in Python"
    if SENTENCE not in in_cpp.stderr or version not in in_python.stderr.splitlines()[-1]:
        sys.exit(f"LiteRT {version} must be refused: {in_cpp.stderr} {in_python.stderr}")
    return f"LiteRT {version}: refused in C++ and in Python"


def main():
    num_skipped = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        make = [sys.executable, "-c", MAKE, ROOT / "tests", folder]
        outputs, path = checked(make, cwd=folder).split("\n")[:2]
        expected, library = [float(number) for number in outputs.split()], pathlib.Path(path)
        # A library that CMake built outside a wheel asks to be found by this name.
        (folder / "libkeras_dc.so.0").symlink_to(library)
        for version in [*KNOWN, *OLDER]:
            place = release_in(version, folder)
            if place is None:
                num_skipped += 1
                continue
            print(check(version, place, library, expected, folder), flush=True)
    print(f"{len(KNOWN + OLDER) - num_skipped} passed, 0 failed, {num_skipped} skipped")


if __name__ == "__main__":
    main()

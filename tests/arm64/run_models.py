"""Runs compressed models in one runtime and compares their outputs with those of another machine.

    python run_models.py RUNTIME PACKAGES FOLDER TOLERANCE

Started by run.py under qemu: PACKAGES is a folder with keras_dc, NumPy and the runtime, and nothing
else that the runtime does not ask for. TOLERANCE is a part of the largest output.
"""

import pathlib
import sys


def main():
    runtime, packages, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    tolerance = float(sys.argv[4])
    sys.path.insert(0, packages)
    import numpy as np

    import keras_dc as dc
    from keras_dc.codec import library

    paths = sorted(folder.glob("*.tflite"))
    for path in paths:
        expected = np.load(path.with_suffix(".npz"))
        for low_memory in (False, True):
            interpreter = dc.Interpreter(path, runtime=runtime, low_memory=low_memory)
            detail = interpreter.get_input_details()[0]
            interpreter.allocate_tensors()
            interpreter.set_tensor(detail["index"], expected["inputs"])
            interpreter.invoke()
            outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            scale = np.abs(expected["outputs"]).max()
            error = max(np.abs(outputs - expected[name]).max() for name in ("outputs", "dense"))
            mode = "decoded at each invoke" if low_memory else "decoded once"
            print(f"{path.stem}, {runtime}, {mode}: {error / scale:.1e} of the largest output")
            if not error <= tolerance * scale:
                sys.exit(f"must be at most {tolerance}. Received: {error / scale}")
    print(f"{len(paths)} models, computed with {library.instruction_set()}")


if __name__ == "__main__":
    main()

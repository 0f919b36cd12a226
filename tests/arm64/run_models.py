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

    def interpreted(path, inputs, low_memory):
        interpreter = dc.Interpreter(path, runtime=runtime, low_memory=low_memory)
        detail = interpreter.get_input_details()[0]
        interpreter.allocate_tensors()
        interpreter.set_tensor(detail["index"], inputs)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    def compiled(path, inputs, size):
        model = dc.CompiledModel(path)
        model.resize_input_tensor(0, inputs.shape, strict=False)
        places, results = model.create_input_buffers(0), model.create_output_buffers(0)
        places[0].write(inputs)
        model.run_by_index(0, places, results)
        return results[0].read(size, np.float32)

    paths = sorted(folder.glob("*.tflite"))
    for path in paths:
        expected = np.load(path.with_suffix(".npz"))
        inputs, shape = expected["inputs"], expected["outputs"].shape
        computed = {
            "decoded once": interpreted(path, inputs, False),
            "decoded at each invoke": interpreted(path, inputs, True),
        }
        if runtime == "litert":
            size = expected["outputs"].size
            computed["by CompiledModel"] = compiled(path, inputs, size).reshape(shape)
        scale = np.abs(expected["outputs"]).max()
        for mode, outputs in computed.items():
            error = max(np.abs(outputs - expected[name]).max() for name in ("outputs", "dense"))
            print(f"{path.stem}, {runtime}, {mode}: {error / scale:.1e} of the largest output")
            if not error <= tolerance * scale:
                sys.exit(f"must be at most {tolerance}. Received: {error / scale}")
    print(f"{len(paths)} models, computed with {library.instruction_set()}")


if __name__ == "__main__":
    main()

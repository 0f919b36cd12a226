"""Run models in one TFLite runtime and compare their outputs: a process of its own.

    python tutorials/paper/in_runtime.py RUNTIME FOLDER

Not all runtimes live in one process with TensorFlow. The folder holds `inputs.npz`, arrays
in the order of the model's inputs, and `original.tflite`, `expanded.tflite` and
`compressed.tflite`. What came of them is printed as JSON.
"""

import json
import pathlib
import sys

import numpy as np

import keras_dc as dc


def outputs_of(path, inputs, runtime):
    """The outputs of one model.

    Args:
        path: of a `.tflite` file.
        inputs: list of arrays, in the order of the model's inputs.
        runtime: see `dc.Interpreter`.

    Returns:
        list of arrays.
    """
    interpreter = dc.Interpreter(path, runtime=runtime)
    details = interpreter.get_input_details()
    for detail, values in zip(details, inputs, strict=True):
        if tuple(detail["shape"]) != values.shape:
            interpreter.resize_tensor_input(detail["index"], values.shape)
    interpreter.allocate_tensors()
    for detail, values in zip(details, inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def largest_difference(expected, received):
    """The largest difference of all outputs, each relative to its largest magnitude."""
    differences = [0.0]
    for want, got in zip(expected, received, strict=True):
        want, got = want.astype(np.float64), got.astype(np.float64)
        scale = np.nanmax(np.abs(want), initial=0) or 1.0
        # NaN for NaN counts as equal, and NaN for a number as the worst.
        difference = np.where(np.isnan(want) & np.isnan(got), 0, np.abs(want - got) / scale)
        differences.append(float(np.max(np.nan_to_num(difference, nan=np.inf), initial=0)))
    return max(differences)


def compare(folder, runtime):
    """Run what the folder holds.

    Returns:
        dict: "runs"; if it does not, "reason", the runtime's own first sentence, and
        "original_runs", whether the fault is the compressed model's. If it does:
        "expanded_equal", whether outputs are the original's bit for bit; "difference",
        the compressed model's, see `largest_difference`; "output_spread", the standard
        deviation of the original's outputs over the largest, which tells that there is
        something to compare.
    """
    folder = pathlib.Path(folder)
    with np.load(folder / "inputs.npz") as file:
        inputs = [file[name] for name in file.files]
    outputs = {}
    for name in ["original", "expanded", "compressed"]:
        try:
            outputs[name] = outputs_of(folder / f"{name}.tflite", inputs, runtime)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            return {"runs": False, "reason": reason, "original_runs": name != "original"}
    expected = outputs["original"]
    equal = [a.tobytes() == b.tobytes() for a, b in zip(expected, outputs["expanded"], strict=True)]
    flat = np.concatenate([values.astype(np.float64).ravel() for values in expected])
    return {
        "runs": True,
        "expanded_equal": all(equal),
        "difference": largest_difference(expected, outputs["compressed"]),
        "output_spread": float(np.std(flat) / (np.max(np.abs(flat), initial=0) or 1)),
    }


if __name__ == "__main__":
    print(json.dumps(compare(sys.argv[2], sys.argv[1])))

"""What is in a `.tflite` model, and what it computes."""

import numpy as np

from keras_dc import runtime
from keras_dc.tflite import model_file
from keras_dc.tflite.graph import operator_name


def operators(content):
    """Names of the operators of the first subgraph, in order."""
    model = model_file.parse(content)
    codes = [operator.opcodeIndex for operator in model.subgraphs[0].operators]
    return [operator_name(model.operatorCodes[code]) for code in codes]


def _feeds(interpreter):
    """Values for each input, by its name: the runtime may order them as it likes."""
    rng = np.random.default_rng(0)
    made = {}
    for detail in sorted(interpreter.get_input_details(), key=lambda detail: detail["name"]):
        if np.issubdtype(detail["dtype"], np.floating):
            values = rng.normal(size=detail["shape"])
        else:
            values = rng.integers(0, 3 if detail["shape"].size == 0 else 40, detail["shape"])
        made[detail["index"]] = values.astype(detail["dtype"])
    return made


def outputs(content, **options):
    """The output of each tensor that the model puts out, for seeded random inputs.

    `options` are those of `Interpreter`.
    """
    interpreter = runtime.Interpreter(model_content=content, runtime="litert", **options)
    interpreter.allocate_tensors()
    for index, values in _feeds(interpreter).items():
        interpreter.set_tensor(index, values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]

"""A model in an interpreter, as a function from named inputs to named outputs."""

import os
import warnings

import numpy as np

from keras_dc.runtime.interpreter import Interpreter
from keras_dc.runtime.sample_inputs import InputSpec, open_sizes, random_sample

MAIN_SIGNATURE = "serving_default"


class Program:
    """A model in an interpreter, as a function from named inputs to named outputs.

    Args:
        tflite: bytes of a `.tflite` model, the path of a file, or an interpreter that
            `keras_dc.Interpreter` made.
        key: str, the signature to run; None runs the first subgraph, whose inputs and outputs
            have the names of their tensors.
        **options: of `keras_dc.Interpreter`.

    Raises:
        ValueError: if there is an interpreter, which has its options, and `options` that are
            not None or False; and what `keras_dc.Interpreter` raises.
    """

    def __init__(self, tflite, key=None, **options):
        self._interpreter = _interpreter_of(tflite, options)
        self._runner = None
        if key is None:
            self._inputs = _by_name(self._interpreter.get_input_details())
            self._outputs = _by_name(self._interpreter.get_output_details())
        else:
            self._runner = self._interpreter.get_signature_runner(key)
            self._inputs = self._runner.get_input_details()
            self._outputs = self._runner.get_output_details()

    @classmethod
    def main(cls, tflite, **options):
        """The signature that a model is run by: "serving_default", or its only one, or none."""
        interpreter = _interpreter_of(tflite, options)
        keys = list(interpreter.get_signature_list())
        if MAIN_SIGNATURE in keys:
            return cls(interpreter, MAIN_SIGNATURE)
        return cls(interpreter, keys[0] if len(keys) == 1 else None)

    @property
    def inputs(self):
        """The inputs: list of InputSpec."""
        return [InputSpec.of(name, detail) for name, detail in self._inputs.items()]

    @property
    def output_names(self):
        """The names of the outputs: list of str."""
        return list(self._outputs)

    @property
    def input_indices(self):
        """The interpreter's index of each input: dict by name."""
        return {name: detail["index"] for name, detail in self._inputs.items()}

    def dequantized(self, sample):
        """A sample as the numbers that its quantized inputs stand for."""
        specs = {spec.name: spec for spec in self.inputs}
        return {name: specs[name].dequantized(values) for name, values in sample.items()}

    def steps(self, name):
        """The range of a quantized output in steps, None for other outputs."""
        dtype, scale = self._outputs[name]["dtype"], self._outputs[name]["quantization"][0]
        is_quantized = scale and np.issubdtype(dtype, np.integer)
        return int(np.iinfo(dtype).max) - int(np.iinfo(dtype).min) if is_quantized else None

    def __call__(self, sample):
        """Run the model.

        Args:
            sample: dict from the name of each input to an array of its dtype.

        Returns:
            dict from the name of each output to an array, quantized where the output is.
        """
        if self._runner is not None:
            return self._runner(**sample)
        for name, values in sample.items():
            self._interpreter.resize_tensor_input(self._inputs[name]["index"], values.shape)
        self._interpreter.allocate_tensors()
        for name, values in sample.items():
            self._interpreter.set_tensor(self._inputs[name]["index"], values)
        self._interpreter.invoke()
        return {
            name: self._interpreter.get_tensor(detail["index"])
            for name, detail in self._outputs.items()
        }

    def numbers(self, sample):
        """As calling it, with the numbers that quantized outputs stand for."""
        outputs = self(sample)
        return {
            name: InputSpec.of(name, self._outputs[name]).dequantized(values)
            for name, values in outputs.items()
        }


def first_random_run(make_program, num_rows=2):
    """Run a model on the first random inputs that it takes.

    Args:
        make_program: function without arguments that returns a Program; an interpreter cannot
            be used after a run that failed.
        num_rows: int, how many rows the tables have that the model looks up.

    Returns:
        tuple `(sample, outputs)` of dicts by name.

    Raises:
        RuntimeError, ValueError: of the runtime, if the model takes none of them.
    """
    rng = np.random.default_rng(0)
    program, failure = make_program(), None
    for rows in (num_rows, 1):
        for open_size in open_sizes(program.inputs):
            sample = random_sample(program.inputs, num_rows=rows, open_size=open_size, rng=rng)
            try:
                return sample, program(sample)
            except (RuntimeError, ValueError) as error:
                failure = failure or error
                program = make_program()
    assert failure is not None
    raise failure


def _interpreter_of(tflite, options):
    if isinstance(tflite, (bytes, bytearray, memoryview)):
        options["model_content"] = tflite
    elif isinstance(tflite, (str, os.PathLike)):
        options["model_path"] = tflite
    elif hasattr(tflite, "get_signature_runner"):
        given = {name: value for name, value in options.items() if value not in (None, False)}
        if given:
            raise ValueError(
                "an interpreter is made with its options already; give them to "
                f"`keras_dc.Interpreter`. Received: {given}"
            )
        return tflite
    else:
        raise TypeError(
            "a model is given as bytes, as the path of a `.tflite` file or as an interpreter. "
            f"Received: {type(tflite).__name__}"
        )
    with warnings.catch_warnings():
        # tf.lite warns that it is deprecated, which is no news to the caller.
        warnings.simplefilter("ignore")
        return Interpreter(**options)


def _by_name(details):
    return {detail["name"]: detail for detail in details}

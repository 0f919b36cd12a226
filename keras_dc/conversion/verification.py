"""Does a compressed model do what the original does?

First the files are compared: the expanded model must have the same graph and the same
constants, bit for bit. Then the original, the expanded and the compressed model are run on
the same inputs.
"""

import warnings

import numpy as np

from keras_dc import runtime
from keras_dc.compression.expand import expand
from keras_dc.conversion.sample_inputs import (
    OPEN_SIZES,
    InputSpec,
    random_sample,
    table_rows,
    user_samples,
)
from keras_dc.conversion.source_outputs import in_numeric_order
from keras_dc.errors import VerificationError
from keras_dc.tflite import diff, model_file
from keras_dc.tflite.graph import Graph, operator_name
from keras_dc.tflite.model_file import schema

# The largest difference allowed, relative to the largest output. Fused ops add in another
# order than the runtime's own, so outputs differ in the last bits.
OUTPUT_TOLERANCE = 1e-4

# The same for models with quantized tensors, where a last bit may change a rounding:
# relative to the largest output, or to the range of a quantized output.
QUANTIZED_TOLERANCE = 0.02

# The same for what TensorFlow's converter made of a model: TFLite's kernels and those of the
# source's backend round differently, layer by layer.
SOURCE_TOLERANCE = 1e-3

# The smallest scale of outputs: smaller ones are rounding errors of larger numbers.
_SMALLEST_SCALE = 1e-3

_QUANTIZED_TYPES = (
    schema.TensorType.INT4,
    schema.TensorType.INT8,
    schema.TensorType.UINT8,
    schema.TensorType.INT16,
)
_SELECT_TF_PREFIX = "Flex"


def verify(original, compressed, *, inputs=None, input_names=None, source=None, plain=None):
    """Check that a compressed model does what the original does.

    Args:
        original: bytes of a `.tflite` model.
        compressed: bytes that `compress` made of it.
        inputs: None for random ones; else see `keras_dc.convert`.
        input_names: names of the inputs in the order of a list of inputs; None if unknown.
        source: function from the key of a signature to a function from a sample to outputs,
            see `source_outputs.SourceModel`: the model that the user gave. None: there is
            none to compare with.
        plain: the same for the model that was handed to TensorFlow's converter.

    Raises:
        TypeError, ValueError: if `inputs` do not fit the model.
        VerificationError: if expanding does not give the graph and the constants back, or
            the expanded model's outputs are not the original's, bit for bit; if no
            installed runtime runs the original on the inputs; if an output of the
            compressed model differs by more than `OUTPUT_TOLERANCE` of its largest value,
            or `QUANTIZED_TOLERANCE` in a model with quantized tensors; if an output of the
            original differs from the source's by more than `SOURCE_TOLERANCE` (where the
            converter quantized, an output of `plain` instead). Integers that are not
            quantized must be equal, NaN agrees with NaN and an infinity with itself.
    """
    expanded = expand(compressed)
    check_expanded(original, expanded)
    graph = Graph(model_file.parse(original))
    runtime_name = "tensorflow" if _needs_tensorflow(graph.model) else None
    is_quantized = _is_quantized(graph.model)
    tolerance = QUANTIZED_TOLERANCE if is_quantized else OUTPUT_TOLERANCE
    keys = [entry.signatureKey.decode() for entry in graph.model.signatureDefs or ()]
    contents = {"expanded": expanded, "compressed": compressed}
    for key in keys or [None]:
        # One of each serves all samples: a model may have a state.
        programs: dict[str, _Program] = {}
        source_of = None if source is None else source(key)
        plain_of = plain(key) if plain is not None and is_quantized else None
        for sample, want in _runs(original, graph, key, runtime_name, inputs, input_names):
            got = {}
            for kind, content in contents.items():
                try:
                    if kind not in programs:
                        programs[kind] = _Program(content, key, runtime_name)
                    got[kind] = programs[kind](sample)
                except (RuntimeError, ValueError) as error:
                    raise VerificationError(
                        f"the {kind} model must run where the original does. Received: {error}"
                    ) from error
            for name in want:
                _check_equal(name, want[name], got["expanded"][name], "expanded output")
                steps = programs["compressed"].steps(name)
                _check_output(name, want[name], got["compressed"][name], steps, tolerance)
            if source_of is not None and not is_quantized:
                _check_source(source_of(sample), want)
            elif source_of is not None and plain_of is not None:
                floats = programs["compressed"].dequantized(sample)
                _check_source(source_of(floats), plain_of(floats))


def _check_source(source, got):
    """Compare outputs of a model made on the way with those of the model that was given."""
    if len(source) != len(got):
        raise VerificationError(
            f"the converted model must have the outputs {list(source)}. Received: {list(got)}"
        )
    names = source.keys() if source.keys() == got.keys() else sorted(got, key=in_numeric_order)
    for (name, want), other in zip(source.items(), names):
        _check_output(
            name, want, got[other], None, SOURCE_TOLERANCE, "output of the converted model"
        )


def check_expanded(original, expanded):
    """Check that expanding gave the graph and the constants back, bit for bit.

    -0.0 equals 0.0 here: `compress` drops the sign of zeros that only enter sums.

    Args:
        original: bytes of a `.tflite` model.
        expanded: bytes that `expand` made of the compressed model.

    Raises:
        VerificationError: if it did not.
    """
    models = model_file.parse(original), model_file.parse(expanded)
    found = diff.differences(*models, signed_zeros=False)
    if found:
        raise VerificationError(
            f"the expanded model must equal the original. Received: {'; '.join(found[:5])}"
        )


class _Program:
    """A model in an interpreter, as a function from named inputs to named outputs."""

    def __init__(self, content, key, runtime_name):
        with warnings.catch_warnings():
            # tf.lite warns that it is deprecated, which is no news to the caller.
            warnings.simplefilter("ignore")
            interpreter = runtime.Interpreter(model_content=content, runtime=runtime_name)
        self._interpreter = interpreter
        self._runner = None
        if key is None:
            self._inputs = {detail["name"]: detail for detail in interpreter.get_input_details()}
            self._outputs = {detail["name"]: detail for detail in interpreter.get_output_details()}
        else:
            self._runner = interpreter.get_signature_runner(key)
            self._inputs = self._runner.get_input_details()
            self._outputs = self._runner.get_output_details()

    @property
    def inputs(self):
        return [InputSpec.of(name, detail) for name, detail in self._inputs.items()]

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


def _runs(original, graph, key, runtime_name, inputs, input_names):
    """Yield each sample with the outputs of the original."""
    try:
        program = _Program(original, key, runtime_name)
    except (RuntimeError, ValueError) as error:
        raise _not_runnable(error) from error
    if inputs is None:
        yield _random_run(original, graph, key, runtime_name, program)
        return
    for sample in user_samples(inputs, program.inputs, names=input_names):
        try:
            want = program(sample)
        except (RuntimeError, ValueError) as error:
            raise _not_runnable(error) from error
        yield sample, want


def _random_run(original, graph, key, runtime_name, program):
    """The first random inputs that the original runs on, and its outputs."""
    rng = np.random.default_rng(0)
    is_open = any(size < 0 for spec in program.inputs for size in spec.shape[1:])
    sizes = OPEN_SIZES if is_open else OPEN_SIZES[:1]
    failure = None
    for num_rows in (table_rows(graph), 1):
        for open_size in sizes:
            specs = program.inputs
            sample = random_sample(specs, num_rows=num_rows, open_size=open_size, rng=rng)
            try:
                return sample, program(sample)
            except (RuntimeError, ValueError) as error:
                failure = failure or error
                # An interpreter cannot be used after a run that failed.
                program = _Program(original, key, runtime_name)
    raise _not_runnable(failure) from failure


def _not_runnable(error):
    return VerificationError(
        "the uncompressed model must run on the inputs, so that outputs can be compared; give "
        "`verify_inputs` that it takes, or `verify=False` to have only the expanded file compared. "
        f"Received: {error}"
    )


def _needs_tensorflow(model):
    """Whether a model has ops that only TensorFlow's own runtime has."""
    names = map(operator_name, model.operatorCodes)
    has_select_ops = any(name.startswith(_SELECT_TF_PREFIX) for name in names)
    return has_select_ops and "tensorflow" in runtime.available_runtimes()


def _is_quantized(model):
    return any(
        tensor.type in _QUANTIZED_TYPES
        and tensor.quantization is not None
        and tensor.quantization.scale is not None
        for subgraph in model.subgraphs
        for tensor in subgraph.tensors
    )


def _check_form(name, want, got, kind="output"):
    if want.shape != got.shape or want.dtype != got.dtype:
        raise VerificationError(
            f"{kind} {name!r} must be {want.dtype} shaped {want.shape}. "
            f"Received: {got.dtype} shaped {got.shape}"
        )


def _check_equal(name, want, got, kind="output"):
    """Compare one output bit for bit, so that NaN equals NaN; but -0.0 equals 0.0."""
    _check_form(name, want, got, kind)
    if want.dtype.kind == "f":
        want, got = (np.where(x == 0, x.dtype.type(0), x) for x in (want, got))
    if want.dtype.kind != "O":
        want, got = (np.ascontiguousarray(x).view(f"V{x.dtype.itemsize}") for x in (want, got))
    if not np.array_equal(want, got):
        raise VerificationError(
            f"{kind} {name!r} must equal the original's bit for bit. "
            f"Received: {np.count_nonzero(want != got)} of {want.size} values that differ"
        )


def _check_output(name, want, got, steps, tolerance, kind="output"):
    """Compare one output; `steps` is the range of a quantized one, else None."""
    if want.dtype.kind != "f" and steps is None:
        _check_equal(name, want, got, kind)
        return
    _check_form(name, want, got, kind)
    want, got = want.astype(np.float64), got.astype(np.float64)
    differ = ~((want == got) | (np.isnan(want) & np.isnan(got)))
    scale = steps or max(_SMALLEST_SCALE, np.max(np.abs(want[np.isfinite(want)]), initial=0))
    # NaN in only one of the two counts as an infinite difference.
    distances = np.nan_to_num(np.abs(want[differ] - got[differ]), nan=np.inf)
    largest = np.max(distances, initial=0) / scale
    if largest > tolerance:
        raise VerificationError(
            f"{kind} {name!r} must agree with the original's within {tolerance} of the largest "
            f"value. Received: a difference of {largest}"
        )

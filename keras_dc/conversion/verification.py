"""Does a compressed model do what the original does?

First the files are compared: the expanded model must have the same graph and the same
constants, bit for bit. Then the original, the expanded and the compressed model are run on
the same inputs.
"""

import numpy as np

from keras_dc import runtime
from keras_dc.compression.expand import expand
from keras_dc.conversion.source_outputs import in_numeric_order
from keras_dc.errors import VerificationError
from keras_dc.runtime.program import Program, first_random_run
from keras_dc.runtime.sample_inputs import user_samples
from keras_dc.tflite import diff, model_file
from keras_dc.tflite.graph import Graph, operator_name
from keras_dc.tflite.lookup_tables import table_rows
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
            converter quantized or rounded to float16, an output of `plain` instead).
            Integers that are not quantized must be equal, NaN agrees with NaN and an
            infinity with itself.
    """
    expanded = expand(compressed)
    check_expanded(original, expanded)
    graph = Graph(model_file.parse(original))
    runtime_name = "tensorflow" if _needs_tensorflow(graph.model) else None
    is_quantized = _is_quantized(graph.model)
    # float16 weights are others than the model's, too.
    is_rounded = is_quantized or _has_float16(graph.model)
    tolerance = QUANTIZED_TOLERANCE if is_quantized else OUTPUT_TOLERANCE
    keys = [entry.signatureKey.decode() for entry in graph.model.signatureDefs or ()]
    contents = {"expanded": expanded, "compressed": compressed}
    for key in keys or [None]:
        # One of each serves all samples: a model may have a state.
        programs: dict[str, Program] = {}
        source_of = None if source is None else source(key)
        plain_of = plain(key) if plain is not None and is_rounded else None
        for sample, want in _runs(original, graph, key, runtime_name, inputs, input_names):
            got = {}
            for kind, content in contents.items():
                try:
                    if kind not in programs:
                        programs[kind] = Program(content, key, runtime=runtime_name)
                    got[kind] = programs[kind](sample)
                except (RuntimeError, ValueError) as error:
                    raise VerificationError(
                        f"the {kind} model must run where the original does. Received: {error}"
                    ) from error
            for name in want:
                _check_equal(name, want[name], got["expanded"][name], "expanded output")
                steps = programs["compressed"].steps(name)
                _check_output(name, want[name], got["compressed"][name], steps, tolerance)
            if source_of is not None and not is_rounded:
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


def _runs(original, graph, key, runtime_name, inputs, input_names):
    """Yield each sample with the outputs of the original."""
    if inputs is None:
        yield _random_run(original, graph, key, runtime_name)
        return
    try:
        program = Program(original, key, runtime=runtime_name)
    except (RuntimeError, ValueError) as error:
        raise _not_runnable(error) from error
    for sample in user_samples(inputs, program.inputs, names=input_names):
        try:
            want = program(sample)
        except (RuntimeError, ValueError) as error:
            raise _not_runnable(error) from error
        yield sample, want


def _random_run(original, graph, key, runtime_name):
    """The first random inputs that the original runs on, and its outputs."""
    try:
        return first_random_run(
            lambda: Program(original, key, runtime=runtime_name), table_rows(graph)
        )
    except (RuntimeError, ValueError) as error:
        raise _not_runnable(error) from error


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


def _has_float16(model):
    return any(
        tensor.type == schema.TensorType.FLOAT16
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

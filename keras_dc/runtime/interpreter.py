"""Run a compressed model in whichever TFLite runtime is installed."""

import dataclasses
import importlib
import importlib.util

from keras_dc.codec.library import op_library_path
from keras_dc.runtime.model_check import checked_content, checked_path


@dataclasses.dataclass(frozen=True)
class _Runtime:
    """A TFLite runtime: dotted paths of its Interpreter and its load_delegate."""

    package: str
    requirement: str
    interpreter: str
    load_delegate: str


# In the order of preference: smallest and newest first.
_RUNTIMES = {
    "litert": _Runtime(
        "ai_edge_litert", "ai-edge-litert", "interpreter.Interpreter", "interpreter.load_delegate"
    ),
    "tflite_runtime": _Runtime(
        "tflite_runtime", "tflite-runtime", "interpreter.Interpreter", "interpreter.load_delegate"
    ),
    "tensorflow": _Runtime(
        "tensorflow", "tensorflow", "lite.Interpreter", "lite.experimental.load_delegate"
    ),
}


def Interpreter(  # noqa: N802 (a factory named after what it makes)
    model_path=None,
    *,
    model_content=None,
    num_threads=None,
    runtime=None,
    low_memory=False,
    **options,
):
    """Make a TFLite interpreter that knows keras_dc's ops.

    Args:
        model_path: path of a `.tflite` file; give this or `model_content`.
        model_content: bytes of a `.tflite` file.
        num_threads: threads for the interpreter's kernels; the runtime's default if None.
        runtime: "litert", "tflite_runtime" or "tensorflow"; the first of these that is
            installed if None.
        low_memory: whether to decode the weights of fused ops at every invoke, a range of rows
            at a time (some 65,000 weights, or 260,000 of a scan by columns), instead of
            keeping them decoded in a form made for speed. Weights that a loop reads (WHILE, as
            of an LSTM) are kept: they would be decoded at every step.
        **options: further arguments of the runtime's own Interpreter;
            `experimental_delegates` are applied after keras_dc's.

    Returns:
        The runtime's own `Interpreter` object, tensors not yet allocated.

    Raises:
        ValueError: if `runtime` is unknown, both or none of the models are given; as
            ModelFormatError if the file is not a whole TFLite model.
        TypeError: if the path is no path, or the content not bytes.
        FileNotFoundError: if there is nothing at the path.
        IsADirectoryError: if the path is a folder's.
        OSError: if keras_dc's native library is cut short.
        ImportError: if the runtime is not installed, or none is.
    """
    if (model_path is None) == (model_content is None):
        both = "both" if model_path is not None else "neither"
        raise ValueError(f"give one of `model_path` and `model_content`. Received: {both}")
    found = _find(runtime)
    # Before the runtime is imported: TensorFlow takes seconds, and others die of some files.
    path = None if model_path is None else checked_path(model_path)
    content = None if model_content is None else checked_content(model_content)
    load_delegate = _resolve(found.package, found.load_delegate)
    delegate_options = {"low_memory": "true" if low_memory else "false"}
    delegates = [load_delegate(op_library_path(), delegate_options)]
    delegates += options.pop("experimental_delegates", None) or []
    return _resolve(found.package, found.interpreter)(
        model_path=path,
        model_content=content,
        num_threads=num_threads,
        experimental_delegates=delegates,
        **options,
    )


def available_runtimes():
    """Names of the installed runtimes, in the order of preference: list of str."""
    return [name for name, known in _RUNTIMES.items() if importlib.util.find_spec(known.package)]


def import_runtime(runtime=None):
    """Import a runtime, so that making an interpreter no longer does.

    Args:
        runtime: see `Interpreter`.

    Returns:
        tuple of str, the runtime's name and the name of its package on PyPI.

    Raises:
        ValueError: if `runtime` is unknown.
        ImportError: if the runtime is not installed, or none is.
    """
    found = _find(runtime)
    for path in (found.interpreter, found.load_delegate):
        _resolve(found.package, path)
    return next(name for name, known in _RUNTIMES.items() if known is found), found.requirement


def _resolve(package, path):
    """The object at a dotted path; a submodule on the way is imported."""
    value = importlib.import_module(package)
    for name in path.split("."):
        if not hasattr(value, name):
            importlib.import_module(f"{value.__name__}.{name}")
        value = getattr(value, name)
    return value


def _find(runtime):
    installed = available_runtimes()
    choices = ", ".join(
        f"{name!r} (pip install {known.requirement})" for name, known in _RUNTIMES.items()
    )
    if runtime is None:
        if not installed:
            raise ImportError(f"no TFLite runtime is installed; the choices are {choices}")
        runtime = installed[0]
    if runtime not in _RUNTIMES:
        raise ValueError(f"`runtime` must be one of {choices}. Received: runtime={runtime!r}")
    if runtime not in installed:
        raise ImportError(
            f"the runtime {runtime!r} is not installed; the choices are {choices}, of which "
            f"installed are: {', '.join(installed) or 'none'}"
        )
    return _RUNTIMES[runtime]

"""Run a compressed model in LiteRT's CompiledModel, which takes no delegates.

It takes accelerators instead. The LiteRT inside the wheel exports no function that would add
one, but each environment loads the accelerator for GPUs from a folder that it is given, and
keras_dc's library is such an accelerator, too: one of the CPU.
"""

import importlib.metadata
import importlib.util
import os
import pathlib
import re
import sys
import tempfile

from keras_dc.codec import library
from keras_dc.runtime.model_check import checked_content, checked_path

_PACKAGE = "ai-edge-litert"
# The releases whose accelerators keras_dc knows; the tests of tests/litert run them.
_OLDEST, _NEWEST = (2, 2), (2, 3)
_PLUGINS = {"linux": "libLiteRtGpuAccelerator.so", "darwin": "libLiteRtGpuAccelerator.dylib"}


def CompiledModel(  # noqa: N802 (a factory named after what it makes)
    model_path=None, *, model_content=None, num_threads=None, options=None
):
    """Compile a model with LiteRT's CompiledModel, the API that is to replace Interpreter.

    A plain `ai_edge_litert.compiled_model.CompiledModel` of a compressed file fails with "Failed
    to allocate tensors". Models are computed on the CPU: accelerators for GPUs and NPUs do not
    know keras_dc's ops. Shapes that the file leaves open must be set by `resize_input_tensor`.

    Args:
        model_path: path of a `.tflite` file; give this or `model_content`.
        model_content: bytes of a `.tflite` file.
        num_threads: int, threads of the kernels; None: one.
        options: `ai_edge_litert.options.Options` for the CPU, in place of `num_threads`.

    Returns:
        `ai_edge_litert.compiled_model.CompiledModel`, with an environment of its own.

    Raises:
        ValueError: if both or none of the models are given, `num_threads` is not positive or
            stands beside `options`, or `options` ask for other hardware than the CPU; as
            ModelFormatError if the file is not a whole TFLite model.
        TypeError: if the path is no path, or the content not bytes.
        FileNotFoundError: if there is nothing at the path.
        IsADirectoryError: if the path is a folder's.
        OSError: if keras_dc's native library is cut short.
        ImportError: if ai-edge-litert is not installed, is older than 2.2, or is one for a
            system where this is not known to work.
        RuntimeError: if LiteRT cannot compile the model, or is a release that does not take
            keras_dc's ops.
    """
    if (model_path is None) == (model_content is None):
        both = "both" if model_path is not None else "neither"
        raise ValueError(f"give one of `model_path` and `model_content`. Received: {both}")
    if num_threads is not None and options is not None:
        raise ValueError("`num_threads` is a part of `options`: give one of them. Received: both")
    if num_threads is not None and (
        isinstance(num_threads, bool) or not isinstance(num_threads, int) or num_threads < 1
    ):
        raise ValueError(
            f"`num_threads` must be a positive int or None. Received: num_threads={num_threads!r}"
        )
    version = _checked_version()
    path = None if model_path is None else checked_path(model_path)
    content = None if model_content is None else checked_content(model_content)

    from ai_edge_litert import compiled_model, hardware_accelerator

    cpu = hardware_accelerator.HardwareAccelerator.CPU
    if options is None:
        cpu_options = compiled_model.CpuOptions(num_threads=num_threads or 1)
        options = compiled_model.Options(hardware_accelerators=cpu, cpu_options=cpu_options)
    elif getattr(options, "hardware_accelerators", None) != cpu:
        raise ValueError(
            "`options` must be ai_edge_litert.options.Options with HardwareAccelerator.CPU alone, "
            "as other hardware does not know keras_dc's ops; ship the file packed, or expand it. "
            f"Received: {getattr(options, 'hardware_accelerators', type(options).__name__)!r}"
        )
    environment = _environment(compiled_model)
    num_delegates = library.library().kdc_num_litert_delegates
    before = num_delegates()
    make = compiled_model.CompiledModel
    if path is not None:
        model = make.from_file(path, environment=environment, options=options)
    else:
        model = make.from_buffer(content, environment=environment, options=options)
    # LiteRT says nothing of a plug-in that it does not take, and fails later.
    if num_delegates() == before:
        raise RuntimeError(
            f"LiteRT did not take keras_dc's ops, which know {_PACKAGE} {_text(_OLDEST)} to "
            f"{_text(_NEWEST)}; take one of these, or keras_dc.Interpreter. "
            f"Received: {_PACKAGE} {version}"
        )
    return model


def _checked_version():
    """The version of LiteRT that is installed, if it is a known or a newer one: str."""
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise ImportError(
            f"CompiledModel needs {_PACKAGE} {_text(_OLDEST)} or newer (pip install {_PACKAGE}), "
            "which is not installed; keras_dc.Interpreter runs in other runtimes, too"
        )
    version = importlib.metadata.version(_PACKAGE)
    release = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if release < _OLDEST:
        raise ImportError(
            f"CompiledModel needs {_PACKAGE} {_text(_OLDEST)} or newer, whose accelerators "
            f"keras_dc knows; keras_dc.Interpreter runs in older ones. Received: {version}"
        )
    if sys.platform not in _PLUGINS:
        raise ImportError(
            "CompiledModel is known to work with keras_dc on Linux alone; keras_dc.Interpreter "
            f"runs elsewhere, too. Received: {sys.platform}"
        )
    return version


def _environment(compiled_model):
    """An environment of LiteRT that has loaded keras_dc's library as an accelerator."""
    with tempfile.TemporaryDirectory() as folder:
        # By a link: the system's loader then knows the library by its file, and has it once.
        os.symlink(library.op_library_path(), pathlib.Path(folder) / _PLUGINS[sys.platform])
        options = compiled_model.EnvironmentOptions(runtime_path=folder)
        return compiled_model.Environment.create(options=options)


def _text(release):
    return ".".join(map(str, release))

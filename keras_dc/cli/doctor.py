"""`keras-dc doctor`."""

import importlib.metadata
import importlib.util
import platform
import subprocess

from keras_dc.cli import answers, terminal

# Package on PyPI, module, what it is for, and what installs it.
_PACKAGES = [
    ("numpy", "numpy", "everything", "numpy"),
    ("flatbuffers", "flatbuffers", "compress, expand, inspect", "flatbuffers"),
    ("ai-edge-litert", "ai_edge_litert", "compress, and as a runtime", "ai-edge-litert"),
    ("tflite-runtime", "tflite_runtime", "as a runtime", "'keras-dc[tflite-runtime]'"),
    ("tensorflow", "tensorflow", "converting Keras models, and as a runtime", "'keras-dc[train]'"),
    ("keras", "keras", "training, converting", "'keras-dc[train]'"),
    ("matplotlib", "matplotlib", "figures of reports", "'keras-dc[plot]'"),
    ("zstandard", "zstandard", "zstd as a rival in tables", "zstandard"),
    ("brotli", "brotli", "brotli as a rival in tables", "brotli"),
]
_NEEDED = {"numpy", "flatbuffers", "ai-edge-litert"}
# TensorFlow takes seconds to import, so it is not tried.
_TRIED = {"ai-edge-litert": "litert", "tflite-runtime": "tflite_runtime"}
_TRY = """
import sys
from keras_dc.codec.library import op_library_path
from keras_dc.runtime import interpreter
name = sys.argv[1]
interpreter.import_runtime(name)
known = interpreter._RUNTIMES[name]
interpreter._resolve(known.package, known.load_delegate)(op_library_path())
"""
_SECONDS = 60


@answers.command("doctor")
def doctor():
    """Tell what is installed, what is missing, and the command that installs it.

    The runtimes ai-edge-litert and tflite-runtime are tried out: each must load the library of
    ops. TensorFlow and Keras are looked up, not imported.

    Exit status: 0 if files can be compressed and run, 1 if not. A device that only runs files
    needs NumPy and one runtime; can_run tells.

    Examples:
      keras-dc doctor
      keras-dc doctor --json
    """
    import keras_dc

    problems = []
    library, isa = _library(problems)
    packages = [_package(*each) for each in _PACKAGES]
    for package in packages:
        name = package["name"]
        if package["version"] is None and name in _NEEDED:
            problems.append(f"{name} is missing: pip install {package['install']}")
        if package["works"] is False:
            problems.append(f"{name} does not work: {package['fault']}")
    by_name = {package["name"]: package for package in packages}
    runtimes = [
        name
        for name, package in by_name.items()
        if name in (*_TRIED, "tensorflow") and package["version"] and package["works"] is not False
    ]
    if not runtimes:
        problems.append("there is no runtime to run files: pip install ai-edge-litert")
    has_codec = isa is not None and by_name["numpy"]["version"] is not None
    values = {
        "keras_dc": keras_dc.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "library": library,
        "instruction_set": isa,
        "packages": packages,
        "runtimes": runtimes,
        "can_run": has_codec and bool(runtimes),
        "can_compress": has_codec and all(by_name[name]["version"] for name in _NEEDED),
        "problems": problems,
    }
    return answers.Answer(values, _text(values), 1 if problems else 0)


def _library(problems):
    """The path of the library and the instruction set that it uses; None where it fails."""
    from keras_dc.codec import library

    try:
        path = library.op_library_path()
    except OSError as error:
        problems.append(str(error))
        return None, None
    try:
        return path, library.instruction_set()
    except (OSError, ValueError, AttributeError) as error:
        problems.append(f"the library {path} does not work: {error}")
        return path, None


def _cpu():
    from keras_dc.support import machine

    return machine.cpu_name()


def _package(name, module, purpose, install):
    version, works, fault = None, None, None
    if importlib.util.find_spec(module) is not None:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = _version_of_a_twin(module)
    if version is not None and name in _TRIED:
        works, fault = _try(_TRIED[name])
    return {
        "name": name,
        "version": version,
        "purpose": purpose,
        "works": works,
        "fault": fault,
        "install": install,
    }


def _version_of_a_twin(module):
    """Of a package with another name that has the same module, such as tensorflow-cpu."""
    for name in importlib.metadata.packages_distributions().get(module, []):
        return f"{importlib.metadata.version(name)} ({name})"
    return "unknown"


def _try(runtime):
    """Whether a runtime loads the library, in a process of its own; and what it says if not."""
    from keras_dc.support import machine

    command = machine.child_command(_TRY, runtime)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return False, f"no answer within {_SECONDS} s"
    if done.returncode == 0:
        return True, None
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return False, lines[-1]


def _text(values):
    library = values["library"] or "MISSING"
    isa = values["instruction_set"] or "none"
    rows = []
    for package in values["packages"]:
        state = {None: "", True: "works", False: "DOES NOT WORK"}[package["works"]]
        missing = "" if package["version"] else f"pip install {package['install']}"
        rows.append([package["name"], package["version"] or "-", package["purpose"],
                     state or missing])  # fmt: skip
    text = [
        f"keras_dc {values['keras_dc']}, Python {values['python']}, {values['system']}",
        f"library {library}, computing with {isa} on {values['cpu']}",
        terminal.Table(["package", "version", "for", ""], rows, num_left=4),
    ]
    runs = ", ".join(values["runtimes"])
    if values["problems"]:
        text += [f"PROBLEM: {problem}" for problem in values["problems"]]
        if values["can_run"]:
            also = "and compressed" if values["can_compress"] else "not compressed"
            text.append(f"Files can be run (by {runs}), {also}.")
        return text
    return [*text, f"Files can be compressed and run (by {runs})."]

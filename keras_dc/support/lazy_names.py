"""Names of a package that are loaded at their first use.

A device imports keras_dc without Keras and TensorFlow, so the `__init__` of a package says
in which modules its names are and imports none of them.
"""

import importlib
import sys
import warnings

# What a package that is missing is installed with.
_INSTALLED_BY = {
    "ai_edge_litert": "ai-edge-litert flatbuffers",
    "flatbuffers": "ai-edge-litert flatbuffers",
    "keras": '"keras-dc[train]"',
    "tensorflow": '"keras-dc[train]"',
}


def lazy_names(package, modules, *, moved=()):
    """The `__getattr__` and `__dir__` of a package (PEP 562).

    Args:
        package: str, the package's `__name__`.
        modules: dict from a public name to the module that defines it, without the package's
            own name. A name that equals its module is the module itself.
        moved: dict from a name that was public to its new place, both relative to the package.
            The old name works with a DeprecationWarning, and `dir` does not show it.

    Returns:
        tuple `(__getattr__, __dir__)`.
    """
    moved = dict(moved)

    def get(name):
        if name in moved:
            warnings.warn(
                f"{package}.{name} is now {package}.{moved[name]}; the old name goes with the "
                "next release",
                DeprecationWarning,
                stacklevel=2,
            )
            space, _, inner = moved[name].rpartition(".")
            return getattr(importlib.import_module(f"{package}.{space}"), inner)
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = _imported(f"{package}.{modules[name]}", f"{package}.{name}")
        value = module if modules[name] == name else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def names():
        return sorted(sys.modules[package].__all__)

    return get, names


def _imported(module, name):
    """The module; an error of a missing package says what installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _INSTALLED_BY:
            raise
        raise ModuleNotFoundError(
            f"{name} needs {missing}, which is not installed; install it with "
            f"`pip install {_INSTALLED_BY[missing]}`",
            name=error.name,
        ) from error

"""Names of a package that are loaded at their first use.

A device imports keras_dc without Keras and TensorFlow, so the `__init__` of a package says
in which modules its names are and imports none of them.
"""

import importlib
import sys
import warnings


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
        module = importlib.import_module(f"{package}.{modules[name]}")
        value = module if modules[name] == name else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def names():
        return sorted(sys.modules[package].__all__)

    return get, names

"""Makes Keras know keras_dc's classes, whichever of the two is imported first.

Keras loads a `.keras` file only if the module of each class in it was imported,
and keras_dc imports no Keras on its own. So the modules that register classes are
imported together with Keras: now if it is there, else right after its import.
"""

import importlib
import importlib.abc
import importlib.util
import sys

_MODULES_WITH_KERAS_CLASSES = (
    "keras_dc.training.pruning",
    "keras_dc.training.weight_sharing",
)


def register_with_keras():
    """Import the modules that register Keras classes, now or when Keras comes."""
    if "keras" in sys.modules:
        _import_modules()
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _import_modules():
    for module in _MODULES_WITH_KERAS_CLASSES:
        importlib.import_module(module)


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds `keras` as the others do, and appends `_import_modules` to its load."""

    def __init__(self):
        self._searching = False

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "keras" or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec("keras")
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            self._extend(spec.loader)
        return spec

    def _extend(self, loader):
        exec_module = loader.exec_module

        def exec_then_register(module):
            exec_module(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _import_modules()

        # On this one loader object; the class, and so every other module, stays.
        loader.exec_module = exec_then_register

"""Makes Keras know keras_dc's classes, whichever of the two is imported first.

`keras.saving.load_model` finds a class only if the module that registers it was imported,
and keras_dc must not import Keras on its own. So these modules are imported together with
Keras: at once if Keras is there, else by an import hook right after Keras. Nothing simpler
serves both orders of the two imports: Keras has no list of plug-ins to load.
"""

import importlib
import importlib.abc
import importlib.util
import sys


def register_with_keras(modules):
    """Import the modules that register Keras classes, now or right after Keras.

    Args:
        modules: list of str, full names of modules.
    """
    if "keras" in sys.modules:
        _import_all(modules)
    else:
        sys.meta_path.insert(0, _AfterKeras(modules))


def _import_all(modules):
    for module in modules:
        importlib.import_module(module)


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds `keras` as the other finders do, and appends our imports to its load."""

    def __init__(self, modules):
        self._modules = modules
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
            _import_all(self._modules)

        # Set on this one loader object: its class, and so every other module, stays as it is.
        loader.exec_module = exec_then_register

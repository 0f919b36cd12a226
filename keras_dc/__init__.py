"""Deep Compression for Keras 3: prune, share weights, convert, run.

Public names are loaded at their first use: importing keras_dc imports neither
Keras nor TensorFlow, so that a device needs neither.
"""

import importlib

from keras_dc.registration import register_with_keras

__version__ = "0.1.0"

_MODULE_OF = {
    "PolynomialDecay": "schedules",
    "ConstantSparsity": "schedules",
    "prune": "pruning",
    "PrunedLayer": "pruning",
    "PruningCallback": "pruning",
    "share_weights": "weight_sharing",
    "SharedLayer": "weight_sharing",
    "WeightSharingCallback": "weight_sharing",
    "CompressionTensorBoard": "monitoring",
    "strip": "stripping",
    "rescale_dropout": "dropout",
    "sensitivity": "sensitivity_scan",
    "Sensitivity": "sensitivity_scan",
    "fold_batch_norm": "folding",
    "convert": "conversion",
    "compress": "compression",
    "expand": "compression",
    "inspect": "report",
    "Interpreter": "runtime",
    "op_library_path": "native",
}

__all__ = ["__version__", *_MODULE_OF]


def __getattr__(name):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)


register_with_keras()

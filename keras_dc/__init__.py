"""Deep Compression for Keras 3: prune, share weights, convert, run.

Public names are loaded at their first use: importing keras_dc imports neither
Keras nor TensorFlow, so that a device needs neither.
"""

import importlib

from keras_dc.wrapping.registration import register_with_keras

__version__ = "0.1.0"

_MODULE_OF = {
    "PolynomialDecay": "training.schedules",
    "ConstantSparsity": "training.schedules",
    "prune": "training.pruning",
    "PrunedLayer": "training.pruning",
    "PruningCallback": "training.pruning",
    "share_weights": "training.weight_sharing",
    "SharedLayer": "training.weight_sharing",
    "WeightSharingCallback": "training.weight_sharing",
    "CompressionTensorBoard": "training.tensorboard",
    "strip": "training.stripping",
    "rescale_dropout": "training.dropout",
    "sensitivity": "training.sensitivity_scan",
    "Sensitivity": "training.sensitivity_scan",
    "fold_batch_norm": "training.batch_norm",
    "convert": "conversion.convert",
    "compress": "compression.compress",
    "expand": "compression.compress",
    "inspect": "compression.report",
    "Interpreter": "runtime.interpreter",
    "op_library_path": "codec.library",
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

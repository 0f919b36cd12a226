"""Pruning, weight sharing and what goes with them, in `model.fit`."""

from keras_dc.support.lazy_names import lazy_names

_MODULES = {
    "prune": "pruning",
    "PrunedLayer": "pruning",
    "PruningCallback": "pruning",
    "PolynomialDecay": "schedules",
    "ConstantSparsity": "schedules",
    "share_weights": "weight_sharing",
    "SharedLayer": "weight_sharing",
    "WeightSharingCallback": "weight_sharing",
    "strip": "stripping",
    "sensitivity": "sensitivity_scan",
    "Sensitivity": "sensitivity_scan",
    "rescale_dropout": "dropout",
    "fold_batch_norm": "batch_norm",
    "DistillationLoss": "distillation",
    "distillation_targets": "distillation",
    "distillation_accuracy": "distillation",
    "CompressionTensorBoard": "tensorboard",
}

__all__ = list(_MODULES)
__getattr__, __dir__ = lazy_names(__name__, _MODULES)

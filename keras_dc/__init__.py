"""Deep Compression for Keras 3: prune, share weights, convert, run.

The way, in its order: `prune`, `share_weights` and `strip` train a Keras model small;
`convert` makes a compressed `.tflite` file of it; `deep_compress` does all that in one call, and
`compress_without_training` makes a trained model small from a few inputs without labels;
`compress`, `expand` and `inspect` work on any `.tflite` file; `pack` and `unpack` make any
file small for transport, byte for byte; `Interpreter` runs it, or `CompiledModel` in LiteRT's
newer API; `evaluate`, `compare_outputs` and `benchmark` tell how well, and `report` shows what a
compressed file holds, as a page. `training` has what else helps to train, and `errors` what can
be caught.

Importing keras_dc imports neither Keras nor TensorFlow: a device needs neither.
"""

from keras_dc.support.lazy_names import lazy_names
from keras_dc.wrapping.registration import register_with_keras

__version__ = "0.1.0"

_MODULES = {
    "prune": "training.pruning",
    "PruningCallback": "training.pruning",
    "PolynomialDecay": "training.schedules",
    "ConstantSparsity": "training.schedules",
    "share_weights": "training.weight_sharing",
    "WeightSharingCallback": "training.weight_sharing",
    "strip": "training.stripping",
    "remove_dead_units": "training.dead_units",
    "convert": "conversion.convert",
    "compress": "post_training.compress",
    "compress_without_training": "conversion.without_training",
    "expand": "compression.expand",
    "inspect": "compression.report",
    "pack": "packing.pack",
    "unpack": "packing.pack",
    "deep_compress": "recipe.deep_compress",
    "report": "reporting.report",
    "Interpreter": "runtime",
    "CompiledModel": "runtime.compiled_model",
    "evaluate": "runtime.evaluate",
    "compare_outputs": "runtime.compare_outputs",
    "benchmark": "runtime.benchmark",
    "op_library_path": "codec.library",
    "training": "training",
    "errors": "errors",
}
_MOVED = {
    name: f"training.{name}"
    for name in (
        "CompressionTensorBoard",
        "PrunedLayer",
        "Sensitivity",
        "SharedLayer",
        "fold_batch_norm",
        "rescale_dropout",
        "sensitivity",
    )
}

__all__ = ["__version__", *_MODULES]
__getattr__, __dir__ = lazy_names(__name__, _MODULES, moved=_MOVED)

register_with_keras(
    [f"keras_dc.training.{name}" for name in ("pruning", "weight_sharing", "distillation")]
)

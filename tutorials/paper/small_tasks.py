"""How the networks of `spoken_digits` and `spam` are trained, made small and measured.

Every network takes the same way: dense training; pruning with straight-through, rate-aware masks
under one global threshold; BatchNorm folded; dead units out; sharing with re-assignments.
"""

import dataclasses
import math
import time

import keras
import numpy as np
from keras import optimizers
from lib import fitting
from lib.baselines import float_tflite, int8_tflite, zip_sizes
from paper.sizes import interpreter_error, xz_size

import keras_dc as dc

UPDATE_FREQUENCY = 20
WARM_UP_STEPS = 50
# Of AdamW while the dense network and the pruned one are trained; biases are let alone.
WEIGHT_DECAY = 0.02


@dataclasses.dataclass(frozen=True)
class Settings:
    """How long a network is trained, and how small it is made.

    Attributes:
        density: float, the share of the weights that is kept.
        num_clusters, rate_weight: see `dc.share_weights`.
        epochs: tuple of three ints: dense, pruned, shared.
        learning_rate: float, of the dense training; of pruning and sharing see `compress`.
        jit_compile: bool. XLA is faster for recurrent layers, and slower for convolutions.
    """

    density: float
    num_clusters: int = 16
    rate_weight: float = 0.01
    epochs: tuple = (30, 40, 15)
    learning_rate: float = 2e-3
    jit_compile: bool = False


class Batches(keras.utils.PyDataset):
    """Batches of arrays in another order each epoch; what is left over waits for the next.

    Args:
        x: array `(n, ...)`.
        y: int array `(n,)`.
        batch_size: int.
        seed: int.
        change: function from (array of inputs, `np.random.Generator`) to what is learned from,
            or None.
    """

    def __init__(self, x, y, batch_size, seed, change=None):
        super().__init__()
        self._x, self._y, self._change = x, y, change
        self._batch_size = min(batch_size, len(y))
        self._rng = np.random.default_rng(seed)
        self._order = self._rng.permutation(len(y))

    def __len__(self):
        return len(self._order) // self._batch_size

    def on_epoch_end(self):
        """Other batches in the next epoch."""
        self._order = self._rng.permutation(self._order)

    def __getitem__(self, number):
        chosen = self._order[number * self._batch_size : (number + 1) * self._batch_size]
        x = self._x[chosen]
        return (x if self._change is None else self._change(x, self._rng)), self._y[chosen]


def train(model, batches, epochs, learning_rate, settings, callbacks=(), decay=WEIGHT_DECAY):
    """Compile a model with AdamW and fit it; the rate falls along half a cosine.

    Args:
        model: `keras.Model` that gives logits.
        batches: `keras.utils.PyDataset` with a length.
        epochs: int.
        learning_rate: float.
        settings: Settings.
        callbacks: list of Keras callbacks.
        decay: float, of weights.
    """
    steps = epochs * len(batches)
    rate = fitting.warm_up_cosine(learning_rate, steps, WARM_UP_STEPS)
    adamw = optimizers.AdamW(rate, weight_decay=decay)
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        adamw,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=settings.jit_compile,
        steps_per_execution=fitting.steps_at_once(len(batches), UPDATE_FREQUENCY),
    )
    model.fit(batches, epochs=epochs, verbose=0, callbacks=list(callbacks))


def train_dense(build, batches, settings, *, seed):
    """A dense network, trained from random weights: `keras.Model`."""
    keras.utils.set_random_seed(seed)
    model = build()
    train(model, batches, settings.epochs[0], settings.learning_rate, settings)
    return model


def compress(dense, batches, settings, *, masked_epochs=0.7):
    """Prune and share a trained network.

    Args:
        dense: `keras.Model`, which stays as it is.
        batches: `keras.utils.PyDataset`.
        settings: Settings.
        masked_epochs: float, the share of each training after which masks, or indices, stand
            still.

    Returns:
        Plain `keras.Model` of few values, exact in float16.
    """
    _, pruning, sharing = settings.epochs
    total = pruning * len(batches)
    end_step = max(1, total // 2)
    pruned = dc.prune(
        dense,
        dc.PolynomialDecay(
            0.0,
            1.0 - settings.density,
            0,
            end_step,
            frequency=min(UPDATE_FREQUENCY, end_step),
        ),
        global_threshold=True,
        straight_through=True,
        rate_aware=True,
        freeze_step=max(end_step, int(masked_epochs * total)),
    )
    train(pruned, batches, pruning, settings.learning_rate, settings, [dc.PruningCallback()])

    small = dc.remove_dead_units(dc.training.fold_batch_norm(dc.strip(pruned)))
    total = sharing * len(batches)
    shared = dc.share_weights(
        small,
        settings.num_clusters,
        num_bias_clusters=16,
        rate_weight=settings.rate_weight,
        coder="arithmetic",
        reassign_frequency=min(UPDATE_FREQUENCY, total),
        freeze_step=max(min(UPDATE_FREQUENCY, total), int(masked_epochs * total)),
    )
    # No decay: it would shrink centroids with all their weights.
    callbacks = [dc.WeightSharingCallback()]
    train(shared, batches, sharing, settings.learning_rate / 2, settings, callbacks, decay=0.0)
    return dc.strip(shared, float16_exact=True)


def of_one(model):
    """The same network for one input at a time, as files are measured."""
    [given] = model.inputs
    shape = (1, *given.shape[1:])
    one = keras.Input(batch_shape=shape, dtype=given.dtype, name="input")
    copy = keras.models.clone_model(model, input_tensors=one)
    copy.set_weights(model.get_weights())
    return copy


def files_of(dense, plain):
    """Files of a network before and after, for one input at a time: dict of bytes.

    Args:
        dense: `keras.Model`.
        plain: `keras.Model`, what `compress` made of it.

    Returns:
        "dense" and "int8" by TensorFlow's own converter, "small" and "small_int8" by `dc.convert`.
    """
    options = {"coder": "arithmetic", "input_signature": (1, *dense.input_shape[1:])}
    return {
        "dense": float_tflite(of_one(dense)),
        "small": dc.convert(plain, **options),
        "int8": int8_tflite(of_one(dense)),
        "small_int8": dc.convert(plain, optimizations=["DEFAULT"], **options),
    }


def figures(dense, plain, files, tests):
    """Errors and sizes of a network before and after.

    Args:
        dense: `keras.Model`.
        plain: `keras.Model`, what `compress` made of it.
        files: dict, see `files_of`.
        tests: dict from names to (inputs, labels); errors are those of files in the
            interpreter, one input at a time.

    Returns:
        dict; errors in percent, sizes in bytes.
    """
    original, small, int8 = files["dense"], files["small"], files["int8"]
    errors = {
        f"{name}_error_percent": {
            test: round(interpreter_error(file, *data), 2) for test, data in tests.items()
        }
        for name, file in files.items()
    }
    dense_kernels, kernels = kernels_of(dense), kernels_of(plain)
    num_weights = sum(kernel.size for kernel in dense_kernels)
    # Biases have one axis; embeddings and recurrent kernels have no role of their own.
    coded = [row for row in dc.inspect(small) if len(row.shape) > 1]
    weights_bytes = sum(row.blob_bytes for row in coded)
    zips = zip_sizes(float_tflite(of_one(plain)))
    return {
        **errors,
        "num_weights": num_weights,
        "kept_percent": round(100 * sum(map(np.count_nonzero, kernels)) / num_weights, 2),
        "float_bytes": len(original),
        "compressed_bytes": len(small),
        "ratio": round(len(original) / len(small), 1),
        "weights_bytes": weights_bytes,
        "weights_ratio": round(4 * num_weights / weights_bytes, 1),
        "shannon_bytes": math.ceil(sum(row.shannon_bytes for row in coded)),
        "packed_bytes": len(dc.pack(small)),
        "zip_bytes": zips,
        "int8_bytes": len(int8),
        "int8_xz_bytes": xz_size(int8),
        "int8_xz_same_weights_bytes": xz_size(int8_tflite(of_one(plain))),
        "compressed_int8_bytes": len(files["small_int8"]),
    }


def kernels_of(model):
    """Kernels, recurrent kernels and embeddings of a plain model: list of arrays."""
    return [
        np.asarray(weight.numpy())
        for weight in model.weights
        if weight.name.endswith("kernel") or weight.name == "embeddings"
    ]


def run(build, batches, settings, tests, *, seed):
    """Train, compress and measure with one seed: dict of figures."""
    start = time.monotonic()
    dense = train_dense(build, batches, settings, seed=seed)
    plain = compress(dense, batches, settings)
    return {
        "seed": seed,
        **figures(dense, plain, files_of(dense, plain), tests),
        "settings": dataclasses.asdict(settings),
        "seconds": round(time.monotonic() - start),
    }

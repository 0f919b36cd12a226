"""LeNet-300-100 on MNIST: train it, prune it, share its weights.

The recipe is a straight-through one: pruned weights go on learning and may return,
one threshold serves all layers, and weight decay draws what is not needed to zero.
The masks stand still for the last part, then clusters are chosen for few bits, and
the codebooks learn.
"""

import keras
from keras import layers, optimizers
from rich import progress

import keras_dc as dc

BATCH_SIZE = 128
# A divisor of the 469 steps of an epoch: that many run at once inside TensorFlow.
STEPS_PER_EXECUTION = 67


def build():
    """The network of LeCun et al. 1998: 266,610 weights and biases, logits of 10 digits."""
    return keras.Sequential(
        [
            # No Flatten layer: TFLite would spend four ops and 700 bytes on it.
            keras.Input((784,), name="image"),
            layers.Dense(300, activation="relu", name="fc1"),
            layers.Dense(100, activation="relu", name="fc2"),
            layers.Dense(10, name="fc3"),
        ],
        name="lenet_300_100",
    )


def train_dense(data, *, epochs=20, learning_rate=1e-3, seed=0):
    """Train the network from scratch.

    Args:
        data: `mnist.Mnist`, flattened.
        epochs: int.
        learning_rate: float, at the start; a cosine takes it to zero.
        seed: int, of the weights and of the order of the images.

    Returns:
        The trained `keras.Model`.
    """
    keras.utils.set_random_seed(seed)
    model = build()
    _train(model, data, optimizers.Adam, learning_rate, epochs, title="Training")
    return model


def prune_and_train(model, data, *, density=0.025, epochs=50, learning_rate=3e-3, weight_decay=0.1):
    """Prune a trained network while it trains on, with regrowth.

    Args:
        model: the `keras.Model`; it is not changed.
        data: `mnist.Mnist`, flattened.
        density: float, fraction of all weights to keep.
        epochs: int; sparsity rises over the first half, masks freeze after two thirds.
        learning_rate: float, at the start; a cosine takes it to zero.
        weight_decay: float, of `optimizers.AdamW`.

    Returns:
        The pruned `keras.Model`.
    """
    steps = epochs * _steps_per_epoch(data)
    pruned = dc.prune(
        model,
        dc.PolynomialDecay(0.0, 1.0 - density, 0, steps // 2, frequency=50),
        global_threshold=True,
        straight_through=True,
        freeze_step=steps * 2 // 3,
    )

    def optimizer(schedule):
        adamw = optimizers.AdamW(schedule, weight_decay=weight_decay)
        adamw.exclude_from_weight_decay(var_names=["bias"])
        return adamw

    _train(
        pruned,
        data,
        optimizer,
        learning_rate,
        epochs,
        title="Pruning",
        callbacks=[dc.PruningCallback()],
    )
    return pruned


def share_and_train(
    model,
    data,
    *,
    num_clusters=32,
    num_bias_clusters=8,
    rate_weight=0.005,
    epochs=6,
    learning_rate=3e-3,
):
    """Give the kept weights of each layer few values, and train these values.

    Args:
        model: the pruned `keras.Model`; it is not changed.
        data: `mnist.Mnist`, flattened.
        num_clusters: int, the most values per layer.
        num_bias_clusters: int, the most values per bias: where a layer keeps few weights,
            its biases count.
        rate_weight: float, see `keras_dc.share_weights`.
        epochs: int.
        learning_rate: float, at the start; a cosine takes it to zero.

    Returns:
        The `keras.Model` with shared weights.
    """
    shared = dc.share_weights(
        model, num_clusters, num_bias_clusters=num_bias_clusters, rate_weight=rate_weight
    )
    _train(shared, data, optimizers.Adam, learning_rate, epochs, title="Sharing")
    return shared


def _steps_per_epoch(data):
    return -(-len(data.x_train) // BATCH_SIZE)


def _train(model, data, optimizer, learning_rate, epochs, *, title, callbacks=()):
    steps = epochs * _steps_per_epoch(data)
    model.compile(
        optimizer=optimizer(optimizers.schedules.CosineDecay(learning_rate, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=STEPS_PER_EXECUTION,
        # Off by default on a CPU, and 1.4 times as fast for this network.
        jit_compile=True,
    )
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=0,
        callbacks=[*callbacks, ProgressBar(title, steps)],
    )


class ProgressBar(keras.callbacks.Callback):
    """A bar for a whole training, with the last logs beside it.

    Args:
        title: str, at the left of the bar.
        steps: int, optimizer steps of the whole training.
    """

    def __init__(self, title, steps):
        super().__init__()
        self._progress = progress.Progress(
            progress.TextColumn(f"{title:<9}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.description}"),
        )
        self._task = self._progress.add_task("", total=steps)

    def on_train_begin(self, logs=None):
        self._progress.start()

    def on_train_batch_end(self, batch, logs=None):
        done = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        self._progress.update(self._task, completed=done)

    def on_epoch_end(self, epoch, logs=None):
        text = "  ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        self._progress.update(self._task, description=text)

    def on_train_end(self, logs=None):
        self._progress.stop()

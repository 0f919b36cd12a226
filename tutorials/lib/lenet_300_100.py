"""LeNet-300-100 on MNIST: train it, prune it, share its weights.

The recipe is a straight-through one: pruned weights go on learning and may return,
one threshold serves all layers, and weight decay draws what is not needed to zero.
The masks stand still for the last part, then clusters are chosen for few bits, weights
may change theirs for a while, and the codebooks learn.
"""

import keras
from keras import layers, optimizers
from lib import fitting
from rich import progress

import keras_dc as dc

BATCH_SIZE = 128
# Steps from one update of masks, or of cluster indices, to the next.
UPDATE_FREQUENCY = 39


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


def prune_and_train(
    model,
    data,
    *,
    density=0.0172,
    epochs=80,
    learning_rate=4e-3,
    weight_decay=0.1,
    ramp=0.5,
    freeze=0.67,
    rate_aware=False,
    **options,
):
    """Prune a network while it trains, with regrowth.

    Args:
        model: the `keras.Model`, trained or not; it is not changed.
        data: `mnist.Mnist`, or `augmentation.CopiesInTurn`.
        density: float, fraction of all weights to keep.
        epochs: int.
        learning_rate: float, after some steps in which it rises; a cosine takes it to zero.
        weight_decay: float, of `optimizers.AdamW`, for all but biases.
        ramp: float, the share of the training in which the sparsity rises.
        freeze: float, the share of the training after which the masks stand still.
        rate_aware: see `keras_dc.prune`.
        **options: `loss` and `jit_compile`, see `keras.Model.compile`.

    Returns:
        The pruned `keras.Model`.
    """
    steps = epochs * _steps_per_epoch(data)
    pruned = dc.prune(
        model,
        dc.PolynomialDecay(
            0.0, 1.0 - density, 0, max(1, int(ramp * steps)), frequency=UPDATE_FREQUENCY
        ),
        global_threshold=True,
        straight_through=True,
        rate_aware=rate_aware,
        freeze_step=max(1, int(freeze * steps)),
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
        warm_up_steps=200,
        **options,
    )
    return pruned


def share_and_train(
    model,
    data,
    *,
    num_clusters=8,
    num_bias_clusters=8,
    rate_weight=0.01,
    coder="huffman",
    epochs=20,
    learning_rate=1e-3,
    **options,
):
    """Give the kept weights of each layer few values, and train these values.

    Until two thirds of the training, weights may still change their value, or become zero.

    Args:
        model: the pruned `keras.Model`; it is not changed.
        data: `mnist.Mnist`, or `augmentation.CopiesInTurn`.
        num_clusters: int, the most values per layer.
        num_bias_clusters: int, the most values per bias: where a layer keeps few weights,
            its biases count.
        rate_weight: float, see `keras_dc.share_weights`.
        coder: see `keras_dc.share_weights`.
        epochs: int.
        learning_rate: float, at the start; a cosine takes it to zero.
        **options: `loss` and `jit_compile`, see `keras.Model.compile`.

    Returns:
        The `keras.Model` with shared weights.
    """
    steps = epochs * _steps_per_epoch(data)
    frequency = min(UPDATE_FREQUENCY, steps)
    shared = dc.share_weights(
        model,
        num_clusters,
        num_bias_clusters=num_bias_clusters,
        rate_weight=rate_weight,
        coder=coder,
        reassign_frequency=frequency,
        freeze_step=max(frequency, int(0.7 * steps)),
    )
    _train(
        shared,
        data,
        optimizers.Adam,
        learning_rate,
        epochs,
        title="Sharing",
        callbacks=[dc.WeightSharingCallback()],
        **options,
    )
    return shared


def _steps_per_epoch(data):
    return len(data) if _is_dataset(data) else -(-len(data.x_train) // BATCH_SIZE)


def _is_dataset(data):
    """Whether data comes in batches; else it is an `mnist.Mnist`."""
    return isinstance(data, keras.utils.PyDataset)


def _train(
    model,
    data,
    optimizer,
    learning_rate,
    epochs,
    *,
    title,
    callbacks=(),
    warm_up_steps=0,
    loss=None,
    jit_compile=True,
):
    steps = epochs * _steps_per_epoch(data)
    rate = fitting.warm_up_cosine(learning_rate, steps, warm_up_steps)
    model.compile(
        optimizer=optimizer(rate),
        loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=fitting.steps_at_once(steps // epochs, UPDATE_FREQUENCY),
        # Off by default on a CPU, and 1.4 times as fast for a network of Dense layers.
        jit_compile=jit_compile,
    )
    options = {"epochs": epochs, "verbose": 0, "callbacks": [*callbacks, ProgressBar(title, steps)]}
    if _is_dataset(data):
        model.fit(data, **options)
    else:
        model.fit(data.x_train, data.y_train, batch_size=BATCH_SIZE, **options)


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

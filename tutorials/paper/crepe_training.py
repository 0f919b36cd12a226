"""How CREPE is pruned and shared: on tones made by rule, with the trained network as teacher."""

import dataclasses
import time

import keras
import numpy as np
from keras import layers, optimizers
from lib import crepe, fitting, tones
from paper.mnist_training import with_dtype

import keras_dc as dc


@dataclasses.dataclass(frozen=True)
class Settings:
    """How CREPE is made small.

    Attributes:
        density: float, the share of the weights that is kept.
        num_clusters, rate_weight: see `dc.share_weights`.
        epochs: tuple of two ints: pruned, shared.
        steps: int, batches of an epoch.
        drawn_epochs: int, for how many epochs there are tones; then the same come in another order.
            The trained network takes as long to hear them as the small one to learn from them.
        batch_size: int.
        update_frequency: int, steps between new masks, and between new assignments.
        learning_rate: float, of pruning, and half of it of sharing.
        weight_decay: float, of AdamW while pruning.
        teacher_weight: float in [0, 1], how much the trained network's answer counts beside the
            true pitch.
        noise_share: float, the share of frames without a tone, on which the teacher is heard alone.
        dtype: str, the policy of the training; the file is float32 in any case.
    """

    density: float
    num_clusters: int = 16
    rate_weight: float = 0.01
    epochs: tuple = (36, 12)
    steps: int = 128
    drawn_epochs: int = 3
    batch_size: int = 256
    update_frequency: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 0.02
    teacher_weight: float = 0.5
    noise_share: float = 0.1
    dtype: str = "mixed_bfloat16"


class TaughtTones(keras.utils.PyDataset):
    """Batches of tones and of what the network shall answer; each epoch draws from a pool.

    Args:
        teacher: `keras.Model`, the trained network.
        settings: Settings.
        seed: int.
    """

    def __init__(self, teacher, settings, seed):
        super().__init__()
        self._settings, self._rng = settings, np.random.default_rng(seed)
        batches = [
            tones.draw(settings.batch_size, self._rng, noise_share=settings.noise_share)
            for _ in range(settings.drawn_epochs * len(self))
        ]
        self._frames = np.concatenate([batch.frames for batch in batches])
        taught = teacher.predict(self._frames, batch_size=settings.batch_size, verbose=0)
        pitch_cents = np.concatenate([batch.cents for batch in batches])
        weight = np.where(np.isnan(pitch_cents), 1.0, settings.teacher_weight)[:, None]
        true = crepe.activations(np.nan_to_num(pitch_cents))
        self._targets = (weight * taught + (1 - weight) * true).astype(np.float32)
        self.on_epoch_end()

    def __len__(self):
        return self._settings.steps

    def on_epoch_end(self):
        """Other tones of the pool in the next epoch."""
        chosen = self._rng.permutation(len(self._frames))[: len(self) * self._settings.batch_size]
        self._chosen = chosen.reshape(len(self), -1)

    def __getitem__(self, number):
        return self._frames[self._chosen[number]], self._targets[self._chosen[number]]


def balanced(model, density, threshold=0.04):
    """The same network with scaled kernels, so that their magnitudes can be compared.

    What multiplies a kernel is taken back by the batch normalization behind it, and what multiplies
    the last kernel by that before it. The trained kernels are up to 50 times as large as others
    would be, so that learning would hardly move them, and not alike. Under one threshold for all,
    the kernels would now keep weights in proportion to the square root of their sizes; this is
    where learning starts from.

    Args:
        model: `keras.Model` of `crepe.network`.
        density: float, the share of all weights that is to be kept.
        threshold: float, where magnitudes are then cut off.

    Returns:
        A new `keras.Model`.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    norms = [layer for layer in copy.layers if isinstance(layer, layers.BatchNormalization)]
    convolutions = [layer for layer in copy.layers if isinstance(layer, layers.Conv2D)]
    classifier = copy.layers[-1]
    kernels = [layer.get_weights()[0] for layer in [*convolutions, classifier]]
    sizes = np.array([kernel.size for kernel in kernels])
    shares = np.minimum(1.0, density * sizes.sum() / np.sqrt(sizes).sum() / np.sqrt(sizes))
    factors = [
        threshold / np.quantile(np.abs(kernel), 1.0 - share)
        for kernel, share in zip(kernels, shares)
    ]
    for convolution, norm, factor in zip(convolutions, norms, factors):
        convolution.set_weights([factor * weight for weight in convolution.get_weights()])
        gamma, beta, mean, variance = norm.get_weights()
        variance = (variance + norm.epsilon) * factor**2 - norm.epsilon
        norm.set_weights([gamma, beta, mean * factor, variance])
    kernel, bias = classifier.get_weights()
    classifier.set_weights([kernel * factors[-1], bias])
    gamma, beta, *statistics = norms[-1].get_weights()
    norms[-1].set_weights([gamma / factors[-1], beta / factors[-1], *statistics])
    return copy


def compress(trained, batches, settings):
    """Prune and share the trained network.

    Args:
        trained: `keras.Model`, which stays as it is.
        batches: TaughtTones.
        settings: Settings.

    Returns:
        Plain `keras.Model` of few values, exact in float16.
    """
    pruning, sharing = settings.epochs
    pruned = masked(trained, settings)
    fit(pruned, batches, pruning, settings, 1.0, settings.weight_decay, dc.PruningCallback())
    total = sharing * len(batches)
    frequency = min(settings.update_frequency, total)
    shared = dc.share_weights(
        dc.remove_dead_units(dc.strip(pruned)),
        settings.num_clusters,
        rate_weight=settings.rate_weight,
        coder="arithmetic",
        reassign_frequency=frequency,
        freeze_step=max(frequency, int(0.7 * total)),
    )
    # No decay: it would shrink centroids with all their weights.
    fit(shared, batches, sharing, settings, 0.5, 0.0, dc.WeightSharingCallback())
    return with_dtype(dc.strip(shared, float16_exact=True), "float32")


def untrained(trained, num_clusters, density):
    """The trained network, pruned and shared as it is.

    Args:
        trained: `keras.Model`, which stays as it is.
        num_clusters: int.
        density: float, the share of the weights that is kept, under one threshold.

    Returns:
        Plain `keras.Model`.
    """
    model = trained
    if density < 1.0:
        pruned = dc.prune(balanced(trained, density), 1.0 - density, global_threshold=True)
        model = dc.strip(pruned)
    return dc.strip(dc.share_weights(model, num_clusters, initialization="density"))


def masked(trained, settings):
    """The trained network, ready to be pruned: `keras.Model` of another policy."""
    total = settings.epochs[0] * settings.steps
    end_step = max(1, total // 2)
    return dc.prune(
        with_dtype(balanced(trained, settings.density), settings.dtype),
        dc.PolynomialDecay(
            0.0,
            1.0 - settings.density,
            0,
            end_step,
            frequency=min(settings.update_frequency, end_step),
        ),
        global_threshold=True,
        straight_through=True,
        rate_aware=True,
        freeze_step=max(end_step, int(0.75 * total)),
    )


def within(minutes, trained, batches, settings):
    """Settings with no more epochs than a machine can do in some minutes.

    Args:
        minutes: float, for all of the training.
        trained: `keras.Model`.
        batches: TaughtTones.
        settings: Settings.

    Returns:
        Settings, with all epochs if they fit, and at least one of each kind.
    """
    times = [time.monotonic()]
    pruned = masked(trained, settings)
    times.append(time.monotonic())
    epoch_end = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: times.append(time.monotonic())
    )
    fit(pruned, batches, 2, settings, 1.0, 0.0, dc.PruningCallback(), epoch_end)
    preparing, first, second = np.diff(times)
    # The first epoch compiles, and so will the first of pruning and of sharing.
    left = 60 * minutes - 2 * preparing - first - second - 2 * max(0.0, first - second)
    share = min(1.0, left / second / sum(settings.epochs))
    epochs = tuple(max(1, int(share * count)) for count in settings.epochs)
    print(f"{first:.1f} and {second:.1f} seconds an epoch: {epochs} epochs", flush=True)
    return dataclasses.replace(settings, epochs=epochs)


def fit(model, batches, epochs, settings, factor, decay, *callbacks):
    """Compile a model with AdamW and fit it; the rate falls along half a cosine.

    Args:
        model: `keras.Model`.
        batches: TaughtTones.
        epochs: int.
        settings: Settings.
        factor: float, of the learning rate.
        decay: float, of weights.
        *callbacks: Keras callbacks.
    """
    steps = epochs * len(batches)
    rate = fitting.warm_up_cosine(factor * settings.learning_rate, steps, 100)
    adamw = optimizers.AdamW(rate, weight_decay=decay)
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    # What TensorFlow has for convolutions is faster than XLA on a CPU.
    is_jitted = keras.backend.backend() != "tensorflow"
    model.compile(adamw, keras.losses.BinaryCrossentropy(), jit_compile=is_jitted)
    model.fit(batches, epochs=epochs, verbose=2, callbacks=list(callbacks))

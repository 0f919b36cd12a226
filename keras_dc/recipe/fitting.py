"""One training: an uncompiled optimizer like the caller's, epoch by epoch, saved on the way."""

import dataclasses
import math
import zlib
from typing import Any

import keras
import numpy as np

from keras_dc.recipe.data import Arrays
from keras_dc.recipe.progress import StageBar
from keras_dc.wrapping.compilation import (
    all_state,
    compile_arguments,
    largest_learning_rate,
    optimizer_like,
    optimizer_of,
)
from keras_dc.wrapping.layer_tree import layers_within
from keras_dc.wrapping.weights import host_array

# For these a step has the size of the learning rate, whatever the gradient.
_ADAPTIVE = ("Adam", "AdamW", "Nadam", "Adamax", "Lamb", "Lion", "RMSprop", "Muon")
_ADAPTIVE_DECAY = 0.1
# Of other optimizers: the share of a weight that decays in a step.
_DECAY_PER_STEP = 1e-4
# What the learning rate of an adaptive optimizer is multiplied with, while pruning.
_PRUNING_FACTOR = 3.0
_LARGEST_RATE = 4e-3
_SAFE_FOR_XLA = (
    "Activation", "BatchNormalization", "Dense", "Dropout", "ELU", "Flatten", "InputLayer",
    "LayerNormalization", "LeakyReLU", "ReLU", "Rescaling", "Reshape", "Softmax",
)  # fmt: skip
_MOST_STEPS_PER_EXECUTION = 67


class DivergedError(ValueError):
    """A training ended in numbers that are not finite."""


@dataclasses.dataclass(frozen=True)
class Rates:
    """How fast the caller's optimizer learns here.

    Attributes:
        pruning, sharing: floats, learning rates at their highest.
        weight_decay: float or None, while pruning.
    """

    pruning: float
    sharing: float
    weight_decay: float | None

    def slower(self, factor):
        """The same with learning rates divided by `factor`."""
        return dataclasses.replace(
            self, pruning=self.pruning / factor, sharing=self.sharing / factor
        )


def rates_of(model, *, learning_rate=None, sharing_learning_rate=None, weight_decay=None):
    """The rates that fit the optimizer of `model`; those given are taken as they are.

    Adaptive optimizers (Adam and its like) prune with three times the model's learning rate, up
    to 0.004, and decay weights by 0.1 of it at each step; others keep their rate.

    Raises:
        ValueError: if a number given is negative, or the model's rate cannot be read.
    """
    named = {
        "learning_rate": learning_rate,
        "sharing_learning_rate": sharing_learning_rate,
        "weight_decay": weight_decay,
    }
    for name, value in named.items():
        if value is not None and not 0.0 <= value < math.inf:
            raise ValueError(f"`{name}` must be a number from 0. Received: {name}={value!r}")
    optimizer = optimizer_of(model)
    is_adaptive = any(cls.__name__ in _ADAPTIVE for cls in type(optimizer).__mro__)
    if learning_rate is None or sharing_learning_rate is None:
        own = largest_learning_rate(optimizer)
        if learning_rate is None:
            largest = max(own, _LARGEST_RATE)
            learning_rate = min(_PRUNING_FACTOR * own, largest) if is_adaptive else own
        if sharing_learning_rate is None:
            sharing_learning_rate = own
    if weight_decay is None:
        per_step = _DECAY_PER_STEP / max(learning_rate, 1e-12)
        weight_decay = _ADAPTIVE_DECAY if is_adaptive else per_step
    return Rates(float(learning_rate), float(sharing_learning_rate), float(weight_decay) or None)


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Trains models of a run, with its data and its journal.

    Attributes:
        given: the caller's compiled model.
        data: `Arrays` or `Batches` to train on.
        steps: int, of an epoch.
        steps_per_epoch: int or None, as the caller gave it.
        seed: int.
        journal: `Journal`.
        reporter: `Reporter`.
        class_weight: dict or None.
        jit_compile: bool or None: None compiles by XLA what is known to gain.
    """

    given: Any
    data: Any
    steps: int
    steps_per_epoch: int | None
    seed: int
    journal: Any
    reporter: Any
    class_weight: dict | None = None
    jit_compile: bool | None = None

    def fit(self, name, title, build, epochs, *, learning_rate, weight_decay=None, callbacks=()):
        """Train a model, or go on with a training that was interrupted.

        Args:
            name: str, of the training in the journal.
            title: str, beside the bar.
            build: callable without arguments that makes the model to train.
            epochs: int >= 1.
            learning_rate: float, after a short rise; a cosine takes it to zero.
            weight_decay: float or None.
            callbacks: callables without arguments that make the callbacks of `fit`.

        Returns:
            (the trained `keras.Model`, dict from the name of a log to its values by epoch).

        Raises:
            DivergedError: if the loss or a weight becomes NaN or infinite.
        """
        keras.utils.set_random_seed(self._seed_of(name, 0))
        model = build()
        self._compile(model, epochs, learning_rate, weight_decay)
        model.optimizer.build(model.trainable_variables)
        made = [make() for make in callbacks]
        logs: dict[str, list] = {}
        done = 0
        part = self.journal.load_part(name)
        if part is not None:
            done, logs = part[0]["done"], part[0]["logs"]
            for variable, value in zip(all_state(model), part[1], strict=True):
                variable.assign(value)
        data = _on_host(self.data)
        with self.reporter.stage(title, epochs * self.steps) as advance:
            advance(done * self.steps)
            self.reporter.epochs_left -= done
            given = data.epochs(done, self.steps_per_epoch)
            for epoch in range(done, epochs):
                keras.utils.set_random_seed(self._seed_of(name, epoch + 1))
                found = self._epoch(model, next(given), epoch, made, advance)
                for key, value in found.items():
                    logs.setdefault(key, []).append(float(value))
                _check_finite(title, logs, epoch)
                info = {"done": epoch + 1, "logs": logs}
                self.journal.save_part(
                    name, info, lambda: [np.array(host_array(v)) for v in all_state(model)]
                )
        return model, logs

    def _epoch(self, model, given, epoch, callbacks, advance):
        bar = StageBar(self.reporter, advance, epoch * self.steps)
        try:
            history = model.fit(
                **given,
                epochs=epoch + 1,
                initial_epoch=epoch,
                class_weight=self.class_weight,
                callbacks=[*callbacks, bar],
                verbose=0,
            )
        except ValueError as error:
            if "kernels must be finite" in str(error):
                raise DivergedError(str(error)) from error
            raise
        return {key: values[-1] for key, values in history.history.items()}

    def _compile(self, model, epochs, learning_rate, weight_decay):
        total = max(1, epochs * self.steps)
        warmup = min(200, total // 10)
        # From a thousandth: a rate of exactly 0 would make a first step without effect.
        schedule = keras.optimizers.schedules.CosineDecay(
            learning_rate / 1000 if warmup else learning_rate,
            max(1, total - warmup),
            warmup_target=learning_rate if warmup else None,
            warmup_steps=warmup,
        )
        own = optimizer_of(self.given)
        changes = {"learning_rate": schedule}
        decays = weight_decay is not None and "weight_decay" in own.get_config()
        if decays:
            changes["weight_decay"] = weight_decay
        optimizer = optimizer_like(own, **changes)
        if decays:
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        arguments = compile_arguments(self.given)
        is_small = _is_safe_for_xla(model) and not arguments["run_eagerly"]
        jit: bool | str | None = self.jit_compile
        if jit is None:
            # XLA is 1.4 times as fast for dense layers on a CPU, and slower for convolutions.
            jit = True if is_small else "auto"
        model.compile(
            optimizer,
            **arguments,
            jit_compile=jit,
            steps_per_execution=_steps_per_execution(self.steps) if is_small else 1,
        )

    def _seed_of(self, name, epoch):
        return zlib.crc32(f"{self.seed} {name} {epoch}".encode())


def _check_finite(title, logs, epoch):
    if not math.isfinite(logs["loss"][-1]):
        raise DivergedError(
            f"the loss must be finite. Received: loss={logs['loss'][-1]} in epoch {epoch + 1} of "
            f"{title!r}"
        )


def _is_safe_for_xla(model):
    return keras.backend.backend() == "tensorflow" and all(
        isinstance(layer, (keras.Sequential, keras.Function))
        or type(layer).__name__ in (*_SAFE_FOR_XLA, "PrunedLayer", "SharedLayer")
        for layer in layers_within(model)
    )


def _steps_per_execution(steps):
    """The largest divisor up to 67: those run at once, without Python in between."""
    return max(n for n in range(1, _MOST_STEPS_PER_EXECUTION + 1) if steps % n == 0)


def _on_host(data):
    """The data as tensors, so that `fit` need not copy arrays in each epoch."""
    if keras.backend.backend() != "tensorflow" or not isinstance(data, Arrays):
        return data
    import tensorflow as tf

    def tensor(array):
        return array if array is None or array.dtype == object else tf.convert_to_tensor(array)

    with tf.device("cpu:0"):
        x, y, w = (
            keras.tree.map_structure(tensor, p) for p in (data.x, data.y, data.sample_weight)
        )
    return dataclasses.replace(data, x=x, y=y, sample_weight=w)

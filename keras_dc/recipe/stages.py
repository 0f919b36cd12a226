"""The stages of an attempt: prune, share, make the file and judge it."""

import dataclasses
import functools
from typing import Any

import keras
import numpy as np

from keras_dc.compression.report import inspect
from keras_dc.conversion.convert import convert
from keras_dc.recipe.allocation import pattern_of
from keras_dc.training.batch_norm import fold_batch_norm
from keras_dc.training.dead_units import remove_dead_units
from keras_dc.training.dropout import rescale_dropout
from keras_dc.training.pruning import PruningCallback, prune
from keras_dc.training.schedules import PolynomialDecay
from keras_dc.training.stripping import strip
from keras_dc.training.weight_sharing import WeightSharingCallback, share_weights
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.layer_tree import layers_within
from keras_dc.wrapping.precision import in_full_precision

# Shares of the training: until when sparsity grows, and until when masks move.
_RAMP, _FREEZE = 0.45, 0.65
# Until when weights are assigned to clusters again.
_LAST_REASSIGNMENT = 0.7
# Updates of masks, and re-assignments, in an epoch.
_UPDATES = 12
# A layer that keeps nearly all its weights is not pruned at all.
_DENSE = 0.995


@dataclasses.dataclass(frozen=True)
class Pruned:
    """A pruned model, as the weights of the caller's.

    Attributes:
        name: str, of the stage.
        weights: list of arrays, as `get_weights` gives them, zeros written in.
        score: float, on the validation data.
        densities: dict from the name of a layer to its density.
        logs: dict from the name of a log to its values by epoch.
    """

    name: str
    weights: list
    score: float
    densities: dict
    logs: dict


@dataclasses.dataclass(frozen=True)
class Shared:
    """A compressed file.

    Attributes:
        name: str, of the stage.
        tflite: bytes.
        weights: list of arrays, of the plain model that the file was made of.
        score: float, of the file in an interpreter.
        num_clusters: int, or dict as the caller gave it.
        kernel_bytes: int, those of the coded kernels.
        logs: dict from the name of a log to its values by epoch.
    """

    name: str
    tflite: bytes
    weights: list
    score: float
    num_clusters: Any
    kernel_bytes: int
    logs: dict

    @property
    def size_bytes(self):
        """Of the file: int."""
        return len(self.tflite)


@dataclasses.dataclass(frozen=True)
class Stages:
    """What all attempts share.

    Attributes:
        model: a copy of the caller's model, not compiled.
        settings: `Settings`.
        trainer: `fitting.Trainer`.
        judge: `judging.Judge`.
        journal: `journal.Journal`.
    """

    model: keras.Model
    settings: Any
    trainer: Any
    judge: Any
    journal: Any

    def copy(self, weights=None):
        """A new model like the caller's, with `weights` in place of its own."""
        model = replace_layers(self.model, lambda layer: layer)
        if weights is not None:
            model.set_weights(weights)
        return model

    def train_dense(self, name, weights, epochs, rates):
        """Train the model as it is: (weights, logs)."""

        def compute():
            model, logs = self.trainer.fit(
                name,
                "Baseline",
                lambda: self.copy(weights),
                epochs,
                learning_rate=rates.sharing,
            )
            return {"logs": logs}, model.get_weights()

        info, trained = self._trained(name, compute, epochs)
        return trained, info["logs"]

    def prune(self, name, title, weights, densities, kind, epochs, rates):
        """Train with pruning: `Pruned`.

        Args:
            name: str, of the stage.
            title: str, beside the bar.
            weights: list of arrays to start from.
            densities: dict from the name of a layer to the density to reach.
            kind: str, see `Allocation`.
            epochs: int.
            rates: `fitting.Rates`.
        """

        def compute():
            build = functools.partial(self._prunable, weights, densities, kind, epochs)
            model, logs = self.trainer.fit(
                name,
                title,
                build,
                epochs,
                learning_rate=rates.pruning,
                weight_decay=rates.weight_decay,
                callbacks=[PruningCallback],
            )
            plain = strip(model)
            score = self.judge.score(self.judge.of_model(plain))
            return {"logs": logs, "score": score}, plain.get_weights()

        info, found = self._trained(name, compute, epochs)
        reached = self.densities_of(found, densities)
        return Pruned(name, found, info["score"], reached, info["logs"])

    def _trained(self, name, compute, epochs):
        left = self.trainer.reporter.epochs_left
        found = self.journal.remembered(name, compute)
        self.trainer.reporter.epochs_left = left - epochs
        return found

    def prune_at_once(self, weights, densities):
        """The weights of the model with its smallest magnitudes pruned: list of arrays."""
        schedule = {pattern_of(n): 1.0 - d for n, d in densities.items() if d < _DENSE}
        if not schedule:
            return weights
        return strip(
            prune(self.copy(weights), schedule, filters=self.settings.filters)
        ).get_weights()

    def densities_of(self, weights, names):
        """The share of weights that are not zero, of the layers in `names`: dict."""
        found = self.settings.kernels(self.copy(weights))
        return {name: float(np.count_nonzero(found[name]) / found[name].size) for name in names}

    def _prunable(self, weights, densities, kind, epochs):
        model = self.copy(weights)
        if self.settings.rescale_dropout and _has_dropout(model):
            pruned = self.copy(self.prune_at_once(weights, densities))
            model = rescale_dropout(pruned)
            model.set_weights(weights)
        steps = self.trainer.steps
        total = epochs * steps
        end = max(1, int(_RAMP * total))
        now = self.densities_of(weights, densities)
        decay = functools.partial(
            PolynomialDecay, begin_step=0, end_step=end, frequency=self._frequency(end)
        )
        sizes = {n: k.size for n, k in self.settings.kernels(model).items()}
        if kind == "global":
            of = functools.partial(_mean, weights=sizes)
            schedule: Any = decay(1.0 - of(now), 1.0 - of(densities))
        else:
            schedule = {
                pattern_of(name): decay(1.0 - now[name], 1.0 - density)
                for name, density in densities.items()
                if density < _DENSE
            } or decay(0.0, 0.0)
        return prune(
            model,
            schedule,
            global_threshold=kind == "global",
            straight_through=True,
            freeze_step=max(end, int(_FREEZE * total)),
            filters=self.settings.filters,
            leave_out=self.settings.leave_out,
        )

    def _frequency(self, span):
        return max(1, min(self.trainer.steps // _UPDATES, span // 8))

    def share(self, name, title, pruned, num_clusters, rate_weight, epochs, rates):
        """Train shared weights, and make a file of them: `Shared`.

        Args:
            name: str, of the stage.
            title: str, beside the bar.
            pruned: `Pruned`.
            num_clusters: see `keras_dc.share_weights`.
            rate_weight: float, see `keras_dc.share_weights`.
            epochs: int.
            rates: `fitting.Rates`.
        """

        def compute():
            steps = self.trainer.steps
            total = epochs * steps
            frequency = max(1, min(steps // _UPDATES, total // 4))

            def build():
                return self.shared(
                    pruned.weights,
                    num_clusters,
                    rate_weight,
                    reassign_frequency=frequency,
                    freeze_step=max(frequency, int(_LAST_REASSIGNMENT * total)),
                )

            model, logs = self.trainer.fit(
                name,
                title,
                build,
                epochs,
                learning_rate=rates.sharing,
                callbacks=[WeightSharingCallback],
            )
            plain = strip(model, float16_exact=self.settings.float16_exact)
            tflite = self.convert(plain)
            score = self.judge.score(self.judge.of_file(tflite))
            info = {"logs": logs, "score": score, "kernel_bytes": kernel_bytes_of(tflite)}
            return info, [np.frombuffer(tflite, np.uint8), *plain.get_weights()]

        info, (content, *weights) = self._trained(name, compute, epochs)
        return Shared(
            name, content.tobytes(), weights, info["score"], num_clusters, info["kernel_bytes"],
            info["logs"],
        )  # fmt: skip

    def shared(self, weights, num_clusters, rate_weight, **options):
        """A model with shared weights, from those of the pruned model."""
        return share_weights(
            self.prepared(weights),
            num_clusters,
            num_bias_clusters=self.settings.num_bias_clusters,
            rate_weight=rate_weight,
            float16_exact=self.settings.float16_exact,
            filters=self.settings.filters,
            leave_out=self.settings.leave_out,
            **options,
        )

    def prepared(self, weights):
        """The pruned model without BatchNormalization and dead units."""
        model = self.copy(weights)
        if self.settings.rescale_dropout and _has_dropout(model):
            model = rescale_dropout(model)
        if self.settings.fold_batch_norm and _has(model, keras.layers.BatchNormalization):
            model = fold_batch_norm(model)
        return remove_dead_units(model) if self.settings.remove_dead_units else model

    def plain(self, pruned, shared):
        """The plain model that the file of `shared` was made of."""
        model = self.prepared(pruned.weights)
        model.set_weights(shared.weights)
        return model

    def convert(self, model):
        """The compressed file of a plain model: bytes."""
        return convert(
            in_full_precision(model),
            coder=self.settings.coder,
            input_signature=self.settings.input_signature,
        )

    def file_sizes(self, model):
        """(bytes of the file, those of its kernels) of a model with shared weights."""
        tflite = self.convert(strip(model, float16_exact=self.settings.float16_exact))
        return len(tflite), kernel_bytes_of(tflite)


def kernel_bytes_of(tflite):
    """What the coded kernels of a compressed file take: int."""
    return sum(row.blob_bytes for row in inspect(tflite) if row.role == "weights")


def _mean(densities, weights):
    total = sum(weights[name] for name in densities)
    return sum(d * weights[name] for name, d in densities.items()) / total


def _has(model, layer_class):
    return any(isinstance(layer, layer_class) for layer in layers_within(model))


def _has_dropout(model):
    return _has(model, keras.layers.Dropout)

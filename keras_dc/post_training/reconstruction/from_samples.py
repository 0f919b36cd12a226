"""Compress a model so that its layers compute on samples what they did."""

import dataclasses
import os

import numpy as np

from keras_dc.compression import lossless
from keras_dc.compression.apply import apply
from keras_dc.compression.constants import pack
from keras_dc.compression.report import report_of
from keras_dc.post_training import prune_and_cluster
from keras_dc.post_training.reconstruction import importance as importances
from keras_dc.post_training.reconstruction import layers as layers_of
from keras_dc.post_training.reconstruction import moments as moments_of
from keras_dc.post_training.reconstruction import samples as samples_of
from keras_dc.post_training.reconstruction import unfused
from keras_dc.post_training.reconstruction.budget import Attempt, search
from keras_dc.post_training.reconstruction.feed import Feed
from keras_dc.post_training.reconstruction.judge import Judge
from keras_dc.post_training.reconstruction.parts import Part
from keras_dc.post_training.reconstruction.rebuild import (
    Setting,
    rebuild,
    rebuild_alone,
)
from keras_dc.post_training.reconstruction.shared import of_lookup
from keras_dc.runtime.program import Program
from keras_dc.support import progress
from keras_dc.tflite import model_file

_SECOND_ORDER, _ALONE = "second order", "weights alone"
_TRIAL_CLUSTERS, _TRIAL_RUNS = 32, 8


def compress_from_samples(
    content, samples, budget, settings, *, sparsity, num_clusters, metric, seed, **options
):
    """A compressed model within a budget, or with the sparsity and clusters that are given.

    Args:
        content: bytes of a `.tflite` model.
        samples: see `keras_dc.compress`.
        budget: `budget.Budget`.
        settings: `lossless.Settings`.
        sparsity: see `keras_dc.compress`.
        num_clusters: see `keras_dc.compress`.
        metric: see `keras_dc.compress`.
        seed: see `keras_dc.compress`.
        **options: of `keras_dc.Interpreter`.

    Returns:
        tuple of bytes and Report.

    Raises:
        See `keras_dc.compress`.
    """
    work = _Work(content, samples, settings, sparsity, num_clusters, metric, seed, options)
    if not budget.is_given:
        attempt = work.attempt(0.0)
    else:
        attempt = search(
            work.attempt,
            budget,
            original_bytes=len(content),
            num_weights=work.num_weights,
            lossless=work.lossless,
        )
    return attempt.content, attempt.extra


class _Work:
    """All that stays the same over attempts."""

    def __init__(self, content, samples, settings, sparsity, num_clusters, metric, seed, options):
        self._content, self._settings, self._seed = content, settings, seed
        options["num_threads"] = options.get("num_threads") or os.cpu_count()
        self._options = options
        source = unfused.source_of(lossless.Source.of(content))
        self._layers, self._others = layers_of.find_layers(source)
        names, sparsities, counts = prune_and_cluster.settings_of(
            source, sparsity, num_clusters, also={layer.weights.buffer for layer in self._layers}
        )
        self._set = {
            buffer: Setting(0.0, sparsities.get(name), counts.get(name))
            for buffer, name in names.items()
        }
        for constant in source.constants:
            if constant.buffer in names:
                prune_and_cluster.check_finite(constant, names[constant.buffer])
        program = Program.main(content, **options)
        runs = samples_of.runs_of(samples, program.inputs, seed)
        progress.tell("running the model")
        self._judge = Judge(content, runs, metric, **options)
        places = _input_tensors(source.graph, program)
        self._runs = [{places[name]: run[name] for name in places} for run in runs.used]
        progress.tell("measuring what each layer matters")
        self._graph = source.graph
        self._importances = self._measured(source.graph)
        self._alone = [constant for constant in source.constants if constant.buffer in self._others]
        self._sensitivities = [self._sensitivity(constant) for constant in self._alone]
        changed = [*(layer.weights for layer in self._layers), *self._alone]
        self.num_weights = sum(constant.values.size for constant in changed)
        self._attempts = 0

    def _measured(self, graph):
        """Importances of the uses of each layer: list of lists.

        Layers in loops that do not run on the samples are left to their weights alone.
        """
        uses = [use for layer in self._layers for use in layer.uses]
        found = importances.measure(graph, uses, self._runs, self._seed, **self._options)
        left, by_layer = iter(found), []
        for layer in list(self._layers):
            of_uses = [next(left) for _ in layer.uses]
            if None in of_uses:
                self._layers.remove(layer)
                if layer.steps is None:
                    self._others[layer.weights.buffer] = "its loop does not run on the samples"
            else:
                by_layer.append(of_uses)
        return by_layer

    def _sensitivity(self, constant):
        """How outputs change when a constant is clustered, see `rebuild_alone`: float."""
        if constant.sparse_form is not None:
            return None
        changed, _ = prune_and_cluster.approximate(constant.values, num_clusters=_TRIAL_CLUSTERS)
        moved = float(np.sum(np.square(np.subtract(changed, constant.values, dtype=np.float64))))
        main = self._graph.model.subgraphs[0]
        ends = list(map(int, main.inputs)), list(map(int, main.outputs))
        replaced = {constant.buffer: pack(changed, constant.dtype)}
        parts = [Part(self._graph, *ends, each, **self._options) for each in (None, replaced)]
        difference = energy = 0.0
        for run in self._runs[:_TRIAL_RUNS]:
            want, got = (part(run) for part in parts)
            for tensor, values in want.items():
                values = values.astype(np.float64)
                energy += float(np.sum(np.square(values)))
                difference += float(np.sum(np.square(got[tensor] - values)))
        if moved == 0 or energy == 0 or difference == 0:
            return None
        return difference / energy / moved

    def lossless(self):
        """The Attempt that changes no weight."""
        return self._made(0.0, {}, {})

    def attempt(self, price):
        """The Attempt with a price of a bit; 0.0: only what the user asked for."""
        self._attempts += 1
        what = f"rebuilding layers, attempt {self._attempts}"
        feed = Feed(self._graph, self._runs, **self._options)
        constants, replaced, changes, biases = {}, {}, {}, {}
        sizes = [layer.weights.values.size for layer in self._layers]
        pairs = zip(self._layers, self._importances)
        for layer, of_uses in progress.tracked(pairs, what, sizes):
            setting = dataclasses.replace(self._set[layer.weights.buffer], square_per_bit=price)
            if price == 0 and setting == Setting():
                continue
            found = moments_of.measure(
                list(layer.uses),
                feed.inputs(layer, replaced),
                [each.coherence for each in of_uses],
                self._seed,
            )
            if found is None:
                continue  # its loop no longer runs
            found, weights = _with_lookups(layer, found, of_uses)
            made = rebuild(layer, found, weights, setting, biases)
            values = layer.shaped(made.rows)
            change = prune_and_cluster.change_between(layer.weights.values, values)
            changes[layer.weights.buffer] = dataclasses.replace(
                change, output_error=made.output_error, method=_SECOND_ORDER
            )
            factorings = () if made.factors is None else ((layer.axis, made.factors),)
            constants[layer.weights.buffer] = {"values": values, "factorings": factorings}
            replaced[layer.weights.buffer] = pack(values, layer.weights.dtype)
            biases.update(made.biases)
            for buffer, bias in made.biases.items():
                constants[buffer] = {"values": bias}
                replaced[buffer] = pack(bias, "float32")
        self._change_alone(price, constants, changes)
        return self._made(price, constants, changes)

    def _change_alone(self, price, constants, changes):
        """Change the weights that have no second moment."""
        for constant, sensitivity in zip(self._alone, self._sensitivities):
            setting = dataclasses.replace(self._set[constant.buffer], square_per_bit=price)
            is_known = sensitivity is not None or not price
            if constant.sparse_form is not None or not is_known or setting == Setting():
                continue
            factoring = None
            if price:
                values = rebuild_alone(constant.values, sensitivity, setting)
            else:
                values, factoring = prune_and_cluster.approximate(
                    constant.values, sparsity=setting.sparsity, num_clusters=setting.num_clusters
                )
            change = prune_and_cluster.change_between(constant.values, values)
            method = f"{_ALONE}: {self._others[constant.buffer]}"
            changes[constant.buffer] = dataclasses.replace(change, method=method)
            factorings = () if factoring is None else (factoring,)
            constants[constant.buffer] = {"values": values, "factorings": factorings}

    def _made(self, price, constants, changes):
        progress.tell(f"coding and running the file, attempt {self._attempts}")
        source = lossless.Source.of(self._content)
        source = dataclasses.replace(
            source,
            constants=tuple(
                dataclasses.replace(constant, is_changed=True, **constants[constant.buffer])
                if constant.buffer in constants
                else constant
                for constant in source.constants
            ),
        )
        plan = lossless.plan(source, self._settings)
        report = report_of(source.graph, plan, source.left, changes)
        apply(source.graph, plan)
        model = model_file.detached(source.graph.model)
        compressed = lossless.write(model, source.files, self._settings)
        report.outputs = self._judge.changes(compressed)
        return Attempt(price, compressed, self._judge.error(compressed, report.outputs), report)


def _with_lookups(layer, found, importances_of_uses):
    """What `rebuild` takes: a list of Moments and one of Importance."""
    both = [
        of_lookup(use, each, importance) if use.is_lookup else (each, importance)
        for use, each, importance in zip(layer.uses, found, importances_of_uses)
    ]
    found, weights = zip(*both)
    return found, weights


def _input_tensors(graph, program):
    """The tensor of the main subgraph of each input of a program: dict by name."""
    indices = program.input_indices
    main = set(map(int, graph.model.subgraphs[0].inputs))
    if set(indices.values()) != main:
        raise ValueError(
            "samples are for a model whose signature is its first subgraph. Received: inputs "
            f"{sorted(indices.values())}, where it has {sorted(main)}"
        )
    return {name: int(index) for name, index in indices.items()}

"""One call of `deep_compress`: the stages in their order, and what comes of them."""

import dataclasses
import functools
import warnings
from typing import Any

import numpy as np

from keras_dc.compression.expand import expand
from keras_dc.conversion.convert import convert
from keras_dc.conversion.tensorflow_converter import to_tflite
from keras_dc.packing.pack import pack
from keras_dc.recipe import choosing
from keras_dc.recipe.allocation import Allocation
from keras_dc.recipe.budget import plan_of
from keras_dc.recipe.fingerprints import named
from keras_dc.recipe.fitting import Trainer, rates_of
from keras_dc.recipe.journal import Journal
from keras_dc.recipe.judging import Judge
from keras_dc.recipe.progress import Reporter
from keras_dc.recipe.result import Result
from keras_dc.recipe.search import Search
from keras_dc.recipe.settings import CLUSTERS, Settings
from keras_dc.recipe.stages import Stages
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.compilation import compile_arguments, optimizer_like, optimizer_of
from keras_dc.wrapping.precision import in_full_precision


@dataclasses.dataclass
class Run:
    """One call, its arguments checked."""

    model: Any
    aim: Any
    settings: Settings
    options: dict
    train: Any
    validation: Any
    journal: Journal
    reporter: Reporter

    def result(self):
        """Do all stages: `Result`."""
        self._prepare()
        self.weights = self._baseline()
        search, evidence = self._search(self.weights)
        best = search.run(self.plan)
        return self._finished(search, best, evidence)

    def _prepare(self):
        options = self.options
        copy = replace_layers(self.model, lambda layer: layer)
        steps = self.train.steps(options["steps_per_epoch"])
        trainer = Trainer(
            self.model,
            self.train,
            steps,
            options["steps_per_epoch"],
            options["seed"],
            self.journal,
            self.reporter,
            options["class_weight"],
            options["jit_compile"],
        )
        judge = Judge(
            self.model,
            copy,
            self.validation,
            metric=options["metric"],
            higher_is_better=options["higher_is_better"],
        )
        self.reporter.steps_per_epoch = steps
        self.stages = Stages(copy, self.settings, trainer, judge, self.journal)
        self.history = []
        self.rates = rates_of(
            self.model,
            learning_rate=self.settings.learning_rate,
            sharing_learning_rate=self.settings.sharing_learning_rate,
            weight_decay=self.settings.weight_decay,
        )

    def _baseline(self):
        """Measure the model, train it if it needs that; the weights to start from."""
        judge = self.stages.judge
        logs = judge.given_logs
        score = judge.score(logs)
        if not np.isfinite(score) or not np.isfinite(logs["loss"]):
            raise ValueError(
                "`model` must give finite outputs and a finite loss on `validation_data`. "
                f"Received: {judge.metric}={score}, loss={logs['loss']}"
            )
        epochs = self.options["baseline_epochs"]
        untrained = choosing.is_untrained(self.model, self.stages.copy(), judge)
        if epochs is None:
            epochs = max(1, self.options["epochs"] // 4) if untrained else 0
            if untrained:
                self.reporter.say(
                    f"The model looks untrained (loss {logs['loss']:.4g}, no steps made): "
                    f"{epochs} epochs train it first. `baseline_epochs=0` leaves it as it is."
                )
        elif untrained and not epochs:
            warnings.warn(
                "The model looks untrained: no steps were made, and its outputs fit the targets "
                f"hardly better than those of other samples. Received: baseline_epochs=0, "
                f"loss={logs['loss']:.4g}",
                stacklevel=4,
            )
        kernels = self.settings.kernels(self.model)
        self.has_choice = (
            self.settings.allocation is None
            and self.settings.densities is None
            and len(kernels) > 1
        )
        self.plan = plan_of(
            self.options["epochs"],
            baseline_epochs=epochs,
            has_choice=self.has_choice,
            is_about_loss=self.aim.is_about_loss,
            can_search=self.settings.densities is None,
        )
        self.reporter.say(f"Aim: {self.aim}. The model has {judge.metric} {score:.4f}.")
        self.reporter.table(f"What {self.options['epochs']} epochs buy", self.plan.rows())
        self.reporter.epochs_left = self.plan.total
        weights = self.model.get_weights()
        self.float_tflite = self._float_file(self.model)
        if epochs:
            weights, found = self.stages.train_dense("baseline", weights, epochs, self.rates)
            trained = self.stages.copy(weights)
            score = judge.score(judge.of_model(trained))
            self.float_tflite = self._float_file(trained)
            self.history.append(
                {"stage": "baseline", "epochs": epochs, "score": score, "logs": found}
            )
            self.reporter.say(f"Baseline: {judge.metric} {score:.4f}.")
        self.baseline = score
        return weights

    def _float_file(self, model, **settings):
        signature = self.settings.input_signature
        return to_tflite(in_full_precision(model), input_signature=signature, **settings)

    def _search(self, weights):
        stages, settings = self.stages, self.settings
        clusters = settings.num_clusters or CLUSTERS[0]
        typical = max(clusters.values()) if isinstance(clusters, dict) else clusters
        sizes = choosing.first_sizes(stages, weights, typical)
        max_bytes = None
        if not self.aim.is_about_loss:
            max_bytes = self.aim.size_bytes(len(self.float_tflite))
            smallest = sizes.other_bytes // 2
            if max_bytes < smallest:
                raise ValueError(
                    "no file of this model can be as small: without any weights it has "
                    f"some {sizes.other_bytes:,} bytes. Received: {self.aim}, which is "
                    f"{max_bytes:,} bytes"
                )
        kernels = settings.kernels(stages.copy(weights))
        given = settings.given_densities(list(kernels))
        sensitivity, evidence = None, {}
        if given is not None:
            allocations = [Allocation("given", kernels, given=given)]
        else:
            if settings.allocation != "global" and len(kernels) > 1:
                steps = stages.trainer.steps
                num_train = getattr(self.train, "num_samples", 32 * steps)
                sensitivity = choosing.scan(stages, weights, self.validation, num_train)
                self.reporter.say(str(sensitivity))
            kinds = {None: ("global", "layers"), "global": ("global",), "layers": ("layers",)}
            allocations = [
                Allocation(kind, kernels, sensitivity)
                for kind in kinds[settings.allocation]
                if kind == "global" or sensitivity is not None
            ]
        if max_bytes is None:
            density, evidence["pruned at once"] = choosing.first_density(
                stages, weights, allocations, sizes, self.baseline, self.aim.max_loss
            )
            if settings.num_clusters is None:
                clusters = choosing.clusters_for(density)
                sizes = dataclasses.replace(sizes, num_clusters=clusters)
            target = sizes.file_bytes(dict.fromkeys(sizes.num_weights, density))
        else:
            target = 0.975 * max_bytes
            if settings.num_clusters is None:
                sizes = choosing.with_clusters_for(sizes, target)
                clusters = sizes.num_clusters
        self.reporter.say(f"Clusters: {clusters}.")
        allocation, losses = choosing.chosen_allocation(
            stages, weights, allocations, sizes, target, self.plan.trial, self.rates, self.history
        )
        if losses:
            evidence["loss after a trial"] = losses
            self.reporter.say(
                f"Allocation: {allocation.kind}; loss after the trials: "
                + ", ".join(f"{kind} {loss:.4f}" for kind, loss in losses.items())
            )
        search = Search(
            self.aim, stages, allocation, sizes, self.baseline, weights, self.rates, max_bytes,
            clusters, self.reporter, history=self.history, first_target=target,
        )  # fmt: skip
        self.sensitivity = sensitivity
        return search, evidence

    def _finished(self, search, best, evidence):
        stages = self.stages
        reached = search.reaches(best)
        shared, pruned = best.shared, best.pruned
        ratio = len(self.float_tflite) / shared.size_bytes
        if not reached:
            warnings.warn(
                "The aim was not reached: more `epochs` may help, or another aim. Received: "
                f"{self.aim}; the nearest file has {shared.size_bytes:,} bytes, is {ratio:.1f} "
                f"times smaller and loses {best.loss:.4g} of {stages.judge.metric}",
                stacklevel=4,
            )
        model = stages.plain(pruned, shared)
        model.compile(optimizer_like(optimizer_of(self.model)), **compile_arguments(self.model))
        scores = {"dense": self.baseline, "pruned": pruned.score, "compressed file": shared.score}
        choices = self._choices(search, best, evidence)
        result = Result(
            model=model,
            tflite=shared.tflite,
            packed=pack(expand(shared.tflite)),
            history=tuple(search.history),
            scores=scores,
            metric=stages.judge.metric,
            ratio=ratio,
            reached=reached,
            choices=choices,
            _report_arguments=functools.partial(
                self._report_arguments, search.attempts, pruned, model, scores, choices
            ),
        )
        self.reporter.say(repr(result))
        return result

    def _report_arguments(self, attempts, pruned, model, scores, choices):
        """What `keras_dc.report` takes, beside the file. This converts the model three times."""
        stages, float_bytes = self.stages, len(self.float_tflite)
        _, names = convert(
            in_full_precision(model),
            coder=self.settings.coder,
            input_signature=self.settings.input_signature,
            verify=False,
            return_report=True,
        )
        return {
            "original": self.float_tflite,
            "names": names,
            "int8": self._float_file(stages.copy(self.weights), optimizations=["DEFAULT"]),
            "scores": scores,
            "metric": stages.judge.metric,
            "sensitivity": self.sensitivity,
            "curve": [
                {
                    "ratio": float_bytes / attempt.size_bytes,
                    "score": attempt.shared.score,
                    "label": f"attempt {i}",
                }
                for i, attempt in enumerate(attempts, 1)
                if attempt.shared is not None
            ],
            "choices": choices,
            "stages": {"pruned": self._float_file(stages.prepared(pruned.weights))},
            "title": self.model.name,
        }

    def _choices(self, search, best, evidence):
        given = {
            field.name: named(getattr(self.settings, field.name))
            for field in dataclasses.fields(self.settings)
        }
        return {
            "aim": str(self.aim),
            "epochs": dict(self.plan.rows()),
            "allocation": search.allocation.kind,
            "evidence": evidence,
            "densities": best.pruned.densities,
            "num_clusters": best.shared.num_clusters,
            "learning_rate": search.rates.pruning,
            "sharing_learning_rate": search.rates.sharing,
            "weight_decay": search.rates.weight_decay,
            "optimizer": type(optimizer_of(self.model)).__name__,
            "seed": self.options["seed"],
            "given": {**given, **{name: named(v) for name, v in self.options.items()}},
        }

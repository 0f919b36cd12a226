"""`deep_compress`: the paper's three stages in one call."""

import dataclasses
import os
import warnings
import zlib
from typing import Any

import keras
import numpy as np

import keras_dc
from keras_dc.compression.expand import expand
from keras_dc.conversion.tensorflow_converter import to_tflite
from keras_dc.packing.pack import pack
from keras_dc.recipe import choosing
from keras_dc.recipe.aims import aim_of
from keras_dc.recipe.allocation import Allocation
from keras_dc.recipe.budget import plan_of
from keras_dc.recipe.data import Arrays, data_of, with_validation
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
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import check_model, layers_of_class
from keras_dc.wrapping.weights import host_array

_DEFAULT_EPOCHS = 60


def deep_compress(
    model,
    train_data,
    validation_data=None,
    *,
    max_loss=None,
    max_bytes=None,
    ratio=None,
    epochs=_DEFAULT_EPOCHS,
    baseline_epochs=None,
    metric=None,
    higher_is_better=None,
    directory=None,
    batch_size=None,
    steps_per_epoch=None,
    class_weight=None,
    allocation=None,
    densities=None,
    num_clusters=None,
    num_bias_clusters=8,
    rate_weight=0.01,
    learning_rate=None,
    sharing_learning_rate=None,
    weight_decay=None,
    filters=None,
    leave_out=None,
    fold_batch_norm=True,
    remove_dead_units=True,
    rescale_dropout=True,
    float16_exact=True,
    coder="arithmetic",
    input_signature=None,
    jit_compile=None,
    seed=0,
    verbose="auto",
):
    """Prune a trained model, share its weights and code them: a small `.tflite` file.

    Han et al. 2016, "Deep Compression", as an expert would do it by hand: measure the model,
    find out where a coded byte is worth most, prune while training with regrowth, remove dead
    units, train shared weights that are assigned anew for short codes, convert, and measure the
    file itself in the interpreter. A file that loses too much is followed by an attempt that
    keeps more weights or clusters, from the last good state; a good one by an attempt that keeps
    fewer, as long as there are epochs. All choices are printed, stand in `Result.choices`, and
    can be made by the caller.

    `model`, its weights and its compilation stay as they are. The global random seeds of Python,
    NumPy and the backend are set.

    Args:
        model: a trained Sequential or Functional `keras.Model`, compiled with its loss and
            metrics. Trainings use a fresh optimizer of the same class and config.
        train_data: (x, y) or (x, y, sample_weight), nested arrays; or a dataset that
            `model.fit` takes and that can be read many times, such as a `tf.data.Dataset`.
        validation_data: likewise. It decides what is kept, so it must not be the test set. None:
            the last tenth of the training arrays, with a warning.
        max_loss: float, how much worse than `model` the file may be, in units of the metric
            (0.005 of an accuracy is half a point): find the smallest such file. Of the three aims
            give one; without any it is `max_loss=0.005`.
        max_bytes: int, or str such as "200 KB" (1 KB is 1,024 bytes): find the best file that is
            not larger.
        ratio: float, likewise, for a file so many times smaller than the float32 `.tflite`.
        epochs: int, of all trainings together. What they buy is printed first.
        baseline_epochs: int, those spent on `model` before all else. None: none, or a quarter of
            all if the model looks untrained: its optimizer made no steps, and its outputs fit
            the targets hardly better than those of other samples.
        metric: str, the name in the logs of `evaluate` that counts. None: the first metric that
            the model was compiled with, else "loss".
        higher_is_better: bool. None: by the name of the metric.
        directory: path of a folder that holds what was done so far. A call that was killed goes
            on where it was, if it is made again with the same arguments, and gives the same
            result, if the dataset gives the same batches. A finished one returns it at once.
        batch_size: int, for arrays; 128 if None.
        steps_per_epoch: int, for datasets without an end.
        class_weight: dict, as `fit` takes it.
        allocation: "global": one threshold for all layers; "layers": a density for each layer,
            from the sensitivity per coded byte. None: whichever loses less in a short training.
        densities: dict from regular expressions to floats, the density of each layer that is
            pruned; then the aim is not searched by densities.
        num_clusters: int or dict, see `share_weights`. None: 8, and more where sharing costs too
            much.
        num_bias_clusters, rate_weight: see `share_weights`.
        learning_rate: float, of pruning at its highest. None: three times that of the model's
            optimizer, 0.004 at most, for Adam and its like; else that of the optimizer.
        sharing_learning_rate: float, of sharing. None: that of the model's optimizer.
        weight_decay: float, of pruning. None: 0.1 for Adam and its like.
        filters, leave_out: see `prune`: which layers are pruned and shared.
        fold_batch_norm: whether to fold BatchNormalization before sharing.
        remove_dead_units: whether to remove units without input or effect.
        rescale_dropout: whether to reduce dropout as weights become fewer.
        float16_exact: whether shared values are rounded to what float16 holds.
        coder, input_signature: see `convert`.
        jit_compile: as `compile` takes it. None: XLA for dense networks on TensorFlow.
        seed: int.
        verbose: "auto" or 1: lines and bars; 2: lines; 0: nothing.

    Returns:
        `Result`, with `.model`, `.tflite`, `.packed`, `.report` and `.history`. If the aim was
        not reached, it is the nearest file found, and a warning says what it reached.

    Raises:
        TypeError, ValueError: if an argument is out of its range or does not fit the others; if
            the model is subclassed, not compiled with a loss, pruned or shared already, has no
            kernels to prune, or gives NaN; if no file can be as small as the aim; if the
            training diverges twice; if `directory` holds another run.
        ConversionError, VerificationError: see `convert`.
    """
    aim = aim_of(max_loss, max_bytes, ratio)
    settings = Settings(
        allocation=allocation,
        densities=densities,
        num_clusters=num_clusters,
        num_bias_clusters=num_bias_clusters,
        rate_weight=rate_weight,
        learning_rate=learning_rate,
        sharing_learning_rate=sharing_learning_rate,
        weight_decay=weight_decay,
        filters=filters,
        leave_out=leave_out,
        fold_batch_norm=fold_batch_norm,
        remove_dead_units=remove_dead_units,
        rescale_dropout=rescale_dropout,
        float16_exact=float16_exact,
        coder=coder,
        input_signature=input_signature,
    )
    settings.check()
    for name, value in (("epochs", epochs), ("baseline_epochs", baseline_epochs)):
        _check_count(name, value, smallest=0 if name == "baseline_epochs" else 2)
    _check_count("steps_per_epoch", steps_per_epoch, smallest=1)
    _check_count("batch_size", batch_size, smallest=1)
    _check_model(model)
    settings.kernels(model)  # refuses a model without any
    reporter = Reporter(verbose)
    train, validation = with_validation(
        data_of("train_data", train_data, batch_size), validation_data, batch_size
    )
    if isinstance(train, Arrays) and steps_per_epoch is not None:
        raise ValueError(
            "`steps_per_epoch` is for datasets; arrays are used whole. Received: "
            f"steps_per_epoch={steps_per_epoch}"
        )
    options = {"epochs": epochs, "baseline_epochs": baseline_epochs, "metric": metric,
               "higher_is_better": higher_is_better, "batch_size": batch_size,
               "steps_per_epoch": steps_per_epoch, "class_weight": class_weight,
               "jit_compile": jit_compile, "seed": seed}  # fmt: skip
    journal = Journal(
        directory,
        {
            "keras_dc": keras_dc.__version__,
            "aim": str(aim),
            **{name: _named(value) for name, value in options.items()},
            **{f.name: _named(getattr(settings, f.name)) for f in dataclasses.fields(settings)},
            "model": _fingerprint(model),
            "train_data": train.fingerprint(),
            "validation_data": validation.fingerprint(),
        },
    )
    run = _Run(model, aim, settings, options, train, validation, journal, reporter)
    return run.result()


@dataclasses.dataclass
class _Run:
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
        weights = self._baseline()
        search, evidence = self._search(weights)
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
        logs = judge.of_model(self.model)
        score = judge.score(logs)
        if not np.isfinite(score) or not np.isfinite(logs["loss"]):
            raise ValueError(
                "`model` must give finite outputs and a finite loss on `validation_data`. "
                f"Received: {judge.metric}={score}, loss={logs['loss']}"
            )
        epochs = self.options["baseline_epochs"]
        untrained = choosing.is_untrained(self.model, judge, logs)
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
            self.settings.allocation is None and self.settings.densities is None and len(kernels) > 1
        )
        self.plan = plan_of(
            self.options["epochs"],
            baseline_epochs=epochs,
            has_choice=self.has_choice,
            is_about_loss=self.aim.is_about_loss and self.settings.densities is None,
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

    def _float_file(self, model):
        return to_tflite(
            replace_layers(model, lambda layer: layer),
            input_signature=self.settings.input_signature,
        )

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
            target, evidence["pruned at once"] = choosing.first_bytes(
                stages, weights, allocations, sizes, self.baseline, self.aim.max_loss
            )
        else:
            target = 0.975 * max_bytes
        allocation, losses = choosing.chosen_allocation(
            stages, weights, allocations, sizes, target, self.plan.trial, self.rates
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
        model = stages.prepared(pruned.weights)
        model.set_weights(shared.weights)
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
            _report_arguments={
                "original": self.float_tflite,
                "scores": scores,
                "metric": stages.judge.metric,
                "sensitivity": self.sensitivity,
                "curve": [
                    {
                        "ratio": len(self.float_tflite) / attempt.size_bytes,
                        "score": attempt.shared.score,
                        "label": f"attempt {i}",
                    }
                    for i, attempt in enumerate(search.attempts, 1)
                    if attempt.shared is not None
                ],
                "choices": choices,
                "stages": {"pruned": self._float_file(stages.prepared(pruned.weights))},
                "title": self.model.name,
            },
        )
        self.reporter.say(repr(result))
        return result

    def _choices(self, search, best, evidence):
        given = {
            field.name: _named(getattr(self.settings, field.name))
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
            "given": {**given, **{name: _named(v) for name, v in self.options.items()}},
        }


def _check_model(model):
    check_model(model)
    if not isinstance(model, (keras.Sequential, keras.Function)):
        raise ValueError(
            "`deep_compress` works on copies, and only its author's code can copy a subclassed "
            "model: give a Sequential or Functional one, or call `prune`, `share_weights` and "
            f"`convert` yourself. Received: model={model}"
        )
    wrapped = layers_of_class(model, KernelWrapper)
    if wrapped:
        raise ValueError(
            "`model` is pruned or shared already: call `keras_dc.strip` first. "
            f"Received: model={model} with the layer {wrapped[0]}"
        )
    compile_arguments(model)


def _check_count(name, value, *, smallest):
    if value is None and name != "epochs":
        return
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_int or value < smallest:
        raise ValueError(f"`{name}` must be an int from {smallest}. Received: {name}={value!r}")


def _fingerprint(model):
    """A text that tells a model, its weights and its compilation from others."""
    check = 0
    for weight in model.weights:
        check = zlib.crc32(np.ascontiguousarray(host_array(weight)).view(np.uint8).data, check)
    optimizer = optimizer_of(model)
    arguments = compile_arguments(model)
    names = [f"{type(layer).__name__} {layer.name}" for layer in model.layers]
    check = zlib.crc32(" ".join(names).encode(), check)
    compiled = {name: _named(value) for name, value in arguments.items()}
    return f"{model.name}, CRC-32 {check:08x}, {_named(optimizer)}, {compiled}"


def _named(value):
    """A text of a value that is the same in another process."""
    if isinstance(value, dict):
        return {str(key): _named(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_named(item) for item in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    name = getattr(value, "__name__", type(value).__name__)
    config = getattr(value, "get_config", None)
    if isinstance(value, keras.optimizers.Optimizer) and config is not None:
        return f"{name} with learning rate {_named(config()['learning_rate'])}"
    return name if callable(value) or config is not None else repr(value)

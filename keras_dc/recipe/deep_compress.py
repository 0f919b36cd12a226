"""`deep_compress`: the paper's three stages in one call."""

import dataclasses

import keras
import numpy as np

import keras_dc
from keras_dc.recipe.aims import aim_of
from keras_dc.recipe.data import Arrays, data_of, with_validation
from keras_dc.recipe.fingerprints import model_fingerprint, named
from keras_dc.recipe.journal import Journal
from keras_dc.recipe.progress import Reporter
from keras_dc.recipe.run import Run
from keras_dc.recipe.settings import Settings
from keras_dc.wrapping.compilation import compile_arguments
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import check_model, layers_of_class

_DEFAULT_EPOCHS = 40


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
            pruned. There is one attempt then, and the aim is what it is held to.
        num_clusters: int or dict, see `share_weights`. None: 8, 16 or 32, the more weights are
            kept the more, and twice as many where sharing costs too much.
        num_bias_clusters: int or None, see `share_weights`.
        rate_weight: float, see `share_weights`.
        learning_rate: float, of pruning at its highest. None: three times that of the model's
            optimizer, 0.004 at most, for Adam and its like; else that of the optimizer.
        sharing_learning_rate: float, of sharing. None: that of the model's optimizer.
        weight_decay: float, of pruning. None: 0.1 for Adam and its like.
        filters: see `prune`: which layers are pruned and shared.
        leave_out: see `prune`.
        fold_batch_norm: whether to fold BatchNormalization before sharing.
        remove_dead_units: whether to remove units without input or effect.
        rescale_dropout: whether to reduce dropout as weights become fewer.
        float16_exact: whether shared values are rounded to what float16 holds.
        coder: see `convert`.
        input_signature: see `convert`; the float file is made with it, too.
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
            **{name: named(value) for name, value in options.items()},
            **{f.name: named(getattr(settings, f.name)) for f in dataclasses.fields(settings)},
            "model": model_fingerprint(model),
            "train_data": train.fingerprint(),
            "validation_data": validation.fingerprint(),
        },
    )
    run = Run(model, aim, settings, options, train, validation, journal, reporter)
    return run.result()


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

"""Pruning in training: the layer that applies masks, and the callback that moves them.

Which weights the masks keep is in `mask_rules`, how many and when in `schedules`.
"""

import functools
import math
import warnings

import keras
import numpy as np
from keras import ops

from keras_dc.numerics.masks import kept_count
from keras_dc.support.name_patterns import values_by_name
from keras_dc.training import schedules, sensitivity_scan
from keras_dc.training.mask_rules import (
    Kernel,
    functions_for,
    option_names,
    options_of,
    rule_of,
    takes_tensors,
)
from keras_dc.training.schedules import as_schedule, last_update_step
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.driven_layer import DrivenLayer, LayerDriver
from keras_dc.wrapping.elementwise_steps import is_free
from keras_dc.wrapping.gradients import masked
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_selection import layer_names, selected_layers, selected_name
from keras_dc.wrapping.layer_tree import layers_of_class
from keras_dc.wrapping.weights import host_array, near_array

_register = keras.saving.register_keras_serializable("keras_dc")
for _schedule in (
    schedules.ConstantSparsity,
    schedules.PolynomialDecay,
    schedules.CallableSchedule,
):
    _register(_schedule)


# Arguments of TensorFlow Model Optimization, and what to say here.
_NAMES_OF_TFMOT = {
    "to_prune": "it is `model` here",
    "pruning_schedule": "it is `schedule` here",
    "block_pooling_type": "blocks always go by their mean magnitude here",
    "pruning_policy": "it is `filters` here",
    "sparsity_m_by_n": "it is `group_size` here: `schedule=0.5, group_size=4` is 2 of 4",
}


def prune(
    model=None,
    schedule=None,
    *,
    global_threshold=False,
    min_density=0.001,
    rate_aware=False,
    block_size=None,
    group_size=None,
    straight_through=False,
    regrow_fraction=None,
    freeze_step=None,
    filters=None,
    leave_out=None,
    **unknown,
):
    """`model` with kernels masked in the forward pass: `kernel * mask`.

    Train the result with `PruningCallback()`, which moves the masks along `schedule`.
    `strip` then gives a plain model with the zeros in its kernels. A number as `schedule`
    prunes at once: the result can be stripped, or trained, with or without the callback.

    Args:
        model: a built `keras.Model`. Sequential and Functional models are copied
            with their weights; a subclassed model is changed in place.
        schedule: when to prune, and to which sparsity: a `PolynomialDecay`, a
            `ConstantSparsity`, a schedule of TensorFlow Model Optimization, a function
            `step -> sparsity`, called every 100 steps, or a number: that sparsity at once,
            without training. (So does any schedule with `end_step=0`.) Or a dict from
            regular expressions to these: a layer gets the value of the first expression
            found in its name, and is left alone if none is. Or what `sensitivity` measured:
            its `targets()`, which lose 1 % of the metric at most, each.
        global_threshold: if True, all kernels that this call prunes by the same schedule
            share one threshold, and the sparsity is that of all of them together; else
            each kernel has the sparsity of the schedule.
        min_density: float in [0, 1], the minimum density of each kernel under a global
            threshold.
        rate_aware: if True, weights are compared by the square that they bring for each bit
            that they take in a file with `coder="arithmetic"`, not by magnitude alone: a weight
            in a full row or column is cheap, one that is alone there dear. The same number
            of weights then takes fewer bytes, and more units die, which `remove_dead_units`
            takes out. It is for sparsities of 90 % and more: only there do places cost much.
        block_size: None, or (m, n): prune blocks of m rows and n columns of the last two
            axes of a kernel, by their mean magnitude. The sparsity is that of blocks.
        group_size: None, or int m, for the N:M pattern: of each m weights along the input
            axis `round((1 - sparsity) * m)` are kept. Sparsity 0.5 with m = 4 is 2:4.
        straight_through: if True, pruned weights go on learning, and return once they are
            large enough: the gradient passes the mask unchanged. The masks are updated
            until `freeze_step`, also after the end of the schedule.
        freeze_step: int, the last step that updates the masks, with `straight_through` or
            `regrow_fraction`. Leave some training after it, a tenth say, for the kept
            weights to settle.
        regrow_fraction: None, or a float in (0, 1), 0.3 say, for RigL: each update drops
            this share of the kept weights, by magnitude, and grows as many others from
            zero: the pruned weights that gradients would have moved most since the last
            update. The share falls to 0 at `freeze_step`. The optimizer adds the
            gradients up in the pruned weights themselves, so a step costs as much as
            that of a dense layer. With Adam, its steps are added up, not the gradients.
        filters: None, a regular expression or a list of them searched in the names
            of the layers, or a callable `layer -> bool`: which layers to prune. None: all
            with a kernel that are not frozen. A layer of your own can tell which of its weights
            are kernels by a method `get_prunable_weights()`; else those called `kernel` or
            `embeddings` are.
        leave_out: None, "first", "last" or "first_and_last": layers not to prune.
        **unknown: none; names of TensorFlow Model Optimization are told by ours.

    Returns:
        A `keras.Model`, to be compiled. Values at pruned positions are undefined until
        `strip`: masking their gradients is left out where they affect no other weight.

    Raises:
        ValueError: if an argument is out of its range, no layer is selected, or a
            selected layer is pruned already.
        TypeError: for an unknown argument, or if `model` or `schedule` is missing.
    """
    if unknown:
        name = next(iter(unknown))
        ours = _NAMES_OF_TFMOT.get(name, "see the signature")
        raise TypeError(f"`prune` has no argument {name!r}: {ours}. Received: {unknown}")
    if model is None or schedule is None:
        raise TypeError(
            f"`prune` needs `model` and `schedule`. Received: model={model}, schedule={schedule}"
        )
    rule = rule_of(
        global_threshold=global_threshold,
        min_density=min_density,
        rate_aware=rate_aware,
        block_size=block_size,
        group_size=group_size,
        straight_through=straight_through,
        regrow_fraction=regrow_fraction,
        freeze_step=freeze_step,
    )
    layers = selected_layers(model, filters, leave_out=leave_out)
    if isinstance(schedule, sensitivity_scan.Sensitivity):
        schedule = schedule.targets()
    by_name = values_by_name("schedule", schedule, layers, also=layer_names(layers))
    by_name = {name: as_schedule(value) for name, value in by_name.items()}

    wrappers = []

    def pruned(layer):
        name = selected_name(layers, layer)
        if name not in by_name:
            return layer
        if isinstance(layer, KernelWrapper):
            raise ValueError(
                "A layer that is pruned or shared already must be stripped first. "
                f"Received: layer={layer}"
            )
        wrappers.append(PrunedLayer(layer, by_name[name], rule=rule))
        return wrappers[-1]

    result = replace_layers(model, pruned)
    at_once = [wrapper for wrapper in wrappers if wrapper.schedule.end_step == 0]
    _update_masks(at_once, 0)
    for wrapper in at_once:
        wrapper.last_update_step.assign(0)
    return result


@_register
class PrunedLayer(DrivenLayer):
    """A layer that computes with `kernel * mask`.

    Args:
        layer: a `keras.Layer` with a kernel.
        schedule: one of those that `prune` takes, no dict.
        rule: an instance of a class of `mask_rules`, or None for the rule that the other
            arguments ask for.
        **kwargs: the keywords of `prune` that tell which weights to keep (`min_density`,
            `block_size`, ...), and those of `keras.Layer`.

    Attributes:
        masks: list of float variables, one per kernel and shaped like it: 1 = kept,
            0 = pruned.
    """

    driver_name = "PruningCallback"

    def __init__(self, layer, schedule, *, rule=None, **kwargs):
        options = {name: kwargs.pop(name) for name in option_names() & kwargs.keys()}
        if rule is not None and options:
            raise ValueError(
                f"`rule` stands for all keywords of rules. Received: rule={rule}, {options}"
            )
        self.schedule = as_schedule(schedule)
        self.rule = rule_of(**options) if rule is None else rule
        self.rule.check(self.schedule)
        super().__init__(layer, **kwargs)

    @property
    def needs_driver(self):
        # `prune` itself has made the only update of a schedule that ends at step 0.
        return self.schedule.end_step != 0 or self.rule.regrows

    def create_state(self):
        super().create_state()
        self.masks, self.thresholds = [], []
        for i, kernel in enumerate(self.kernels):
            dtype, shape = kernel.variable.dtype, kernel.variable.shape
            add = functools.partial(self.add_weight, dtype=dtype, trainable=False)
            self.masks.append(add(shape=shape, initializer="ones", name=f"mask_{i}"))
            if self.rule.in_forward_pass:
                of = shape if self.rule.rate_aware else ()
                self.thresholds.append(add(shape=of, initializer="zeros", name=f"threshold_{i}"))

    def derived(self):
        thresholds = self.thresholds or [None] * len(self.kernels)
        tensors = [
            masked(
                kernel.variable.value,
                mask.value,
                threshold=None if threshold is None else threshold.value,
                all_learn=self._all_learn(kernel.variable),
            )
            for kernel, mask, threshold in zip(self.kernels, self.masks, thresholds, strict=True)
        ]
        return self.kernels, tensors

    def _all_learn(self, kernel):
        return self.rule.all_learn or (self.trains_elementwise and is_free(kernel))

    def current_masks(self):
        """What the forward pass multiplies each kernel by: list of float arrays."""
        return self._current_masks(host_array)

    def kept_counts(self):
        """How many weights the forward pass keeps of each kernel: list of int."""
        masks = self._current_masks(near_array)
        return [
            np.count_nonzero(mask) if isinstance(mask, np.ndarray) else int((mask != 0).sum())
            for mask in masks
        ]

    def _current_masks(self, read):
        masks = [read(mask) for mask in self.masks]
        for i, threshold in enumerate(self.thresholds):
            masks[i] = masks[i] * (abs(read(self.kernels[i].variable)) >= read(threshold))
        return masks

    def stripped(self):
        """The wrapped layer with the zeros written into its kernels.

        Warns if the training ended before the schedule.

        Raises:
            RuntimeError: if the schedule has not begun, so that there are no zeros.
        """
        self._check_that_it_was_pruned()
        for kernel, mask in zip(self.kernels, self.current_masks(), strict=True):
            kernel.variable.assign(host_array(kernel.variable) * mask + 0.0)  # -0.0 becomes 0.0
        return self.layer

    def _check_that_it_was_pruned(self):
        step, has_begun = self.steps_done()
        target = self.schedule.target(step)
        if not has_begun:
            masks = self.current_masks()
            would_be = any(kept_count(mask.size, target) < mask.size for mask in masks)
            if would_be and all(mask.all() for mask in masks):
                raise RuntimeError(
                    f"The masks of layer {self.name!r} never moved, it is dense. Train the model "
                    "with PruningCallback() beyond the `begin_step` of its schedule, or prune it "
                    "at once with a number as schedule. Received: a schedule from step "
                    f"{self.schedule.begin_step} to sparsity {target:.4g}, {step} steps trained"
                )
            return
        reached = self.schedule(self.next_update(step))
        if self.schedule.end_step != -1 and reached < target - 1e-6:
            # Without the name of the layer, so that it is said once.
            warnings.warn(
                "Training ended before the pruning schedule did: the sparsity is "
                f"{reached:.4g} of {target:.4g}. Received: end_step={self.schedule.end_step}, "
                f"{step} steps trained",
                stacklevel=2,
            )

    def next_update(self, step):
        freeze_step = self.rule.freeze_step
        if self.rule.in_forward_pass and step >= freeze_step:
            return freeze_step
        return last_update_step(self.schedule, step, end_step=freeze_step)

    def compares(self, step):
        """Whether the forward pass compares the weights with thresholds after an update."""
        return self.rule.in_forward_pass and step < self.rule.freeze_step

    def set_thresholds(self, thresholds):
        """Apply new thresholds: list of float arrays, see `mask_rules.Magnitude.thresholds`."""
        for variable, threshold in zip(self.thresholds, thresholds, strict=True):
            variable.assign(threshold)

    def set_masks(self, masks, *, may_open=True):
        """Apply new masks, in place of thresholds.

        Args:
            masks: list of float arrays of 0 and 1, shaped like the kernels, or of tensors.
            may_open: bool, whether weights may return, which then start at zero.
        """
        for i, (kernel, new_mask) in enumerate(zip(self.kernels, masks, strict=True)):
            variable, mask = kernel.variable, self.masks[i]
            if self.thresholds:
                self.thresholds[i].assign(ops.zeros_like(self.thresholds[i].value))
            if may_open:
                # If all weights learn, those dropped start at zero, too: what they hold from
                # now on is a sum of gradients.
                read = host_array if isinstance(new_mask, np.ndarray) else near_array
                variable.assign(read(variable) * read(mask) * new_mask)
            mask.assign(new_mask)

    def options(self):
        return {"schedule": self.schedule, "rule": self.rule}

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {**super().get_config(), "schedule": schedule, **options_of(self.rule)}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["schedule"] = keras.saving.deserialize_keras_object(config["schedule"])
        return super().from_config(config)


class PruningCallback(LayerDriver):
    """Moves the masks of a pruned model along their schedules, by optimizer step.

    Adds to the logs of each epoch `sparsity`, the fraction of zeros in all masks, and
    `sparsity_of_model`, these zeros as a fraction of all weights of the model: biases and
    layers that are not pruned count as well.
    In a training loop of your own, with any optimizer or several, call `set_model(model)` before
    the loop and `on_train_batch_begin(0)` before each step; in a loop on JAX that carries the
    values of the variables itself (`model.stateless_call`), `begin_stateless_step`.

    The step is that of the model's optimizer; if it stands still, or there is none, the batches
    are counted. With a new optimizer the schedule goes on where it was.

    Args:
        step: None, or a callable without arguments that gives the steps made so far, asked in
            place of both, such as `lambda: generator_optimizer.iterations`.
    """

    layer_class = PrunedLayer

    def update(self, layers, step):
        _update_masks(layers, step)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if logs is not None:
            layers = layers_of_class(self.model, PrunedLayer)
            logs["sparsity"] = sparsity_of(layers)
            logs["sparsity_of_model"] = _sparsity_of_model(self.model, layers)


def sparsity_of(layers):
    """Fraction of zeros in the masks of the pruned `layers` together."""
    sizes = sum(math.prod(mask.shape) for layer in layers for mask in layer.masks)
    return 1.0 - sum(kept for layer in layers for kept in layer.kept_counts()) / sizes


def _sparsity_of_model(model, layers):
    """Fraction of the weights of `model`, those that are not pruned as well, that masks prune."""
    zeros = sum(math.prod(mask.shape) for layer in layers for mask in layer.masks)
    zeros -= sum(kept for layer in layers for kept in layer.kept_counts())
    wrappers = layers_of_class(model, KernelWrapper)
    own = {id(weight) for wrapper in wrappers for weight in wrapper.weights}
    own -= {id(weight) for wrapper in wrappers for weight in wrapper.layer.weights}
    return zeros / sum(math.prod(w.shape) for w in model.weights if id(w) not in own)


def _update_masks(layers, step):
    groups = {}
    for layer in layers:
        is_global = layer.rule.global_threshold
        key = (layer.rule, layer.schedule.key()) if is_global else layer
        groups.setdefault(key, []).append(layer)
    for group in groups.values():
        first = group[0]
        update_step = first.next_update(step)
        kernels = _rule_kernels(first.rule, group)
        if not kernels:  # All are borrowed from layers of other groups.
            continue
        sparsity = first.schedule(update_step)
        masks = _masks_of_group(first, kernels, update_step, sparsity)
        if first.compares(step):
            _set_all(group, "set_thresholds", first.rule.thresholds(kernels, masks, sparsity))
        else:
            _set_all(group, "set_masks", masks, may_open=first.rule.regrows)


def _rule_kernels(rule, layers):
    """What `rule` is told of the kernels of `layers`: list of `mask_rules.Kernel`."""

    def read_by(read):
        # Only these rules ask what the forward pass keeps: thresholds are read besides.
        present = [m for layer in layers for m in layer.current_masks()] if rule.rate_aware else []
        masks = [mask for layer in layers for mask in layer.masks]
        kernels = [kernel for layer in layers for kernel in layer.kernels]
        return [
            Kernel(
                read(kernel.variable),
                read(mask),
                kernel.input_axis,
                present[i] if present else None,
            )
            for i, (kernel, mask) in enumerate(zip(kernels, masks, strict=True))
        ]

    if takes_tensors(rule):
        found = read_by(near_array)
        if len({isinstance(kernel.weights, np.ndarray) for kernel in found}) == 1:
            return found
    return read_by(host_array)


def _set_all(layers, method, values, **options):
    """Give each layer those of `values` that are of its kernels."""
    values = iter(values)
    for layer in layers:
        getattr(layer, method)([next(values) for _ in layer.kernels], **options)


def _masks_of_group(first, kernels, update_step, sparsity):
    """The masks of an update, one per kernel of some layers of one rule and schedule."""
    rule, schedule = first.rule, first.schedule
    progress = 0.0
    if rule.freeze_step is not None:
        length = max(1, rule.freeze_step - schedule.begin_step)
        progress = (update_step - schedule.begin_step) / length
    masks = rule.masks(kernels, sparsity, progress=progress)
    if rule.regrows:
        return masks
    before = [kernel.mask for kernel in kernels]
    masks, num_opened = functions_for(masks[0]).never_open(masks, before)
    if int(num_opened):
        warnings.warn(
            "A schedule asks for a sparsity below that of the masks. They stay as they are: "
            "pruned weights return with `straight_through` or `regrow_fraction` only. Received: "
            f"schedule({update_step})={sparsity}, layer {first.name!r}",
            stacklevel=2,
        )
    return masks

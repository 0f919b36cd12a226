"""Magnitude pruning in training: the layer that applies a mask, and its callback.

Han et al. 2015, "Learning both Weights and Connections"; gradual schedule: Zhu &
Gupta 2017; straight-through regrowth: Guo et al. 2016, "Dynamic Network Surgery";
drop and grow by gradient: Evci et al. 2020, "Rigging the Lottery".
"""

import keras
import numpy as np

from keras_dc.support.name_patterns import values_by_name
from keras_dc.training import schedules
from keras_dc.training.mask_updates import update_masks
from keras_dc.training.schedules import as_schedule, last_update_step
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.driven_layer import DrivenLayer, LayerDriver
from keras_dc.wrapping.elementwise_steps import is_free
from keras_dc.wrapping.gradients import masked
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_selection import selected_layers
from keras_dc.wrapping.layer_tree import wrappers_of
from keras_dc.wrapping.weights import host_array

_register = keras.saving.register_keras_serializable("keras_dc")
for _schedule in (
    schedules.ConstantSparsity,
    schedules.PolynomialDecay,
    schedules.CallableSchedule,
):
    _register(_schedule)


def prune(
    model,
    schedule,
    *,
    global_threshold=False,
    min_density=0.001,
    block_size=None,
    group_size=None,
    straight_through=False,
    regrow_fraction=None,
    freeze_step=None,
    filters=None,
    leave_out=None,
):
    """`model` with kernels masked in the forward pass: `kernel * mask`.

    Train the result with `PruningCallback()`, which moves the masks along
    `schedule`; `strip` then gives a plain model with the zeros in its kernels.

    Args:
        model: a built `keras.Model`. Sequential and Functional models are copied
            with their weights; a subclassed model is changed in place.
        schedule: `PolynomialDecay`, `ConstantSparsity`, a schedule object of TFMOT,
            a callable `step -> sparsity`, asked every 100 steps, or a sparsity from
            the first step on; or a dict from regular expressions, searched in the
            names of the layers, to such schedules, of which the first match counts
            and a layer without match is left alone.
        global_threshold: if True, the sparsity is that of all kernels pruned by this
            call and this schedule together, which share one threshold; else each
            kernel has it.
        min_density: float in [0, 1], fraction of each kernel that a global threshold
            leaves at the least.
        block_size: None, or (m, n): prune blocks of m rows by n columns of the last two
            axes of a kernel, by their mean magnitude; the sparsity is that of blocks.
        group_size: None, or an int m: the N:M pattern. Of each m weights in a row along
            the input axis `round((1 - sparsity) * m)` stay: 0.5 and 4 are 2:4.
        straight_through: if True, pruned weights go on learning, and return once
            they are large enough: the gradient passes the mask as if it were not
            there, and the masks are recomputed until `freeze_step`, after the end
            of the schedule too.
        freeze_step: int, the last step with an update of the masks, if
            `straight_through`: what is left of the training, a tenth of it say,
            settles the weights that stay. The same for `regrow_fraction`.
        regrow_fraction: None, or a float in (0, 1), RigL: at each update of the
            schedule's `frequency` this share of the kept weights, 0.3 say, is dropped
            by magnitude, and as many pruned ones grow from zero, those that the
            gradients since the last update would have moved the most; the share falls
            to none at `freeze_step`. The optimizer itself adds the gradients up, in the
            place of the pruned weights, so a step costs what one of a dense layer
            does. With SGD they count as they are, with Adam as the steps that it makes
            of them.
        filters: None, a regular expression or a list of them searched in the names
            of the layers, or a callable `layer -> bool`: which layers to prune.
        leave_out: None, "first", "last" or "first_and_last": layers not to prune.

    Returns:
        A `keras.Model`, to be compiled. What its kernels hold at pruned places means
        nothing: `fit` lets it move where no other weight is touched by that, which
        saves a pass over all gradients.

    Raises:
        ValueError: if an argument is out of its range, no layer is selected, or a
            selected layer is pruned already.
    """
    options = {
        "global_threshold": global_threshold,
        "min_density": min_density,
        "block_size": block_size,
        "group_size": group_size,
        "straight_through": straight_through,
        "regrow_fraction": regrow_fraction,
        "freeze_step": freeze_step,
    }
    layers = selected_layers(model, filters, leave_out=leave_out)
    by_name = values_by_name("schedule", schedule, layers)
    by_name = {name: as_schedule(value) for name, value in by_name.items()}

    def pruned(layer):
        if layer.name not in by_name:
            return layer
        if isinstance(layer, KernelWrapper):
            raise ValueError(
                "A layer that is pruned or shared already must be stripped first. "
                f"Received: layer={layer}"
            )
        return PrunedLayer(layer, by_name[layer.name], **options)

    return replace_layers(model, pruned)


@_register
class PrunedLayer(DrivenLayer):
    """A layer that computes with `kernel * mask`; see `prune` for the arguments.

    Attributes:
        masks: one float variable per kernel, 1 = kept, 0 = pruned.
    """

    driver_name = "PruningCallback"

    def __init__(
        self,
        layer,
        schedule,
        *,
        global_threshold=False,
        min_density=0.001,
        block_size=None,
        group_size=None,
        straight_through=False,
        regrow_fraction=None,
        freeze_step=None,
        **kwargs,
    ):
        if not 0.0 <= min_density <= 1.0:
            raise ValueError(
                f"`min_density` must lie in [0, 1]. Received: min_density={min_density}"
            )
        regrows = straight_through or regrow_fraction is not None
        if regrows and freeze_step is None:
            raise ValueError(
                "`straight_through` and `regrow_fraction` need `freeze_step`: masks that "
                f"move to the end of the training ruin it. Received: freeze_step={freeze_step}"
            )
        if freeze_step is not None and not regrows:
            raise ValueError(
                "`freeze_step` is for `straight_through` and `regrow_fraction` only; else "
                "the end of the schedule freezes the masks. Received: "
                f"freeze_step={freeze_step}"
            )
        _check_structure(
            block_size=block_size,
            group_size=group_size,
            global_threshold=global_threshold,
            straight_through=straight_through,
            regrow_fraction=regrow_fraction,
        )
        self.schedule = as_schedule(schedule)
        if regrows and freeze_step < self.schedule.end_step:
            raise ValueError(
                "`freeze_step` must not come before the end of the schedule. Received: "
                f"freeze_step={freeze_step}, end_step={self.schedule.end_step}"
            )
        self.global_threshold = global_threshold
        self.min_density = min_density
        self.block_size = None if block_size is None else tuple(block_size)
        self.group_size = group_size
        self.straight_through = straight_through
        self.regrow_fraction = regrow_fraction
        self.freeze_step = freeze_step
        super().__init__(layer, **kwargs)

    def create_state(self):
        super().create_state()
        self.masks, self.thresholds = [], []
        for i, kernel in enumerate(self.kernels):
            options = {"dtype": kernel.variable.dtype, "trainable": False}
            self.masks.append(
                self.add_weight(
                    shape=kernel.variable.shape, initializer="ones", name=f"mask_{i}", **options
                )
            )
            if self.straight_through:
                self.thresholds.append(
                    self.add_weight(shape=(), initializer="zeros", name=f"threshold_{i}", **options)
                )

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
        if self.regrow_fraction is not None:
            return True
        return self.trains_elementwise and is_free(kernel)

    def current_masks(self):
        """What the forward pass multiplies each kernel by: list of float arrays."""
        masks = [host_array(mask) for mask in self.masks]
        for i, threshold in enumerate(self.thresholds):
            masks[i] = masks[i] * (
                np.abs(host_array(self.kernels[i].variable)) >= host_array(threshold)
            )
        return masks

    def stripped(self):
        """The wrapped layer with the zeros written into its kernels."""
        for kernel, mask in zip(self.kernels, self.current_masks(), strict=True):
            masked = host_array(kernel.variable) * mask
            kernel.variable.assign(masked + 0.0)  # -0.0 becomes 0.0
        return self.layer

    def next_update(self, step):
        if self.straight_through and step >= self.freeze_step:
            return self.freeze_step
        return last_update_step(self.schedule, step, end_step=self.freeze_step)

    def set_masks(self, masks, *, step):
        """Apply new masks: arrays of 0 and 1, shaped like the kernels.

        With `straight_through`, before `freeze_step`, their smallest kept magnitudes
        become the thresholds instead, which the forward pass compares the moving
        weights with.
        """
        for i, (kernel, new_mask) in enumerate(zip(self.kernels, masks, strict=True)):
            variable, mask = kernel.variable, self.masks[i]
            if self.straight_through and step < self.freeze_step:
                self.thresholds[i].assign(np.abs(host_array(variable)[new_mask > 0]).min())
                continue
            if self.straight_through:
                self.thresholds[i].assign(0.0)
            # What grows, and with RigL what is dropped, starts at zero, whatever gradients
            # added up to there.
            if self.regrow_fraction is not None or np.any(new_mask > host_array(mask)):
                variable.assign(variable * mask * new_mask)
            mask.assign(new_mask)

    def options(self):
        return {
            "schedule": self.schedule,
            "global_threshold": self.global_threshold,
            "min_density": self.min_density,
            "block_size": self.block_size,
            "group_size": self.group_size,
            "straight_through": self.straight_through,
            "regrow_fraction": self.regrow_fraction,
            "freeze_step": self.freeze_step,
        }

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {**super().get_config(), **self.options(), "schedule": schedule}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["schedule"] = keras.saving.deserialize_keras_object(config["schedule"])
        return super().from_config(config)


class PruningCallback(LayerDriver):
    """Moves the masks of a pruned model along their schedules, by optimizer step.

    Adds `sparsity`, the fraction of zeros in all masks, to the logs of each epoch.
    In a loop of your own, call `set_model(model)` before it and
    `on_train_batch_begin(0)` before each step.
    """

    layer_class = PrunedLayer

    def update(self, layers, step):
        update_masks(layers, step)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if logs is not None:
            logs["sparsity"] = sparsity_of(wrappers_of(self.model, PrunedLayer))


def sparsity_of(layers):
    """Fraction of zeros in the masks of the pruned `layers` together."""
    masks = [mask for layer in layers for mask in layer.current_masks()]
    kept = sum(np.count_nonzero(mask) for mask in masks)
    return 1.0 - kept / sum(mask.size for mask in masks)


def _check_structure(
    *, block_size, group_size, global_threshold, straight_through, regrow_fraction
):
    """Raise ValueError if what to prune is out of its range, or said twice."""
    if block_size is not None and (len(block_size) != 2 or min(block_size) < 1):
        raise ValueError(
            f"`block_size` must be two integers from 1. Received: block_size={block_size}"
        )
    if group_size is not None and group_size < 1:
        raise ValueError(f"`group_size` must be at least 1. Received: group_size={group_size}")
    if regrow_fraction is not None and not 0.0 < regrow_fraction < 1.0:
        raise ValueError(
            f"`regrow_fraction` must lie in (0, 1). Received: regrow_fraction={regrow_fraction}"
        )
    given = {
        "block_size": block_size is not None,
        "group_size": group_size is not None,
        "straight_through": straight_through,
        "regrow_fraction": regrow_fraction is not None,
    }
    names = [name for name, is_given in given.items() if is_given]
    if len(names) > 1:
        raise ValueError(
            "Only one of `block_size`, `group_size`, `straight_through` and "
            f"`regrow_fraction` can be used at a time. Received: {', '.join(names)}"
        )
    if global_threshold and names in (["group_size"], ["regrow_fraction"]):
        raise ValueError(
            f"`{names[0]}` keeps the same sparsity in each kernel. Received: "
            f"global_threshold={global_threshold}"
        )

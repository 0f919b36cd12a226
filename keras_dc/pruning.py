"""Magnitude pruning in training: the layer that applies a mask, and its callback.

Han et al. 2015, "Learning both Weights and Connections"; gradual schedule: Zhu &
Gupta 2017; straight-through regrowth: Guo et al. 2016, "Dynamic Network Surgery".
"""

import keras
import numpy as np
from keras import ops

from keras_dc import schedules
from keras_dc.cloning import replace_layers, selected_layers, wrappers_of
from keras_dc.driving import DrivenLayer, LayerDriver
from keras_dc.masks import global_magnitude_masks, magnitude_mask
from keras_dc.schedules import as_schedule, last_update_step
from keras_dc.wrapping import KernelWrapper

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
    straight_through=False,
    freeze_step=None,
    filters=None,
):
    """`model` with kernels masked in the forward pass: `kernel * mask`.

    Train the result with `PruningCallback()`, which moves the masks along
    `schedule`; `strip` then gives a plain model with the zeros in its kernels.

    Args:
        model: a built `keras.Model`. Sequential and Functional models are copied
            with their weights; a subclassed model is changed in place.
        schedule: `PolynomialDecay`, `ConstantSparsity`, a schedule object of TFMOT,
            or a callable `step -> sparsity`, asked every 100 steps.
        global_threshold: if True, the sparsity is that of all pruned kernels
            together, which share one threshold; else each kernel has it.
        min_density: float in [0, 1], fraction of each kernel that a global threshold
            leaves at the least.
        straight_through: if True, pruned weights go on learning, and return once
            they are large enough: the gradient passes the mask as if it were not
            there, and the masks are recomputed until `freeze_step`, after the end
            of the schedule too.
        freeze_step: int, the last step with an update of the masks, if
            `straight_through`: what is left of the training, a tenth of it say,
            settles the weights that stay.
        filters: None, a regular expression or a list of them searched in the names
            of the layers, or a callable `layer -> bool`: which layers to prune.

    Returns:
        A `keras.Model`, to be compiled.

    Raises:
        ValueError: if an argument is out of its range, no layer is selected, or a
            selected layer is pruned already.
    """
    options = {
        "schedule": as_schedule(schedule),
        "global_threshold": global_threshold,
        "min_density": min_density,
        "straight_through": straight_through,
        "freeze_step": freeze_step,
    }
    names = selected_layers(model, filters)

    def pruned(layer):
        if layer.name not in names:
            return layer
        if isinstance(layer, KernelWrapper):
            raise ValueError(
                "A layer that is pruned or shared already must be stripped first. "
                f"Received: layer={layer}"
            )
        return PrunedLayer(layer, **options)

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
        straight_through=False,
        freeze_step=None,
        **kwargs,
    ):
        if not 0.0 <= min_density <= 1.0:
            raise ValueError(
                f"`min_density` must lie in [0, 1]. Received: min_density={min_density}"
            )
        if straight_through and freeze_step is None:
            raise ValueError(
                "`straight_through` needs `freeze_step`: masks that move to the end "
                f"of the training ruin it. Received: freeze_step={freeze_step}"
            )
        if freeze_step is not None and not straight_through:
            raise ValueError(
                "`freeze_step` is for `straight_through` only; else the end of the "
                f"schedule freezes the masks. Received: freeze_step={freeze_step}"
            )
        self.schedule = as_schedule(schedule)
        if straight_through and freeze_step < self.schedule.end_step:
            raise ValueError(
                "`freeze_step` must not come before the end of the schedule. Received: "
                f"freeze_step={freeze_step}, end_step={self.schedule.end_step}"
            )
        self.global_threshold = global_threshold
        self.min_density = min_density
        self.straight_through = straight_through
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
        tensors = []
        for i, (kernel, mask) in enumerate(zip(self.kernels, self.masks, strict=True)):
            weights = kernel.variable.value
            if self.straight_through:
                live = ops.cast(ops.abs(weights) >= self.thresholds[i], weights.dtype)
                # Forward exactly `weights * live`, backward the identity.
                weights = weights + ops.stop_gradient(weights * live - weights)
            tensors.append(weights * mask)
        return self.kernels, tensors

    def current_masks(self):
        """What the forward pass multiplies each kernel by: list of float arrays."""
        masks = [_numpy(mask) for mask in self.masks]
        for i, threshold in enumerate(self.thresholds):
            masks[i] = masks[i] * (np.abs(_numpy(self.kernels[i].variable)) >= _numpy(threshold))
        return masks

    def stripped(self):
        """The wrapped layer with the zeros written into its kernels."""
        for kernel, mask in zip(self.kernels, self.current_masks(), strict=True):
            masked = _numpy(kernel.variable) * mask
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
            weights = _numpy(kernel.variable)
            if self.straight_through and step < self.freeze_step:
                self.thresholds[i].assign(np.abs(weights[new_mask > 0]).min())
                continue
            if self.straight_through:
                self.thresholds[i].assign(0.0)
            # A pruned weight must not come back later by a stale value.
            kernel.variable.assign(weights * new_mask)
            self.masks[i].assign(new_mask)

    def get_options(self):
        """The arguments of the constructor, but the layer, serialised."""
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "global_threshold": self.global_threshold,
            "min_density": self.min_density,
            "straight_through": self.straight_through,
            "freeze_step": self.freeze_step,
        }

    def get_config(self):
        return {**super().get_config(), **self.get_options()}

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


def update_masks(layers, step):
    """Give the pruned `layers` the masks that their schedules want at `step`.

    Args:
        layers: list of built `PrunedLayer`.
        step: int, optimizer updates made so far.
    """
    groups = {}
    for layer in layers:
        key = str(layer.get_options()) if layer.global_threshold else id(layer)
        groups.setdefault(key, []).append(layer)
    for group in groups.values():
        _update_group(group, step)


def sparsity_of(layers):
    """Fraction of zeros in the masks of the pruned `layers` together."""
    masks = [mask for layer in layers for mask in layer.current_masks()]
    kept = sum(np.count_nonzero(mask) for mask in masks)
    return 1.0 - kept / sum(mask.size for mask in masks)


def _update_group(layers, step):
    sparsity = layers[0].schedule(layers[0].next_update(step))
    # `masks` of straight-through layers are all ones until they are frozen.
    weights = [
        _numpy(kernel.variable) * _numpy(mask)
        for layer in layers
        for kernel, mask in zip(layer.kernels, layer.masks, strict=True)
    ]
    if layers[0].global_threshold:
        min_density = layers[0].min_density
        masks = global_magnitude_masks(weights, sparsity, min_density=min_density)
    else:
        masks = [magnitude_mask(w, sparsity) for w in weights]
    for layer in layers:
        count = len(layer.kernels)
        layer.set_masks(masks[:count], step=step)
        masks = masks[count:]


def _numpy(variable):
    return ops.convert_to_numpy(variable)

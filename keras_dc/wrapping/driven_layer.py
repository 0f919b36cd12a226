"""Layers whose state a callback updates during training, and that callback.

Masks and cluster indices must move while the model trains. A layer that is trained without
its callback raises an error: the training would otherwise seem to succeed.
"""

import warnings
import weakref
from typing import Any

import keras
import numpy as np

from keras_dc.numerics.finite import all_finite
from keras_dc.wrapping.compiled_functions import compiled_on_jax
from keras_dc.wrapping.elementwise_steps import has_elementwise_step
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import layers_of_class
from keras_dc.wrapping.step_counter import StepCounter
from keras_dc.wrapping.train_function import guard_train_function
from keras_dc.wrapping.train_steps import is_training
from keras_dc.wrapping.weights import host_array, near_array

# In a loop of one's own on JAX: after so many steps the weights of the model must have moved.
# (A GAN may train its other net for some steps.)
_PATIENCE = 10


class DrivenLayer(KernelWrapper):
    """A `KernelWrapper` that can be trained only while a `LayerDriver` drives it.

    Subclasses set `driver_name`, the public name of their callback, and implement
    `next_update(step)`. They override `needs_driver` if their state may also stay as it is.

    Attributes:
        last_update_step: int32 variable `()`, the step that the state was brought to, at the
            last update or at the end of an epoch after it. Before the first update
            `-1 - step`, so -1 before the training. None in a layer whose state is never
            updated: Keras takes 10 us a step for each variable on JAX.
    """

    driver_name: str | None = None
    last_update_step: Any = None
    codebooks: tuple | list = ()

    def __init__(self, layer, **kwargs):
        self._driver: weakref.ref | None = None
        super().__init__(layer, **kwargs)

    @property
    def needs_driver(self):
        """Whether training this layer without its callback is an error."""
        return True

    def create_state(self):
        self.last_update_step = self.add_weight(
            shape=(),
            dtype="int32",
            initializer=keras.initializers.Constant(-1),
            trainable=False,
            name="last_update_step",
        )

    def next_update(self, step):
        """The latest step <= `step` with an update, None if there is none."""
        raise NotImplementedError

    def steps_done(self):
        """(steps trained so far, whether one had an update), as `last_update_step` tells."""
        last = int(host_array(self.last_update_step))
        return (last, True) if last >= 0 else (-1 - last, False)

    def check_call(self, training):
        if not self.needs_driver:
            return
        driver = self._live_driver()
        has_begun = driver is not None and driver.has_begun
        if not has_begun and is_training(training):
            self.raise_undriven()

    def check_step(self):
        """Raise if the callback has not begun the step of `fit` that comes now."""
        driver = self._live_driver()
        begun = driver is not None and driver.take_step()
        if self.needs_driver and not begun:
            self.raise_undriven()

    @property
    def trains_elementwise(self):
        """Whether it is being trained, and each weight by the gradient of that weight alone."""
        driver = self._live_driver()
        return driver is not None and driver.elementwise and driver.in_fits_step

    def _live_driver(self):
        driver = None if self._driver is None else self._driver()
        return driver if driver is not None and driver.driving else None

    def raise_undriven(self):
        name = f"keras_dc.{self.driver_name}()"
        raise RuntimeError(
            f"Layer {self.name!r} is trained, but no callback updates its state. Use "
            f"`fit(..., callbacks=[{name}])`; in a loop of your own, call the "
            "callback's `set_model(model)` before it and `on_train_batch_begin(0)` "
            "before each step. Received: a call of a training step"
        )


class LayerDriver(keras.callbacks.Callback):
    """Updates the layers of one class, each when its own next update is due.

    The step is `optimizer.iterations` of the model. It counts the updates of the weights, also
    with `steps_per_execution` and gradient accumulation, and survives a restart. Where the
    model has no optimizer, or one that stands still while the model is trained, as in a GAN
    with two of its own, the batches are counted. `step` is asked in place of both.

    A schedule goes on where it was: with a new optimizer, which counts from 0 again, the steps
    are counted on from `last_update_step`, and a schedule that has ended does not begin again.

    Subclasses set `layer_class` and implement `update(layers, step)`.

    Args:
        step: None, or a callable without arguments that tells the steps made so far, such as
            `lambda: generator_optimizer.iterations`.

    Attributes:
        driving: bool, whether the model is being trained.
        has_begun: bool, whether a step of that training has begun.
        elementwise: bool, whether it is trained by a `fit` that moves each element of a
            variable by the gradient of that element alone.
        in_fits_step: bool, whether `fit` runs the step that has begun, not a loop of one's own.
    """

    layer_class: type = DrivenLayer

    def __init__(self, step=None):
        super().__init__()
        # Not `self.model`: on JAX that brings all variables up to date, which takes a
        # millisecond.
        self._driven_model: Any = None
        self._layers: list = []
        self._step = step
        self._in_fit = False
        self._restart(driving=False)

    def _restart(self, *, driving):
        self.driving = driving
        self.has_begun = False
        self.elementwise = False
        self._is_stateless = False
        self._step_begun = self.in_fits_step = False
        self._steps = StepCounter(self._step)
        # What `last_update_step` holds, and what to add to the counted step, for each layer.
        self._last_updates: list[int] = []
        self._offsets: list[int] = []
        self._witnesses: list = []
        self._moved_at = 0

    def update(self, layers, step):
        """Bring the state of `layers` to `step`."""
        raise NotImplementedError

    def set_model(self, model):
        super().set_model(model)
        self._driven_model = model
        layers = layers_of_class(model, self.layer_class)
        if not layers:
            raise ValueError(
                f"{type(self).__name__} found no {self.layer_class.__name__} in the "
                f"model. Received: model={model}"
            )
        for layer in layers:
            layer._driver = weakref.ref(self)
        self._layers = [layer for layer in layers if layer.last_update_step is not None]
        self._in_fit = False
        self._restart(driving=True)

    def on_train_begin(self, logs=None):
        self._restart(driving=True)
        # A loop of one's own may call this too; it has no function that `fit` compiled.
        self._in_fit = getattr(self._driven_model, "train_function", None) is not None
        if self._in_fit:
            self.elementwise = has_elementwise_step(self._driven_model)
            self._guard_steps()

    def on_train_batch_begin(self, batch, logs=None):
        if self._can_be_due():
            self.update_due_layers()
        # Those that `fit` runs in one call.
        several = getattr(self._driven_model, "steps_per_execution", 1) if self._in_fit else 1
        self._steps.begin(several)
        self.has_begun = self._step_begun = True
        self.in_fits_step = False

    def begin_stateless_step(self, trainable_variables, non_trainable_variables):
        """`on_train_batch_begin` for loops that carry the values of the variables themselves.

        So do loops on JAX with `model.stateless_call`. Masks and indices are among the values
        that they carry, so call this before each step in place of `on_train_batch_begin`:

            trainable, non_trainable = callback.begin_stateless_step(trainable, non_trainable)

        After the loop assign the values to the variables of the model, as for any model.

        Args:
            trainable_variables: list of arrays, the values of `model.trainable_variables`.
            non_trainable_variables: list of arrays, those of `model.non_trainable_variables`.

        Returns:
            (list, list): the values to go on with, those given if no update was due.
        """
        self._is_stateless = True
        model = self._driven_model
        groups = (model.trainable_variables, model.non_trainable_variables)
        given = (trainable_variables, non_trainable_variables)
        is_due = self._can_be_due()
        if is_due:
            for variables, values in zip(groups, given, strict=True):
                for variable, value in zip(variables, values, strict=True):
                    variable.assign(value)
        self.on_train_batch_begin(0)
        if not is_due:
            return given
        return tuple([variable.value for variable in variables] for variables in groups)

    def on_epoch_end(self, epoch, logs=None):
        if self._layers:
            self.update_due_layers()
            self._record_steps()

    def on_train_end(self, logs=None):
        self.driving = False
        self.elementwise = False
        names = [
            layer.name
            for layer, last in zip(self._layers, self._last_updates)
            if layer.needs_driver and last < 0
        ]
        if names:
            warnings.warn(
                f"{type(self).__name__} had nothing to update: training ended before the first "
                f"update was due. Received: {self._steps.latest} steps, layers {names}",
                stacklevel=2,
            )

    def take_step(self):
        """Whether a batch has begun since the last call, which `fit` makes before each step."""
        begun, self._step_begun = self._step_begun, False
        self.in_fits_step = begun
        return begun

    def update_due_layers(self):
        """Read the step, and update the layers that have an update due by now."""
        _check_outside_of_compiled_functions()
        # On JAX, `self.model` brings the variables of `_layers` up to date as well.
        step, is_new = self._steps.read(self.model)
        if is_new or not self._last_updates:
            self._go_on_from(step)
        self._check_that_variables_move()
        steps = self._layer_steps()
        due = self._due_layers(steps)
        for at in sorted({steps[i] for i in due}):
            indices = [i for i in due if steps[i] == at]
            layers = [self._layers[i] for i in indices]
            _check_finite(layers, at)
            self.update(layers, at)
            for i in indices:
                self._set_last_update(i, at)

    def _go_on_from(self, step):
        """See to it that no layer's step is less than it was."""
        self._last_updates, self._offsets = [], []
        for layer in self._layers:
            last = int(host_array(layer.last_update_step))
            done, _ = layer.steps_done()
            counter, offset, last_before = vars(layer).get("_step_counter", (None, 0, None))
            # A callback before this one counted on after the last update; unless a state was
            # loaded since then.
            if counter is not None and last_before == last:
                done = max(done, counter.counted() + offset)
            self._last_updates.append(last)
            self._offsets.append(max(0, done - step))
        for i, layer in enumerate(self._layers):
            self._publish(i, layer)

    def _publish(self, i, layer):
        # Past `__setattr__`, which would track it.
        state = (self._steps, self._offsets[i], self._last_updates[i])
        vars(layer)["_step_counter"] = state

    def _set_last_update(self, i, last):
        if last != self._last_updates[i]:
            self._last_updates[i] = last
            self._layers[i].last_update_step.assign(last)
            self._publish(i, self._layers[i])

    def _record_steps(self):
        for i, step in enumerate(self._layer_steps()):
            last = self._last_updates[i]
            self._set_last_update(i, max(last, step) if last >= 0 else min(last, -1 - step))

    def _layer_steps(self):
        return [self._steps.latest + offset for offset in self._offsets]

    def _can_be_due(self):
        if not self._layers:
            return False
        # The optimizer's step is read only if an update can be due.
        bound = self._steps.bound()
        if bound is None or not self._last_updates:
            return True
        return bool(self._due_layers([bound + offset for offset in self._offsets]))

    def _due_layers(self, steps):
        """Indices of the layers with an update due after their last one, up to `steps`."""
        due = []
        for i, (layer, step) in enumerate(zip(self._layers, steps, strict=True)):
            next_update = layer.next_update(step)
            if next_update is not None and next_update > max(-1, self._last_updates[i]):
                due.append(i)
        return due

    def _check_that_variables_move(self):
        """Refuse a loop on JAX that carries the variables itself, and never sees an update."""
        if self._in_fit or self._is_stateless or keras.backend.backend() != "jax":
            return
        # Arrays are immutable: a variable that was trained has another one. Those of the
        # smallest are kept, so that this takes no memory.
        variables = sorted(self._driven_model.trainable_variables, key=lambda v: v.value.size)
        values = [variable.value for variable in variables[:3]]
        before = self._witnesses
        if not before or any(new is not old for new, old in zip(values, before, strict=True)):
            self._witnesses, self._moved_at = values, self._steps.begun
        elif self._steps.begun - self._moved_at >= _PATIENCE:
            name = type(self).__name__
            raise RuntimeError(
                "The variables of the model stand still. A loop with `stateless_call` carries "
                "their values itself, so that no update reaches it: call `trainable, "
                "non_trainable = callback.begin_stateless_step(trainable, non_trainable)` before "
                f"each step in place of `on_train_batch_begin`. Received: {name} with "
                f"{self._steps.begun - self._moved_at} batches that changed no variable"
            )

    def _guard_steps(self):
        """Refuse steps that no callback began, in later calls of `fit` as well.

        A compiled step is not traced again, so `DrivenLayer.check_call` does not see them.
        """
        layers = layers_of_class(self._driven_model, DrivenLayer)
        # One for each callback, if there is one that needs it.
        layers.sort(key=lambda layer: layer.needs_driver)
        drivers = {layer.driver_name: layer for layer in layers}

        def check():
            for layer in drivers.values():
                layer.check_step()

        guard_train_function(self._driven_model, check)


def _check_outside_of_compiled_functions():
    try:
        keras.ops.convert_to_numpy(keras.ops.zeros(()))
    except Exception as error:
        raise RuntimeError(
            "The callback must be called outside of compiled functions (`tf.function`, "
            "`jax.jit`): inside it would run once, while the function is traced. Received: "
            "a call while a function is traced"
        ) from error


def _check_finite(layers, step):
    """Raise ValueError if a kernel or codebook of `layers` holds NaN or infinity."""
    found = [
        (layer, variable, near_array(variable))
        for layer in layers
        for variable in [*(kernel.variable for kernel in layer.kernels), *layer.codebooks]
    ]
    # The answers of a GPU are waited for once.
    on_device = [value for *_, value in found if not isinstance(value, np.ndarray)]
    finite = iter(keras.ops.convert_to_numpy(_are_finite(on_device)) if on_device else [])
    for layer, variable, value in found:
        if not (all_finite(value) if isinstance(value, np.ndarray) else next(finite)):
            raise ValueError(
                f"kernels must be finite. Received: NaN or infinite values in {variable.path}, "
                f"layer {layer.name!r}, at step {step}"
            )


@compiled_on_jax()
def _are_finite(tensors):
    return keras.ops.stack([keras.ops.all(keras.ops.isfinite(tensor)) for tensor in tensors])

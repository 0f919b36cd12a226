"""Layers whose state a callback updates during training, and that callback.

Masks and cluster indices must move while the model trains. A layer that is trained without
its callback raises an error: the training would otherwise seem to succeed.
"""

import weakref

import keras

from keras_dc.wrapping.elementwise_steps import has_elementwise_step
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import layers_of_class
from keras_dc.wrapping.train_function import guard_train_function


class DrivenLayer(KernelWrapper):
    """A `KernelWrapper` that can be trained only while a `LayerDriver` drives it.

    Subclasses set `driver_name`, the public name of their callback, and implement
    `next_update(step)`. They override `needs_driver` if their state may also stay as it is.

    Attributes:
        last_update_step: int32 variable `()`, step of the last update, -1 before the first.
    """

    driver_name: str | None = None

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

    def check_call(self, training):
        if training and self.needs_driver and self._live_driver() is None:
            self.raise_undriven()

    def check_step(self):
        """Raise if the callback has not begun the optimizer step that comes now."""
        driver = self._live_driver()
        if driver is None or not driver.take_step():
            self.raise_undriven()

    @property
    def trains_elementwise(self):
        """Whether it is being trained, and each weight by the gradient of that weight alone."""
        driver = self._live_driver()
        return driver is not None and driver.elementwise

    def _live_driver(self):
        driver = None if self._driver is None else self._driver()
        return driver if driver is not None and driver.driving else None

    def raise_undriven(self):
        name = f"keras_dc.{self.driver_name}()"
        raise RuntimeError(
            f"Layer {self.name!r} is trained, but no callback updates its state. Use "
            f"`fit(..., callbacks=[{name}])`; in a loop of your own, call the "
            "callback's `set_model(model)` before it and `on_train_batch_begin(0)` "
            "before each step. Received: training=True"
        )


class LayerDriver(keras.callbacks.Callback):
    """Updates the layers of one class, each when its own next update is due.

    The step is `optimizer.iterations`. It counts the updates of the weights, also with
    `steps_per_execution` and gradient accumulation, and survives a restart.
    Subclasses set `layer_class` and implement `update(layers, step)`.

    Attributes:
        driving: bool, whether the model is being trained.
        elementwise: bool, whether it is trained by a `fit` that moves each element of a
            variable by the gradient of that element alone.
    """

    layer_class: type = DrivenLayer

    def __init__(self):
        super().__init__()
        # Not `self.model`: on JAX that brings all variables up to date, which takes a
        # millisecond.
        self._driven_model = None
        self.driving = False
        self.elementwise = False
        self._layers = []
        self._last_updates = None
        self._latest_step = 0
        self._step_begun = False

    def update(self, layers, step):
        """Bring the state of `layers` to `step`."""
        raise NotImplementedError

    def set_model(self, model):
        super().set_model(model)
        self._driven_model = model
        self._layers = layers_of_class(model, self.layer_class)
        if not self._layers:
            raise ValueError(
                f"{type(self).__name__} found no {self.layer_class.__name__} in the "
                f"model. Received: model={model}"
            )
        for layer in self._layers:
            layer._driver = weakref.ref(self)
        self._last_updates = None
        self.driving = True

    def on_train_begin(self, logs=None):
        self._last_updates = None
        self.driving = True
        self.elementwise = has_elementwise_step(self._driven_model)
        self._guard_steps()

    def on_train_batch_begin(self, batch, logs=None):
        self._step_begun = True
        # The optimizer's step is read, through `self.model`, only if an update can be due.
        if self._last_updates is None or self._due_layers(self._latest_step, self._last_updates):
            self.update_due_layers()
        self._latest_step += getattr(self._driven_model, "steps_per_execution", 1)

    def on_epoch_end(self, epoch, logs=None):
        self.update_due_layers()

    def on_train_end(self, logs=None):
        self.driving = False
        self.elementwise = False

    def take_step(self):
        """Whether a batch has begun since the last call."""
        begun, self._step_begun = self._step_begun, False
        return begun

    def update_due_layers(self):
        # On JAX, `self.model` brings the variables of `_layers` up to date as well.
        optimizer = self.model.optimizer
        # With loss scaling, Keras 3.6 counts the steps in the inner optimizer only.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        step = int(keras.ops.convert_to_numpy(optimizer.iterations))
        self._latest_step = step
        if self._last_updates is None:
            self._last_updates = [self._last_update(layer, step) for layer in self._layers]
        due = self._due_layers(step, self._last_updates)
        if due:
            layers = [self._layers[i] for i in due]
            self.update(layers, step)
            for i in due:
                self._last_updates[i] = step
                self._layers[i].last_update_step.assign(step)

    def _due_layers(self, step, last_updates):
        """Indices of the layers with an update due after their last one, up to `step`."""
        next_updates = [layer.next_update(step) for layer in self._layers]
        pairs = zip(next_updates, last_updates, strict=True)
        return [i for i, (next_, last) in enumerate(pairs) if next_ is not None and next_ > last]

    def _last_update(self, layer, step):
        last = int(keras.ops.convert_to_numpy(layer.last_update_step))
        # With a new optimizer the steps, and with them the schedule, start again.
        return last if last <= step else -1

    def _guard_steps(self):
        """Refuse steps that no callback began, in later calls of `fit` as well.

        A compiled step is not traced again, so `DrivenLayer.check_call` does not see them.
        """
        layers = layers_of_class(self._driven_model, DrivenLayer)
        drivers = {layer.driver_name: layer for layer in reversed(layers) if layer.needs_driver}

        def check():
            for layer in drivers.values():
                layer.check_step()

        guard_train_function(self._driven_model, check)

"""A callback that drives layers by the optimizer's step, and the alarm without it.

Layers whose state must move in training (masks, cluster indices) refuse to be
trained while nothing moves them: silence would look like success.
"""

import weakref

import keras

from keras_dc.wrapping.cloning import wrappers_of
from keras_dc.wrapping.independence import has_elementwise_step
from keras_dc.wrapping.kernel_wrapper import KernelWrapper


class DrivenLayer(KernelWrapper):
    """A `KernelWrapper` that can be trained only while a `LayerDriver` drives it.

    Subclasses set `driver_name`, the public name of their callback, and implement
    `next_update(step)`; those whose state may also stand still say so by
    `needs_driver`.

    Attributes:
        last_update_step: int variable, step of the last update, -1 before the first.
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
        """Step of the latest update due at `step`, None if there is none."""
        raise NotImplementedError

    def check_call(self, training):
        if training and self.needs_driver and not self._is_driven():
            self.raise_undriven()

    def check_step(self):
        """Raise if the optimizer step that comes now was not begun by the callback."""
        driver = self._live_driver()
        if driver is None or not driver.take_step():
            self.raise_undriven()

    @property
    def trains_elementwise(self):
        """Whether it is being trained, each of its weights by its own gradient alone."""
        driver = self._live_driver()
        return driver is not None and driver.elementwise

    def _is_driven(self):
        return self._live_driver() is not None

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

    The step is `optimizer.iterations`: it counts real updates under
    `steps_per_execution` and gradient accumulation, and survives a restart.
    Subclasses set `layer_class` and implement `update(layers, step)`.

    Attributes:
        driving: bool, whether a training goes on.
        elementwise: bool, whether it is a `fit` whose steps move each element of a
            variable by the gradient of that element alone.
    """

    layer_class: type = DrivenLayer

    def __init__(self):
        super().__init__()
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
        self._layers = wrappers_of(model, self.layer_class)
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
        self.elementwise = has_elementwise_step(self._model)
        _guard_train_function(self._model)

    def on_train_batch_begin(self, batch, logs=None):
        self._step_begun = True
        # To read the optimizer's step costs a millisecond on JAX, where it brings all
        # variables up to date: not before an update can be due.
        if self._last_updates is None or self._due_layers(self._latest_step, self._last_updates):
            self.update_due_layers()
        self._latest_step += getattr(self._model, "steps_per_execution", 1)

    def on_epoch_end(self, epoch, logs=None):
        self.update_due_layers()

    def on_train_end(self, logs=None):
        self.driving = False
        self.elementwise = False

    def take_step(self):
        """Whether a batch was begun since the last call."""
        begun, self._step_begun = self._step_begun, False
        return begun

    def update_due_layers(self):
        # On JAX, `self.model` brings the variables up to date; `_layers` does not.
        optimizer = self.model.optimizer
        # In Keras 3.6 only the inner optimizer of a scaled loss counts.
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
        """Indices of the layers with an update between their last one and `step`."""
        next_updates = [layer.next_update(step) for layer in self._layers]
        pairs = zip(next_updates, last_updates, strict=True)
        return [i for i, (next_, last) in enumerate(pairs) if next_ is not None and next_ > last]

    def _last_update(self, layer, step):
        last = int(keras.ops.convert_to_numpy(layer.last_update_step))
        # With a new optimizer the steps, and so the schedule, start again.
        return last if last <= step else -1


def _guard_train_function(model):
    """Make `model.train_function` refuse steps that no callback began.

    A compiled function is not traced again, so a later `fit` without callback would
    not come by `DrivenLayer.check_call`.
    """
    if getattr(model.train_function, "is_guarded", False):
        return
    drivers = {}
    for layer in wrappers_of(model, DrivenLayer):
        if layer.needs_driver:
            drivers.setdefault(layer.driver_name, layer)
    # Made anew, since the trace of an earlier one may have ended in our own error.
    model.make_train_function(force=True)
    function = model.train_function

    def guarded(*args, **kwargs):
        try:
            for layer in drivers.values():
                layer.check_step()
        except RuntimeError:
            _give_back_jax_state(model, args[0])
            raise
        return function(*args, **kwargs)

    # By its name: for a type checker a function has no such attribute.
    setattr(guarded, "is_guarded", True)  # noqa: B010
    model.train_function = guarded


def _give_back_jax_state(model, state):
    """Let Keras put back the variables that it took out of `model` for a step on JAX."""
    if keras.backend.backend() == "jax":
        names = ("trainable", "non_trainable", "optimizer", "metrics")
        keys = [f"{name}_variables" for name in names]
        model._jax_state = dict(zip(keys, state, strict=True))
        model._jax_state_synced = False

"""At which step a training is, whatever loop trains the model.

The optimizer of the model knows it best: it counts the updates of the weights, also with
`steps_per_execution` and gradient accumulation, and its count survives a restart. But a GAN
has optimizers of its own, and so may any loop: that of the model then stands still, or there
is none. If so, the batches are counted.
"""

import keras


class StepCounter:
    """Counts the steps of one training.

    Args:
        step: None, or a callable without arguments that tells the steps made so far.

    Attributes:
        begun: int, steps begun so far.
        latest: int, the step at the last `read`.
    """

    def __init__(self, step=None):
        if step is not None and not callable(step):
            raise TypeError(
                "`step` must be None or a callable without arguments that gives the steps made "
                f"so far. Received: step={step!r}"
            )
        self._given = step
        self._optimizer = None
        self._reads = 0
        self.begun = 0
        self._moved_at = 0  # of these, those at the last `read` that saw the optimizer move
        self._state = None  # of the optimizer, at that `read`
        self._base = 0  # its own count, at that `read`
        self._read_at = 0
        self._rate = 1
        self.latest = 0

    def begin(self, steps):
        """So many steps begin: int, 1 in a loop that does not run several at a time."""
        self.begun += steps

    def begun_since_read(self):
        return self.begun - self._read_at

    def bound(self):
        """The largest step that can be reached by now, without a look at the optimizer.

        None before the second `read`, which tells how many steps pass between two calls.
        """
        if self._reads < 2:
            return None
        return self.latest + self.begun_since_read() * self._rate

    def counted(self):
        """The step by now, as far as it is known without a look at the optimizer."""
        moves = self._given is not None or (self._state is not None and self.latest == self._base)
        return self.latest if moves else self.latest + self.begun_since_read()

    def read(self, model):
        """The step by now, and whether the count begins anew, with another optimizer.

        Returns:
            (int, bool)
        """
        before, passed = self.latest, self.begun_since_read()
        self.latest, is_new = self._step_of(model)
        if self._reads and passed and not is_new:
            self._rate = max(self._rate, -(-(self.latest - before) // passed))
        self._reads = 1 if is_new else self._reads + 1
        self._read_at = self.begun
        return self.latest, is_new

    def _step_of(self, model):
        is_first = self._reads == 0
        if self._given is not None:
            return _checked(self._given()), is_first
        optimizer = getattr(model, "optimizer", None)
        if optimizer is None or getattr(optimizer, "iterations", None) is None:
            is_new = is_first or self._optimizer is not None
            if is_new:
                self._begin_anew(None)
            return self.begun - self._moved_at, is_new
        state = _state_of(optimizer)
        is_new = is_first or optimizer is not self._optimizer
        if is_new:
            self._begin_anew(optimizer)
        if is_new or state != self._state:
            inner = getattr(optimizer, "inner_optimizer", optimizer)
            self._state, self._moved_at = state, self.begun
            self._base = _int(inner.iterations)
        return self._base + self.begun - self._moved_at, is_new

    def _begin_anew(self, optimizer):
        self._optimizer, self._state, self._moved_at, self._base = optimizer, None, self.begun, 0
        self._rate = 1


def _state_of(optimizer):
    """Numbers of which one at least changes whenever the optimizer is given gradients."""
    # With loss scaling, Keras 3.6 counts the steps in the inner optimizer only; a step that
    # is left out changes the scale. The first variable counts what is accumulated as well.
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    scale = getattr(optimizer, "dynamic_scale", None)
    return _int(inner.variables[0]), None if scale is None else float(_array(scale))


def _array(value):
    return keras.ops.convert_to_numpy(value)


def _int(value):
    return int(_array(value))


def _checked(step):
    try:
        value = int(step if isinstance(step, int) else _array(step))
    except (TypeError, ValueError) as error:
        raise TypeError(f"`step()` must be an integer. Received: step()={step!r}") from error
    if value < 0:
        raise ValueError(f"`step()` must not be negative. Received: step()={value}")
    return value

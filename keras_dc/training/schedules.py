"""Schedules: at which steps masks are updated, and to which sparsity.

Argument names and formulas are those of TensorFlow Model Optimization (TFMOT). Keras is
imported only to save and load functions.
"""

import numbers


class Schedule:
    """When pruning masks are updated; subclasses tell to which sparsity.

    An update is due at `begin_step`, then every `frequency` steps, and at `end_step`
    (-1: without end), whether or not that is one of them. A subclass implements `__call__(step)`
    -> sparsity in [0, 1), and `get_config()` for models that are to be saved.

    Args:
        begin_step: int >= 0, the first step with an update.
        end_step: int >= `begin_step`, the last step that may have one, or -1.
        frequency: int >= 1, steps between two updates.

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(self, begin_step=0, end_step=-1, *, frequency=100):
        if begin_step < 0:
            raise ValueError(
                f"`begin_step` must not be negative. Received: begin_step={begin_step}"
            )
        if end_step != -1 and end_step < begin_step:
            raise ValueError(
                "`end_step` must be -1 (for ever) or at least `begin_step`. "
                f"Received: begin_step={begin_step}, end_step={end_step}"
            )
        if frequency < 1:
            raise ValueError(f"`frequency` must be at least 1. Received: frequency={frequency}")
        self.begin_step = begin_step
        self.end_step = end_step
        self.frequency = frequency

    def __call__(self, step):
        raise NotImplementedError(f"{type(self).__name__} must implement `__call__(step)`.")

    def get_config(self):
        return {
            "begin_step": self.begin_step,
            "end_step": self.end_step,
            "frequency": self.frequency,
        }

    def target(self, step):
        """The sparsity at `end_step`; without an end that at `step`, or at `begin_step` if later.

        Args:
            step: int, steps made so far.
        """
        return self(self.end_step if self.end_step != -1 else max(step, self.begin_step))

    def key(self):
        """A hashable value, equal for schedules of the same class and config."""
        return (type(self), *self.get_config().items())

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class ConstantSparsity(Schedule):
    """The same sparsity at every update.

    Args:
        target_sparsity: float in [0, 1), fraction of zeros.
        begin_step: int >= 0, the first step with an update.
        end_step, frequency: see `Schedule`.

    Raises:
        ValueError: if an argument is out of its range.
        TypeError: if `begin_step` is missing.
    """

    def __init__(self, target_sparsity, begin_step=None, end_step=-1, *, frequency=100):
        if begin_step is None:
            raise TypeError(
                "ConstantSparsity needs `begin_step`: 0 prunes from the first step on. For zeros "
                "before any training give `prune` the number alone. Received: "
                f"target_sparsity={target_sparsity}, begin_step=None"
            )
        super().__init__(begin_step, end_step, frequency=frequency)
        self.target_sparsity = _checked_sparsity("target_sparsity", target_sparsity)

    def __call__(self, step):
        return self.target_sparsity

    def get_config(self):
        return {"target_sparsity": self.target_sparsity, **super().get_config()}


class PolynomialDecay(Schedule):
    """Sparsity that grows fast at first, then ever more slowly (Zhu & Gupta 2017).

    `s(t) = final + (initial - final) * (1 - (t - begin) / (end - begin)) ** power`,
    held at `initial_sparsity` before `begin_step` and at `final_sparsity` after
    `end_step`.

    Args:
        initial_sparsity, final_sparsity: floats in [0, 1), fractions of zeros.
        begin_step, end_step: ints, `0 <= begin_step < end_step`.
        power: float, the exponent, 3 in the paper; by keyword alone, as `frequency`.
        frequency: int >= 1, steps between two updates.

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(
        self,
        initial_sparsity,
        final_sparsity,
        begin_step,
        end_step,
        *,
        power=3,
        frequency=100,
    ):
        super().__init__(begin_step, end_step, frequency=frequency)
        if end_step <= begin_step:
            raise ValueError(
                "`end_step` must be larger than `begin_step`. "
                f"Received: begin_step={begin_step}, end_step={end_step}"
            )
        self.initial_sparsity = _checked_sparsity("initial_sparsity", initial_sparsity)
        self.final_sparsity = _checked_sparsity("final_sparsity", final_sparsity)
        self.power = power

    def __call__(self, step):
        progress = (step - self.begin_step) / (self.end_step - self.begin_step)
        remaining = 1.0 - min(1.0, max(0.0, progress))
        span = self.initial_sparsity - self.final_sparsity
        return self.final_sparsity + span * remaining**self.power

    def get_config(self):
        return {
            "initial_sparsity": self.initial_sparsity,
            "final_sparsity": self.final_sparsity,
            "power": self.power,
            **super().get_config(),
        }


class CallableSchedule(Schedule):
    """A plain function `step -> sparsity`, called every `frequency` steps.

    Like schedules of TFMOT it may return `(update_now, sparsity)`. Where the flag is False the
    sparsity means nothing, and that of the regular update before is taken; so the three
    arguments must be those of its own updates.

    A file keeps the name of a function that is registered with Keras, and the code of a
    lambda, which loads with `safe_mode=False` only.

    Args:
        function: callable, int -> float in [0, 1) or -> (bool, float).
        begin_step, end_step, frequency: see `Schedule`.
    """

    def __init__(self, function, begin_step=0, end_step=-1, *, frequency=100):
        super().__init__(begin_step, end_step, frequency=frequency)
        self.function = function

    def __call__(self, step):
        answer = self.function(step)
        if isinstance(answer, tuple):
            if not answer[0]:
                regular = step - (step - self.begin_step) % self.frequency
                answer = self.function(regular)
            answer = answer[1]
        return _checked_sparsity(f"schedule({step})", float(answer))

    def key(self):
        return (self.function, *super().get_config().items())

    def get_config(self):
        import keras  # only for models that are saved

        function = keras.saving.serialize_keras_object(self.function)
        return {"function": function, **super().get_config()}

    @classmethod
    def from_config(cls, config):
        import keras

        function = keras.saving.deserialize_keras_object(config["function"])
        return cls(**{**config, "function": function})


_TFMOT = "tensorflow_model_optimization."
_CLASS_OF_TFMOT = {cls.__name__: cls for cls in (ConstantSparsity, PolynomialDecay)}


def as_schedule(schedule):
    """The `Schedule` that an argument of `keras_dc.prune` means.

    Args:
        schedule: `Schedule`, schedule of TFMOT, function `step -> sparsity`, or a number:
            that sparsity at step 0, before any training, and no update after it.

    Raises:
        ValueError: if `schedule` is neither callable nor a number in [0, 1).
    """
    if isinstance(schedule, Schedule):
        return schedule
    own_class = _CLASS_OF_TFMOT.get(type(schedule).__name__)
    if own_class is not None and type(schedule).__module__.startswith(_TFMOT):
        # The same formula and arguments, in a class that Keras can save.
        return own_class(**schedule.get_config()["config"])
    if isinstance(schedule, numbers.Real) and not isinstance(schedule, bool):
        return ConstantSparsity(float(schedule), begin_step=0, end_step=0)
    if not callable(schedule):
        raise ValueError(
            "`schedule` must be a Schedule, a callable `step -> sparsity` or a sparsity. "
            f"Received: schedule={schedule!r}"
        )
    return CallableSchedule(
        schedule,
        begin_step=getattr(schedule, "begin_step", 0),
        end_step=getattr(schedule, "end_step", -1),
        frequency=getattr(schedule, "frequency", 100),
    )


def last_update_step(schedule, step, *, end_step=None):
    """The latest step <= `step` at which an update is due, None if there is none.

    The last is at `end_step` itself, so that the final sparsity is reached.

    Callers compare it with the step of their last update. So they miss none if they see
    only every eighth step, with `steps_per_execution=8`.

    Args:
        schedule: a `Schedule`.
        step: int, optimizer updates made so far.
        end_step: int or None, used in place of `schedule.end_step`.
    """
    end_step = schedule.end_step if end_step is None else end_step
    if step < schedule.begin_step:
        return None
    if end_step != -1 and step >= end_step:
        return end_step
    return step - (step - schedule.begin_step) % schedule.frequency


def _checked_sparsity(name, sparsity):
    if not 0.0 <= sparsity < 1.0:
        raise ValueError(f"`{name}` must lie in [0, 1). Received: {name}={sparsity}")
    return sparsity

"""Running a check before each step of `model.fit`.

Keras compiles a training step once and keeps it as `model.train_function`. Python code in a
layer runs only while that step is traced, so a check that must run before each step has to
stand in front of the compiled function.
"""

import keras

# The order in which Keras passes its state to a training step on JAX.
_JAX_STATE = tuple(
    f"{kind}_variables" for kind in ("trainable", "non_trainable", "optimizer", "metrics")
)


def guard_train_function(model, check):
    """Make `model.train_function` call `check()` before each step. Once per function.

    It may be called in `on_train_begin`: Keras has made the function by then, and looks it
    up again for each step. `model.compile` drops the function, and the guard with it.

    Args:
        model: a compiled `keras.Model`.
        check: callable without arguments. What it raises leaves `fit`, and the variables of
            the model keep their values.
    """
    if getattr(model.train_function, "is_guarded", False):
        return
    # Made anew: the trace of the present one may have ended in an error of ours.
    model.make_train_function(force=True)
    function = model.train_function

    def guarded(*args, **kwargs):
        try:
            check()
        except Exception:
            if keras.backend.backend() == "jax":
                _give_back_state(model, args[0])
            raise
        return function(*args, **kwargs)

    # By its name: for a type checker a function has no such attribute.
    setattr(guarded, "is_guarded", True)  # noqa: B010
    model.train_function = guarded


def _give_back_state(model, state):
    """Put the variables back that Keras took out of `model` for a step on JAX.

    `fit` hands the values over to the step and deletes them from the variables.
    `jax_state_sync` assigns what is in `_jax_state`; Keras 3.6 does not call it on errors.
    """
    model._jax_state = dict(zip(_JAX_STATE, state, strict=True))
    model._jax_state_synced = False
    model.jax_state_sync()

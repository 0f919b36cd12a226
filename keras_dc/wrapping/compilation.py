"""What a model was compiled with, for a copy of it."""

import keras


def compile_arguments(model):
    """The arguments that a compiled `model` was given, for another model's `compile`.

    Metrics have a state, so they are copied; losses are shared. The optimizer is left out, see
    `optimizer_like`.

    Args:
        model: a compiled `keras.Model`.

    Returns:
        dict: "loss", "loss_weights", "metrics", "weighted_metrics" and "run_eagerly".

    Raises:
        ValueError: if the model is not compiled with a loss, or a metric cannot be copied.
    """
    config = _config(model)
    if config.get("loss") is None:
        raise ValueError(
            "`model` must be compiled with a loss: call `model.compile(optimizer, loss, "
            f"metrics)`. Received: model={model}"
        )
    found = {name: config.get(name) for name in ("loss", "loss_weights")}
    for name in ("metrics", "weighted_metrics"):
        found[name] = _copied(config.get(name))
    return {**found, "run_eagerly": bool(config.get("run_eagerly"))}


def optimizer_of(model):
    """The optimizer given to `compile`, without what Keras put around it to scale the loss."""
    optimizer = model.optimizer
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer.inner_optimizer
    return optimizer


def optimizer_like(optimizer, **changes):
    """A new optimizer of the same class and config, without state.

    Args:
        optimizer: `keras.optimizers.Optimizer`; it is not changed.
        **changes: arguments that replace those of its config, such as `learning_rate`.

    Raises:
        ValueError: if the class cannot be made from its config.
    """
    cls = type(optimizer)
    try:
        return cls.from_config({**optimizer.get_config(), **changes})
    except Exception as error:
        raise ValueError(
            "A fresh optimizer is made from the config of the model's: its class must take what "
            f"its `get_config` gives, and {sorted(changes)}. Received: optimizer={optimizer}, "
            f"{type(error).__name__}: {error}"
        ) from error


def largest_learning_rate(optimizer):
    """The learning rate, of a schedule its largest in 10,000 steps: float.

    Raises:
        ValueError: if the schedule cannot be asked.
    """
    rate = optimizer._learning_rate
    if not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return float(optimizer.learning_rate)
    try:
        return max(float(rate(step)) for step in range(0, 10_000, 100))
    except Exception as error:
        raise ValueError(
            "the learning rate cannot be read from the optimizer's schedule: give "
            f"`learning_rate` and `sharing_learning_rate`. Received: {rate}, {error}"
        ) from error


def all_state(model):
    """The variables that a training of a compiled, built `model` moves: list.

    Those of the model, of random generators in it as well, and those of its optimizer.
    """
    metrics = {id(variable) for variable in model.metrics_variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    return own + list(model.optimizer.variables)


def _config(model):
    if not getattr(model, "compiled", False) or not hasattr(model, "_compile_config"):
        return {}
    return model._compile_config.config


def _copied(metrics):
    """Metrics in the same structure; strings and functions are shared."""
    if isinstance(metrics, dict):
        return {name: _copied(value) for name, value in metrics.items()}
    if isinstance(metrics, (list, tuple)):
        return [_copied(value) for value in metrics]
    if not isinstance(metrics, keras.metrics.Metric):
        return metrics
    config, cls = metrics.get_config(), type(metrics)
    try:
        if "fn" in config:
            # A function of the user's is found by no name.
            return cls(**{**config, "fn": metrics._fn})
        return cls.from_config(config)
    except Exception as error:
        raise ValueError(
            "A metric of the model cannot be copied: its class must take what its `get_config` "
            f"gives. Received: metric={metrics.name!r}, {type(error).__name__}: {error}"
        ) from error

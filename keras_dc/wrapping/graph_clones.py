"""Cloning the graph of a Sequential or Functional model."""

import inspect
import warnings

import keras

from keras_dc.wrapping.layer_tree import layers_within

# What a class may have of its own, and a clone of another class has not.
_METHODS = (
    "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics", "compile", "fit",
    "evaluate", "predict",
)  # fmt: skip


def clone_graph(model, **options):
    """`keras.models.clone_model(model, **options)`, not compiled.

    A model, or a model inside, whose class has a constructor of its own becomes a plain
    Functional or Sequential model with the same graph and names.

    Raises:
        ValueError: if such a class has a `call` of its own, which the graph does not tell.
    """
    _check_classes(model)
    # Keras would compile the clone from a serialised configuration, which fails for a loss
    # that is a plain function. So `model` looks as if it were not compiled.
    compiled, model.compiled = model.compiled, False
    try:
        return keras.models.clone_model(model, **options)
    finally:
        model.compiled = compiled


def _check_classes(model):
    for part in layers_within(model):
        if not isinstance(part, (keras.Sequential, keras.Function)) or _keeps_its_class(part):
            continue
        cls, base = type(part), _class_of_keras(part)
        if cls.call is not base.call:
            raise ValueError(
                "A Functional model whose class has a constructor and a `call` of its own cannot "
                f"be cloned. Received: model={part}"
            )
        lost = [name for name in _METHODS if getattr(cls, name) is not getattr(base, name)]
        if lost:
            warnings.warn(
                f"The copy of model {part.name!r} is a plain {base.__name__} model, since its "
                f"class {cls.__name__} has a constructor of its own. The copy lacks what the "
                f"class overrides: {', '.join(lost)}",
                stacklevel=2,
            )


def _keeps_its_class(model):
    """Whether Keras can make the clone by the constructor of the model's class."""
    cls, base = type(model), _class_of_keras(model)
    if cls is base:
        return True
    if isinstance(model, keras.Sequential):
        return False
    names = [inspect.getfullargspec(each.__init__).args for each in (cls, base)]
    return names[0] == names[1]


def _class_of_keras(model):
    """Functional or Sequential."""
    return next(cls for cls in type(model).__mro__ if cls.__module__.split(".")[0] == "keras")

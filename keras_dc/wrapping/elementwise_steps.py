"""Whether training moves each weight by its own gradient and by nothing else.

If so, the value of a pruned weight affects no other weight. Its gradient need not be
masked, which saves a pass over all weights.
"""

import keras

_ELEMENTWISE = (
    keras.optimizers.SGD,
    keras.optimizers.RMSprop,
    keras.optimizers.Adam,
    keras.optimizers.AdamW,
    keras.optimizers.Adadelta,
    keras.optimizers.Adagrad,
    keras.optimizers.Adamax,
    keras.optimizers.Nadam,
    keras.optimizers.Ftrl,
    keras.optimizers.Lion,
)


def has_elementwise_step(model):
    """Whether `model.fit` updates each weight by the gradient of that weight alone.

    False if gradients are clipped by their norm, if this module does not know the
    optimizer, or if the class of the model has its own training step or loss.
    """
    optimizer = model.optimizer
    return (
        type(model).train_step is keras.Model.train_step
        and type(model).compute_loss is keras.Model.compute_loss
        and _class_of(optimizer) in _ELEMENTWISE
        and optimizer.clipnorm is None
        and optimizer.global_clipnorm is None
    )


def _class_of(optimizer):
    """Its class; on Torch, Keras makes an instance of a subclass with the same formula."""
    for cls in type(optimizer).__mro__:
        if not cls.__module__.startswith("keras.src.backend.torch."):
            return cls
    return None


def is_free(variable):
    """Whether `variable` has neither a regularizer nor a constraint."""
    return variable.regularizer is None and variable.constraint is None

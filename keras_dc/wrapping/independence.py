"""Whether a training moves each weight by its own gradient and by nothing else.

Then a pruned weight may learn what it likes, since nothing that counts sees it: the pass
over all weights that would mask its gradient can be left out.
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
    """Whether `model.fit` updates each element by the gradient of that element alone.

    So it is not where gradients are clipped by their norm, with optimizers that this
    module does not know, or where the model's class has a training step of its own.
    """
    optimizer = model.optimizer
    return (
        type(model).train_step is keras.Model.train_step
        and type(model).compute_loss is keras.Model.compute_loss
        and type(optimizer) in _ELEMENTWISE
        and optimizer.clipnorm is None
        and optimizer.global_clipnorm is None
    )


def is_free(variable):
    """Whether no penalty and no constraint sees the elements of `variable` together."""
    return variable.regularizer is None and variable.constraint is None

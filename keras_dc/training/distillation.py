"""Learning from a teacher while weights are pruned and shared: a loss, and its targets.

Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network". What the teacher
says of each example is computed once, in advance, so a step costs no more than without it.
"""

import keras
import numpy as np
from keras import ops


def distillation_targets(labels, teacher_logits):
    """What `DistillationLoss` takes as targets: a label and what the teacher says, a row each.

    Args:
        labels: int array `(n,)` or `(n, 1)`, the classes.
        teacher_logits: float array `(n, classes)`, logits of the teacher for the same examples,
            in the same order; of several teachers the mean of their logits.

    Returns:
        float32 array `(n, 1 + classes)`.

    Raises:
        ValueError: if the shapes do not fit, a label is no class, or a logit is not finite.
    """
    labels, logits = np.asarray(labels), np.asarray(teacher_logits, np.float32)
    if logits.ndim != 2 or labels.shape not in ((len(logits),), (len(logits), 1)):
        raise ValueError(
            "`labels` must be shaped (n,) and `teacher_logits` (n, classes). "
            f"Received: shapes {labels.shape} and {logits.shape}"
        )
    if not np.isfinite(logits).all():
        raise ValueError("`teacher_logits` must be finite. Received: NaN or infinity")
    column = labels.reshape(-1, 1).astype(np.float32)
    is_class = (column >= 0) & (column < logits.shape[1]) & (column == np.floor(column))
    if not is_class.all():
        raise ValueError(
            f"`labels` must be integers in [0, {logits.shape[1]}). Received: "
            f"{labels.reshape(-1)[np.argmin(is_class)]}"
        )
    return np.concatenate([column, logits], axis=1)


@keras.saving.register_keras_serializable("keras_dc")
class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the labels, and divergence from what a teacher says.

    That is `(1 - weight) * crossentropy(label, student) + weight * temperature**2 *
    KL(softmax(teacher / temperature), softmax(student / temperature))`. The model gives logits,
    its targets come from `distillation_targets`, its metric is `distillation_accuracy`:

        from keras_dc.training import DistillationLoss, distillation_accuracy, distillation_targets

        model.compile("adam", DistillationLoss(), metrics=[distillation_accuracy])
        model.fit(x, distillation_targets(y, teacher.predict(x)))

    Where examples are augmented, the teacher must see the augmented ones.

    Args:
        weight: float in [0, 1], how much the teacher counts.
        temperature: float > 0; above 1, small probabilities count for more.
        reduction: see `keras.losses.Loss`.
        name: str, of the loss.

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(
        self,
        weight=0.7,
        temperature=2.0,
        *,
        reduction="sum_over_batch_size",
        name="distillation_loss",
        **options,
    ):
        if not 0.0 <= weight <= 1.0:
            raise ValueError(f"`weight` must lie in [0, 1]. Received: weight={weight}")
        if not temperature > 0.0:
            raise ValueError(f"`temperature` must be above 0. Received: temperature={temperature}")
        super().__init__(name=name, reduction=reduction, **options)
        self.weight = weight
        self.temperature = temperature

    def call(self, y_true, y_pred):
        """The loss of each example: float tensor `(n,)`.

        Args:
            y_true: float tensor `(n, 1 + classes)`, see `distillation_targets`.
            y_pred: float tensor `(n, classes)`, logits.
        """
        labels, teacher = _parts(y_true, y_pred)
        own = keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        theirs = ops.softmax(teacher / self.temperature)
        logarithms = ops.log_softmax(teacher / self.temperature)
        logarithms = logarithms - ops.log_softmax(y_pred / self.temperature)
        divergence = ops.sum(theirs * logarithms, axis=-1)
        return (1.0 - self.weight) * own + self.weight * self.temperature**2 * divergence

    def get_config(self):
        return {**super().get_config(), "weight": self.weight, "temperature": self.temperature}


@keras.saving.register_keras_serializable("keras_dc")
def distillation_accuracy(y_true, y_pred):
    """Whether the model hits each label, for `metrics`: float tensor `(n,)` of 0 and 1.

    Args:
        y_true: float tensor `(n, 1 + classes)`, see `distillation_targets`.
        y_pred: float tensor `(n, classes)`, logits or probabilities.
    """
    labels, _ = _parts(y_true, y_pred)
    return keras.metrics.sparse_categorical_accuracy(labels, y_pred)


def _parts(y_true, y_pred):
    """Labels int32 `(n,)` and logits `(n, classes)` of `distillation_targets`."""
    if y_true.shape[-1] != y_pred.shape[-1] + 1:
        raise ValueError(
            "Targets must be those of `distillation_targets`: a label, and the logit of each "
            f"class. Received: shapes {tuple(y_true.shape)} and {tuple(y_pred.shape)}"
        )
    return ops.cast(y_true[..., 0], "int32"), ops.cast(y_true[..., 1:], y_pred.dtype)

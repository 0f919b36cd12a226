"""What trainings of the experiments share: the learning rate, and steps at once."""

from keras import optimizers


def warm_up_cosine(rate, steps, warm_up_steps):
    """A learning rate that rises from zero, and falls to it again along half a cosine.

    Args:
        rate: float, the highest.
        steps: int, of the whole training.
        warm_up_steps: int, in which it rises; a quarter of the training at most. 0: it begins
            with `rate`.

    Returns:
        `keras.optimizers.schedules.CosineDecay`.
    """
    warm = min(warm_up_steps, steps // 4)
    return optimizers.schedules.CosineDecay(
        0.0 if warm else rate,
        max(1, steps - warm),
        warmup_target=rate if warm else None,
        warmup_steps=warm,
    )


def steps_at_once(steps, most):
    """How many steps TensorFlow may take at once: a divisor of those of an epoch, up to `most`."""
    return max(n for n in range(1, most + 1) if steps % n == 0)

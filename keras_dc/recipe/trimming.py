"""A file that is a little too large, made to fit without training."""

import numpy as np

from keras_dc.numerics.masks import global_magnitude_masks
from keras_dc.recipe.stages import Shared, kernel_bytes_of
from keras_dc.wrapping.weights import find_kernels, host_array

# Shares of the kept weights that go, one after another, until the file fits; then shares between
# the last two are tried, each in the middle of what is left.
_SHARES = (0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.14, 0.18)
_NUM_HALVINGS = 4


def trimmed(stages, pruned, shared, max_bytes):
    """The largest file within `max_bytes` that lacks some of the smallest weights of `shared`.

    Args:
        stages: `Stages`.
        pruned: `Pruned`, what `shared` was made of.
        shared: `Shared`.
        max_bytes: int.

    Returns:
        `Shared`, or None if that would take more than a fifth of the weights.
    """

    def without(share):
        """The model without a share of its weights, and its file; None if that does not fit."""
        model = stages.plain(pruned, shared)
        _prune(model, stages.settings, share)
        tflite = stages.convert(model)
        return (model, tflite) if len(tflite) <= max_bytes else None

    def compute():
        share, found = _least(without)
        if found is None:
            return {"score": None}, []
        model, tflite = found
        score = stages.judge.score(stages.judge.of_file(tflite))
        info = {"score": score, "kernel_bytes": kernel_bytes_of(tflite), "share": share}
        return info, [np.frombuffer(tflite, np.uint8), *model.get_weights()]

    name = f"{shared.name}-trimmed"
    info, arrays = stages.journal.remembered(name, compute)
    if info["score"] is None:
        return None
    content, *weights = arrays
    return Shared(
        name, content.tobytes(), weights, info["score"], shared.num_clusters,
        info["kernel_bytes"], {},
    )  # fmt: skip


def _least(without):
    """The least share that fits, nearly, and what `without` makes of it; (None, None) if none."""
    low, found = 0.0, None
    for high in _SHARES:
        found = without(high)
        if found is not None:
            break
        low = high
    if found is None:
        return None, None
    for _ in range(_NUM_HALVINGS):
        middle = (low + high) / 2
        smaller = without(middle)
        if smaller is None:
            low = middle
        else:
            high, found = middle, smaller
    return high, found


def _prune(model, settings, share):
    kernels = [
        kernel.variable
        for layer in settings.layers(model).values()
        for kernel in find_kernels(layer)
    ]
    values = [np.array(host_array(kernel)) for kernel in kernels]
    kept = sum(np.count_nonzero(value) for value in values)
    total = sum(value.size for value in values)
    sparsity = 1.0 - (1.0 - share) * kept / total
    masks = global_magnitude_masks(values, sparsity, min_density=0.0)
    for kernel, value, mask in zip(kernels, values, masks, strict=True):
        kernel.assign(value * mask + 0.0)  # -0.0 becomes 0.0

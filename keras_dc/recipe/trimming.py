"""A file that is a little too large, made to fit without training."""

import numpy as np

from keras_dc.numerics.masks import global_magnitude_masks
from keras_dc.recipe.stages import Shared, kernel_bytes_of
from keras_dc.wrapping.weights import find_kernels, host_array

# Shares of the kept weights that go, one after another, until the file fits.
_SHARES = (0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.14, 0.18)


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

    def compute():
        for share in _SHARES:
            model = stages.plain(pruned, shared)
            _prune(model, stages.settings, share)
            tflite = stages.convert(model)
            if len(tflite) <= max_bytes:
                score = stages.judge.score(stages.judge.of_file(tflite))
                info = {"score": score, "kernel_bytes": kernel_bytes_of(tflite), "share": share}
                return info, [np.frombuffer(tflite, np.uint8), *model.get_weights()]
        return {"score": None}, []

    name = f"{shared.name}-trimmed"
    info, arrays = stages.journal.remembered(name, compute)
    if info["score"] is None:
        return None
    content, *weights = arrays
    return Shared(
        name, content.tobytes(), weights, info["score"], shared.num_clusters,
        info["kernel_bytes"], {},
    )  # fmt: skip


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

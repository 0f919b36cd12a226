"""Which weights stay: pure functions from NumPy weights to NumPy masks."""

import numpy as np


def magnitude_mask(weights, sparsity):
    """1 for the `round((1 - sparsity) * size)` largest magnitudes, 0 elsewhere.

    At least one weight is kept. Of equal magnitudes the first in memory order stay.

    Args:
        weights: float array, any shape, at least one element.
        sparsity: float in [0, 1), fraction of zeros.

    Returns:
        float32 array shaped like `weights`.
    """
    return _keep_largest(np.abs(weights), kept_count(weights.size, sparsity))


def global_magnitude_masks(weights, sparsity, *, min_density):
    """Masks by one threshold on the magnitudes of all arrays together.

    An array that would keep less than `min_density` of its weights keeps that much
    of its own largest, and the others make up for it, so that the count over all
    arrays is still `round((1 - sparsity) * total size)`.

    Args:
        weights: list of float arrays, any shapes.
        sparsity: float in [0, 1), fraction of zeros over all arrays.
        min_density: float in [0, 1], fraction kept of each array at the least.

    Returns:
        List of float32 arrays shaped like those of `weights`.

    Raises:
        ValueError: if the floors together are more than may be kept.
    """
    magnitudes = [np.abs(w).ravel() for w in weights]
    budget = kept_count(sum(m.size for m in magnitudes), sparsity)
    floors = [max(1, round(min_density * m.size)) for m in magnitudes]
    if sum(floors) > budget:
        raise ValueError(
            f"`min_density` keeps {sum(floors)} weights, the sparsity only {budget}. "
            f"Received: min_density={min_density}, sparsity={sparsity}"
        )
    at_floor = {}
    while True:
        free = [i for i in range(len(magnitudes)) if i not in at_floor]
        if not free:
            break
        remaining = budget - sum(at_floor.values())
        joint = _keep_largest(np.concatenate([magnitudes[i] for i in free]), remaining)
        parts = np.split(joint, np.cumsum([magnitudes[i].size for i in free])[:-1])
        below = {
            i: floors[i]
            for i, part in zip(free, parts, strict=True)
            if np.count_nonzero(part) < floors[i]
        }
        if not below:
            break
        at_floor |= below
    masks = {i: _keep_largest(magnitudes[i], count) for i, count in at_floor.items()}
    masks |= dict(zip(free, parts, strict=True)) if free else {}
    return [masks[i].reshape(w.shape) for i, w in enumerate(weights)]


def kept_count(size, sparsity):
    """How many of `size` weights a sparsity leaves: rounded, and at least one."""
    return max(1, round((1.0 - sparsity) * size))


def _keep_largest(magnitudes, count):
    """float32 mask of the `count` largest; the first ones among equals."""
    flat = magnitudes.ravel()
    threshold = np.partition(flat, flat.size - count)[flat.size - count]
    mask = flat > threshold
    missing = count - np.count_nonzero(mask)
    mask[np.flatnonzero(flat == threshold)[:missing]] = True
    return mask.astype(np.float32).reshape(magnitudes.shape)

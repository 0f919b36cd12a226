"""Masks from weights: pure functions over NumPy arrays."""

import numpy as np

# Values compared at a time, few enough to stay in the cache of the processor.
_BLOCK = 2**16
# The smallest normal number of float32 and of bfloat16.
SMALLEST = 2.0**-126


def kept_magnitudes(weights, mask):
    """Magnitudes, 0 where `mask` is 0; a kept weight that is zero comes before a pruned one.

    Args:
        weights: float array, any shape.
        mask: array of 0 and 1 shaped like `weights`.

    Returns:
        float array shaped like `weights`.
    """
    magnitudes = np.abs(weights)
    return np.maximum(magnitudes, magnitudes.dtype.type(SMALLEST)) * mask


def least_kept(weights, mask):
    """The least magnitude of those `weights` whose `mask` is 1; see `kept_magnitudes`."""
    return np.abs(weights)[mask > 0].min()


def magnitude_mask(weights, sparsity):
    """1 for the `round((1 - sparsity) * size)` largest magnitudes, 0 elsewhere.

    At least one weight is kept. Of equal magnitudes the first in C order are kept.

    Args:
        weights: float array, any shape, at least one element.
        sparsity: float in [0, 1), fraction of zeros.

    Returns:
        float32 array shaped like `weights`.
    """
    return _keep_largest(np.abs(weights), kept_count(weights.size, sparsity))


def global_magnitude_masks(weights, sparsity, *, min_density):
    """Masks by one threshold on the magnitudes of all arrays together.

    An array that would keep less than `min_density` of its weights keeps that fraction, its
    own largest. The others then keep fewer, so that the count over all arrays is still
    `round((1 - sparsity) * total size)`.

    Args:
        weights: list of float arrays, any shapes.
        sparsity: float in [0, 1), fraction of zeros over all arrays.
        min_density: float in [0, 1], the minimum density of each array.

    Returns:
        List of float32 arrays shaped like those of `weights`.

    Raises:
        ValueError: if `min_density` keeps more weights than the sparsity allows.
    """
    magnitudes = [np.abs(w).ravel() for w in weights]

    def joint(indices, count):
        mask = _keep_largest(np.concatenate([magnitudes[i] for i in indices]), count)
        parts = np.split(mask, np.cumsum([magnitudes[i].size for i in indices])[:-1])
        return parts, [np.count_nonzero(part) for part in parts]

    def single(i, count):
        return _keep_largest(magnitudes[i], count)

    sizes = [m.size for m in magnitudes]
    masks = masks_of_a_budget(sizes, sparsity, min_density=min_density, joint=joint, single=single)
    return [mask.reshape(w.shape) for mask, w in zip(masks, weights, strict=True)]


def masks_of_a_budget(sizes, sparsity, *, min_density, joint, single):
    """`global_magnitude_masks` of arrays of any kind, by two functions that make masks of them.

    Args:
        sizes: list of int, the sizes of the arrays.
        sparsity: see `global_magnitude_masks`.
        min_density: see `global_magnitude_masks`.
        joint: callable (list of numbers of arrays, count) -> (list of masks of these arrays, that
            keep so many weights together; the number that each keeps).
        single: callable (number of an array, count) -> its mask, that keeps so many.

    Returns:
        List of masks, one an array.

    Raises:
        ValueError: if `min_density` keeps more weights than the sparsity allows.
    """
    budget = kept_count(sum(sizes), sparsity)
    floors = [max(1, round(min_density * size)) for size in sizes]
    if sum(floors) > budget:
        raise ValueError(
            f"`min_density` keeps {sum(floors)} weights, the sparsity only {budget}. "
            f"Received: min_density={min_density}, sparsity={sparsity}"
        )
    at_floor = {}
    while True:
        free = [i for i in range(len(sizes)) if i not in at_floor]
        if not free:
            break
        parts, counts = joint(free, budget - sum(at_floor.values()))
        below = {i: floors[i] for i, num in zip(free, counts, strict=True) if num < floors[i]}
        if not below:
            break
        at_floor |= below
    masks = {i: single(i, count) for i, count in at_floor.items()}
    masks |= dict(zip(free, parts, strict=True)) if free else {}
    return [masks[i] for i in range(len(sizes))]


def block_magnitudes(weights, block_size):
    """Mean magnitude of each block of the last two axes; blocks at the edges may be smaller.

    Args:
        weights: float array `(..., rows, columns)`.
        block_size: (int m, int n), rows and columns of a block.

    Returns:
        float32 array `(..., ceil(rows / m), ceil(columns / n))`.
    """
    sums = np.abs(weights)
    for axis, step in zip((-2, -1), block_size, strict=True):
        length = sums.shape[axis]
        starts = np.arange(0, length, step)
        sums = np.add.reduceat(sums, starts, axis=axis)
        counts = np.minimum(starts + step, length) - starts
        sums = sums / (counts[:, None] if axis == -2 else counts)
    return sums.astype(np.float32)


def expand_blocks(blocks, block_size, shape):
    """The array `(..., rows, columns)` of `shape` whose blocks have the values `blocks`."""
    rows = np.repeat(blocks, block_size[0], axis=-2)[..., : shape[-2], :]
    return np.repeat(rows, block_size[1], axis=-1)[..., : shape[-1]]


def group_mask(weights, sparsity, *, group_size, axis):
    """1 for the `round((1 - sparsity) * m)` largest magnitudes of each group of `m` weights.

    The N:M pattern: sparsity 0.5 in groups of 4 is 2:4. At least one weight of a group is
    kept. A shorter group at the end keeps as many as the others, or all it has.

    Args:
        weights: float array, any shape.
        sparsity: float in [0, 1), fraction of zeros.
        group_size: int >= 1, the `m`.
        axis: int, the axis along which m weights in a row form a group.

    Returns:
        float32 array shaped like `weights`.
    """
    magnitudes = np.moveaxis(np.abs(weights), axis, -1)
    length = magnitudes.shape[-1]
    padding = [(0, 0)] * (magnitudes.ndim - 1) + [(0, -length % group_size)]
    padded = np.pad(magnitudes, padding, constant_values=-1.0)
    groups = padded.reshape(*padded.shape[:-1], -1, group_size)
    # Stable, so that of equal magnitudes the first are kept.
    order = np.argsort(-groups, axis=-1, kind="stable")
    mask = np.zeros(groups.shape, dtype=np.float32)
    kept = order[..., : kept_count(group_size, sparsity)]
    np.put_along_axis(mask, kept, 1.0, axis=-1)
    mask = mask.reshape(padded.shape)[..., :length]
    return np.ascontiguousarray(np.moveaxis(mask, -1, axis))


def regrown_mask(weights, mask, sparsity, *, fraction):
    """Drop the smallest kept weights, and grow the pruned weights that moved most.

    RigL (Evci et al. 2020): of the `round((1 - sparsity) * size)` weights that the new mask
    keeps, `fraction` are new. Pruned weights start at zero after each update and are masked
    in the forward pass, so their values are the sum of what gradients moved them by.

    Args:
        weights: float array, any shape.
        mask: array of 0 and 1 shaped like `weights`, with at least one 1.
        sparsity: float in [0, 1), fraction of zeros.
        fraction: float in [0, 1).

    Returns:
        float32 array shaped like `weights`.
    """
    kept, magnitudes = mask > 0, np.abs(weights)
    count, num_kept = kept_count(weights.size, sparsity), int(np.count_nonzero(kept))
    num_held = min(count - min(int(fraction * count), weights.size - num_kept), num_kept)
    none = magnitudes.dtype.type(-1.0)  # NumPy has no common type of bfloat16 and a float
    new_mask = _keep_largest(np.where(kept, magnitudes, none), num_held)
    if count > num_held:
        new_mask += _keep_largest(np.where(kept, none, magnitudes), count - num_held)
    return new_mask


def never_open(masks, before):
    """Masks that keep nothing of what is pruned already.

    Args:
        masks: list of float arrays of 0 and 1.
        before: list of float arrays shaped like them, the masks until now.

    Returns:
        (list of float arrays, int: how many weights `masks` would have let return).
    """
    pairs = list(zip(masks, before, strict=True))
    num_opened = sum(np.count_nonzero(mask > old) for mask, old in pairs)
    return [mask * old for mask, old in pairs], num_opened


def kept_count(size, sparsity):
    """The number of `size` weights that a sparsity keeps: rounded, and at least 1."""
    return max(1, round((1.0 - sparsity) * size))


def _keep_largest(magnitudes, count):
    """float32 mask of the `count` largest; of equal ones the first."""
    flat = magnitudes.ravel()
    threshold, num_kept = _threshold(flat, count)
    mask = np.empty(flat.size, np.float32)
    np.greater_equal(flat, threshold, out=mask)
    if num_kept > count:
        mask[np.flatnonzero(flat == threshold)[count - num_kept :]] = 0.0
    return mask.reshape(magnitudes.shape)


def _threshold(values, count):
    """(the `count`-th largest of float `values` `(n,)`, the number of values >= it)."""
    size, num_above = values.size, 0
    candidates = values
    if size >= 2 * _BLOCK:
        # A sample gives an interval for it, so that only the values inside need to be
        # ordered. The counts tell whether it lies inside; if not, all are ordered.
        sample = np.sort(values[:: size // 2**14])
        place, margin = sample.size * (1.0 - count / size), 2.0 * sample.size**0.5
        low = sample[max(0, int(place - margin))]
        high = sample[min(sample.size - 1, int(place + margin))]
        bracketed = []
        for start in range(0, size, _BLOCK):
            block = values[start : start + _BLOCK]
            above = block > high
            num_above += int(np.count_nonzero(above))
            bracketed.append(block[(block >= low) ^ above])
        candidates = np.concatenate(bracketed)
        if not 1 <= count - num_above <= candidates.size:
            candidates, num_above = values, 0
    place = candidates.size - (count - num_above)
    threshold = np.partition(candidates, place)[place]
    return threshold, num_above + np.count_nonzero(candidates >= threshold)

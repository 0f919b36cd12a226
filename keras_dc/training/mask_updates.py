"""The masks that pruned layers get at a step, by the options that they share."""

import math

from keras_dc.numerics.masks import (
    block_magnitudes,
    expand_blocks,
    global_magnitude_masks,
    group_mask,
    magnitude_mask,
    regrown_mask,
)
from keras_dc.wrapping.weights import host_array


def update_masks(layers, step):
    """Give the pruned `layers` the masks that their schedules want at `step`.

    Args:
        layers: list of built `PrunedLayer`.
        step: int, optimizer updates made so far.
    """
    groups = {}
    for layer in layers:
        options = {**layer.options(), "schedule": layer.schedule.key()}
        key = tuple(options.items()) if layer.global_threshold else id(layer)
        groups.setdefault(key, []).append(layer)
    for group in groups.values():
        masks = _masks_of_group(group, step)
        for layer in group:
            count = len(layer.kernels)
            layer.set_masks(masks[:count], step=step)
            masks = masks[count:]


def regrow_fraction_at(layer, step):
    """RigL's share of new weights at `step`: half a cosine from the first to none."""
    begin, end = layer.schedule.begin_step, layer.freeze_step
    progress = (step - begin) / max(1, end - begin)
    return 0.5 * layer.regrow_fraction * (1.0 + math.cos(math.pi * progress))


def _masks_of_group(layers, step):
    """One mask per kernel of the `layers`, which have the same options."""
    options = layers[0]
    update_step = options.next_update(step)
    sparsity = options.schedule(update_step)
    kernels = [kernel for layer in layers for kernel in layer.kernels]
    weights = [host_array(kernel.variable) for kernel in kernels]
    masks = [host_array(mask) for layer in layers for mask in layer.masks]
    if options.regrow_fraction is not None:
        fraction = regrow_fraction_at(options, update_step)
        pairs = zip(weights, masks, strict=True)
        return [regrown_mask(w, mask, sparsity, fraction=fraction) for w, mask in pairs]
    # `masks` of straight-through layers are all ones until they are frozen.
    weights = [w * mask for w, mask in zip(weights, masks, strict=True)]
    if options.group_size is not None:
        return [
            group_mask(w, sparsity, group_size=options.group_size, axis=kernel.input_axis)
            for w, kernel in zip(weights, kernels, strict=True)
        ]
    block_size, scores = options.block_size, weights
    if block_size is not None:
        scores = [block_magnitudes(w, block_size) for w in weights]
    if options.global_threshold:
        masks = global_magnitude_masks(scores, sparsity, min_density=options.min_density)
    else:
        masks = [magnitude_mask(score, sparsity) for score in scores]
    if block_size is not None:
        pairs = zip(masks, weights, strict=True)
        masks = [expand_blocks(mask, block_size, w.shape) for mask, w in pairs]
    return masks

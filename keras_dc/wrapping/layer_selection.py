"""Selecting the layers of a model by name patterns and by their place."""

import re

from keras_dc.numerics.finite import all_finite
from keras_dc.wrapping.layer_tree import check_model, replaceable_layers
from keras_dc.wrapping.weights import find_kernels, host_array

LEAVE_OUT = (None, "first", "last", "first_and_last")


def selected_layers(model, filters, *, leave_out=None):
    """The layers of `model` that have a kernel and pass `filters`: dict by name.

    Args:
        model: a built `keras.Model`.
        filters: None (all), a regular expression or a list of them, searched in the
            layer's name, or a callable `layer -> bool`.
        leave_out: None, "first", "last" or "first_and_last": which of the layers with a
            kernel, in the order of the model, to leave out whatever the filter says.

    Raises:
        ValueError: if no layer is left (the message lists the names there are), if
            `leave_out` is none of these, or if a kernel of a selected layer has a value
            that is NaN or infinite.
    """
    check_model(model)
    if leave_out not in LEAVE_OUT:
        raise ValueError(
            f"`leave_out` must be one of {LEAVE_OUT}. Received: leave_out={leave_out!r}"
        )
    kernels = {layer: find_kernels(layer) for layer in replaceable_layers(model)}
    layers = [layer for layer, found in kernels.items() if found]
    start = 1 if leave_out in ("first", "first_and_last") else 0
    end = len(layers) - 1 if leave_out in ("last", "first_and_last") else len(layers)
    selected = {layer.name: layer for layer in layers[start:end] if _passes(layer, filters)}
    if not selected:
        raise ValueError(
            "`filters` selects no layer. Layers with a kernel: "
            f"{[layer.name for layer in layers]}. Received: filters={filters!r}, "
            f"leave_out={leave_out!r}"
        )
    for kernel in (kernel for layer in selected.values() for kernel in kernels[layer]):
        if not all_finite(host_array(kernel.variable)):
            raise ValueError(
                f"kernels must be finite. Received: NaN or infinite values in {kernel.name}"
            )
    return selected


def _passes(layer, filters):
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)

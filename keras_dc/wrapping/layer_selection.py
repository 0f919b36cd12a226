"""Which layers of a model are meant: by name pattern."""

import re

import keras

from keras_dc.wrapping.cloning import check_model, layers_of
from keras_dc.wrapping.kernel_wrapper import find_kernels

LEAVE_OUT = (None, "first", "last", "first_and_last")


def selected_layers(model, filters, *, leave_out=None):
    """The layers of `model` that have a kernel and pass `filters`: dict by name.

    Args:
        model: a built `keras.Model`.
        filters: None (all), a regular expression or a list of them, searched in the
            layer's name, or a callable `layer -> bool`.
        leave_out: None, "first", "last" or "first_and_last": of the layers with a
            kernel, in the model's order, those not to take whatever the filter says.

    Raises:
        ValueError: if no layer is left; the message lists the names there are. If
            `leave_out` is none of these, or a kernel has a weight that is NaN or infinite:
            no magnitude and no cluster would make sense for it.
    """
    check_model(model)
    if leave_out not in LEAVE_OUT:
        raise ValueError(
            f"`leave_out` must be one of {LEAVE_OUT}. Received: leave_out={leave_out!r}"
        )
    layers = [layer for layer in layers_of(model) if find_kernels(layer)]
    start = 1 if leave_out in ("first", "first_and_last") else 0
    end = len(layers) - 1 if leave_out in ("last", "first_and_last") else len(layers)
    selected = {layer.name: layer for layer in layers[start:end] if _passes(layer, filters)}
    if not selected:
        raise ValueError(
            "`filters` selects no layer. Layers with a kernel: "
            f"{[layer.name for layer in layers]}. Received: filters={filters!r}, "
            f"leave_out={leave_out!r}"
        )
    _check_finite(selected.values())
    return selected


def _check_finite(layers):
    for layer in layers:
        for kernel in find_kernels(layer):
            if not bool(keras.ops.all(keras.ops.isfinite(kernel.variable))):
                raise ValueError(
                    f"kernels must be finite. Received: NaN or infinite values in {kernel.name}"
                )


def _passes(layer, filters):
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)

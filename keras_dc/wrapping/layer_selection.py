"""Selecting the layers of a model by name patterns and by their place."""

import re
import warnings

from keras_dc.numerics.finite import all_finite
from keras_dc.wrapping.constraints import check_kernel_is_used, is_kernel_used
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import check_model, named_layers, source_of
from keras_dc.wrapping.weights import find_kernels, host_array, uncovered_weights

LEAVE_OUT = (None, "first", "last", "first_and_last")


def selected_layers(model, filters, *, leave_out=None):
    """The layers of `model` that have a kernel and pass `filters`: dict by name.

    Of layers of one name in several nested models the names are paths: "sequential_1/dense".

    Frozen layers are left alone, unless `filters` selects them. Warns of weights of several axes
    that are no kernels, and so stay as they are: in the layers selected, and without `filters`
    in all others.

    Args:
        model: a built `keras.Model`.
        filters: None (all), a regular expression or a list of them, searched in the
            layer's name or path, or a callable `layer -> bool`.
        leave_out: None, "first", "last" or "first_and_last": which of the layers with a
            kernel, in the order of the model, to leave out whatever the filter says.

    Raises:
        ValueError: if no layer is left (the message lists the names there are), if
            `leave_out` is none of these, or if a kernel of a selected layer has a value
            that is NaN or infinite, or if such a layer has LoRA or is quantized by Keras.
    """
    check_model(model)
    if leave_out not in LEAVE_OUT:
        raise ValueError(
            f"`leave_out` must be one of {LEAVE_OUT}. Received: leave_out={leave_out!r}"
        )
    names = {layer: name for name, layer in named_layers(model).items()}
    kernels = {layer: find_kernels(layer) for layer in names}
    # Those have kernels too, which Keras no longer trains.
    unusable = [layer for layer in names if not is_kernel_used(layer)]
    layers = [layer for layer, found in kernels.items() if found or layer in unusable]
    start = 1 if leave_out in ("first", "first_and_last") else 0
    end = len(layers) - 1 if leave_out in ("last", "first_and_last") else len(layers)
    frozen = [
        layer for layer in layers if layer not in unusable and _is_frozen(layer, kernels[layer])
    ]
    selected = {
        names[layer]: layer
        for layer in layers[start:end]
        if (_passes(layer, names[layer], filters) if filters is not None else layer not in frozen)
    }
    if not selected:
        raise ValueError(
            "`filters` selects no layer. Layers with a kernel: "
            f"{[names[layer] for layer in layers]}. Frozen layers, which `filters` must name: "
            f"{[names[layer] for layer in frozen]}. Received: filters={filters!r}, "
            f"leave_out={leave_out!r}"
        )
    for layer in selected.values():
        check_kernel_is_used(layer)
    for kernel in (kernel for layer in selected.values() for kernel in kernels[layer]):
        if not all_finite(host_array(kernel.variable)):
            raise ValueError(
                f"kernels must be finite. Received: NaN or infinite values in {kernel.name}"
            )
    others = [] if filters is not None else [layer for layer in kernels if not kernels[layer]]
    _warn_of_uncovered([*selected.values(), *others])
    return selected


def _is_frozen(layer, kernels):
    # The kernels behind a codebook do not learn themselves.
    if isinstance(layer, KernelWrapper):
        return not layer.trainable
    return not any(kernel.variable.trainable for kernel in kernels)


def _warn_of_uncovered(layers):
    paths = [
        f"{layer.name}: {variable.path}"
        for layer in layers
        if not isinstance(layer, KernelWrapper)
        for variable in uncovered_weights(layer)
    ]
    if paths:
        warnings.warn(
            "These weights are not known as kernels and stay as they are. A layer of your own can "
            "name its kernels by a method `get_prunable_weights(self)` that gives a list of its "
            f"variables, or call them `kernel`. Received: {paths}",
            stacklevel=4,
        )


def layer_names(selected):
    """The layers' own names by the names in `selected`: dict of str."""
    return {name: layer.name for name, layer in selected.items()}


def selected_name(selected, layer):
    """The name in `selected` of a layer or of the layer that it is a copy of, None if not there."""
    for original in (layer, source_of(layer)):
        for name, other in selected.items():
            if other is original:
                return name
    return None


def _passes(layer, name, filters):
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(p, text) for p in patterns for text in (layer.name, name))

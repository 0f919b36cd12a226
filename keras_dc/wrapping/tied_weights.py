"""Variables that several layers use: tied embeddings, the two halves of an autoencoder."""

from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import replaceable_layers
from keras_dc.wrapping.weights import find_kernels


def check_owners(model):
    """Raise ValueError if a layer uses a kernel that another layer's wrapper stands in for.

    Wrappers that were made together share their tensors, see `one_owner_each`.
    """
    owners = {}
    layers = list(dict.fromkeys(replaceable_layers(model)))
    for layer in layers:
        for weight in layer.replaced() if isinstance(layer, KernelWrapper) else ():
            owners.setdefault(id(weight.variable), layer)
    for layer in layers if owners else ():
        for weight in find_kernels(layer):
            owner = owners.get(id(weight.variable), layer)
            if owner is not layer and not _borrows(layer, weight.variable, owner):
                raise ValueError(
                    "A kernel that several layers use must be pruned or shared in all of them "
                    f"by one call: select all or none. Received: {weight.variable.path} of the "
                    f"layers {owner.name!r} and {layer.name!r}"
                )


def _borrows(layer, variable, owner):
    return isinstance(layer, KernelWrapper) and any(
        weight.variable is variable and lender is owner for weight, lender in layer.borrowed
    )


def replace_variable(layer, old, new):
    """Let `layer` use another variable, as if it had made it."""
    for name, value in vars(layer).items():
        if value is old:
            vars(layer)[name] = new
    tracker = layer._tracker
    for name, (_, store) in tracker.config.items():
        # By identity: variables compare element by element.
        for i, value in enumerate(store):
            if value is old:
                store[i] = new
                tracker.stored_ids[name].discard(id(old))
                tracker.stored_ids[name].add(id(new))

"""Removing units and filters that have no input or no effect, exactly."""

import collections
import functools

import keras
import numpy as np

from keras_dc.training.channels.rules import rule_of
from keras_dc.wrapping.cloning import replace_layers
from keras_dc.wrapping.graphs import Graph, has_arguments
from keras_dc.wrapping.kernel_wrapper import KernelWrapper
from keras_dc.wrapping.layer_tree import layers_of_class, source_of


def remove_dead_units(model):
    """`model` without the units and filters that contribute nothing; outputs stay the same.

    A unit whose incoming weights are all zero has a constant output, which is added to the
    bias of the next layer; one whose outgoing weights are all zero has no effect. Both go, with
    their rows, columns and statistics in the layers around them, and whatever has become dead
    by that. Pruned models have many of them: each costs a bias, and work in the interpreter.

    It removes units of Dense, Conv1D to 3D, DepthwiseConv and SeparableConv, also through
    BatchNormalization, activations of single numbers, pooling, padding, Flatten, Dropout, Add
    and Concatenate. What cannot be removed exactly stays: a constant other than zero before a
    convolution with a padded border; channels that a sum shares with others that are alive;
    what layers of other kinds, layers that are called twice, and layers that share a variable
    take or give. Inputs and outputs keep their shapes and names, and a layer keeps at least
    one unit. "The same outputs" are those of inference, up to the rounding of sums.

    Args:
        model: a built Sequential or Functional `keras.Model`, plain: one that was pruned or
            shared is stripped first, see `strip`. It is not changed.

    Returns:
        A new `keras.Model`, not compiled. The layers keep their names.

    Raises:
        ValueError: if `model` is no such model, or has wrappers of `prune` or
            `share_weights`.
    """
    graph = Graph(model, "remove_dead_units")
    wrapped = layers_of_class(model, KernelWrapper)
    if wrapped:
        raise ValueError(
            "`remove_dead_units` takes a plain model: call `keras_dc.strip` first, as pruned "
            f"weights are zero only then. Received: model={model} with the layer {wrapped[0]}"
        )
    new_layers = _smaller_layers(graph)

    def replacement(copy):
        make = new_layers.get(id(source_of(copy)))
        return copy if make is None else make()

    return replace_layers(model, replacement)


def _smaller_layers(graph):
    """What makes the smaller layers: dict from the `id` of a layer to a function."""
    found = {}
    is_alone = _alone(graph)
    rules = {call: rule_of(call, is_alone=is_alone(call)) for call in graph.calls}
    constants = _constants(graph, rules)
    kept = _kept(graph, rules, constants)
    for call, rule in rules.items():
        layer = call.operation
        if isinstance(layer, (keras.Sequential, keras.Function)):
            found |= _smaller_layers(Graph(layer, "remove_dead_units"))
            continue
        ins, outs = ([kept[t] for t in tensors] for tensors in (call.input_tensors, call.outputs))
        if rule.has_weights and not all(mask.all() for mask in (*ins, *outs)):
            shape = (*call.input_tensors[0].shape[:-1], int(ins[0].sum()))
            given = [constants[tensor] for tensor in call.input_tensors]
            found[id(layer)] = functools.partial(rule.smaller, shape, given, ins, outs)
    return found


def _alone(graph):
    """A function that tells whether the layer of a call has this call and its variables alone."""
    calls = collections.Counter(id(call.operation) for call in graph.calls)
    layers = {id(call.operation): call.operation for call in graph.calls}.values()
    owners = collections.Counter(
        id(variable) for layer in layers for variable in getattr(layer, "variables", ())
    )

    def is_alone(call):
        layer = call.operation
        variables = getattr(layer, "variables", ())
        is_shared = any(owners[id(variable)] > 1 for variable in variables)
        return calls[id(layer)] == 1 and not is_shared and not has_arguments(call)

    return is_alone


def _constants(graph, rules):
    """The constants of each symbolic tensor: dict to float64 arrays, NaN where there is none."""
    constants = {}
    for call, rule in rules.items():
        given = [constants[tensor] for tensor in call.input_tensors]
        sizes = [_size_of(tensor) for tensor in call.outputs]
        constants |= zip(call.outputs, rule.constants(given, sizes), strict=True)
    return constants


def _kept(graph, rules, constants):
    """Which channels of each symbolic tensor stay: dict to bool arrays.

    Those that an output depends on, and those that go with them.
    """
    kept = {tensor: np.zeros(len(values), bool) for tensor, values in constants.items()}
    for tensor in kept:
        if None in graph.consumers(tensor):
            kept[tensor][:] = True
    while True:
        _spread(rules, constants, kept)
        empty = next((tensor for tensor in kept if not kept[tensor].any()), None)
        if empty is None:
            return kept
        # A constant one depends on nothing else.
        kept[empty][np.argmax(np.isfinite(constants[empty]))] = True


def _spread(rules, constants, kept):
    """Keep what is needed for, or tied to, what is kept, until that is all."""
    is_stable = False
    while not is_stable:
        before = sum(int(mask.sum()) for mask in kept.values())
        for call, rule in reversed(rules.items()):
            given = [constants[tensor] for tensor in call.input_tensors]
            needs = rule.needs(given, kept[call.outputs[0]])
            ins = [kept[t] | need for t, need in zip(call.input_tensors, needs, strict=True)]
            tied, outs = rule.tied(ins, [kept[tensor] for tensor in call.outputs])
            for tensor, mask in zip((*call.input_tensors, *call.outputs), (*tied, *outs)):
                kept[tensor] = kept[tensor] | mask
        is_stable = before == sum(int(mask.sum()) for mask in kept.values())


def _size_of(tensor):
    """Channels of a symbolic tensor, 1 if that is open."""
    return (tensor.shape[-1] if tensor.shape else None) or 1

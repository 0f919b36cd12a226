"""Copying a model with some of its layers replaced.

Sequential and Functional models are cloned with all their state, and the original stays as
it is. How a subclassed model calls its layers is known to its author's code only, so such
a model is changed in place.
"""

import contextlib

import keras

from keras_dc.wrapping.graph_clones import clone_graph
from keras_dc.wrapping.kernel_wrapper import KernelWrapper, one_owner_each
from keras_dc.wrapping.layer_changes import Changes
from keras_dc.wrapping.layer_state import (
    copy_state,
    copy_weights,
    is_variable,
    same_structure,
    weights_like,
)
from keras_dc.wrapping.layer_tree import (
    check_model,
    children_of,
    layers_within,
    models_around,
    remember_source,
)
from keras_dc.wrapping.live_objects import copy_by_config
from keras_dc.wrapping.tied_weights import check_owners, replace_variable
from keras_dc.wrapping.weights import find_kernels


def replace_layers(model, replacement):
    """`model` with `replacement(layer)` in place of each of its layers.

    What the layers of a model share, sublayers and variables, they share in the result.

    Args:
        model: a built `keras.Model`.
        replacement: callable `layer -> layer`. It gets a copy with the same state, or
            the layer itself if the model is subclassed, and returns that or another layer.

    Returns:
        A new model, not compiled; `model` itself, changed, if it is subclassed. It must then
        be compiled anew. After an error it is as it was, but for values of variables.

    Raises:
        ValueError: if `model` is not a built Keras model, or cannot be cloned; or if a kernel
            belongs to a layer that was replaced and to one that was not.
    """
    check_model(model)
    return _Replacement(replacement).of_whole(model)


@contextlib.contextmanager
def replaced_for_a_while(model, replacement):
    """`replace_layers(model, replacement)` in the block; then `model` is as it was.

    Layers and compiled functions are put back, and the values of the weights of wrappers.
    """
    check_model(model)
    work = _Replacement(replacement, keep_values=True)
    result = work.of_whole(model)
    try:
        yield result
    finally:
        work.changes.take_back()


def copy_layer(layer, copy_inner=None):
    """A new layer with the config, the shapes and all state of a built `layer`.

    A layer that makes its weights or its sublayers in its first call has no state yet.

    Args:
        layer: a `keras.Layer`.
        copy_inner: what copies the layer inside a `KernelWrapper`, this function if None.
    """
    if isinstance(layer, KernelWrapper):
        # Not by its config: a schedule in it may be a function that Keras cannot find by
        # its name.
        inner = (copy_inner or copy_layer)(layer.layer)
        copy = type(layer)(inner, name=layer.name, trainable=layer.trainable, **layer.options())
        # The inner layer has its state, and may share it with others.
        copy_weights(layer.own_weights(), copy.own_weights())
        remember_source(copy, layer)
        return copy
    copy = copy_by_config(layer)
    build_config = layer.get_build_config()
    has_build = type(layer).build is not keras.Layer.build
    if has_build and build_config is not None and not copy.built:
        copy.build_from_config(build_config)
    if same_structure(layer, copy):
        copy_state(layer, copy)
    remember_source(copy, layer)
    return copy


def copy_operation(operation):
    """A copy of what a graph calls: a layer, or an operation such as `x != 0`."""
    if isinstance(operation, keras.Layer):
        return copy_layer(operation)
    return type(operation).from_config(operation.get_config())


class _Replacement:
    """One call of `replace_layers`: what has become of the layers so far."""

    def __init__(self, replacement, *, keep_values=False):
        self.changes = Changes()
        self._replacement = replacement
        self._keep_values = keep_values
        # By `id`, as variables have no hash; the originals are kept alive beside.
        self._results = {}  # of a layer (layer, what replaces it)
        self._parts = {}  # of a layer or a sublayer (layer, its copy)
        self._variables = {}  # of a variable (variable, its copy)

    def of_whole(self, model):
        try:
            with one_owner_each():
                result = self._of_model(model)
            check_owners(result)
        except BaseException:
            self.changes.take_back()
            raise
        return result

    def _of_model(self, model):
        if isinstance(model, (keras.Sequential, keras.Function)):
            return self._clone(model)
        self._change(model, in_place=True)
        if self.changes:
            for around in models_around(model):
                self.changes.forget_compiled_functions(around)
        return model

    def _clone(self, model):
        late = []

        def clone_layer(layer):
            if not isinstance(layer, keras.Layer):
                return copy_operation(layer)
            if id(layer) not in self._results:
                copy = self._copy(layer)
                if not same_structure(layer, copy):
                    if find_kernels(layer):
                        raise ValueError(
                            "A layer must make its weights in `build()` to be wrapped. "
                            f"Received: layer={layer}"
                        )
                    late.append((layer, copy))
                if isinstance(layer, keras.Model):
                    self._change(copy)
                else:
                    copy = self._replacement(copy)
                self._results[id(layer)] = layer, copy
            return self._results[id(layer)][1]

        clone = clone_graph(model, clone_function=clone_layer, recursive=True)
        # The clone has called its layers, so they have made all their weights.
        for layer, copy in late:
            copy_state(layer, copy)
        return clone

    def _copy(self, layer):
        if id(layer) in self._parts:
            return self._parts[id(layer)][1]
        copy = copy_layer(layer, self._copy)
        if same_structure(layer, copy):
            self._join(layer, copy)
        return copy

    def _join(self, layer, copy):
        """Let a copy share what it shares with layers that were copied before."""
        joined = {}
        for part, other in zip(layers_within(layer), layers_within(copy), strict=True):
            known = self._parts.setdefault(id(part), (part, other))[1]
            if known is not other:
                joined[other] = known
        for part in layers_within(copy) if joined else ():
            self.changes.substitute(part, joined)
        for part, other in zip(layers_within(layer), layers_within(copy), strict=True):
            for name, old in vars(part).items():
                new = vars(other).get(name)
                if is_variable(old) and is_variable(new):
                    known = self._variables.setdefault(id(old), (old, new))[1]
                    if known is not new:
                        replace_variable(other, new, known)
        num_weights = len(layer.weights), len(copy.weights)
        pairs = zip(layer.weights, weights_like(layer, copy)) if len(set(num_weights)) == 1 else ()
        copies = [self._variables.setdefault(id(old), (old, new))[1] is new for old, new in pairs]
        if len(copies) != len(layer.weights) or not all(copies):
            raise ValueError(
                "A layer cannot be copied that keeps a variable of another layer in a list or a "
                f"dict. Received: layer={layer}"
            )

    def _change(self, model, *, in_place=False):
        num_changes = len(self.changes)
        new_layers = {}
        # Graphs first: their layers are copied, and others may share parts with them.
        for layer in sorted(children_of(model), key=lambda child: not _is_graph(child)):
            if id(layer) not in self._results:
                self._results[id(layer)] = layer, self._changed(layer, in_place=in_place)
            new_layer = self._results[id(layer)][1]
            if new_layer is not layer:
                new_layers[layer] = new_layer
        self.changes.substitute(model, new_layers)
        if len(self.changes) > num_changes:
            self.changes.forget_compiled_functions(model)

    def _changed(self, layer, *, in_place):
        if _is_graph(layer):
            return self._clone(layer)
        if isinstance(layer, keras.Model):
            self._change(layer, in_place=in_place)
            return layer
        layer = self._parts.get(id(layer), (layer, layer))[1]
        if in_place:
            copied = {
                part: self._parts[id(part)][1]
                for part in layers_within(layer)
                if id(part) in self._parts
            }
            for part in layers_within(layer) if copied else ():
                self.changes.substitute(part, copied)
            self.changes.remember_variables(layer, values=self._keep_values)
        return self._replacement(layer)


def _is_graph(layer):
    return isinstance(layer, (keras.Sequential, keras.Function))

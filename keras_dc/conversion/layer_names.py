"""Which Keras layer a constant of a converted model belongs to."""

import os
import re

from keras_dc.wrapping.layer_tree import layers_within

_NUMBER = re.compile(r"_\d+$")


def layers_of(graph, model):
    """The layers of the constants, by the names that TensorFlow's converter gave.

    These are paths such as "model_1/dense_1/MatMul": the scopes in which an op was made, with
    numbers where a scope was opened again. A constant without such a name goes by the output of
    the op that reads it.

    Args:
        graph: `tflite.graph.Graph` of the converted model.
        model: the plain Keras or tf_keras model, or the path of a SavedModel, whose layers are
            not known.

    Returns:
        dict from TensorRef to str, the name of a layer.
    """
    if isinstance(model, os.PathLike):
        return {}
    parts = [part for part in layers_within(model) if part is not model]
    finder = _Finder(model.name, {part.name: bool(part.weights) for part in parts})
    found = {}
    for op in graph.ops:
        for ref in graph.inputs(op):
            if graph.data(ref) is None or ref in found:
                continue
            output = graph.output(op)
            texts = [graph.name(ref), "" if output is None else graph.name(output)]
            layer = next(filter(None, map(finder.layer, texts)), None)
            if layer is not None:
                found[ref] = layer
    return found


class _Finder:
    """Finds names of layers in paths.

    Args:
        root: the name of the model.
        has_weights: dict from the names of its layers to bool.
    """

    def __init__(self, root, has_weights):
        self._root = root
        self._has_weights = has_weights

    def layer(self, text):
        """The innermost layer with weights that the paths tell, or None."""
        found = [name for path in text.split(";") for name in self._layers(path)]
        return next((name for name in found if self._has_weights[name]), None)

    def _layers(self, path):
        scopes = path.split("/")
        # Where the model's scope was opened again, so were those of its layers.
        number = scopes[0].removeprefix(self._root)
        number = number if _NUMBER.fullmatch(number) else ""
        for scope in reversed(scopes):
            reopened = scope.removesuffix(number) if number else scope
            for name in (reopened, scope, _NUMBER.sub("", scope)):
                if name in self._has_weights:
                    yield name
                    break

"""Reading the graph of a Sequential or Functional model: which call feeds which."""

import keras

from keras_dc.wrapping.layer_tree import check_model


class Graph:
    """The calls of layers in a model.

    A call is a node of Keras: `operation` is the layer, `input_tensors` and `outputs` are
    lists of symbolic tensors.

    Args:
        model: a built Sequential or Functional `keras.Model`.
        purpose: str, who asks, for the error.

    Attributes:
        calls: list of nodes, each after those that it depends on.

    Raises:
        ValueError: if `model` is subclassed, or a Sequential model without Input.
    """

    def __init__(self, model, purpose):
        check_model(model)
        graph = model._functional if isinstance(model, keras.Sequential) else model
        if not isinstance(graph, keras.Function):
            raise ValueError(
                f"{purpose} needs a Sequential or Functional model with an Input: the order of "
                f"the layers of other models is known to their code only. Received: model={model}"
            )
        by_depth = graph._nodes_by_depth
        self.calls = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
        self._producers = {tensor: node for node in self.calls for tensor in node.outputs}
        self._consumers = {tensor: [] for tensor in self._producers}
        for node in self.calls:
            for tensor in node.input_tensors:
                self._consumers[tensor].append(node)
        for tensor in keras.tree.flatten(graph.outputs):
            self._consumers[tensor].append(None)

    def producer(self, tensor):
        """The call that gives a symbolic tensor; that of an InputLayer has no inputs."""
        return self._producers[tensor]

    def consumers(self, tensor):
        """The calls that take a symbolic tensor, with None for an output of the model: list."""
        return self._consumers[tensor]


def has_arguments(call):
    """Whether a call has arguments beside its tensors that change what the layer does.

    `training=True` is one, a mask another.
    """
    values = keras.tree.flatten([call.arguments.args, call.arguments.kwargs])
    return any(
        value is not None and value is not False and not isinstance(value, keras.KerasTensor)
        for value in values
    )

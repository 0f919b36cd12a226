"""Reading the graph of a Sequential or Functional model: who computes what from what."""

import keras

from keras_dc.wrapping.cloning import check_model


def graph_of(model, purpose):
    """The Functional model behind `model`.

    Args:
        model: a built `keras.Model`.
        purpose: str, who asks, for the error.

    Raises:
        ValueError: if `model` is subclassed, or a Sequential model without Input.
    """
    check_model(model)
    graph = model._functional if isinstance(model, keras.Sequential) else model
    if not isinstance(graph, keras.Function):
        raise ValueError(
            f"{purpose} needs a Sequential or Functional model with an Input: how the layers "
            f"of others follow each other is known to their code only. Received: model={model}"
        )
    return graph


def nodes_of(graph):
    """Each call of a layer in `graph`, in its order: list of Keras' nodes."""
    depths = sorted(graph._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in graph._nodes_by_depth[depth]]


def producing_node(tensor):
    """The call that gave a symbolic `tensor`; that of an InputLayer has no inputs."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def consumers_of(graph):
    """Dict from `id(tensor)` to the list of calls in `graph` that take the tensor.

    An output of the graph has an additional consumer, None.
    """
    consumers = {}
    for node in nodes_of(graph):
        for tensor in node.input_tensors:
            consumers.setdefault(id(tensor), []).append(node)
    for tensor in keras.tree.flatten(graph.outputs):
        consumers.setdefault(id(tensor), []).append(None)
    return consumers

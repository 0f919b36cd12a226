"""The inputs of layer after layer, of the model as it was and of the part that is compressed."""

from keras_dc.post_training.reconstruction.parts import Part, tensors_before

# What is kept of activations between layers; beyond it, the model is run again from further back.
MOST_KEPT_BYTES = 2**29


def live_tensors(graph, number):
    """The tensors that are there before an op of the main subgraph, and read from it on.

    Args:
        graph: `tflite.graph.Graph`.
        number: int, of the operator.

    Returns:
        list of int.
    """
    main = graph.model.subgraphs[0]
    read = {int(tensor) for tensor in main.outputs}
    for operator in main.operators[number:]:
        read.update(map(int, operator.inputs))
    # What comes of constants alone is made anew in each part.
    return sorted(tensors_before(graph, number) & read)


class Replay:
    """Runs a model on the same samples, from where it was last.

    Args:
        graph: `tflite.graph.Graph` of the model.
        runs: list of dicts from the inputs of the main subgraph to arrays.
        **options: of `keras_dc.Interpreter`.
    """

    def __init__(self, graph, runs, **options):
        self._graph, self._options = graph, options
        self._known = list(runs)
        self._given = sorted(runs[0])

    def values(self, number, tensors, replaced):
        """The values of some tensors, of which an op is the first to read one.

        Args:
            number: int, the op; those asked for must not descend.
            tensors: list of int.
            replaced: dict from the index of a buffer to bytes, of ops before this one.

        Returns:
            list of functions without arguments, one for each run, that give a dict from each
            tensor to an array.
        """
        live = live_tensors(self._graph, number)
        part = Part(self._graph, self._given, [*live, *tensors], replaced, **self._options)
        first = part(self._known[0])
        size = sum(each.nbytes for each in first.values())
        if size * len(self._known) > MOST_KEPT_BYTES:
            narrow = Part(self._graph, self._given, tensors, replaced, **self._options)
            return [lambda run=run: narrow(run) for run in self._known]
        self._known[0] = first
        for place in range(1, len(self._known)):
            self._known[place] = part(self._known[place])
        self._given = live
        return [lambda run=run: run for run in self._known]

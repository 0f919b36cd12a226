"""What layers are given on samples, in the part that is compressed and in the original."""

from keras_dc.post_training.reconstruction.loops import Loop, joined
from keras_dc.post_training.reconstruction.moments import Inputs
from keras_dc.post_training.reconstruction.patches import output_shape
from keras_dc.post_training.reconstruction.replay import Replay

# Of a loop, for a layer: what is kept of a run, the steps that are made, and the runs at least.
_MOST_BYTES, _MOST_STEPS, _LEAST_RUNS = 2**26, 8192, 8


class Feed:
    """Gives the inputs of layer after layer.

    Args:
        graph: `tflite.graph.Graph` of the model.
        runs: list of dicts from the inputs of the main subgraph to arrays.
        **options: of `keras_dc.Interpreter`.
    """

    def __init__(self, graph, runs, **options):
        self._graph, self._options = graph, options
        self._new = Replay(graph, runs, **options)
        self._old = Replay(graph, runs, **options)

    def inputs(self, layer, replaced):
        """What the uses of a layer are given.

        Args:
            layer: `layers.Layer`; those asked for must stand in the order of the graph.
            replaced: dict from the index of a buffer to bytes, of layers before this one.

        Returns:
            list of functions without arguments, one for each run, that give a list of Inputs, one
            for each use; None where a loop has no step.
        """
        sides = [self._side(self._new, layer, replaced)]
        if replaced:
            sides.append(self._side(self._old, layer, {}))
        values, loops = zip(*sides)
        chosen = list(zip(*values))
        if loops[0] and len(chosen) > _LEAST_RUNS:
            first = values[-1][0]()
            steps = sum(loop.length(first) for loop in loops[-1].values()) * len(chosen)
            # Some runs of a long loop tell enough.
            chosen = chosen[:: max(1, min(-(-steps // _MOST_STEPS), len(chosen) // _LEAST_RUNS))]
        return [lambda get=get: _inputs(layer, [each() for each in get], loops) for get in chosen]

    def _side(self, replay, layer, replaced):
        """(functions that give values of the main subgraph for each run, dict of loops)."""
        loops = {
            number: Loop(
                self._graph,
                number,
                sorted({use.input for use in layer.uses if use.loop == number}),
                replaced,
                **self._options,
            )
            for number in {use.loop for use in layer.uses} - {None}
        }
        tensors = {use.input for use in layer.uses if use.loop is None}
        tensors.update(tensor for loop in loops.values() for tensor in loop.given)
        return replay.values(layer.number, sorted(tensors), replaced), loops


def _inputs(layer, values, loops):
    """A list of Inputs, one for each use, from what is known outside of loops; or None."""
    found = {}
    for number in loops[0]:
        together = joined([each[number] for each in loops], values, _MOST_BYTES)
        if together is None:
            return None
        found[number] = together
    inputs = []
    for use in layer.uses:
        sides, repeats = (values, 1.0) if use.loop is None else found[use.loop]
        new = use.real(sides[0][use.input])
        original = new if len(sides) == 1 else use.real(sides[1][use.input])
        shape = () if use.is_lookup else output_shape(use, new.shape)
        inputs.append(Inputs(new, original, shape, repeats))
    return inputs

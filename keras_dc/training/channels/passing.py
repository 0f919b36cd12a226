"""Layers that compute each channel on its own, or join channels as they are."""

import numpy as np
from keras import ops


class Opaque:
    """Anything may happen: no channel is known to be constant, and all are needed.

    Attributes:
        has_weights: whether fewer channels take another layer, which `smaller` makes.
    """

    has_weights = False

    def constants(self, given, sizes):
        """The constants of each output.

        Args:
            given: list of float64 arrays, the constants of each input; NaN where there is none.
            sizes: list of int, the channels of each output.
        """
        return [np.full(size, np.nan) for size in sizes]

    def needs(self, given, kept):
        """Which channels of each input are needed for those of the output in the mask `kept`.

        A constant that goes into a bias is not.
        """
        return [np.ones(len(each), bool) for each in given]

    def tied(self, ins, outs):
        """The masks of each input and each output, with what must stay since others do."""
        return [np.ones_like(mask) for mask in ins], [np.ones_like(mask) for mask in outs]

    def smaller(self, shape, given, ins, outs):
        """A layer for inputs shaped `shape`, of the channels in the masks."""
        raise NotImplementedError


class Passing(Opaque):
    """Each channel on its own, by a function of no weights.

    Args:
        function: of a tensor of numbers, None if a constant stays what it is.
        is_zero_alone: whether no other constant than zero stays one.
    """

    def __init__(self, function=None, *, is_zero_alone=False):
        self._function = function
        self._is_zero_alone = is_zero_alone

    def constants(self, given, sizes):
        (values,) = given
        if self._is_zero_alone:
            values = np.where(values == 0, values, np.nan)
        return [mapped(self._function, values)]

    def needs(self, given, kept):
        return [kept]

    def tied(self, ins, outs):
        mask = ins[0] | outs[0]
        return [mask], [mask]


class Flattened(Passing):
    """Flatten of `places` places, each with all channels."""

    def __init__(self, places):
        super().__init__()
        self._places = places

    def constants(self, given, sizes):
        return [np.tile(given[0], self._places)]

    def needs(self, given, kept):
        return [kept.reshape(self._places, -1).any(axis=0)]

    def tied(self, ins, outs):
        mask = ins[0] | outs[0].reshape(self._places, -1).any(axis=0)
        return [mask], [np.tile(mask, self._places)]


class Merged(Passing):
    """Several tensors to one, number by number."""

    def constants(self, given, sizes):
        return [self._function(np.stack(given), axis=0)]

    def needs(self, given, kept):
        return [kept] * len(given)

    def tied(self, ins, outs):
        mask = np.any([*ins, *outs], axis=0)
        return [mask] * len(ins), [mask]


class Concatenated(Passing):
    """Several tensors side by side."""

    def constants(self, given, sizes):
        return [np.concatenate(given)]

    def needs(self, given, kept):
        return np.split(kept, np.cumsum([len(each) for each in given])[:-1])

    def tied(self, ins, outs):
        masks = [a | b for a, b in zip(ins, self.needs(ins, outs[0]))]
        return masks, [np.concatenate(masks)]


def mapped(function, values):
    """`function` of the finite numbers among `values`, NaN in place of the others.

    Args:
        function: of a float32 tensor, number by number; None leaves them as they are.
        values: float64 array `(channels,)`.

    Returns:
        float64 array `(channels,)`.
    """
    known = np.isfinite(values)
    if function is None or not known.any():
        return np.where(known, values, np.nan)
    result = np.full(len(values), np.nan)
    tensor = ops.convert_to_tensor(values[known].astype("float32")[None])
    result[known] = ops.convert_to_numpy(function(tensor))[0]
    return result

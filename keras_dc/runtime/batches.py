"""The user's data in batches that a model takes."""

import dataclasses

import numpy as np

from keras_dc.runtime.sample_inputs import fitted

# How many examples a model that takes any number is given at once.
DEFAULT_SIZE = 64
_INFINITE = -1  # what the `cardinality` of an endless tf.data.Dataset is


class Batcher:
    """Cuts examples into batches of the size that a model takes, or several models.

    Args:
        models: for each model a list of InputSpec, its inputs.
        batch_size: int, examples at once; None: as many as the model's inputs are made for, or
            `DEFAULT_SIZE` where they leave it open.

    Raises:
        ValueError: if `batch_size` is not a positive int, the first axis of an input cannot be
            that of the batch, or models are made for batches of other sizes.
    """

    def __init__(self, models, batch_size=None):
        if batch_size is not None and (
            isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1
        ):
            raise ValueError(
                f"`batch_size` must be a positive int or None. Received: batch_size={batch_size!r}"
            )
        specs = [spec for model in models for spec in model]
        sizes = {spec.shape[0] if spec.shape else 0 for spec in specs} - {-1}
        if len(sizes) > 1 or 0 in sizes:
            raise ValueError(
                "the first axis of each input must be that of the batch. Received: inputs shaped "
                f"{[spec.shape for spec in specs]}"
            )
        self._models = [
            [dataclasses.replace(spec, shape=(-1, *spec.shape[1:])) for spec in model]
            for model in models
        ]
        # A model that is made for so many examples always gets so many.
        self._is_filled = batch_size is None and bool(sizes)
        self._size = batch_size or (sizes.pop() if sizes else DEFAULT_SIZE)

    def batches(self, x):
        """Cut examples.

        Args:
            x: an array `(examples, ...)` for a model with one input, or a dict by name.

        Yields:
            tuples `(samples, count)`: for each model a dict of arrays by name, of which the
            first `count` examples are meant; the others fill a batch.

        Raises:
            TypeError, ValueError: if `x` does not fit the inputs.
        """
        given = [fitted(x, specs) for specs in self._models]
        counts = {name: len(values) for name, values in given[0].items()}
        if len(set(counts.values())) != 1:
            raise ValueError(f"all inputs must have as many examples. Received: {counts}")
        total = next(iter(counts.values()))
        for begin in range(0, total, self._size):
            count = min(self._size, total - begin)
            places = np.arange(begin, begin + (self._size if self._is_filled else count))
            places = np.minimum(places, begin + count - 1)
            yield [{name: each[name][places] for name in each} for each in given], count


def pairs_of(data):
    """The pairs of inputs and targets in a user's data.

    Args:
        data: a tuple `(x, y)` of arrays or of dicts of such; a dataset, list or generator of
            such pairs, each a batch; or a sequence of batches with a length, as
            `keras.utils.PyDataset`.

    Yields:
        pairs `(x, y)`.

    Raises:
        TypeError: if it is none of these.
        ValueError: if it is endless or empty.
    """
    if isinstance(data, tuple) and len(data) == 2:
        yield data
        return
    count = 0
    for batch in _iterator_of(data):
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            kind = type(batch).__name__
            length = f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""
            raise TypeError(
                "`data` must be a tuple (x, y), or give pairs (x, y) of inputs and targets. "
                f"Received: a {kind}{length}"
            )
        yield tuple(batch)
        count += 1
    if not count:
        raise ValueError("`data` must hold an example at least. Received: no batch")


def _iterator_of(data):
    is_dataset = hasattr(data, "cardinality")
    if is_dataset and int(data.cardinality()) == _INFINITE:
        raise ValueError(
            "`data` must end: use `take` on a dataset that repeats. Received: an endless dataset"
        )
    has_items = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    if has_items and not isinstance(data, (list, tuple, dict, str, bytes, np.ndarray)):
        return (data[index] for index in range(len(data)))
    if hasattr(data, "__iter__") and not isinstance(data, (dict, str, bytes, np.ndarray)):
        return iter(data)
    raise TypeError(
        "`data` must be a tuple (x, y), or give pairs (x, y) of inputs and targets. "
        f"Received: {type(data).__name__}"
    )

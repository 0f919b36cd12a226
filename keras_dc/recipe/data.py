"""The caller's data: arrays, or batches that can be read again and again."""

import dataclasses
import itertools
import warnings
import zlib
from typing import Any

import keras
import numpy as np

_DEFAULT_BATCH_SIZE = 128
_HELD_OUT = 0.1


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Samples in arrays.

    Attributes:
        x, y, sample_weight: nested structures of arrays `(samples, ...)`; weights may be None.
        batch_size: int.
    """

    x: Any
    y: Any
    sample_weight: Any
    batch_size: int

    @property
    def num_samples(self):
        """How many samples there are: int."""
        return len(keras.tree.flatten(self.x)[0])

    def taken(self, indices):
        """The samples at `indices`."""
        x, y, w = (
            keras.tree.map_structure(lambda a: None if a is None else a[indices], part)
            for part in (self.x, self.y, self.sample_weight)
        )
        return dataclasses.replace(self, x=x, y=y, sample_weight=w)

    def steps(self, steps_per_epoch=None):
        """Batches of an epoch: int."""
        return steps_per_epoch or -(-self.num_samples // self.batch_size)

    def epochs(self, first, steps_per_epoch=None):
        """Yield the arguments of `fit` for each epoch from the `first` on, without end: dicts."""
        x, y, w = (self.x, self.y, self.sample_weight)
        while True:
            yield {"x": x, "y": y, "sample_weight": w, "batch_size": self.batch_size}

    def batches(self):
        """Yield (x, y, sample_weight) of one pass, in order."""
        for start in range(0, self.num_samples, self.batch_size):
            part = self.taken(slice(start, start + self.batch_size))
            yield part.x, part.y, part.sample_weight

    def some(self, num_samples):
        """(x, y) of that many samples, spread over all of them."""
        count = min(num_samples, self.num_samples)
        part = self.taken(np.linspace(0, self.num_samples - 1, count).astype(int))
        return part.x, part.y

    def fingerprint(self):
        """A text that tells these samples from others."""
        check = 0
        for array in keras.tree.flatten((self.x, self.y, self.sample_weight)):
            if array is not None:
                check = zlib.crc32(f"{array.shape} {array.dtype}".encode(), check)
                check = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, check)
        return f"{self.num_samples} samples with CRC-32 {check:08x}"


@dataclasses.dataclass(frozen=True)
class Batches:
    """A dataset that gives batches, such as a `tf.data.Dataset`, anew in each pass.

    Attributes:
        dataset: what `model.fit` takes as its first argument, no generator.
    """

    dataset: Any
    batch_size: None = None

    def steps(self, steps_per_epoch=None):
        """Batches of an epoch: int.

        Raises:
            ValueError: if the dataset has no end and `steps_per_epoch` is None.
        """
        if steps_per_epoch is not None:
            return steps_per_epoch
        cardinality = getattr(self.dataset, "cardinality", None)
        count = int(cardinality()) if cardinality is not None else None
        if count == -1 or getattr(self.dataset, "num_batches", 0) is None:
            raise ValueError(
                "a dataset without an end needs `steps_per_epoch`. Received: "
                f"steps_per_epoch=None, {self.dataset}"
            )
        if count is not None and count >= 0:
            return count
        if hasattr(type(self.dataset), "__len__") and count is None:
            return len(self.dataset)
        return sum(1 for _ in self.dataset)

    def epochs(self, first, steps_per_epoch=None):
        """Yield the arguments of `fit` for each epoch from the `first` on, without end: dicts.

        With `steps_per_epoch` an epoch begins where the last one ended.
        """
        # Keras shuffles the batches of its own datasets, and warns for others.
        shuffle = isinstance(self.dataset, keras.utils.PyDataset)
        while steps_per_epoch is None:
            yield {"x": self.dataset, "shuffle": shuffle}
        endless = itertools.chain.from_iterable(itertools.repeat(self.dataset))
        batches = itertools.islice(endless, first * steps_per_epoch, None)
        while True:
            # Not more than its share: Keras reads ahead. And Keras knows generators alone.
            some = (batch for batch in itertools.islice(batches, steps_per_epoch))
            yield {"x": some, "steps_per_epoch": steps_per_epoch, "shuffle": False}

    def batches(self):
        """Yield (x, y, sample_weight) of one pass."""
        for batch in self.dataset:
            x, y, w = keras.utils.unpack_x_y_sample_weight(batch)
            yield tuple(keras.tree.map_structure(_as_array, part) for part in (x, y, w))

    def some(self, num_samples):
        """(x, y) of the first samples, that many or a few more."""
        found, count = [], 0
        for x, y, _ in self.batches():
            found.append((x, y))
            count += len(keras.tree.flatten(x)[0])
            if count >= num_samples:
                break
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *found)

    def fingerprint(self):
        """A text that tells this dataset from one of other shapes or types."""
        return str(getattr(self.dataset, "element_spec", type(self.dataset).__name__))


def data_of(name, data, batch_size):
    """`Arrays` or `Batches` of the caller's argument `name`.

    Raises:
        TypeError: if it is neither.
        ValueError: if the arrays do not fit each other, or targets are missing.
    """
    if isinstance(data, (tuple, list)):
        if not 2 <= len(data) <= 3:
            raise ValueError(
                f"`{name}` must be (x, y) or (x, y, sample_weight). Received: {len(data)} values"
            )
        x, y, w = (keras.tree.map_structure(_as_array, part) for part in (*data, None)[:3])
        sizes = {len(a) for a in keras.tree.flatten((x, y, w)) if a is not None}
        if len(sizes) != 1 or sizes == {0}:
            raise ValueError(
                f"the arrays of `{name}` must have the same number of samples, one at least. "
                f"Received: {sorted(sizes)}"
            )
        return Arrays(x, y, w, batch_size or _DEFAULT_BATCH_SIZE)
    if hasattr(data, "__next__") or not (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
        raise TypeError(
            f"`{name}` must be (x, y) arrays, or a dataset that can be read many times, such as "
            f"a tf.data.Dataset or a keras.utils.PyDataset. Received: {type(data).__name__}"
        )
    if batch_size is not None:
        raise ValueError(
            "`batch_size` is for arrays; a dataset has its batches. Received: "
            f"batch_size={batch_size}, {name} of {type(data).__name__}"
        )
    return Batches(data)


def with_validation(train, validation, batch_size):
    """The data to train on and to validate with.

    Args:
        train: `Arrays` or `Batches`.
        validation: the caller's argument; None holds out the last tenth of arrays.
        batch_size: int or None.

    Raises:
        ValueError: if there is nothing to validate with.
    """
    if validation is not None:
        found = data_of("validation_data", validation, None)
        if isinstance(found, Arrays):
            size = batch_size or _DEFAULT_BATCH_SIZE
            return train, dataclasses.replace(found, batch_size=max(size, 256))
        found.steps()  # refuses one without an end
        return train, found
    count = int(train.num_samples * _HELD_OUT) if isinstance(train, Arrays) else 0
    if count < 1:
        raise ValueError(
            "`validation_data` is missing: the recipe decides by it what is kept. Give (x, y) or "
            f"a dataset. Received: validation_data=None, train_data of {type(train).__name__}"
        )
    warnings.warn(
        f"Without `validation_data` the last {count} training samples are held out for it; are "
        "they like the others? Received: validation_data=None",
        stacklevel=3,
    )
    at = train.num_samples - count
    return train.taken(slice(0, at)), train.taken(slice(at, None))


def _as_array(value):
    if value is None or isinstance(value, np.ndarray):
        return value
    try:
        return keras.ops.convert_to_numpy(value)
    except (TypeError, ValueError):
        return np.asarray(value)

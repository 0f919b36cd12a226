"""Inputs to run a model on: the user's, or random ones."""

import collections.abc
import dataclasses
import inspect

import numpy as np

# Sizes to try for an axis that the model leaves open, besides the first one: a model may need
# a large one (images that are pooled, sound) or a small one (positions that are looked up).
_OPEN_SIZES = (16, 64, 1, 1024)
_MOST_VALUES = 2**22
# Whatever vocabulary a model has, it must take a word that it does not know.
_WORDS = np.array([b"", b"a", b"the cat", b"keras"])


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """One input of a signature.

    Attributes:
        name: its name in the signature.
        shape: tuple of int, -1 where any size will do.
        dtype: NumPy dtype.
        scale: quantization scale, 0.0 if the input is not quantized.
        zero_point: int.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float
    zero_point: int

    @classmethod
    def of(cls, name, detail):
        """From a TFLite interpreter's details of an input."""
        shape = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
        scale, zero_point = detail["quantization"]
        sizes = tuple(int(size) for size in shape)
        return cls(name, sizes, np.dtype(detail["dtype"]), float(scale), int(zero_point))

    def dequantized(self, values):
        """The float32 numbers that the integers of a quantized input stand for."""
        if not self.scale:
            return values
        return ((values.astype(np.float64) - self.zero_point) * self.scale).astype(np.float32)


def open_sizes(specs):
    """The sizes to try for axes that are open, besides the first one.

    Args:
        specs: list of InputSpec.

    Returns:
        list of int; one, if no such axis is open.
    """
    count = max((sum(size < 0 for size in spec.shape[1:]) for spec in specs), default=0)
    return [size for size in _OPEN_SIZES if size**count <= _MOST_VALUES][: None if count else 1]


def random_sample(specs, *, num_rows, open_size, rng):
    """An array for each input: normal floats, or integers in the range of every lookup.

    Args:
        specs: list of InputSpec.
        num_rows: int, the rows of the smallest table that integers look up.
        open_size: size of the axes that are open, except the first, which gets 1.
        rng: `numpy.random.Generator`.

    Returns:
        dict from name to array.

    Raises:
        ValueError: if an input holds neither numbers nor truth values nor strings.
    """
    return {spec.name: _random(spec, num_rows, open_size, rng) for spec in specs}


def user_samples(inputs, specs, *, names=None):
    """The user's inputs: a dict of arrays for each run of the model.

    Args:
        inputs: an array for a model with one input; a list or tuple of arrays in the order
            of the inputs; a dict by name; or an iterator, or a function that returns
            one, over such samples.
        specs: list of InputSpec.
        names: names of the inputs in the order of a list; None: the order of `specs`.

    Yields:
        dicts from name to array, in the dtype of the input; floats for a quantized input
        are quantized.

    Raises:
        TypeError: if a sample is none of these.
        ValueError: if a sample does not fit the inputs, or there is no sample.
    """
    if callable(inputs):
        inputs = inputs()
    is_many = isinstance(inputs, collections.abc.Iterator) or inspect.isgenerator(inputs)
    count = 0
    for sample in inputs if is_many else [inputs]:
        count += 1
        yield fitted(sample, specs, names)
    if not count:
        raise ValueError("inputs must yield a sample at least. Received: none")


def _random(spec, num_rows, open_size, rng):
    sizes = [open_size if size < 0 else size for size in spec.shape]
    if spec.shape and spec.shape[0] < 0:
        sizes[0] = 1
    if spec.dtype.kind == "f":
        return rng.normal(size=sizes).astype(spec.dtype)
    if spec.dtype.kind == "b":
        return rng.integers(0, 2, size=sizes).astype(spec.dtype)
    if spec.dtype.kind == "S":
        return rng.choice(_WORDS, size=sizes)
    if spec.dtype.kind not in "iu":
        raise ValueError(
            "random inputs are numbers, truth values or strings; give inputs for others. "
            f"Received: the input {spec.name!r} of dtype {spec.dtype}"
        )
    limits = np.iinfo(spec.dtype)
    if spec.scale:
        return rng.integers(limits.min, limits.max + 1, size=sizes).astype(spec.dtype)
    return rng.integers(0, min(num_rows, limits.max), size=sizes).astype(spec.dtype)


def fitted(sample, specs, names=None):
    """One of the user's samples by name, in the dtypes of the inputs; see `user_samples`."""
    if isinstance(sample, dict):
        given = dict(sample)
    elif isinstance(sample, (list, tuple)):
        known = sorted(spec.name for spec in specs)
        order = names if names is not None and sorted(names) == known else None
        if order is None and len(specs) == 1:
            order = known
        if order is None:
            raise ValueError(
                f"several inputs must be given as a dict by the names {known}, as their order is "
                f"not known. Received: a {type(sample).__name__}"
            )
        if len(sample) != len(order):
            raise ValueError(
                f"a list of inputs must hold an array for each of {order}. "
                f"Received: {len(sample)} items"
            )
        given = dict(zip(order, sample))
    elif hasattr(sample, "shape") and len(specs) == 1:
        given = {specs[0].name: sample}
    else:
        raise TypeError(
            f"inputs must be an array for a model with one input, a list of arrays, or a dict by "
            f"the names {[spec.name for spec in specs]}. Received: {type(sample).__name__}"
        )
    if set(given) != {spec.name for spec in specs}:
        raise ValueError(
            f"inputs must be given for the names {[spec.name for spec in specs]}. "
            f"Received: {list(given)}"
        )
    return {spec.name: _as_input(np.asarray(given[spec.name]), spec) for spec in specs}


def _as_input(values, spec):
    fits = len(values.shape) == len(spec.shape) and all(
        wanted in (-1, size) for wanted, size in zip(spec.shape, values.shape)
    )
    if not fits or not values.size:
        raise ValueError(
            f"the input {spec.name!r} must be shaped {spec.shape}, with any size for -1, and not "
            f"be empty. Received: {values.shape}"
        )
    if spec.dtype.kind == "S" and values.dtype.kind in "USO":
        return _as_bytes(values, spec)
    if spec.scale and values.dtype.kind == "f":
        limits = np.iinfo(spec.dtype)
        steps = np.round(values / spec.scale) + spec.zero_point
        return np.clip(steps, limits.min, limits.max).astype(spec.dtype)
    if not np.can_cast(values.dtype, spec.dtype, "same_kind") and not (
        values.dtype.kind in "iub" and spec.dtype.kind in "iuf"
    ):
        raise ValueError(
            f"the input {spec.name!r} must hold values of dtype {spec.dtype}. "
            f"Received: {values.dtype}"
        )
    if spec.dtype.kind in "iu" and values.dtype.kind in "iu":
        _check_range(values, spec)
    return values.astype(spec.dtype)


def _check_range(values, spec):
    limits = np.iinfo(spec.dtype)
    if values.min() < limits.min or values.max() > limits.max:
        hint = "; floats are quantized, integers are taken as they are" if spec.scale else ""
        raise ValueError(
            f"the input {spec.name!r} must hold integers from {limits.min} to {limits.max}{hint}. "
            f"Received: {values.dtype} from {values.min()} to {values.max()}"
        )


def _as_bytes(values, spec):
    """Strings as TFLite takes them: str is encoded in UTF-8."""
    flat = [text.encode() if isinstance(text, str) else text for text in values.ravel().tolist()]
    if not all(isinstance(text, bytes) for text in flat):
        raise ValueError(
            f"the input {spec.name!r} must hold strings, str or bytes. Received: {values.dtype} "
            f"with {next(text for text in flat if not isinstance(text, bytes))!r}"
        )
    return np.array(flat).reshape(values.shape)

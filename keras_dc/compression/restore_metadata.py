"""What a compressed model notes of its constants for `expand`, beside the blobs.

A metadata entry of the model, zlib-compressed JSON: the form of each tensor that was stored
sparsely, the DENSIFY and the DEQUANTIZE behind it, and the channels whose zeros were -0.0.
"""

import dataclasses
import json
import zlib
from typing import NamedTuple

import numpy as np

from keras_dc.tflite.dense_and_sparse import SparseForm
from keras_dc.tflite.graph import TensorRef
from keras_dc.tflite.model_file import schema

DENSIFY, DEQUANTIZE = schema.BuiltinOperator.DENSIFY, schema.BuiltinOperator.DEQUANTIZE

_NAME = b"KERAS_DC_NOTES"
_MOST_BYTES = 2**24


class Step(NamedTuple):
    """An op between a stored constant and who computes with it.

    Attributes:
        builtin: DENSIFY or DEQUANTIZE, numbers of the schema.
        version: of the op.
        options_type: type of its options.
        place: `(output, position)` if it was taken out: the index of the tensor that it makes, and
            its place among the operators of the subgraph. None if a `KerasDcDecode` stands in.
    """

    builtin: int
    version: int
    options_type: int
    place: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Note:
    """How to make a constant again of what is decoded.

    Attributes:
        form: SparseForm if it was stored sparsely, else None.
        negative_zeros: `(axis, bool array)`, see `negative_zeros.find_channels`, or None.
        steps: tuple of Step, the DENSIFY, the DEQUANTIZE, or both in this order; () if those
            that compute with it took it as it was. A `KerasDcDecode` stands in for the last
            one at most.
    """

    form: SparseForm | None = None
    negative_zeros: tuple | None = None
    steps: tuple[Step, ...] = ()

    @property
    def replaced(self):
        """The Step that a `KerasDcDecode` stands in for, or None."""
        return self.steps[-1] if self.steps and self.steps[-1].place is None else None


def write_notes(model, notes):
    """Put notes into a model's metadata; nothing if there are none.

    Args:
        model: `schema.ModelT`, changed in place.
        notes: dict from TensorRef to Note.
    """
    if not notes:
        return
    rows = [[*place, *_row(note)] for place, note in notes.items()]
    text = zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 9)
    model.buffers.append(schema.BufferT(np.frombuffer(text, np.uint8)))
    entry = schema.MetadataT(_NAME, len(model.buffers) - 1)
    model.metadata = [*(model.metadata or ()), entry]


def take_notes(model):
    """Read the notes of a model and remove them.

    Args:
        model: `schema.ModelT`, changed in place.

    Returns:
        dict from TensorRef to Note, empty if there are none.

    Raises:
        ValueError: if they are malformed.
    """
    entries = [entry for entry in model.metadata or () if entry.name == _NAME]
    if not entries:
        return {}
    model.metadata = [entry for entry in model.metadata if entry.name != _NAME] or None
    data = model.buffers[entries[0].buffer].data
    model.buffers[entries[0].buffer].data = None
    try:
        text = zlib.decompressobj().decompress(b"" if data is None else bytes(data), _MOST_BYTES)
        notes = [_note(*row) for row in json.loads(text)]
    except (zlib.error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"the metadata {_NAME.decode()} must be as `compress` writes it. Received: {error}"
        ) from error
    return dict(notes)


def _row(note):
    form = note.form and dataclasses.astuple(note.form)
    zeros = None
    if note.negative_zeros is not None:
        axis, channels = note.negative_zeros
        zeros = [axis, len(channels), np.packbits(channels).tobytes().hex()]
    steps = {step.builtin: step for step in note.steps}
    densify = removed = None
    if DENSIFY in steps:
        _, *densify, removed = steps[DENSIFY]
    row = [densify, form, zeros, removed]
    if DEQUANTIZE in steps:
        _, version, options_type, place = steps[DEQUANTIZE]
        row.append([version, options_type, *(place or ())])
    return row


def _note(subgraph, tensor, densify, form, negative_zeros, removed, dequantize=None):
    if form is not None:
        traversal, block_map, block_sizes, levels = form
        form = SparseForm(
            _integers(traversal),
            _integers(block_map),
            _integers(block_sizes),
            (*map(_level, levels),),
        )
    if negative_zeros is not None:
        axis, count, digits = negative_zeros
        channels = np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8))
        if axis not in (0, -1) or not 0 <= len(channels) - count < 8:
            raise ValueError(f"channels {negative_zeros}")
        negative_zeros = axis, channels[:count].astype(bool)
    steps = []
    if densify is not None:
        version, options_type = _pair(densify)
        steps.append(Step(DENSIFY, version, options_type, removed and _pair(removed)))
    elif removed is not None:
        raise ValueError("a DENSIFY that was taken out and is not described")
    if dequantize is not None:
        version, options_type = _pair(dequantize[:2])
        place = _pair(dequantize[2:]) if len(dequantize) > 2 else None
        steps.append(Step(DEQUANTIZE, version, options_type, place))
    if None in [step.place for step in steps[:-1]]:
        raise ValueError("a DENSIFY that stays before a DEQUANTIZE that does not")
    return TensorRef(int(subgraph), int(tensor)), Note(form, negative_zeros, tuple(steps))


def _integers(numbers):
    return tuple(map(int, numbers))


def _pair(numbers):
    first, second = _integers(numbers)
    return first, second


def _level(numbers):
    kind, segments_type, indices_type = _integers(numbers)
    is_known = (kind, segments_type, indices_type) == (0, 0, 0) or (
        kind == 1 and segments_type in (1, 2, 3) and indices_type in (1, 2, 3)
    )
    if not is_known:
        raise ValueError(f"level {numbers}")
    return kind, segments_type, indices_type

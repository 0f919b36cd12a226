"""What a compressed model notes of the constants that were stored sparsely.

A metadata entry of the model, zlib-compressed JSON, tells `expand` the form of each such
tensor and, where a `KerasDcDecode` took the place of a DENSIFY, what that looked like.
"""

import dataclasses
import json
import zlib

import numpy as np

from keras_dc.sparse_tensors import SparseForm
from keras_dc.tflite_model import schema

_NAME = b"KERAS_DC_SPARSE_FORMS"
_MOST_BYTES = 2**24


@dataclasses.dataclass(frozen=True)
class SparseNote:
    """How to make a sparse constant again.

    Attributes:
        form: SparseForm.
        densify: `(version, type of the options)` of the DENSIFY op that read it, None if
            its readers took it as it was.
    """

    form: SparseForm
    densify: tuple[int, int] | None


def write_notes(model, notes):
    """Put notes into a model's metadata; nothing if there are none.

    Args:
        model: `schema.ModelT`, changed in place.
        notes: dict from `(subgraph index, tensor index)` to SparseNote.
    """
    if not notes:
        return
    # Equal forms stand behind one another, where zlib finds them.
    rows = [
        [*place, note.densify, *dataclasses.astuple(note.form)] for place, note in notes.items()
    ]
    text = zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 9)
    model.buffers.append(schema.BufferT(np.frombuffer(text, np.uint8)))
    entry = schema.MetadataT(_NAME, len(model.buffers) - 1)
    model.metadata = [*(model.metadata or ()), entry]


def take_notes(model):
    """Read the notes of a model and remove them.

    Args:
        model: `schema.ModelT`, changed in place.

    Returns:
        dict from `(subgraph index, tensor index)` to SparseNote, empty if there are none.

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
    except (zlib.error, ValueError, TypeError) as error:
        raise ValueError(
            f"the metadata {_NAME.decode()} must be as `compress` writes it. Received: {error}"
        ) from error
    return dict(notes)


def _note(subgraph, tensor, densify, traversal, block_map, block_sizes, levels):
    form = SparseForm(
        _integers(traversal), _integers(block_map), _integers(block_sizes), (*map(_level, levels),)
    )
    return (int(subgraph), int(tensor)), SparseNote(form, densify and _integers(densify))


def _integers(numbers):
    return tuple(map(int, numbers))


def _level(numbers):
    kind, segments_type, indices_type = _integers(numbers)
    is_known = (kind, segments_type, indices_type) == (0, 0, 0) or (
        kind == 1 and segments_type in (1, 2, 3) and indices_type in (1, 2, 3)
    )
    if not is_known:
        raise ValueError(f"level {numbers}")
    return kind, segments_type, indices_type

"""The Huffman-coded blob of the weights that a blob of either coder holds.

Huffman codes tell what indices and gaps take, each by itself, as Han et al. 2016 count them.
The arithmetic coder codes both together.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from keras_dc import codec

# What the stand-ins do not tell.
_WRITTEN = ("dtype", "wide", "scale_axis", "codebook_bytes", "scale_bytes", "scale_planes")


class HuffmanForm(NamedTuple):
    """A Huffman-coded blob of the same weights.

    Attributes:
        info: codec.BlobInfo, whose byte counts add up to its size. Where a blob of the
            arithmetic coder has scales, codebook and scales count as they are written there.
        content: bytes of a blob with these symbols.
    """

    info: codec.BlobInfo
    content: bytes


def of(content, info, values=None):
    """The Huffman form of a blob; a Huffman-coded blob is its own.

    Args:
        content: bytes-like, the blob.
        info: its codec.BlobInfo.
        values: what `codec.decode` gives for it, if it is decoded already.

    Returns:
        HuffmanForm.

    Raises:
        CodecError: if the blob is malformed.
    """
    if info.coder == "huffman":
        return HuffmanForm(info, content)
    if info.scale_axis is not None:
        return _with_stand_ins(content, info)
    if values is None:
        values = codec.decode(content)
    blob = codec.encode(values, dtype=info.dtype, zero_point=info.zero_point)
    return HuffmanForm(codec.inspect(blob), blob)


def _with_stand_ins(content, info):
    """That of a scaled blob, whose symbols are coded with other centroids: 1, 2, 3, ..."""
    entries = codec.decode_entries(content)
    values = np.zeros(info.shape, np.float32)
    rows = np.repeat(np.arange(info.shape[0]), np.diff(entries.row_begin))
    values.reshape(info.shape[0], -1)[rows, entries.columns] = entries.indices + np.float32(1)
    blob = codec.encode(values)
    written = {name: getattr(info, name) for name in _WRITTEN}
    return HuffmanForm(dataclasses.replace(codec.inspect(blob), **written), blob)

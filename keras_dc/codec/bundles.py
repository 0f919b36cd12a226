"""Several blobs in the bytes of one tensor (`tflite_ops/FORMAT.md`, section 11)."""

from keras_dc.errors import CodecError

_MAGIC = b"KDB\x01"


def join(blobs):
    """The bundle of some blobs.

    Args:
        blobs: iterable of bytes.

    Returns:
        bytes, of which `blob_at` gives each blob back.
    """
    parts = [_MAGIC]
    for blob in blobs:
        parts += [_varint(len(blob)), blob]
    return b"".join(parts)


def is_bundle(data):
    """Whether bytes-like `data` begins as a bundle does."""
    return bytes(data[: len(_MAGIC)]) == _MAGIC


def spans(bundle):
    """Where the blobs of a bundle lie, up to the first place that is none.

    Args:
        bundle: bytes-like.

    Returns:
        list of tuples `(begin, size)`.
    """
    found, begin = [], len(_MAGIC)
    while begin < len(bundle):
        size, begin = _read_varint(bundle, begin)
        if size is None or begin + size > len(bundle):
            break
        found.append((begin, size))
        begin += size
    return found


def blob_at(bundle, place):
    """One blob of a bundle.

    Args:
        bundle: bytes-like.
        place: int, from 0.

    Returns:
        bytes.

    Raises:
        CodecError: if the bundle has no such place.
    """
    found = spans(bundle)
    if place >= len(found):
        raise CodecError(
            f"a bundle must hold a blob at place {place}. Received: one whose bytes end at "
            f"place {len(found)}"
        )
    begin, size = found[place]
    return bytes(bundle[begin : begin + size])


def _varint(value):
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _read_varint(data, begin):
    """`(value, place behind it)`; the value is None if there is none as it must be."""
    value = 0
    for i in range(5):
        if begin + i >= len(data):
            return None, begin
        byte = int(data[begin + i])
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return (value if byte or not i else None), begin + i + 1
    return None, begin

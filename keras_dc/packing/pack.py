"""`pack` and `unpack`: a file small for storage and transport, and the same bytes again."""

from keras_dc.codec import packs
from keras_dc.packing import parts


def pack(tflite, base=None):
    content = tflite if isinstance(tflite, bytes) else open(tflite, "rb").read()
    packed, _ = packs.pack(content, parts.plain_parts(content))
    return packed


def unpack(packed, base=None):
    return packs.unpack(packed)

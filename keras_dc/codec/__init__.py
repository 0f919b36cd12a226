"""Arrays to blobs and back, through the C library."""

from keras_dc.codec.blobs import (
    CODERS,
    BlobInfo,
    Entries,
    decode,
    decode_entries,
    decode_with_info,
    encode,
    encode_scaled,
    inspect,
    recode,
)

__all__ = [
    "CODERS",
    "BlobInfo",
    "Entries",
    "decode",
    "decode_entries",
    "decode_with_info",
    "encode",
    "encode_scaled",
    "inspect",
    "recode",
]

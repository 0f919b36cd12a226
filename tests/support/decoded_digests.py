"""What the codec makes of many tensors, in short: equal on all instruction sets.

    KERAS_DC_ISA=portable python -m support.decoded_digests

prints the digests as JSON; an instruction set is chosen once per process.
"""

import json
import zlib

import numpy as np
from support.tensors import EIGHT_STREAMS, ODD_TENSORS, digest, sparse

from keras_dc import codec


def decoded_digests():
    """Digests of what tensors of many kinds decode to, and of their blobs."""
    tensors = [
        *ODD_TENSORS.values(),
        EIGHT_STREAMS,
        sparse((50, 3000), density=0.4, num_centroids=200),
        sparse((30, 9000), density=0.04, num_centroids=31),
        *(np.arange(1, size, dtype=np.int8) for size in range(120)),
    ]
    digests = []
    for tensor in tensors:
        blob = codec.encode(tensor)
        digests += [zlib.crc32(blob), digest(codec.decode(blob))]
        if codec.inspect(blob).num_centroids:
            entries = codec.decode_entries(blob)
            digests += map(digest, (entries.row_begin, entries.columns, entries.indices))
    return digests


if __name__ == "__main__":
    print(json.dumps(decoded_digests()))

"""IDX files, the form in which MNIST and Fashion-MNIST are published."""

import gzip
import pathlib

import numpy as np

# The four files of a data set by the names of their arrays.
FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}
_UNSIGNED_BYTES = 8


def read(path):
    """Read an IDX file of unsigned bytes.

    Args:
        path: of a gzip-compressed IDX file: two zero bytes, the type, the number of
            dimensions, the dimensions as big-endian 32-bit integers, the values.

    Returns:
        uint8 array.

    Raises:
        ValueError: if it is another kind of file.
    """
    content = gzip.decompress(pathlib.Path(path).read_bytes())
    if content[:3] != bytes([0, 0, _UNSIGNED_BYTES]):
        raise ValueError(f"{path} must be an IDX file of unsigned bytes. Received: {content[:4]!r}")
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_folder(folder):
    """Read the four files of a data set.

    Args:
        folder: with the files of `FILES`.

    Returns:
        dict of uint8 arrays.
    """
    return {name: read(pathlib.Path(folder, file)) for name, file in FILES.items()}

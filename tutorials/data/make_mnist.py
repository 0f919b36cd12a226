"""Make mnist.npz from the four IDX files of MNIST.

    python tutorials/data/make_mnist.py FOLDER

FOLDER holds train-images-idx3-ubyte.gz and the other three files as Y. LeCun,
C. Cortes and C. Burges published them. The archive is a NumPy .npz whose members are
LZMA-compressed, about a fifth smaller than `numpy.savez_compressed` makes it.
"""

import argparse
import gzip
import hashlib
import io
import pathlib
import zipfile

import numpy as np

MEMBERS = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}
UNSIGNED_BYTES = 8
# Noted in every member instead of the clock, so that the archive can be made again.
DATE = (1998, 11, 1, 0, 0, 0)


def read_idx(path):
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
    if content[:3] != bytes([0, 0, UNSIGNED_BYTES]):
        raise ValueError(f"{path} must be an IDX file of unsigned bytes. Received: {content[:4]!r}")
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    target = pathlib.Path(__file__).with_name("mnist.npz")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        for name, source in MEMBERS.items():
            buffer = io.BytesIO()
            np.save(buffer, read_idx(arguments.folder / source))
            member = zipfile.ZipInfo(f"{name}.npy", DATE)
            archive.writestr(member, buffer.getvalue(), zipfile.ZIP_LZMA)
    content = target.read_bytes()
    print(f"{len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()

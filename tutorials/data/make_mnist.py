"""Make mnist.npz from the four IDX files of MNIST.

    cd tutorials && python -m data.make_mnist FOLDER

FOLDER holds train-images-idx3-ubyte.gz and the other three files as Y. LeCun,
C. Cortes and C. Burges published them. The archive is a NumPy .npz whose members are
LZMA-compressed, about a fifth smaller than `numpy.savez_compressed` makes it.
"""

import argparse
import hashlib
import io
import pathlib
import zipfile

import numpy as np
from lib import idx

# Noted in every member instead of the clock, so that the archive can be made again.
DATE = (1998, 11, 1, 0, 0, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    target = pathlib.Path(__file__).with_name("mnist.npz")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in idx.read_folder(arguments.folder).items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            member = zipfile.ZipInfo(f"{name}.npy", DATE)
            archive.writestr(member, buffer.getvalue(), zipfile.ZIP_LZMA)
    content = target.read_bytes()
    print(f"{len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()

"""The page's model: a LeNet-5 of tutorials/data/trained.npz as a packed .tflite file.

cd tutorials && python -m web.make_model
"""

import pathlib

from lib import trained

import keras_dc as dc

PATH = pathlib.Path(__file__).parent / "lenet_5.kdc"
NET = "lenet_5_r1_200x"


def main():
    """Convert the network, and pack the ordinary file: LiteRT.js does not know our ops."""
    model = trained.build(NET, trained.load()[NET])
    plain = dc.expand(dc.convert(model))
    packed = dc.pack(plain)
    PATH.write_bytes(packed)
    print(f"{PATH.name}: {len(packed):,} bytes for {len(plain):,}")


if __name__ == "__main__":
    main()

"""Write seeds of the fuzz targets: small blobs of every kind, models, and ops that read blobs.

    cd tests && python -m fuzz.make_corpus FOLDER

makes FOLDER/decoder, FOLDER/model, FOLDER/op and FOLDER/unpack. See README.md beside this file.
"""

import argparse
import pathlib

import numpy as np
from support import blobs, packs, reference_unpacker, sparse_models, tensors, tiny_models

import keras_dc as dc
from keras_dc import codec
from keras_dc.codec import bundles
from keras_dc.codec import packs as codec_packs

SMALL_BYTES = 600
DECODE, FULLY_CONNECTED, CONV_2D = range(3)


def op_seed(op, dims, blob, *, bias=0, options=b"", oddities=0, swap=0, steps=0):
    """An input of op_fuzzer.cc: its header, then the blob."""
    lengths_and_bias = 32 * len(options) + bias
    graph = bytes([oddities, swap, steps])
    return bytes([op, *dims, lengths_and_bias]) + options.ljust(7, b"\0") + graph + blob


def decoder_seeds():
    """`(name, blob)`; golden files and golden errors are seeds besides."""
    for name, tensor in tensors.ODD_TENSORS.items():
        blob = codec.encode(tensor)
        if len(blob) <= SMALL_BYTES:
            yield name, blob
    yield from arithmetic_seeds()
    for axis, dtype in [(0, np.float32), (-1, np.float32), (0, np.int8)]:
        tensor, parts = tensors.scaled((6, 3, 3, 5), axis=axis, dtype=dtype)
        yield f"scaled_{axis}_{dtype.__name__}", codec.encode_scaled(tensor, **parts)
    yield "planes_of_scales", codec.encode_scaled(**tensors.scaled_rows(60))
    dead = tensors.half_dead_int8((18, 60))
    yield "planes_dead_rows", codec.encode(dead)
    yield "planes_dead_columns", codec.encode(np.ascontiguousarray(dead.T))
    mask = tensors.sparse((20, 20), density=0.3, num_centroids=1)
    yield "planes_with_gaps", codec.encode(mask * tensors.noise((20, 20)))


def arithmetic_seeds():
    """`(name, blob)`: small blobs of each kind that the arithmetic coder makes."""
    small = {
        "mask": tensors.trained_mask(20, 7),
        "columns": np.ascontiguousarray(tensors.trained_mask(20, 7).T),
        "dense": tensors.smooth((12, 40), num_values=32),
        "int8": tensors.smooth((12, 48), num_values=200, dtype=np.int8, period=12),
        "values": tensors.noise((10, 100)) * np.float32(0.01) + 1,
        "sparse_values": tensors.trained_mask(20, 7) * tensors.noise((20, 49)),
    }
    for name, tensor in {**tensors.ODD_TENSORS, **small}.items():
        for mask_model in (True, False):
            blob = codec.encode(tensor)
            recoded = codec.recode(blob, mask_model=mask_model)
            if recoded != blob and len(recoded) <= SMALL_BYTES:
                yield f"arithmetic_{name}_{int(mask_model)}", recoded
    for name, (_, blob) in blobs.ARITHMETIC_EXAMPLES.items():
        yield f"arithmetic_{name}", blob


def op_seeds():
    """`(name, input of op_fuzzer.cc)`: each op, with and without bias and options."""
    weights = codec.encode(tensors.sparse((5, 7), density=0.4, num_centroids=5))
    kernel = codec.encode(tensors.sparse((3, 2, 2, 4), density=0.4, num_centroids=5))
    vector = codec.encode(np.array([0.5, -0.25, 1, 2, 3], np.float32))
    quantized = codec.encode(
        tensors.sparse((3, 2, 2, 4), density=0.4, num_centroids=5, dtype=np.int8)
    )
    yield "decode", op_seed(DECODE, (3, 2, 2, 4), kernel, options=b"\4")
    yield "decode_int8", op_seed(DECODE, (3, 2, 2, 4), quantized, bias=1, options=b"\4")
    yield "decode_wrong_shape", op_seed(DECODE, (3, 2, 2, 4), weights)
    yield from float16_op_seeds()
    for bias in (0, 1, 3):
        yield (
            f"dense_{bias}",
            op_seed(FULLY_CONNECTED, (2, 7, 0, 5), weights, bias=bias, options=bytes([bias])),
        )
    yield "dense_vector", op_seed(FULLY_CONNECTED, (2, 5, 0, 5), vector, bias=3)
    # The fuzzer seals the last bytes: the blobs before them stay whole.
    bundle = bundles.join([weights, vector, kernel, bytes(4)])
    yield "dense_bundle", op_seed(FULLY_CONNECTED, (2, 7, 0, 5), bundle, bias=3)
    yield "conv_bundle", op_seed(CONV_2D, (2, 6, 5, 4), bundles.join([kernel, bytes(4)]))
    yield "decode_bundle", op_seed(DECODE, (3, 2, 2, 4), bundle, options=b"\4")
    for options in (b"", b"\1", b"\3\1", b"\0\0\0\1\0\1\1"):
        yield f"conv_{options.hex()}", op_seed(CONV_2D, (2, 6, 5, 4), kernel, options=options)
    dense_int8 = codec.encode(tensors.sparse((5, 7), density=0.4, num_centroids=5, dtype=np.int8))
    # The op, in its upper bits the type of the activations and whether there are scales.
    for kind in (0, 66, 129, 192):
        for flags in (4, 6, 28):
            dense = op_seed(
                kind + FULLY_CONNECTED, (2, 7, 0, 5), dense_int8, options=bytes([1, flags])
            )
            yield f"dense_int8_{kind}_{flags}", dense
            convolution = op_seed(
                kind + CONV_2D, (2, 6, 5, 4), quantized, bias=1, options=bytes([3, flags & ~2])
            )
            yield f"conv_int8_{kind}_{flags}", convolution
    for bit in range(8):
        layer = (FULLY_CONNECTED, (2, 7, 0, 5), weights)
        yield f"odd_{bit}", op_seed(*layer, bias=1, oddities=1 << bit)
        yield f"steps_{bit}", op_seed(*layer, bias=3, steps=1 << bit)
        yield f"swap_{bit}", op_seed(*layer, bias=1, swap=1 + 32 * bit)


def float16_op_seeds():
    """`(name, input of op_fuzzer.cc)`: blobs of float16, alone and read by a second interpreter."""
    sparse = tensors.sparse((5, 7), density=0.4, num_centroids=5).astype(np.float16)
    kernel = tensors.sparse((3, 2, 2, 4), density=0.4, num_centroids=5).astype(np.float16)
    vector = np.array([0.5, -0.25, 1, 2, 3], np.float16)
    for steps in (0, 4, 32, 36):
        for name, op in (
            ("float32", op_seed(DECODE, (5, 7, 1, 1), codec.encode(sparse), options=b"\2")),
            ("float16", op_seed(DECODE, (5, 7, 1, 1), codec.encode(sparse), options=b"\x84")),
            ("dense", op_seed(FULLY_CONNECTED, (2, 7, 0, 5), codec.encode(sparse), bias=1)),
            ("bias", op_seed(FULLY_CONNECTED, (2, 5, 0, 5), codec.encode(vector), bias=3)),
            ("conv", op_seed(CONV_2D, (2, 6, 5, 4), codec.encode(kernel))),
        ):
            # The last byte of the header.
            yield f"half_{name}_{steps}", op[:15] + bytes([steps]) + op[16:]


def model_seeds():
    """`(name, bytes)`: models, plain and compressed."""
    for build in (
        tiny_models.conv_net,
        tiny_models.lookup,
        tiny_models.quantized,
        sparse_models.densified_twice,
    ):
        content = build().serialize()
        yield build.__name__, content
        yield f"compressed_{build.__name__}", dc.compress(content)


def unpack_seeds():
    """`(name, input of unpack_fuzzer.cc)`: size, base and control size, then the streams."""
    base = packs.golden_base()
    for name, (content, parts, is_patch) in packs.golden_cases(base).items():
        if len(content) > SMALL_BYTES:
            continue
        packed, _ = codec_packs.pack(content, parts, base=base if is_patch else None)
        head = reference_unpacker.Reader(packed)
        head.take(5)
        size = head.varint()
        head.take(4)
        if is_patch:
            head.varint()
            head.take(4)
        head.varint()
        control_size = head.varint()
        if control_size < 256:
            yield name, bytes([size % 128, is_patch, control_size]) + packed[head.at :]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    seeds_of = {
        "decoder": decoder_seeds,
        "model": model_seeds,
        "op": op_seeds,
        "unpack": unpack_seeds,
    }
    for target, seeds in seeds_of.items():
        folder = arguments.folder / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, seed in seeds():
            (folder / name).write_bytes(seed)


if __name__ == "__main__":
    main()

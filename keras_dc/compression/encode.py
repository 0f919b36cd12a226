"""The smallest blob for each constant."""

import concurrent.futures
import contextlib
import os
import threading
from typing import NamedTuple

import numpy as np

from keras_dc import codec
from keras_dc.compression.factoring import channel_scales
from keras_dc.support import progress

_MOST_WEIGHTS_TO_REGROUP = 2**22
_MOST_BYTES_AT_ONCE = 2**25
# The smallest constants, up to so many weights in all, take the mask model of the arithmetic
# coder and are taken however little it saves: a second to decode on a phone.
_MOST_SMALL_WEIGHTS = 2**24
# The arithmetic coder must save this part of any other constant.
_LEAST_SAVING = 1 / 64
# 256 centroids and the zero, of either sign.
_MOST_DISTINCT = 258


class Blob(NamedTuple):
    """A constant as it is coded: `content` is bytes-like, `info` a codec.BlobInfo."""

    content: bytes | memoryview
    info: codec.BlobInfo


def encode_all(constants, *, coder, candidates=None):
    """Code each constant, several at once.

    Args:
        constants: iterable of Constant.
        coder: one of `codec.CODERS`.
        candidates: CandidateFactors of the source model, or None.

    Returns:
        list of Blob, the smallest of each constant.
    """
    constants = list(constants)
    are_small = _are_small(constants)
    # Coding takes some memory beside the values: large ones are coded alone.
    one_at_a_time = threading.Lock()

    def encode_in_turn(constant, is_small):
        is_large = constant.values.nbytes > _MOST_BYTES_AT_ONCE
        with one_at_a_time if is_large else contextlib.nullcontext():
            blob = _smallest_blob(constant, candidates=candidates)
            return blob if coder == "huffman" else _recoded(blob, is_small)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        blobs = pool.map(encode_in_turn, constants, are_small)
        sizes = [constant.values.nbytes for constant in constants]
        return list(progress.tracked(blobs, "coding tensors", sizes))


def encode_vector(values, *, coder):
    """The smallest blob of a few numbers.

    Args:
        values: float32 array `(n,)`.
        coder: one of `codec.CODERS`.

    Returns:
        bytes.
    """
    blob = huffman_blob(values, "float32", ways=[]).content
    return min(blob, blob if coder == "huffman" else codec.recode(blob), key=len)


def _are_small(constants):
    """Whether each constant may be slow to decode: the smallest ones, up to a budget."""
    sizes = np.array([constant.values.size for constant in constants], np.int64)
    order = np.argsort(sizes, kind="stable")
    small = np.empty(len(sizes), bool)
    small[order] = np.cumsum(sizes[order]) <= _MOST_SMALL_WEIGHTS
    return small.tolist()


def _recoded(blob, is_small):
    """The blob of the arithmetic coder, if it is smaller by as much as it is slower."""
    content = codec.recode(blob.content, mask_model=None if is_small else False)
    least = 0 if is_small else _LEAST_SAVING * len(blob.content)
    if len(blob.content) - len(content) <= least:
        return blob
    return Blob(content, codec.inspect(content))


def _smallest_blob(constant, *, candidates):
    ways = constant.factorings
    if ways is None and candidates is not None and constant.dtype == "float32":
        # Where the source model has some, a search finds no smaller ones.
        ways = list(candidates.factorings(constant.values)) or None
    return huffman_blob(
        constant.values,
        constant.dtype,
        zero_point=constant.zero_point,
        channels=constant.channels,
        ways=ways,
    )


def huffman_blob(values, dtype, *, zero_point=0, channels=None, ways=None):
    """The smallest Huffman-coded blob of an array: with one codebook, or with a scale per channel.

    Args:
        values: array, as `codec.encode` takes it.
        dtype: the codec's name of the element type.
        zero_point: int, as `codec.encode` takes it.
        channels: QuantizedChannels, or None.
        ways: list of `(axis, Factors)` to try; None to search for some.

    Returns:
        Blob.

    Raises:
        CodecError: if the codec cannot hold the array.
    """
    content = codec.encode(values, dtype=dtype, zero_point=zero_point, copy=False)
    plain = Blob(content, codec.inspect(content))
    if ways is None:
        ways = _factorings(values, dtype, channels, plain.info)
    scaled = [
        codec.encode_scaled(
            values, codebook=factors.codebook, scales=factors.scales, axis=axis, copy=False
        )
        for axis, factors in ways
    ]
    smallest = min([plain.content, *scaled], key=len)
    return plain if smallest is plain.content else Blob(smallest, codec.inspect(smallest))


def _axes_that_regroup(values):
    """Axes along which no channel has as many distinct values as all have together."""
    for axis in (0, -1):
        channels = np.moveaxis(values, axis, 0)
        if len(channels) < 2:
            continue
        counts = []
        for channel in channels:
            counts.append(len(np.unique(channel)))
            # Most tensors are told by their first channel, before all is sorted.
            if counts[-1] > _MOST_DISTINCT:
                break
        else:
            if max(counts) < len(np.unique(values)):
                yield axis


def _factorings(values, dtype, channels, plain):
    """Ways to see the values as a codebook times a scale per channel: `(axis, Factors)`."""
    # Where few values serve all channels there is little to gain, and much to sort.
    if values.ndim < 2 or (plain.num_centroids and values.size > _MOST_WEIGHTS_TO_REGROUP):
        return
    if channels is not None and dtype == "int8":
        factors = channel_scales.factor_integers(values, channels.axis, np.array(channels.scales))
        if factors is not None:
            yield channels.axis, factors
    if dtype == "float32":
        # One codebook for all is there already; only a smaller one is of use.
        limit = {"most_centroids": plain.num_centroids - 1} if plain.num_centroids else {}
        for axis in _axes_that_regroup(values):
            factors = channel_scales.factor_floats(values, axis, **limit)
            if factors is not None:
                yield axis, factors

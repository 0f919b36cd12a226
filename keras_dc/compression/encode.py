"""The smallest blob for each constant."""

import concurrent.futures
import functools
import os

import numpy as np

from keras_dc import codec
from keras_dc.compression.factoring import channel_scales

_MOST_WEIGHTS_TO_REGROUP = 2**22
# 256 centroids and the zero, of either sign.
_MOST_DISTINCT = 258


def encode_all(constants, *, coder, known=None):
    """Set the smallest blob of each constant; several are coded at once.

    Args:
        constants: list of Constant.
        coder: one of `codec.CODERS`.
        known: KnownFactors of the model that they come from, None if nothing is known.

    Raises:
        ValueError: if `coder` is another one.
    """
    if coder not in codec.CODERS:
        raise ValueError(f"`coder` must be one of {codec.CODERS}. Received: coder={coder!r}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        blobs = pool.map(functools.partial(_smallest_blob, known=known), constants)
        if coder == "arithmetic":
            blobs = pool.map(codec.recode, blobs)
        for constant, blob in zip(constants, blobs):
            constant.blob = blob


def _smallest_blob(constant, *, known):
    plain = codec.encode(constant.values, dtype=constant.dtype)
    ways = constant.factorings
    if ways is None and known is not None and constant.dtype == "float32":
        # Where there are any, no smaller ones are to be found.
        ways = list(known.factorings(constant.values)) or None
    if ways is None:
        ways = _factorings(constant, codec.inspect(plain))
    scaled = [
        codec.encode_scaled(
            constant.values, codebook=factors.codebook, scales=factors.scales, axis=axis
        )
        for axis, factors in ways
    ]
    return min([plain, *scaled], key=len)


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


def _factorings(constant, plain):
    """Ways to see the values as a codebook times a scale per channel: `(axis, Factors)`."""
    values = constant.values
    # Where few values serve all channels there is little to gain, and much to sort.
    if values.ndim < 2 or (plain.num_centroids and values.size > _MOST_WEIGHTS_TO_REGROUP):
        return
    if constant.channel_axis is not None and constant.dtype == "int8":
        axis = constant.channel_axis
        factors = channel_scales.factor_integers(values, axis, constant.channel_scales)
        if factors is not None:
            yield axis, factors
    if constant.dtype == "float32":
        # One codebook for all is there already; only a smaller one is of use.
        limit = {"most_centroids": plain.num_centroids - 1} if plain.num_centroids else {}
        for axis in _axes_that_regroup(values):
            factors = channel_scales.factor_floats(values, axis, **limit)
            if factors is not None:
                yield axis, factors

"""Where a fused op is better than a runtime's dense int8 kernel, and the form of its weights.

The kernels multiply *words* of four neighbouring input channels; a word counts if one of its
weights is kept. Convolutions always take words, a vector times a matrix where they are nearly
full, as in blocks of 1x4.
"""

import math

import numpy as np

# As in `Int8Lockstep` of the kernels: with fewer, words take more memory than weights.
_LEAST_WEIGHTS_PER_WORD = 3

# Nanoseconds of one core, fitted to tests/benchmarks/int8.py and its layers at other sizes and
# densities (Zen 5 of 4 GHz, AVX-512 with VNNI; XNNPACK is the dense one). For each pixel: a
# weight, a kept word, an output, an input channel.
_DENSE_WEIGHT, _DENSE_OUTPUT = 0.00197, 0.083
# XNNPACK takes the channels of a tap by so many; what is missing is computed as zeros.
_DENSE_CHANNELS = 8
_WORD, _OUTPUT, _INPUT = 0.0134, 0.15, 0.045
# What it takes to leave the runtime's own chain of layers and to come back, at most.
_CALL, _CALL_OF_DENSE = 3000.0, 0.2
# Ours must win by so much.
_MARGIN = 1.07
# What it may lose for each scale that leaves the graph, where it takes 6 to 8 bytes: in small
# Transformers that is a tenth to a fifth of the file, for 0 to 7 % of their time.
_SCALE = 7.5
# Pixels are computed so many at once, and as few rows of a batch one by one.
_LANES = 16
_FEW_ROWS = 2

# The largest density of a matrix that is multiplied by a vector. A large one is read from
# memory, so that half the bytes are half the time; a small one stays in a cache.
_LARGE_MATRIX = 2**20
_LARGEST_DENSITY, _LARGEST_DENSITY_OF_SMALL = 0.4, 0.2
# The weights of words take fewer bytes, since a word has one column.
_LEAST_GAIN_OF_WORDS = 1.2


def num_words(values):
    """How many words of four channels have a kept weight.

    Args:
        values: int8 array; the last axis is that of the input channels.

    Returns:
        int.
    """
    kept = values.reshape(-1, values.shape[-1]) != 0
    padding = -kept.shape[1] % 4
    kept = np.pad(kept, [(0, 0), (0, padding)]) if padding else kept
    return int(np.count_nonzero(kept.reshape(-1, 4).any(axis=1)))


def form_of(values):
    """The form of the weights of a fused int8 op that computes one row at a time, or pixels.

    Args:
        values: int8 array `(units, inputs)` or `(filters, height, width, channels)`.

    Returns:
        "words" or "weights".
    """
    if values.ndim == 4 or _has_full_words(values, num_words(values)):
        return "words"
    return "weights"


def is_better_fused(values, output_shape, *, num_scales=0):
    """Whether a fused op computes faster from sparse int8 weights than the dense op.

    Or loses little, and makes the file smaller by what stands in the graph for a decoded layer.

    Args:
        values: int8 array `(units, inputs)` or `(filters, height, width, channels)`.
        output_shape: sequence of int, of the op's output; -1 for what is not known.
        num_scales: int, how many scales of channels leave the graph if the op is fused.

    Returns:
        bool.
    """
    words, num_pixels = num_words(values), math.prod(map(abs, map(int, output_shape[:-1])))
    if values.ndim == 2 and num_pixels <= _FEW_ROWS:
        has_words = _has_full_words(values, words)
        kept = 4 * words / _LEAST_GAIN_OF_WORDS if has_words else np.count_nonzero(values)
        is_large = values.size >= _LARGE_MATRIX
        largest = _LARGEST_DENSITY if is_large else _LARGEST_DENSITY_OF_SMALL
        return bool(kept <= largest * values.size)
    filters, channels = values.shape[0], values.shape[-1]
    dense_weights = values.size // channels * -(-channels // _DENSE_CHANNELS) * _DENSE_CHANNELS
    dense = num_pixels * (_DENSE_WEIGHT * dense_weights + _DENSE_OUTPUT * filters)
    whole = -(-num_pixels // _LANES) * _LANES
    ours = whole * (_WORD * words + _OUTPUT * filters + _INPUT * channels)
    lost = ours * _MARGIN + min(_CALL, _CALL_OF_DENSE * dense) - dense
    return lost <= _SCALE * num_scales


def _has_full_words(values, words):
    return np.count_nonzero(values) >= _LEAST_WEIGHTS_PER_WORD * words

import heapq

import numpy as np
import pytest

from keras_dc.numerics.code_lengths import code_lengths, mean_bits


def huffman_bits(counts):
    """Bits of all symbols with Huffman's own code, of any length: the sum of all merged counts."""
    heap, bits = [int(count) for count in counts if count], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        bits += merged
        heapq.heappush(heap, merged)
    return bits


def test_lengths_by_hand():
    assert code_lengths([5, 1, 1]).tolist() == [1, 2, 2]
    assert code_lengths([1, 0, 1, 1, 1]).tolist() == [2, 0, 2, 2, 2]
    # Of any length they would be 4, 4, 3, 2, 1.
    assert code_lengths([1, 2, 4, 8, 16], max_bits=3).tolist() == [3, 3, 3, 3, 1]


def test_a_lone_symbol_needs_no_code():
    assert code_lengths([0, 7]).tolist() == [0, 0]
    assert code_lengths([]).tolist() == []
    assert mean_bits([0, 7]) == mean_bits([0, 0]) == mean_bits([]) == 0.0


def test_codes_are_huffmans_where_the_limit_does_not_bind():
    rng = np.random.default_rng(0)
    for num_symbols in (2, 3, 17, 256):
        counts = rng.integers(50, 150, num_symbols)
        lengths = code_lengths(counts)
        assert counts @ lengths == huffman_bits(counts)
        assert np.sum(2.0**-lengths) == 1
        assert mean_bits(counts) == huffman_bits(counts) / counts.sum()


def test_no_code_is_longer_than_the_limit():
    counts = 2 ** np.arange(20)
    lengths = code_lengths(counts)
    assert lengths.max() == 12
    assert np.sum(2.0**-lengths) == 1
    assert counts @ lengths > huffman_bits(counts)


def test_too_many_symbols_are_refused():
    with pytest.raises(ValueError, match="Received: 5 symbols, max_bits=2"):
        code_lengths(np.ones(5, int), max_bits=2)

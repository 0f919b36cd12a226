"""The lengths of Huffman codes, and what a sequence of symbols takes with them."""

import numpy as np

# As the blobs have it (FORMAT.md, 5).
MAX_LENGTH_BITS = 12


def code_lengths(counts, *, max_bits=MAX_LENGTH_BITS):
    """Lengths of an optimal prefix code of limited length (package-merge).

    Args:
        counts: int array `(num_symbols,)`, how often each symbol occurs.
        max_bits: int, the longest code; `2**max_bits` symbols are the most.

    Returns:
        int array `(num_symbols,)`, bits; 0 for a symbol that does not occur, and for one
        that is alone, which needs no code.

    Raises:
        ValueError: if more than `2**max_bits` symbols occur.
    """
    counts = np.asarray(counts, np.int64)
    lengths = np.zeros(counts.shape, np.int64)
    present = np.flatnonzero(counts)
    if len(present) > 2**max_bits:
        raise ValueError(
            f"at most 2^`max_bits` symbols may occur. Received: {len(present)} symbols, "
            f"max_bits={max_bits}"
        )
    if len(present) < 2:
        return lengths
    # What is merged is known by its count and its symbols.
    singles: list[tuple[int, tuple[int, ...]]]
    singles = sorted((int(counts[symbol]), (int(symbol),)) for symbol in present)
    items = singles
    for _ in range(max_bits - 1):
        pairs = zip(items[0::2], items[1::2])
        packages = [(a + b, first + second) for (a, first), (b, second) in pairs]
        items = sorted(singles + packages, key=lambda item: item[0])
    # Each of the cheapest items that holds a symbol makes its code a bit longer.
    for _, symbols in items[: 2 * len(present) - 2]:
        np.add.at(lengths, list(symbols), 1)
    return lengths


def mean_bits(counts):
    """Bits of a symbol, on average, with the codes of `code_lengths`.

    Args:
        counts: int array, how often each symbol occurs.

    Returns:
        float, 0.0 if none occurs.
    """
    counts = np.asarray(counts, np.int64)
    total = int(counts.sum())
    return float(counts @ code_lengths(counts)) / total if total else 0.0

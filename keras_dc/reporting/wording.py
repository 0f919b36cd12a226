"""Numbers as a reader sees them."""

import math


def kilobytes(size_bytes):
    """Bytes as "7.2 KB"; of 1024 bytes each, like all sizes here. Small ones in bytes."""
    if size_bytes < 1024:
        return f"{size_bytes:,.0f} bytes"
    if size_bytes < 2**20:
        return f"{size_bytes / 1024:,.1f} KB"
    return megabytes(size_bytes)


def megabytes(size_bytes):
    """Bytes as "11.3 MB"."""
    return f"{size_bytes / 2**20:,.1f} MB"


def count(value):
    """A whole number with commas; a dash for None."""
    return "-" if value is None else f"{value:,.0f}"


def percent(fraction):
    """A fraction as "2.2 %", with more digits for a small one."""
    digits = 1 if abs(fraction) >= 0.1 else 2
    return f"{100 * fraction:.{digits}f} %"


def share(fraction):
    """A fraction as "95 %", with as many digits as it was given with."""
    return f"{100 * fraction:.6g} %"


def number(value):
    """A number with four digits that count; a dash for None."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def pair(bits):
    """Bits `(fixed, Huffman)` as "5 \N{RIGHTWARDS ARROW} 3.04"; a dash for None."""
    return "-" if bits is None else f"{bits[0]} \N{RIGHTWARDS ARROW} {bits[1]:.2f}"


def energy(microjoules):
    """Microjoules in the unit that reads best."""
    for unit, factor in [("J", 1e-6), ("mJ", 1e-3), ("\N{MICRO SIGN}J", 1.0)]:
        if microjoules * factor >= 1:
            return f"{microjoules * factor:.3g} {unit}"
    return f"{microjoules * 1e3:.3g} nJ"

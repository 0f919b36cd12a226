"""What reading the weights once may cost: an estimate from published energies.

Figures of a 45 nm process: M. Horowitz, "Computing's Energy Problem (and what we can do about
it)", ISSCC 2014, as tabulated per 32-bit access by S. Han et al., "EIE", ISCA 2016, table 1.
"""

DRAM_PICOJOULES = 640.0
SRAM_PICOJOULES = 5.0
SOURCE = (
    "Horowitz, ISSCC 2014, as tabulated by Han et al., EIE, ISCA 2016: 45 nm, 32-bit access, "
    "640 pJ from DRAM, 5 pJ from SRAM"
)
_ACCESS_BYTES = 4


def reading_microjoules(size_bytes):
    """Energy of reading so many bytes once, each once.

    Args:
        size_bytes: number of bytes.

    Returns:
        dict "dram" and "sram", microjoules.
    """
    accesses = size_bytes / _ACCESS_BYTES
    return {
        "dram": accesses * DRAM_PICOJOULES * 1e-6,
        "sram": accesses * SRAM_PICOJOULES * 1e-6,
    }

"""The machine that figures were measured on."""

import pathlib
import platform


def cpu_name():
    """Of the processor, as the system calls it."""
    path = pathlib.Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

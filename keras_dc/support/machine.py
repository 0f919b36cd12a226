"""The machine that figures are measured on."""

import os
import pathlib
import platform
import sys


def cpu_name():
    """Of the processor, as the system calls it: str."""
    path = pathlib.Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def resident_bytes():
    """Memory of this process that is resident now, and the most that ever was.

    Returns:
        tuple of two int, in bytes; None where the system does not tell.
    """
    found = {}
    path = pathlib.Path("/proc/self/status")
    if path.exists():
        for line in path.read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                found[name] = int(value.split()[0]) * 1024
    return found.get("VmRSS"), found.get("VmHWM")


def forget_peak():
    """Count the most of `resident_bytes` from now on, where the system can."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        # Another system, or not allowed: the peak since the start then counts.
        return False
    return True


def child_command(code, *arguments):
    """The command of a Python process that imports the very modules that this one does.

    Whatever lies in the working directory, such as the sources of an installed package.

    Args:
        code: str, what it runs.
        *arguments: strs, its `sys.argv[1:]`.

    Returns:
        list of str.
    """
    path = [folder or os.getcwd() for folder in sys.path]
    return [sys.executable, "-c", f"import sys; sys.path[:] = {path!r}\n{code}", *arguments]

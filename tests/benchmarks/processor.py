"""The processor that a benchmark runs on, and the file of its figures in `results/`."""

import json
import pathlib
import platform
import re

RESULTS = pathlib.Path(__file__).parent / "results"
_CPU_INFO = pathlib.Path("/proc/cpuinfo")
_CACHES = pathlib.Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"": 1, "K": 2**10, "M": 2**20}


def describe():
    """What Linux tells of the processor.

    Returns:
        dict: "cpu" (name, and on x86 family and model, which tell machines of one name apart),
        "cores" (int, those that this machine may use), "caches" (dict from "L1d" and the like
        to bytes) and "clock_mhz" (float, of this moment), None where it is not told.
    """
    info = _first_of_cpu_info()
    name = info.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in info:
        name += f", family {info['cpu family']} model {info.get('model')}"
    clock = info.get("cpu MHz")
    return {
        "cpu": name,
        "cores": int(info.get("cores", 0)) or None,
        "caches": dict(sorted(map(_cache, _CACHES.glob("index*")))),
        "clock_mhz": None if clock is None else round(float(clock)),
    }


def line():
    """The same as a line of text."""
    found = describe()
    caches = ", ".join(f"{level} {size // 1024} KiB" for level, size in found["caches"].items())
    clock = found["clock_mhz"]
    at = "" if clock is None else f" at {clock / 1000:.1f} GHz"
    return f"{found['cpu']}, {found['cores']} cores{at}; {caches}"


def save(benchmark, figures):
    """Put the figures of a benchmark, a dict, into the file of this processor.

    Figures of the same benchmark that are not among them stay.

    Returns:
        pathlib.Path of the file.
    """
    found = describe()
    slug = re.sub(r"[^a-z0-9]+", "_", found["cpu"].lower()).strip("_")
    path = RESULTS / f"{slug}.json"
    held = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    merged = {**held.get(benchmark, {}), **figures}
    path.write_text(json.dumps({**held, **found, benchmark: merged}, indent=1) + "\n")
    return path


def _first_of_cpu_info():
    """What `/proc/cpuinfo` has of the first core, and how many cores there are."""
    if not _CPU_INFO.exists():
        return {}
    text = _CPU_INFO.read_text()
    first = dict(
        (part.strip() for part in line.split(":", 1))
        for line in text.partition("\n\n")[0].splitlines()
        if ":" in line
    )
    return {**first, "cores": len(re.findall(r"^processor\s*:", text, re.MULTILINE))}


def _cache(folder):
    level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
    number, unit = re.fullmatch(r"(\d+)([KM]?)", size).groups()
    letter = {"Data": "d", "Instruction": "i"}.get(kind, "")
    return f"L{level}{letter}", int(number) * _UNITS[unit]

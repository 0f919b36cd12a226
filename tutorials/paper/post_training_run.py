"""What `post_training` runs in a process of its own, without Keras: one file from samples.

Arguments are a folder with `original.tflite` and `samples.npy`, a ratio, a seed and a coder; it
gets `small.tflite`, and `took.json` of the time and memory that it took.
"""

import json
import pathlib
import re
import sys
import time

import keras_dc as dc


def peak_megabytes():
    """The most memory that this process had: int, None where the system does not tell."""
    path = pathlib.Path("/proc/self/status")
    # The resource usage of a process has that of its parent in it.
    found = re.search(r"VmHWM:\s+(\d+) kB", path.read_text()) if path.exists() else None
    return None if found is None else int(found[1]) // 1024


def main(name, ratio, seed, coder):
    folder, start, processor = pathlib.Path(name), time.monotonic(), time.process_time()
    small, report = dc.compress(
        folder / "original.tflite",
        samples=folder / "samples.npy",
        ratio=float(ratio),
        seed=int(seed),
        coder=coder,
        return_report=True,
    )
    took = {
        "seconds": round(time.monotonic() - start, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "peak_megabytes": peak_megabytes(),
        "held_back": [vars(change) for change in report.outputs],
        "methods": sorted({row.method for row in report if row.method}),
        "loads_keras": "keras" in sys.modules,
    }
    (folder / "small.tflite").write_bytes(small)
    (folder / "took.json").write_text(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])

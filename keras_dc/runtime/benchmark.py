"""`benchmark`: latency, load time and memory of one file, or of two side by side."""

import contextlib
import dataclasses
import functools
import importlib.metadata
import json
import os
import pathlib
import subprocess
import tempfile
from typing import Any

import numpy as np

from keras_dc.codec import library
from keras_dc.runtime import benchmark_process
from keras_dc.runtime.interpreter import import_runtime
from keras_dc.runtime.model_check import checked_content, checked_path
from keras_dc.support import machine, progress, text_columns

# One file runs for so long, then the other.
_TURN_MS = 20.0
# Not by -m: this module has imported it already.
_START = "from keras_dc.runtime import benchmark_process; benchmark_process.main()"
_FEWEST_INVOKES, _MOST_INVOKES = 10, 5000
_HEADINGS = ["file", "p50 ms", "p90 ms", "load ms", "memory KB", "peak KB", "file KB"]


@dataclasses.dataclass(frozen=True)
class BenchmarkRow:
    """What one file takes.

    Attributes:
        name: of the file.
        runtime: "litert", "tflite_runtime" or "tensorflow".
        runtime_version: str, of its package.
        num_threads: int.
        low_memory: bool, see `keras_dc.Interpreter`.
        p50_ms: median time of an invoke in milliseconds.
        p90_ms: time that nine of ten invokes take at most.
        load_ms: until the interpreter's tensors are allocated; the runtime is imported before.
        memory_bytes: resident memory that loading and one invoke add; None where the system does
            not tell, as outside of Linux.
        peak_memory_bytes: the most that is added at any time, likewise.
        size_bytes: int, size of the file.
        num_invokes: int, how many were timed.
    """

    name: str
    runtime: str
    runtime_version: str
    num_threads: int
    low_memory: bool
    p50_ms: float
    p90_ms: float
    load_ms: float
    memory_bytes: int | None
    peak_memory_bytes: int | None
    size_bytes: int
    num_invokes: int


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What `benchmark` measured; `str` of it is a table.

    Attributes:
        rows: tuple of BenchmarkRow.
        cpu: str, name of the processor.
        instruction_set: str, what keras_dc's ops compute with.
    """

    rows: tuple[BenchmarkRow, ...]
    cpu: str
    instruction_set: str

    def to_dict(self):
        """All figures as a dict that JSON holds."""
        return {**dataclasses.asdict(self), "rows": [dataclasses.asdict(row) for row in self.rows]}

    def __str__(self):
        cells = [_HEADINGS, *map(_cells, self.rows)]
        lines = text_columns.aligned(cells, [False] + [True] * (len(_HEADINGS) - 1))
        first = self.rows[0]
        threads = f"{first.num_threads} thread" + "s" * (first.num_threads != 1)
        low_memory = ", low memory" if first.low_memory else ""
        where = f"{first.runtime} {first.runtime_version}, {threads}{low_memory}"
        return "\n".join([*lines, f"{where}; {self.cpu}, {self.instruction_set}"])


def benchmark(
    first,
    second=None,
    samples=None,
    *,
    num_threads=1,
    runtime=None,
    low_memory=False,
    batch_size=None,
    repeats=None,
    seconds=2.0,
):
    """Measure latency, load time and memory of a TFLite model, or of two side by side.

    Each file is loaded in a process of its own, and the processes invoke in turns of 20 ms, so
    that whatever else the machine does hits both. NumPy and a runtime are enough.

    Args:
        first: bytes of a `.tflite` model, compressed or not, or the path of a file.
        second: another one, or None.
        samples: inputs to run on, see `keras_dc.compare_outputs`; the first batch of them is
            taken. None: random ones.
        num_threads: int, threads of the runtime.
        runtime: see `keras_dc.Interpreter`.
        low_memory: see `keras_dc.Interpreter`.
        batch_size: int, examples at once; None: one, or as many as the file is made for.
        repeats: int, invokes of each file; None: as many as go into `seconds`, from 10 to 5000.
        seconds: float, about how long each file is run.

    Returns:
        Benchmark, with a row for each file.

    Raises:
        TypeError: if a model is neither bytes nor a path.
        ValueError: if a number is out of range, or `runtime` is unknown; as ModelFormatError
            if a file is no whole TFLite model.
        RuntimeError: if the runtime cannot run a model.
        FileNotFoundError, IsADirectoryError: if there is no file at a path.
        ImportError: if the runtime is not installed, or none is.
    """
    for name, value in [
        ("num_threads", num_threads),
        ("batch_size", 1 if batch_size is None else batch_size),
        ("repeats", 1 if repeats is None else repeats),
    ]:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"`{name}` must be a positive int. Received: {name}={value!r}")
    if not seconds > 0:
        raise ValueError(f"`seconds` must be positive. Received: seconds={seconds!r}")
    runtime, requirement = import_runtime(runtime)
    request = {
        "runtime": runtime,
        "num_threads": num_threads,
        "low_memory": bool(low_memory),
        "batch_size": batch_size,
        "samples": None,
    }
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if samples is not None:
            request["samples"] = _saved(samples, folder)
        files = [_file_of(first, "first", folder)]
        if second is not None:
            files.append(_file_of(second, "second", folder))
        names = [name for name, _ in files]
        if len(names) != len(set(names)):
            names = [str(path) for _, path in files]
        runs = []
        for (_, path), name in zip(files, names):
            progress.tell(f"loading {name}")
            runs.append(stack.enter_context(_Run(name, path, request)))
        _take_turns(runs, repeats, seconds)
        memory = [run.finish() for run in runs]
    row = functools.partial(
        BenchmarkRow,
        runtime=runtime,
        runtime_version=importlib.metadata.version(requirement),
        num_threads=num_threads,
        low_memory=bool(low_memory),
    )
    rows = [row(**run.figures(), **taken) for run, taken in zip(runs, memory)]
    return Benchmark(tuple(rows), machine.cpu_name(), library.instruction_set())


def _file_of(tflite, name, folder):
    """The name and path of a model; bytes become a file."""
    if isinstance(tflite, (bytes, bytearray, memoryview)):
        path = folder / f"{name}.tflite"
        path.write_bytes(checked_content(tflite))
        return name, path
    if not isinstance(tflite, (str, os.PathLike)):
        raise TypeError(
            "a model is given as bytes or as the path of a `.tflite` file. "
            f"Received: {type(tflite).__name__}"
        )
    path = pathlib.Path(checked_path(tflite))
    return path.name, path


def _saved(samples, folder):
    """The path of an .npz file of the samples."""
    path = str(folder / "samples.npz")
    given = samples if isinstance(samples, dict) else {benchmark_process.ONE_ARRAY: samples}
    arrays: dict[str, Any] = {name: np.asarray(values) for name, values in given.items()}
    np.savez(path, **arrays)
    return path


def _take_turns(runs, repeats, seconds):
    """Invoke each file by turns until all have enough."""
    turns = [run.turn() for run in runs]  # which also warms up
    wanted = [repeats or run.invokes_within(seconds) for run in runs]
    total = sum(wanted)
    while any(len(run.times) < count for run, count in zip(runs, wanted)):
        for run, turn, count in zip(runs, turns, wanted):
            run.invoke(min(turn, count - len(run.times)))
        progress.tell("running", sum(len(run.times) for run in runs), total)


class _Run:
    """The process of one file."""

    def __init__(self, name, path, request):
        self.name = name
        self.size_bytes = path.stat().st_size
        self.times: list[int] = []
        self._warm_ms = 0.0
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed at the exit)
        self._process = subprocess.Popen(
            machine.child_command(_START),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self.load_ms = self._ask({**request, "path": str(path)})["load_ms"]
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def turn(self):
        """Warm up; how many invokes a turn has."""
        first = self._ask(1)[0] / 1e6
        count = max(1, min(_MOST_INVOKES, round(_TURN_MS / max(first, 1e-3))))
        self._warm_ms = float(np.median(self._ask(count))) / 1e6
        return max(1, min(_MOST_INVOKES, round(_TURN_MS / max(self._warm_ms, 1e-3))))

    def invokes_within(self, seconds):
        count = round(1e3 * seconds / max(self._warm_ms, 1e-3))
        return max(_FEWEST_INVOKES, min(_MOST_INVOKES, count))

    def invoke(self, count):
        if count > 0:
            self.times += self._ask(count)

    def figures(self):
        """The fields of a BenchmarkRow that are this file's own: dict."""
        p50, p90 = (float(value) / 1e6 for value in np.percentile(self.times, [50, 90]))
        return {
            "name": self.name,
            "p50_ms": p50,
            "p90_ms": p90,
            "load_ms": self.load_ms,
            "size_bytes": self.size_bytes,
            "num_invokes": len(self.times),
        }

    def finish(self):
        """The memory that the file took: dict."""
        return self._ask("finish")

    def _ask(self, request):
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            status = self._process.wait()
            self._errors.seek(0)
            last = self._errors.read().strip()[-300:]
            raise RuntimeError(
                f"the process that runs {self.name} must answer. Received: exit status {status}, "
                f"{last!r}"
            )
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer


def _cells(row):
    def kilobytes(count):
        return "-" if count is None else f"{count / 1024:,.0f}"

    return [
        row.name,
        f"{row.p50_ms:,.3f}",
        f"{row.p90_ms:,.3f}",
        f"{row.load_ms:,.1f}",
        kilobytes(row.memory_bytes),
        kilobytes(row.peak_memory_bytes),
        f"{row.size_bytes / 1024:,.1f}",
    ]

"""The process in which `benchmark` loads and runs one file.

It reads a JSON object a line and answers with one: first what to load, then how often to
invoke, at last "finish". Nothing else is in the process but the runtime, so that what the
memory grows by is the model's.
"""

import json
import os
import sys
import time
import warnings

import numpy as np

from keras_dc.runtime.interpreter import Interpreter, import_runtime
from keras_dc.runtime.program import Program
from keras_dc.runtime.sample_inputs import OPEN_SIZES, random_sample
from keras_dc.support import machine


def load(request):
    """Make an interpreter that is ready, and invoke it once.

    Args:
        request: dict of `path`, `runtime`, `num_threads`, `low_memory` and `batch_size`.

    Returns:
        tuple `(interpreter, milliseconds, (resident bytes before, now))`.
    """
    import_runtime(request["runtime"])
    machine.forget_peak()
    before, _ = machine.resident_bytes()
    failure = None
    for open_size in OPEN_SIZES:
        begin = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf.lite warns that it is deprecated
            interpreter = Interpreter(
                request["path"],
                runtime=request["runtime"],
                num_threads=request["num_threads"],
                low_memory=request["low_memory"],
            )
        program = Program(interpreter)
        sample = _sample(program.inputs, open_size, request["batch_size"])
        indices = program.input_indices
        try:
            for spec in program.inputs:
                if sample[spec.name].shape != tuple(abs(size) for size in spec.shape):
                    interpreter.resize_tensor_input(indices[spec.name], sample[spec.name].shape)
            interpreter.allocate_tensors()
            milliseconds = 1e3 * (time.perf_counter() - begin)
            for name, values in sample.items():
                interpreter.set_tensor(indices[name], values)
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            failure = failure or error
            continue
        return interpreter, milliseconds, (before, machine.resident_bytes()[0])
    raise RuntimeError(f"the runtime cannot run the model on random inputs: {failure}")


def _sample(specs, open_size, batch_size):
    rng = np.random.default_rng(0)
    sample = random_sample(specs, num_rows=2, open_size=open_size, rng=rng)
    if batch_size is None:
        return sample
    return {
        name: np.resize(values, (batch_size, *values.shape[1:])) if values.ndim else values
        for name, values in sample.items()
    }


def invoke(interpreter, count):
    """Invoke so many times; a list of nanoseconds."""
    found = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        interpreter.invoke()
        found.append(time.perf_counter_ns() - begin)
    return found


def memory_figures(before, after, peak):
    """What the memory grew by, from resident bytes, or None where they are not known."""
    if before is None or peak is None:
        return {"memory_bytes": None, "peak_memory_bytes": None}
    added = max(after - before, 0)
    # Linux counts the peak a little later than the memory.
    return {"memory_bytes": added, "peak_memory_bytes": max(peak - before, added)}


def main():
    # What the runtime prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    try:
        interpreter, milliseconds, resident = load(json.loads(sys.stdin.readline()))
        answer({"load_ms": milliseconds})
        for line in sys.stdin:
            request = json.loads(line)
            if request == "finish":
                break
            answer(invoke(interpreter, request))
        before, after = resident
        answer(memory_figures(before, after, machine.resident_bytes()[1]))
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
